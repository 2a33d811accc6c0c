import DockerAPI
import Testing

private let id = String(repeating: "0123456789abcdef", count: 4)

@Suite("Every answer about networks is what the Engine API's document allows")
struct NetworkSchemaTests {
    private static func network() -> NetworkResource {
        var network = NetworkResource()
        (network.name, network.id, network.created, network.driver) = ("n", id, "2026-11-24T10:00:00.123456789Z", "bridge")
        (network.hasIPv6, network.isInternal, network.isAttachable) = (true, true, true)
        network.addressing.options = ["a": "b"]
        network.addressing.subnets = [
            .init("172.20.0.0/16", range: "172.20.5.0/24", gateway: "172.20.0.1", reserved: ["router": "172.20.0.2"]),
            .init("2001:db8::/64"),
        ]
        network.containers = [
            id: NetworkContainer(
                name: "c", endpointID: id, macAddress: "02:42:ac:14:00:02", ipv4Address: "172.20.0.2/16", ipv6Address: "2001:db8::2/64")
        ]
        (network.options, network.labels, network.configuredFrom) = (["com.docker.network.bridge.name": "b0"], ["a": "b"], "base")
        return network
    }

    @Test("Networks", arguments: [NetworkResource(), network(), network().withoutContainers])
    func networks(network: NetworkResource) throws { try expectAllowed(network.json, by: .engine("Network")) }

    @Test("Places in them, as they are and as lists have them")
    func endpoints() throws {
        try expectAllowed(EngineSchemaTests.endpoint().json, by: .engine("EndpointSettings"))
        let summary = EngineSchemaTests.endpoint().summary
        #expect(summary.names == nil && summary.aliases == nil && summary.asked?.linkLocal == [] && summary.asked?.ipv4 == "172.20.0.9")
        try expectAllowed(summary.json, by: .engine("EndpointSettings"))
    }

    @Test("Answers to requests")
    func answers() throws {
        try expectAllowed(NetworkCreateResponse(id: id).json, by: .engine("NetworkCreateResponse"))
        #expect(String(decoding: NetworkPruneReport(names: []).json, as: UTF8.self) == #"{"NetworksDeleted":null}"#)
        #expect(String(decoding: NetworkPruneReport(names: ["n"]).json, as: UTF8.self) == #"{"NetworksDeleted":["n"]}"#)
    }
}
