internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine

/// `berth network connect`.
struct ConnectNetwork: Verb {
    static let configuration = CommandConfiguration(
        commandName: "connect", abstract: "Connect a container to a network", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] NETWORK CONTAINER"
    static let wordCount = WordCount.exactly(2)

    @Option(help: help("Add network-scoped alias for the container", "strings")) var alias: [String] = []
    @Option(help: help("driver options for the network", "strings")) var driverOpt: [String] = []
    @Option(help: help("Of a container's networks, the one with the highest priority has the default route", "int")) var gwPriority: Int64?
    @Option(help: help("IPv4 address (e.g., \"172.30.100.104\")")) var ip: String?
    @Option(name: .customLong("ip6"), help: help("IPv6 address (e.g., \"2001:db8::33\")")) var ip6: String?
    @Option(help: help("Add link to another container", "list")) var link: [String] = []
    @Option(name: .customLong("link-local-ip"), help: help("Add a link-local address for the container", "strings"))
    var linkLocalIP: [String] = []
    @Argument var network: String
    @Argument var container: String

    func perform(_ session: Session) throws -> Int32 {
        let links = try NameFlags.all(link, flag: "--link", NameFlags.link)
        let linkLocal = try CommaSeparated.values(linkLocalIP, flag: "--link-local-ip")
        let options = try CommaSeparated.values(driverOpt, flag: "--driver-opt").map { text throws(Failure) -> (String, JSONTree?) in
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].contains(where: { !$0.isWhitespace }) else {
                throw Failure("invalid key/value pair format in driver options")
            }
            return (parts[0].trimmed, .string(parts[1].trimmed))
        }
        let aliases = try CommaSeparated.values(alias, flag: "--alias")
        let daemon = try session.daemon()
        let priority = gwPriority ?? 0
        if priority != 0 { try OlderDaemon.refuses("--gw-priority", before: "1.48", daemon) }
        func said(_ texts: [String]) -> JSONTree { texts.isEmpty ? .null : .texts(texts) }
        let addresses: [(String, JSONTree?)] = [
            ("IPv4Address", ip.map(JSONTree.string)), ("IPv6Address", ip6.map(JSONTree.string)),
            ("LinkLocalIPs", linkLocal.isEmpty ? nil : .texts(linkLocal)),
        ]
        let endpoint: [(String, JSONTree?)] = [
            ("IPAMConfig", .object(addresses)), ("Links", said(links)), ("Aliases", said(aliases)),
            ("DriverOpts", .object(options)), ("GwPriority", .integer(priority)),
        ]
        let body: [(String, JSONTree?)] = [("Container", .string(container)), ("EndpointConfig", .object(endpoint))]
        try daemon.call("POST", "/networks/\(Daemon.escaped(network))/connect", body: .json(.object(body)))
        return 0
    }
}

/// `berth network disconnect`.
struct DisconnectNetwork: Verb {
    static let configuration = CommandConfiguration(
        commandName: "disconnect", abstract: "Disconnect a container from a network", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] NETWORK CONTAINER"
    static let wordCount = WordCount.exactly(2)

    @Flag(name: [.short, .long], help: "Force the container to disconnect from a network") var force = false
    @Argument var network: String
    @Argument var container: String

    func perform(_ session: Session) throws -> Int32 {
        let body: [(String, JSONTree?)] = [("Container", .string(container)), ("Force", .bool(force))]
        try session.daemon().call("POST", "/networks/\(Daemon.escaped(network))/disconnect", body: .json(.object(body)))
        return 0
    }
}

/// `berth port`.
struct Port: Verb {
    static let configuration = CommandConfiguration(
        commandName: "port", abstract: "List port mappings or a specific mapping for the container", helpNames: .customLong("help"))
    static let synopsis = "CONTAINER [PRIVATE_PORT[/PROTO]]"
    static let wordCount = WordCount.between(1, 2)

    @Argument var container: String
    @Argument var port: String?

    func perform(_ session: Session) throws -> Int32 {
        let details = try session.daemon().call("GET", "/containers/\(Daemon.escaped(container))/json")
        let ports = details["NetworkSettings"]?["Ports"]?.members ?? []
        func places(_ bindings: JSONTree) -> [String] {
            bindings.elements.map { IPText.withPort($0["HostIp"]?.text ?? "", $0["HostPort"]?.text ?? "") }
        }
        let lines: [String]
        if let port {
            let name: String
            do throws(ValueMistake) { name = try PublishFlags.portName(port) } catch { throw Failure("Error: \(error)") }
            lines = ports.first { $0.name == name }.map { places($0.value) } ?? []
            guard !lines.isEmpty else { throw Failure("Error: No public port '\(name)' published for \(container)") }
        } else {
            lines = ports.flatMap { port in places(port.value).map { "\(port.name) -> \($0)" } }
        }
        for line in lines.sorted(by: NaturalOrder.isBefore) { try Output.line(line) }
        return 0
    }
}

extension Substring {
    /// Without white space at both ends.
    fileprivate var trimmed: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
