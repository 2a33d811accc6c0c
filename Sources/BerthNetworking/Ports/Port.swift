/// A port of a sandbox's, as text and JSON `80/tcp`.
public struct Port: Hashable, Sendable, Comparable, CustomStringConvertible, Codable {
    /// Its number.
    public let number: UInt16
    /// What is spoken there.
    public let transport: PublishedPort.Transport

    /// A port of these.
    public init(_ number: UInt16, _ transport: PublishedPort.Transport) { (self.number, self.transport) = (number, transport) }

    /// Reads `80/tcp`, or `80`, which is the same; `nil` for anything else.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts[0].utf8.allSatisfy({ (48...57).contains($0) }), let number = UInt16(parts[0]) else { return nil }
        guard let spoken = parts.count == 2 ? PublishedPort.Transport(rawValue: parts[1].lowercased()) : .tcp else { return nil }
        self.init(number, spoken)
    }

    /// Reads its text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let port = Port(text) else { throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is no port") }
        self = port
    }

    /// Writes its text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// As it is written.
    public var description: String { "\(number)/\(transport.rawValue)" }

    /// By number, then by what is spoken.
    public static func < (a: Port, b: Port) -> Bool { (a.number, a.transport.rawValue) < (b.number, b.transport.rawValue) }
}
