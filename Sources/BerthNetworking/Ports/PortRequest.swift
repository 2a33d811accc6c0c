public import BerthNetlink

/// A port of a sandbox's that is to be published at one of the host's (Docker Engine API, `PortBinding`).
public struct PortRequest: Hashable, Sendable, Codable {
    /// The sandbox's port.
    public var port: Port
    /// The host's address; `nil` for all that it has.
    public var hostAddress: IPAddress?
    /// The host's ports, of which one that is free is taken; `nil` for any of those that the kernel gives.
    public var hostPorts: ClosedRange<UInt16>?

    /// A port of these.
    public init(_ port: Port, hostAddress: IPAddress? = nil, hostPorts: ClosedRange<UInt16>? = nil) {
        (self.port, self.hostAddress, self.hostPorts) = (port, hostAddress, hostPorts)
    }

    private enum CodingKeys: String, CodingKey { case port, hostAddress, firstHostPort, lastHostPort }

    /// Reads it.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        port = try values.decode(Port.self, forKey: .port)
        hostAddress = try values.decodeIfPresent(IPAddress.self, forKey: .hostAddress)
        let first = try values.decodeIfPresent(UInt16.self, forKey: .firstHostPort)
        let last = try values.decodeIfPresent(UInt16.self, forKey: .lastHostPort) ?? first
        guard let first, let last else {
            hostPorts = nil
            return
        }
        guard first <= last else {
            throw DecodingError.dataCorruptedError(forKey: .lastHostPort, in: values, debugDescription: "\(first) to \(last) is no range")
        }
        hostPorts = first...last
    }

    /// Writes it.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(port, forKey: .port)
        try values.encodeIfPresent(hostAddress, forKey: .hostAddress)
        try values.encodeIfPresent(hostPorts?.lowerBound, forKey: .firstHostPort)
        try values.encodeIfPresent(hostPorts?.upperBound, forKey: .lastHostPort)
    }
}
