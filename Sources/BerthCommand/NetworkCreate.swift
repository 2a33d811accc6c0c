internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth network create`.
struct CreateNetwork: Verb {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a network", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] NETWORK"
    static let wordCount = WordCount.exactly(1)

    @Flag(help: "Enable manual container attachment") var attachable = false
    @Option(help: help("Auxiliary IPv4 or IPv6 addresses used by Network driver", "map")) var auxAddress: [String] = []
    @Option(help: help("The network from which to copy the configuration")) var configFrom: String?
    @Flag(help: "Create a configuration only network") var configOnly = false
    @Option(name: [.customShort("d"), .long], help: help("Driver to manage the Network")) var driver: String = "bridge"
    @Option(help: help("IPv4 or IPv6 Gateway for the master subnet", "strings")) var gateway: [String] = []
    @Flag(help: "Create swarm routing-mesh network") var ingress = false
    @Flag(help: "Restrict external access to the network") var `internal` = false
    @Option(help: help("Allocate container ip from a sub-range", "strings")) var ipRange: [String] = []
    @Option(help: help("IP Address Management Driver")) var ipamDriver: String = "default"
    @Option(help: help("Set IPAM driver specific options", "map")) var ipamOpt: [String] = []
    @Flag(inversion: .prefixedNo, help: "Enable or disable IPv4 address assignment") var ipv4: Bool?
    @Flag(inversion: .prefixedNo, help: "Enable or disable IPv6 address assignment") var ipv6: Bool?
    @Option(help: help("Set metadata on a network", "list")) var label: [String] = []
    @Option(name: [.customShort("o"), .long], help: help("Set driver specific options", "map")) var opt: [String] = []
    @Option(help: help("Control the network's scope")) var scope: String?
    @Option(help: help("Subnet in CIDR format that represents a network segment", "strings")) var subnet: [String] = []
    @Argument var name: String

    func perform(_ session: Session) throws -> Int32 {
        let labels = try NameFlags.all(label, flag: "--label", NameFlags.label)
        let subnets = try subnets()
        let daemon = try session.daemon()
        if ipv4 == false { try OlderDaemon.refuses("--ipv4=false", before: "1.48", daemon) }
        let addressing: [(String, JSONTree?)] = [
            ("Driver", .string(ipamDriver)), ("Options", Self.map(ipamOpt)), ("Config", .array(subnets)),
        ]
        let from: [(String, JSONTree?)] = [("Network", configFrom.map(JSONTree.string))]
        let body: [(String, JSONTree?)] = [
            // Newer daemons have no other way; older ones make a second network of the same name unless asked not to.
            ("CheckDuplicate", Daemon.isOlder(try daemon.version(), than: "1.44") ? .bool(true) : nil),
            ("Driver", .string(driver)), ("Scope", .string(scope ?? "")), ("EnableIPv4", ipv4.map(JSONTree.bool)),
            ("EnableIPv6", ipv6.map(JSONTree.bool)), ("IPAM", .object(addressing)), ("Internal", .bool(`internal`)),
            ("Attachable", .bool(attachable)), ("Ingress", .bool(ingress)), ("ConfigOnly", .bool(configOnly)),
            ("ConfigFrom", (configFrom ?? "").isEmpty ? .null : .object(from)), ("Options", Self.map(opt)), ("Labels", Self.map(labels)),
            ("Name", .string(name)),
        ]
        let answer = try daemon.call("POST", "/networks/create", body: .json(.object(body)))
        if let warning = answer["Warning"]?.text, !warning.isEmpty { Output.complain("WARNING: \(warning)") }
        guard let id = answer["Id"]?.text else { throw Failure("the daemon made a network and did not say its id") }
        try Output.line(id)
        return 0
    }

    private func subnets() throws -> [JSONTree] {
        let texts = try CommaSeparated.values(subnet, flag: "--subnet")
        let ranges = try CommaSeparated.values(ipRange, flag: "--ip-range")
        let gateways = try CommaSeparated.values(gateway, flag: "--gateway")
        let found: [NetworkAddressing.Subnet]
        do throws(ValueMistake) {
            found = try SubnetFlags.subnets(
                texts, ranges: ranges, gateways: gateways, reserved: Self.pairs(auxAddress).map { (name: $0.name, address: $0.value) })
        } catch {
            throw Failure(error.description)
        }
        return found.map { subnet in
            let reserved = subnet.reserved.sorted { $0.key < $1.key }.map { ($0.key, JSONTree.string($0.value)) as (String, JSONTree?) }
            let members: [(String, JSONTree?)] = [
                ("Subnet", .string(subnet.subnet)), ("IPRange", subnet.range.isEmpty ? nil : .string(subnet.range)),
                ("Gateway", subnet.gateway.isEmpty ? nil : .string(subnet.gateway)),
                ("AuxiliaryAddresses", reserved.isEmpty ? nil : .object(reserved)),
            ]
            return .object(members)
        }
    }

    /// `name=value` of flags; the last of a name counts. Without a value it is empty.
    private static func pairs(_ flags: [String]) -> [(name: String, value: String)] {
        var values: [String: String] = [:]
        for flag in flags {
            let parts = flag.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            values[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        return values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private static func map(_ flags: [String]) -> JSONTree {
        .object(pairs(flags).map { ($0.name, JSONTree.string($0.value)) as (String, JSONTree?) })
    }
}
