/// Where a daemon listens.
public enum DaemonAddress: Sendable, Hashable, CustomStringConvertible {
    /// A Unix socket, by its path.
    case unix(path: String)
    /// A TCP port. The host is a numeric address, `localhost`, or a name in /etc/hosts.
    case tcp(host: String, port: UInt16)

    /// Where berthd listens unless told otherwise.
    public static var standard: DaemonAddress { .unix(path: "/run/berth/berth.sock") }

    /// Parses what `-H`, `BERTH_HOST` and `DOCKER_HOST` hold: `unix:///path`, `tcp://host[:port]`, or an absolute path alone.
    ///
    /// - Throws: ``ClientError/Code/address`` with what is wrong and which kinds there are.
    public init(parsing text: String) throws(ClientError) {
        if text.hasPrefix("/") {
            self = .unix(path: text)
        } else if text.hasPrefix("unix://") {
            let path = String(text.dropFirst(7))
            guard !path.isEmpty else {
                throw ClientError(.address, "The daemon's address \"\(text)\" names no socket: write unix:///path.")
            }
            self = .unix(path: path)
        } else if text.hasPrefix("tcp://") {
            self = try Self.tcp(text, authority: text.dropFirst(6))
        } else if let scheme = text.range(ofSeparator: "://"), ["ssh", "fd", "npipe", "http", "https"].contains(scheme) {
            throw ClientError(
                .address, "Daemons cannot be reached by \(scheme):// yet: the address \"\(text)\" must be unix:///path or tcp://host:port.")
        } else {
            throw ClientError(.address, "unable to parse docker host `\(text)`: it must be unix:///path or tcp://host:port.")
        }
    }

    private static func tcp(_ text: String, authority: Substring) throws(ClientError) -> DaemonAddress {
        let wrong = ClientError(.address, "The daemon's address \"\(text)\" must be tcp://host or tcp://host:port.")
        var authority = authority
        if authority.hasSuffix("/") { authority.removeLast() }
        var host: Substring
        var port: Substring = "2375"
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw wrong }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            if rest.hasPrefix(":") { port = rest.dropFirst() } else if !rest.isEmpty { throw wrong }
        } else if let colon = authority.lastIndex(of: ":") {
            (host, port) = (authority[..<colon], authority[authority.index(after: colon)...])
        } else {
            host = authority
        }
        if host.isEmpty { host = "127.0.0.1" }
        guard let number = UInt16(port), number > 0, !host.contains("/") else { throw wrong }
        return .tcp(host: String(host), port: number)
    }

    /// The address as `-H` takes it.
    public var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port): host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
        }
    }
}

extension String {
    /// What stands before a separator; `nil` where there is none.
    fileprivate func range(ofSeparator separator: String) -> String? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(separator) { return String(self[..<start]) }
            start = index(after: start)
        }
        return nil
    }
}
