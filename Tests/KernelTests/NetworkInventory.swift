import Foundation
import Testing

/// What there is on this host that networks are made of.
struct NetworkInventory: Equatable {
    var links: Set<String> = []
    var addresses: Set<String> = []
    var rules: Set<String> = []
    var sockets: Set<String> = []
    var files: Set<String> = []

    init(_ traffic: NetworkTraffic) throws {
        let host = traffic.host
        links = Set(try NetlinkScene.json(in: host, "ip -j link").map { "\($0["ifname"] ?? "") \($0["ifalias"] ?? "")" })
        for link in try NetlinkScene.json(in: host, "ip -j address") {
            for address in link["addr_info"] as? [[String: Any]] ?? [] where address["scope"] as? String == "global" {
                addresses.insert("\(link["ifname"] ?? "") \(address["local"] ?? "")")
            }
        }
        rules = Set(try NetlinkScene.ruleSet(in: host))
        // Of the listening ones. The process that has it is of no interest.
        let listening = try NetlinkScene.run(in: host, "ss -Hlntu").split(separator: "\n")
        sockets = Set(listening.map { $0.split(separator: " ").dropFirst(4).first.map(String.init) ?? "" })
        for folder in [traffic.scene.root + "/networks", traffic.scene.root + "/containers", traffic.scene.execRoot] {
            for case let path as String in FileManager.default.enumerator(atPath: folder) ?? FileManager.DirectoryEnumerator() {
                files.insert(folder + "/" + path)
            }
        }
    }

    func difference(from other: NetworkInventory) -> [String] {
        let parts: [KeyPath<NetworkInventory, Set<String>>] = [\.links, \.addresses, \.rules, \.sockets, \.files]
        return parts.flatMap { self[keyPath: $0].symmetricDifference(other[keyPath: $0]).sorted() }
    }
}
