public import BerthNetlink

// Addresses are text in documents.

extension IPAddress: Codable {
    /// Reads its text.
    public init(from decoder: any Decoder) throws { self = try decoder.decodeText(IPAddress.init) }
    /// Writes its text.
    public func encode(to encoder: any Encoder) throws { try encoder.encodeText(description) }
}

extension IPAddress {
    /// Whether it is of one link only (RFC 3927; RFC 4291, section 2.5.6).
    var isLinkLocal: Bool { version == .v4 ? value >> 16 == 0xa9fe : value >> 118 == 0x3fa }
}

extension IPPrefix: Codable {
    /// Reads its text.
    public init(from decoder: any Decoder) throws { self = try decoder.decodeText(IPPrefix.init) }
    /// Writes its text.
    public func encode(to encoder: any Encoder) throws { try encoder.encodeText(description) }
}

extension HardwareAddress: Codable {
    /// Reads its text.
    public init(from decoder: any Decoder) throws { self = try decoder.decodeText(HardwareAddress.init) }
    /// Writes its text.
    public func encode(to encoder: any Encoder) throws { try encoder.encodeText(description) }
}

extension Decoder {
    fileprivate func decodeText<Value>(_ read: (String) -> Value?) throws -> Value {
        let container = try singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = read(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is no \(Value.self)")
        }
        return value
    }
}

extension Encoder {
    fileprivate func encodeText(_ text: String) throws {
        var container = singleValueContainer()
        try container.encode(text)
    }
}
