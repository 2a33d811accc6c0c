internal import BerthLaunch
internal import BerthLinux

/// What the options of the driver `syslog` say, by Docker's rules.
struct SyslogSettings: Hashable, Sendable {
    private enum Address: Hashable {
        /// Wherever this host's syslog listens.
        case local
        case unix(UnixSocket.Kind, path: String)
        case tcp(HostAndPort)
        case udp(HostAndPort)
        case tls(HostAndPort)
    }
    private let address: Address
    private let tls: TLSSettings
    private let facility: UInt64
    private let style: LogReceiver.Syslog.Style

    /// Docker's names of the options.
    static let optionNames: Set<String> = [
        "syslog-address", "syslog-facility", "syslog-format", "syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key",
        "syslog-tls-skip-verify",
    ]
    private static let localPaths = ["/dev/log", "/var/run/syslog", "/var/run/log"]
    private static let port: UInt16 = 514
    private static let facilities = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "", "", "", "", "local0",
        "local1", "local2", "local3", "local4", "local5", "local6", "local7",
    ]

    /// - Throws: `invalid`, `unsupported`.
    init(_ options: [String: String]) throws(ContainerError) {
        // Elsewhere they do nothing, as with Docker.
        tls = TLSSettings(options, prefix: "syslog-tls-")
        address = try Self.address(options["syslog-address"] ?? "")
        facility = try Self.facility(options["syslog-facility"] ?? "")
        switch options["syslog-format"] ?? "" {
        case "": style = .local
        case "rfc3164": style = .rfc3164
        case "rfc5424": style = .rfc5424
        case "rfc5424micro": style = .rfc5424Micro
        default: throw ContainerError(.invalid, "Invalid syslog format")
        }
    }

    private static func facility(_ text: String) throws(ContainerError) -> UInt64 {
        guard !text.isEmpty else { return 3 }
        if let known = facilities.firstIndex(of: text) { return UInt64(known) }
        guard let number = UInt64(text), number < 24 else { throw ContainerError(.invalid, "invalid syslog facility") }
        return number
    }

    private static func address(_ text: String) throws(ContainerError) -> Address {
        guard !text.isEmpty else { return .local }
        let wrong = ContainerError(.invalid, "syslog-address should be in form proto://address, got \(text)")
        guard let mark = text.firstRange(of: "://") else { throw wrong }
        let (scheme, rest) = (text[..<mark.lowerBound], String(text[mark.upperBound...]))
        switch scheme {
        case "unix", "unixgram":
            guard HostFile.exists(rest) else { throw ContainerError(.invalid, "stat \(rest): no such file or directory") }
            return .unix(scheme == "unix" ? .stream : .datagrams, path: rest)
        case "tcp": return .tcp(try HostAndPort(parsing: rest))
        case "udp": return .udp(try HostAndPort(parsing: rest))
        case "tcp+tls": return .tls(try HostAndPort(parsing: rest))
        default: throw wrong
        }
    }

    /// Where a container's entries are sent. Asks for addresses, which blocks.
    func receiver(tag: String, hostname: String) throws(ContainerError) -> LogReceiver {
        let (place, name) = try place()
        return LogReceiver(
            place, name: name, .syslog(LogReceiver.Syslog(style: style, facility: facility, hostname: hostname, tag: tag)))
    }

    private func place() throws(ContainerError) -> (LogReceiver.Place, String) {
        switch address {
        case .local:
            for path in Self.localPaths {
                for (kind, place) in [(UnixSocket.Kind.datagrams, LogReceiver.Place.datagrams(path: path)), (.stream, .stream(path: path))]
                {
                    // Which of them listens is only found out by asking.
                    if case .success = Result(catching: { () throws(Errno) in _ = try UnixSocket.connect(kind, to: path) }) {
                        return (place, "unix \(path)")
                    }
                }
            }
            throw ContainerError(.invalid, "failed to initialize logging driver: Unix syslog delivery error")
        case .unix(.stream, let path): return (.stream(path: path), "unix \(path)")
        case .unix(.datagrams, let path): return (.datagrams(path: path), "unixgram \(path)")
        case .tcp(let address):
            let endpoint = try HostLookup.endpoint(address.host, port: address.port ?? Self.port, isStream: true)
            return (.tcp(endpoint), "tcp \(address.host):\(endpoint.port)")
        case .tls(let address):
            let endpoint = try HostLookup.endpoint(address.host, port: address.port ?? Self.port, isStream: true)
            return (.relayed(try tls.relay(to: endpoint, of: address)), "tcp+tls \(address.host):\(endpoint.port)")
        case .udp(let address):
            let endpoint = try HostLookup.endpoint(address.host, port: address.port ?? Self.port, isStream: false)
            return (.udp(endpoint), "udp \(address.host):\(endpoint.port)")
        }
    }
}
