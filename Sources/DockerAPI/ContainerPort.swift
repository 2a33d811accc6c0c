/// A port of a container's, as answers and requests name it: `80/tcp`.
public struct ContainerPort: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// What is spoken at a port.
    public enum Transport: String, Sendable, Hashable, CaseIterable, Comparable {
        case sctp, tcp, udp

        /// By name.
        public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    }

    /// Its number.
    public let number: UInt16
    /// What is spoken there.
    public let transport: Transport

    /// A port of these.
    public init(_ number: UInt16, _ transport: Transport) { (self.number, self.transport) = (number, transport) }

    /// Parses `80/tcp`; without what is spoken, it is TCP.
    ///
    /// - Returns: `nil` for anything else, and for a range.
    public init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let number = Self.number(first) else { return nil }
        let name = parts.count == 2 ? parts[1].lowercased() : ""
        guard let transport = name.isEmpty ? .tcp : Transport(rawValue: name) else { return nil }
        self.init(number, transport)
    }

    /// A port's number: up to five digits, at most 65535. `nil` for anything else.
    public static func number(_ text: some StringProtocol) -> UInt16? {
        (1...5).contains(text.utf8.count) && text.utf8.allSatisfy { (48...57).contains($0) } ? UInt16(text) : nil
    }

    /// `80/tcp`.
    public var description: String { "\(number)/\(transport.rawValue)" }

    /// By number, then by what is spoken.
    public static func < (a: Self, b: Self) -> Bool { (a.number, a.transport) < (b.number, b.transport) }
}

/// Where a container's port is published on the host (`PortBinding`).
public struct PortBinding: JSONWritable, Hashable {
    /// The host's address; empty is all of them.
    public var hostAddress: String
    /// The host's port, or a range `8080-8090` of which one is taken; empty is any.
    public var hostPort: String

    /// A place of these.
    public init(hostAddress: String = "", hostPort: String = "") { (self.hostAddress, self.hostPort) = (hostAddress, hostPort) }

    /// The host's ports of which one is to be taken; `nil` is any.
    public var hostPorts: ClosedRange<UInt16>? { Self.ports(hostPort) ?? nil }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("HostIp", hostAddress)
            writer.member("HostPort", hostPort)
        }
    }

    /// Reads a request's.
    ///
    /// - Throws: `invalid` for a port that is none.
    init(reading fields: inout RequestFields) throws(RequestError) {
        self.init(hostAddress: try fields.string("HostIp"), hostPort: try fields.string("HostPort"))
        try fields.refuseUnread()
        guard Self.ports(hostPort) != nil else { throw RequestError(.invalid, "invalid port specification: \"\(hostPort)\"") }
    }

    /// What a text says: `.some(nil)` is any port, `nil` is a mistake. Port 0 is any, too.
    private static func ports(_ text: String) -> ClosedRange<UInt16>?? {
        if text.isEmpty { return .some(nil) }
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = ContainerPort.number(ends[0]), let last = ContainerPort.number(ends[ends.count - 1]), first <= last else {
            return nil
        }
        return .some(last == 0 ? nil : first...last)
    }
}

/// The places where each port of a container's is published (`PortMap`).
public typealias PortMap = [ContainerPort: [PortBinding]]

extension RequestFields {
    /// Ports and where they are published; absent is `nil`.
    ///
    /// - Throws: `invalid` in Docker's words for a port that is none, for one that is named twice, and for more of them than there are ports.
    mutating func ports(_ name: String) throws(RequestError) -> PortMap? {
        guard has(name) else { return nil }
        var members = try fields(name)
        var (result, count): (PortMap, Int) = ([:], 0)
        for key in members.names {
            let port = try Self.port(key)
            var bindings: [PortBinding] = []
            for var binding in try members.fieldsList(key) { bindings.append(try PortBinding(reading: &binding)) }
            count += bindings.count
            guard result.updateValue(bindings, forKey: port) == nil else {
                throw RequestError(.invalid, "invalid JSON: \(name) has \(port) twice")
            }
        }
        guard count <= Self.portLimit else {
            throw RequestError(.invalid, "invalid \(name): more than \(Self.portLimit) places for ports")
        }
        return result
    }

    /// A set of ports; absent has none.
    ///
    /// - Throws: `invalid` in Docker's words for a port that is none.
    mutating func portSet(_ name: String) throws(RequestError) -> Set<ContainerPort> {
        var result: Set<ContainerPort> = []
        for key in try fields(name).names { result.insert(try Self.port(key)) }
        return result
    }

    /// How many places for ports a request may name: every port of TCP, UDP and SCTP.
    private static var portLimit: Int { 3 << 16 }

    private static func port(_ text: String) throws(RequestError) -> ContainerPort {
        if let port = ContainerPort(parsing: text) { return port }
        let number = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)[0]
        throw RequestError(.invalid, "invalid port specification: \"\(ContainerPort.number(number) == nil ? String(number) : text)\"")
    }
}

extension JSONWriter {
    /// How a port without a place is written.
    enum UnpublishedPort {
        /// As a list without elements.
        case emptyList
        /// As `null`.
        case null
    }

    /// A member with ports and where they are published, in the order of their names.
    mutating func member(_ name: String, ports: PortMap, unpublished: UnpublishedPort) {
        member(name) { writer in
            let named = ports.map { (key: $0.key.description, value: $0.value) }
            for (port, bindings) in named.sorted(by: { $0.key < $1.key }) {
                if bindings.isEmpty, unpublished == .null { writer.nullMember(port) } else { writer.member(port, list: bindings) }
            }
        }
    }
}
