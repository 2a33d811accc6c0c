/// Where a daemon listens: the value of dockerd's `-H`.
public enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// A Unix socket at an absolute path of any length.
    case unix(String)
    /// A TCP port; 0 is any.
    case tcp(host: String, port: Int)

    /// Parses `unix:///path` or `tcp://host:port`; `unix://` alone is the default socket, a missing host is the loopback.
    ///
    /// - Parameter defaultSocket: what `unix://` alone means.
    /// - Throws: `invalidAddress`, naming what is wrong; also for `fd://`, which does not exist here.
    public init(parsing text: String, defaultSocket: String) throws(DaemonError) {
        if text.hasPrefix("unix://") {
            let path = text.dropFirst("unix://".count)
            if path.isEmpty {
                self = .unix(defaultSocket)
                return
            }
            guard path.hasPrefix("/") else { throw DaemonError(.invalidAddress, "the socket's path in '\(text)' must be absolute") }
            self = .unix(String(path))
        } else if text.hasPrefix("tcp://") {
            let rest = text.dropFirst("tcp://".count)
            guard let colon = rest.lastIndex(of: ":"), let port = Int(rest[rest.index(after: colon)...]), (0...65535).contains(port) else {
                throw DaemonError(.invalidAddress, "'\(text)' has no port: say tcp://HOST:PORT")
            }
            var host = rest[..<colon]
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
            self = .tcp(host: host.isEmpty ? "127.0.0.1" : String(host), port: port)
        } else {
            throw DaemonError(.invalidAddress, "'\(text)' is no address to listen on: say unix:///PATH or tcp://HOST:PORT")
        }
    }

    /// As `-H` takes it.
    public var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }
}
