public import BerthNetlink

/// What a host's `resolv.conf` says (resolv.conf(5)): where the files of its containers start from.
///
/// As the field does it, `search` and the older `domain` are one, of which the last line counts; options of several lines are one list; what is not known
/// here (`sortlist`) is kept, line by line; comments are not.
public struct ResolverFile: Hashable, Sendable {
    /// The address of a name server.
    public struct Server: Hashable, Sendable, CustomStringConvertible {
        /// The address.
        public var address: IPAddress
        /// The interface by which it is reached, of an address that is known to one link alone: `fe80::1%eth0`.
        public var zone: String?

        /// A server of these.
        public init(_ address: IPAddress, zone: String? = nil) { (self.address, self.zone) = (address, zone) }

        /// Reads an address, with a zone if it is one of version 6; `nil` for what is none.
        public init?(_ text: some StringProtocol) {
            let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
            guard let address = IPAddress(parts[0]) else { return nil }
            if parts.count == 1 { self.init(address); return }
            guard address.version == .v6, !parts[1].isEmpty else { return nil }
            self.init(address, zone: String(parts[1]))
        }

        /// Whether only the machine itself reaches it.
        public var isLoopback: Bool { address.isLoopback }

        /// As it is written.
        public var description: String { zone.map { "\(address)%\($0)" } ?? address.description }
    }

    /// The name servers, in the order in which they are asked.
    public var servers: [Server] = []
    /// What is put behind a name that is not whole.
    public var search: [String] = []
    /// The options, as `ndots:2`.
    public var options: [String] = []
    /// The lines that nothing is known of here.
    public var otherLines: [String] = []
    /// What stood where an address of a server was to be.
    public var invalidServers: [String] = []
    /// Where it was read.
    public var path: String

    /// The most bytes that are read of a host's file: what is beyond them does not count.
    public static var maximumByteCount: Int { 64 << 10 }

    /// Reads a file's contents. Nothing is an error: a line that cannot be understood is kept, or told of in a comment of the files made from it.
    public init(_ contents: [UInt8], path: String) {
        self.path = path
        let text = String(decoding: contents.prefix(Self.maximumByteCount), as: UTF8.self)
        for line in text.split(whereSeparator: \.isNewline) { read(line) }
    }

    private mutating func read(_ line: Substring) {
        guard let first = line.first, first != "#", first != ";" else { return }
        let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
        switch words.first {
        case "nameserver":
            guard words.count > 1 else { return }
            if let server = Server(words[1]) { servers.append(server) } else { invalidServers.append(words[1]) }
        case "search", "domain":
            if words.count > 1 { search = Array(words[1...]) }
        case "options": options += words[1...]
        case nil: return
        default: otherLines.append(String(line))
        }
    }

    /// Whether it names systemd's resolver on the host's loopback interface, and nothing else: whom that asks is in ``systemdPath``.
    public var namesOnlySystemd: Bool { servers == [Server(IPAddress(.v4, 0x7F00_0035))] }

    /// Where every resolver looks.
    public static var usualPath: String { "/etc/resolv.conf" }
    /// Where systemd's resolver writes whom it asks itself.
    public static var systemdPath: String { "/run/systemd/resolve/resolv.conf" }

    /// The host's file for containers of a form.
    ///
    /// Containers that ask the host's servers themselves cannot reach systemd's resolver on the host's loopback interface: of them, it is the file of
    /// those whom it asks. Those who are served by the engine can, for the engine asks.
    /// - Parameter contents: reads a file of the host's; nothing for one that is not there.
    public static func ofHost(for form: Form, _ contents: (_ path: String) -> [UInt8]) -> ResolverFile {
        let usual = ResolverFile(contents(usualPath), path: usualPath)
        guard case .direct = form, usual.namesOnlySystemd else { return usual }
        return ResolverFile(contents(systemdPath), path: systemdPath)
    }

    /// The value of the last option of a name: empty where it has none, `nil` where there is no such option.
    public func option(_ name: String) -> String? {
        for option in options.reversed() {
            let parts = option.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts[0] == name { return parts.count > 1 ? String(parts[1]) : "" }
        }
        return nil
    }
}

extension IPAddress {
    /// An address of version 4 that is written as one of version 6 (RFC 4291, section 2.5.5.2), as itself; any other as it is.
    var unmapped: IPAddress { version == .v6 && value >> 32 == 0xFFFF ? IPAddress(.v4, value) : self }

    /// Whether only the machine itself has it.
    var isLoopback: Bool {
        let address = unmapped
        return address.version == .v4 ? address.value >> 24 == 127 : address.value == 1
    }
}
