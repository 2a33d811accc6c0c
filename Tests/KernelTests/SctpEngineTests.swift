import Berth
import BerthNetlink
import BerthNetworking
import Foundation
import Testing

/// Whole, where the kernel has all of it: the guest. Elsewhere nothing is made, and the reason is said.
@Suite("SCTP ports that an engine publishes", .kernelTier, .serialized, .timeLimit(.minutes(5)))
struct SctpEngineTests {
    private static let sctp: Int32 = 132

    private func ask(_ traffic: NetworkTraffic, from place: String, _ address: String, _ port: UInt16, _ patience: Patience) throws
        -> String?
    {
        let address = try IPAddress.of(address)
        return try Caller(in: traffic.namespace(place), false, version: address.version, protocol: Self.sctp).call(address, port, patience)
    }

    private func expect(
        _ expected: String?, _ traffic: NetworkTraffic, from place: String, _ address: String, _ port: UInt16,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let answer = try ask(traffic, from: place, address, port, expected == nil ? .forNothing : .forAnswer)
        #expect(answer == expected, "\(place) asks \(address) port \(port)", sourceLocation: sourceLocation)
    }

    private func publish(_ configuration: inout ContainerConfiguration, _ hostPort: UInt16) {
        configuration.networking.publishedPorts = [PortRequest(Port(80, .sctp), hostPorts: hostPort...hostPort)]
    }

    /// Whether this kernel speaks it. Where it does not, that is what is said, and nothing is left.
    private func isSpoken(_ traffic: NetworkTraffic) async throws -> Bool {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), Self.sctp)
        if raw >= 0 { close(raw) }
        if raw >= 0 { return true }
        #expect(ProcessInfo.processInfo.environment["BERTH_HAS_ALL_LINKS"] == nil)
        var configuration = traffic.scene.configuration(["sleep", "100000"])
        (configuration.name, configuration.network) = ("web", .named("front"))
        publish(&configuration, 8080)
        let container = try await traffic.engine.containers.create(configuration)
        let before = try NetworkInventory(traffic)
        let refusal = await #expect(throws: ContainerError.self) { try await container.start() }
        #expect(refusal?.code == .unsupported && "\(refusal!)".contains("this kernel does not speak sctp"), "\(refusal!)")
        let left = try NetworkInventory(traffic).difference(from: before).filter { !$0.contains("/containers/\(container.id)") }
        #expect(left.isEmpty, "\(left)")
        return false
    }

    @Test func aClientOutsideReachesTheContainerByBothVersions() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        guard try await isSpoken(traffic) else { return try await traffic.remove() }
        try await traffic.start("web", in: ["front"]) { publish(&$0, 8080) }
        try await traffic.start("neighbour", in: ["front"])
        var answerers = try ["0.0.0.0", "::"].map {
            try Answerer("web", in: traffic.namespace("web"), false, .of($0), 80, protocol: Self.sctp)
        }
        try expect("web 192.0.2.9", traffic, from: "outside", "192.0.2.1", 8080)
        try expect("web 2001:db8::9", traffic, from: "outside", "2001:db8::1", 8080)
        try expect("web 10.88.1.1", traffic, from: "neighbour", "192.0.2.1", 8080)
        try expect("web 10.88.1.1", traffic, from: "host", "127.0.0.1", 8080)
        // By a route, and at another port, nobody is.
        try expect(nil, traffic, from: "outside", traffic.address("web", in: "front"), 80)
        try expect(nil, traffic, from: "outside", "192.0.2.1", 8081)
        // It is an element of the map as any other port is, and no other protocol's.
        let rules = try NetlinkScene.run(in: traffic.host, "nft list ruleset")
        #expect(rules.contains("sctp . 8080 : 10.88.1.2 . 80"), "\(rules)")
        try traffic.expectNothing(from: "outside", "192.0.2.1", 8080)
        // Who has it is named.
        let holder = try Answerer("holder", in: traffic.host, false, .of("0.0.0.0"), 8082, protocol: Self.sctp)
        for (port, words) in [
            (8080, "Bind for 0.0.0.0:8080 failed: port is already allocated: container web has it"),
            (8082, "/sctp: address already in use"),
        ] as [(UInt16, String)] {
            var configuration = traffic.scene.configuration(["sleep", "100000"])
            configuration.network = .named("front")
            publish(&configuration, port)
            let other = try await traffic.engine.containers.create(configuration)
            let refusal = await #expect(throws: ContainerError.self) { try await other.start() }
            #expect(refusal?.code == .conflict && "\(refusal!)".contains(words), "\(refusal!)")
            try await other.remove()
        }
        holder.stop()
        // An engine that comes later knows it, and takes it back with its container.
        try await traffic.reopen()
        try expect("web 192.0.2.9", traffic, from: "outside", "192.0.2.1", 8080)
        answerers.removeAll()
        try await traffic.container("web").kill()
        try expect(nil, traffic, from: "outside", "192.0.2.1", 8080)
        try await traffic.remove()
    }
}
