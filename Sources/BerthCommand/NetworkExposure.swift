internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth network exposure`.
struct NetworkExposure: Verb {
    static let configuration = CommandConfiguration(
        commandName: "exposure", abstract: "Show every way into every container from outside, and who asked for it",
        helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Option(help: help("Format output using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Flag(help: "The same as --format json") var json = false
    @Flag(help: "Don't truncate output") var noTrunc = false
    @Flag(name: [.short, .long], help: "Only show where packets are sent to") var quiet = false

    func perform(_ session: Session) throws -> Int32 {
        guard !json || format == nil || format == "json" else { throw Failure("--json and --format are two ways to say the same: use one") }
        let ways = try session.daemon().document(ExposureList.self, "GET", BerthPath.exposure).ways
        let listing = Listing(
            standardTable: "{{.Where}}\t{{.Container}}\t{{.Target}}\t{{.Network}}\t{{.Rule}}\t{{.AskedBy}}", quietTemplate: "{{.Where}}",
            headings: [
                ("Where", "WHERE"), ("Address", "ADDRESS"), ("Port", "PORT"), ("Transport", "PROTOCOL"), ("Container", "CONTAINER"),
                ("ContainerID", "CONTAINER ID"), ("Target", "REACHES"), ("Network", "NETWORK"), ("NetworkID", "NETWORK ID"),
                ("Rule", "RULE"), ("AskedBy", "ASKED BY"),
            ])
        try listing.show(ways.map { Listing.Row(fields: fields(of: $0)) }, format: json ? "json" : format, quiet: quiet)
        return 0
    }

    private func fields(of way: ExposureItem) -> JSONTree {
        func identifier(_ id: String?) -> JSONTree { .string(id.map { noTrunc ? $0 : shortID($0) } ?? "") }
        return .object([
            ("Address", .string(way.address)), ("AskedBy", .string(way.askedBy)),
            ("Container", .string(way.containerName ?? way.containerID.map(shortID) ?? "")), ("ContainerID", identifier(way.containerID)),
            ("Network", .string(way.networkName)), ("NetworkID", identifier(way.networkID)),
            ("Port", .string(way.port.map { String($0) } ?? "")), ("Rule", .string(way.rule)),
            ("Target", .string(way.containerAddress.map { Self.place($0, way.containerPort, nil) } ?? "")),
            ("Transport", .string(way.transport ?? "")), ("Where", .string(Self.place(way.address, way.port, way.transport))),
        ])
    }

    /// As `0.0.0.0:80/tcp`, and without what is not said.
    private static func place(_ address: String, _ port: UInt16?, _ transport: String?) -> String {
        guard let port else { return address }
        let host = address.contains(":") ? "[\(address)]" : address
        return "\(host):\(port)" + (transport.map { "/\($0)" } ?? "")
    }
}
