internal import BerthNetlink

extension ResolverFile {
    /// Whom a container asks for names.
    public enum Form: Hashable, Sendable {
        /// With the host's network: whom the host asks.
        case host
        /// On the default network: whom the host asks, but for the host's own loopback interface.
        case direct(hasIPv6: Bool)
        /// On networks of a user's: the engine, which knows their names and asks others for the rest.
        case embedded
    }

    /// What is said for a container, or for all of an engine's, in place of what the host's file says: `--dns`, `--dns-search`, `--dns-opt`.
    public struct Override: Hashable, Sendable {
        /// The servers; none: the host's.
        public var servers: [Server]
        /// What is put behind names; none: the host's. A `.` stands for nothing.
        public var search: [String]
        /// The options; none: the host's.
        public var options: [String]

        /// An override of these.
        public init(servers: [Server] = [], search: [String] = [], options: [String] = []) {
            (self.servers, self.search, self.options) = (servers, search, options)
        }
    }

    /// A container's file, and whom the engine asks for it.
    public struct Composition: Hashable, Sendable {
        /// The file.
        public var contents: [UInt8]
        /// Whom the engine asks, of the form ``Form/embedded``; otherwise nobody.
        public var upstream: NameUpstream
    }

    /// Whom a container asks that the engine does not answer where the host has nobody to ask.
    static let publicServers: [IPAddress.Version: [Server]] = [
        .v4: [Server(IPAddress(.v4, 0x0808_0808)), Server(IPAddress(.v4, 0x0808_0404))],
        .v6: [
            Server(IPAddress(.v6, 0x2001_4860_4860_0000_0000_0000_0000_8888)),
            Server(IPAddress(.v6, 0x2001_4860_4860_0000_0000_0000_0000_8844)),
        ],
    ]

    /// The file of a container: what Docker writes, its comments included.
    ///
    /// - Parameter isAllowed: whether the engine may ask the host's servers for the container: not on internal networks alone.
    public func composed(for form: Form, with override: Override = Override(), isAllowed: Bool = true) -> Composition {
        var file = self
        var comments: [String] = []
        if !override.servers.isEmpty { file.servers = override.servers }
        if !override.search.isEmpty { file.search = override.search.filter { $0 != "." } }
        if !override.options.isEmpty { file.options = override.options }
        var origin = file.option("ndots") == nil ? nil : override.options.isEmpty ? "host" : "override"
        var upstream = NameUpstream(servers: [], isAllowed: isAllowed, keepsSingleLabels: origin != nil)
        switch form {
        case .host: break
        case .direct(let hasIPv6):
            guard override.servers.isEmpty else { break }
            file.servers.removeAll { $0.isLoopback || ($0.address.version == .v6 && !hasIPv6) }
            if file.servers.isEmpty {
                file.servers = [.v4, .v6].filter { hasIPv6 || $0 == .v4 }.flatMap { Self.publicServers[$0] ?? [] }
                comments.append("Used default nameservers.")
            }
        case .embedded:
            // What the user names is meant as the container sees it, what the host names as the host sees it.
            let place: NameUpstream.Place = override.servers.isEmpty ? .engine : .sandbox
            upstream.servers = file.servers.map { NameUpstream.Server($0, at: place) }
            file.servers = [Server(NameSockets.address)]
            file.options.removeAll(where: Self.isInvalidDots)
            if file.option("ndots") == nil {
                file.options.append("ndots:0")
                origin = "internal"
            }
            comments.append(
                upstream.servers.isEmpty ? "NO EXTERNAL NAMESERVERS DEFINED" : "ExtServers: [\(Self.joined(upstream.servers))]")
        }
        if !invalidServers.isEmpty { comments.append("Invalid nameservers: [\(Self.joined(invalidServers))]") }
        let overridden = [
            ("nameservers", override.servers.isEmpty), ("search", override.search.isEmpty), ("options", override.options.isEmpty),
        ]
        comments.append("Overrides: [\(Self.joined(overridden.filter { !$0.1 }.map(\.0)))]")
        if let origin { comments.append("Option ndots from: \(origin)") }
        return Composition(contents: Array(file.text(form, comments).utf8), upstream: upstream)
    }

    private func text(_ form: Form, _ comments: [String]) -> String {
        var lines = ["# Made by Berth. It may be edited: from then on it is left as it is.", ""]
        lines += servers.map { "nameserver \($0)" }
        if !search.isEmpty { lines.append("search \(Self.joined(search))") }
        if !options.isEmpty { lines.append("options \(Self.joined(options))") }
        lines += otherLines
        let manner =
            switch form {
            case .host: ""
            case .direct: " (legacy)"
            case .embedded: " (internal resolver)"
            }
        lines += ["", "# Based on host file: '\(path)'\(manner)"] + comments.map { "# \($0)" }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func joined(_ parts: [some CustomStringConvertible]) -> String { parts.map(\.description).joined(separator: " ") }

    /// Whether an option would say how many dots a whole name has, and does not.
    private static func isInvalidDots(_ option: String) -> Bool {
        let parts = option.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts[0] == "ndots" else { return false }
        return parts.count < 2 || (Int(parts[1]) ?? -1) < 0
    }
}
