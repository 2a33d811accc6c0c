import Berth
import BerthNetworking
import Foundation
import Testing

/// Many containers that are started at the same moment.
@Suite("A crowd of containers in a network", .kernelTier, .serialized, .timeLimit(.minutes(5)))
struct NetworkCrowdTests {
    static let count = 200

    @Test func twoHundredAtOnceHaveAddressesAndPortsOfTheirOwn() async throws {
        let traffic = try await NetworkTraffic()
        // Room for 253 and the network itself.
        try await traffic.network("crowd", 1)
        // What is made once, and stays.
        try await traffic.start("once", in: ["crowd"]) { $0.networking.publishedPorts = NetworkHost.ports(at: nil) }
        try await traffic.container("once").remove(force: true)
        var before = try NetworkInventory(traffic)
        try await until("the first to be gone") {
            before = try NetworkInventory(traffic)
            return !before.links.contains { $0.hasPrefix("veth") }
        }
        let engine = traffic.engine
        let containers = try await withThrowingTaskGroup(of: Berth.Container.self) { group in
            for number in 0..<Self.count {
                group.addTask {
                    var configuration = NetworkHost.configuration("member\(number)", in: "crowd")
                    configuration.networking.publishedPorts = NetworkHost.ports(at: nil)
                    let container = try await engine.containers.create(configuration)
                    try await container.start()
                    return container
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let details = try containers.map { try $0.details() }
        let endpoints = details.flatMap(\.endpoints)
        #expect(endpoints.count == Self.count)
        #expect(Set(endpoints.compactMap(\.ipv4)).count == Self.count)
        #expect(Set(endpoints.compactMap(\.ipv6)).count == Self.count)
        #expect(Set(endpoints.compactMap(\.hardwareAddress)).count == Self.count)
        // A port of each protocol, of both versions.
        let ports = endpoints.flatMap(\.ports)
        #expect(ports.count == 4 * Self.count)
        #expect(Set(ports.map { "\($0.transport) \($0.version) \($0.hostPort)" }).count == 4 * Self.count)
        // What is told is what the kernel has, everybody reaches the network's own address, and answers at the ports.
        for (container, details) in zip(containers, details) {
            let (name, endpoint) = (details.name, try #require(details.endpoints.first))
            try traffic.place(name, at: container)
            let script = "ip -o address show eth0; busybox ping -c 1 -W 5 10.88.1.1; busybox ping -6 -c 1 -W 5 fd00:88:1::1"
            let (output, code) = try NetlinkScene.tryRun(in: traffic.namespace(name), script)
            #expect(code == 0, "\(name): \(output)")
            for address in endpoint.addresses { #expect(output.contains(" \(address)/"), "\(name) has \(output)") }
            try traffic.answer(name, 80)
            for port in endpoint.ports {
                let (own, outside) = port.version == .v4 ? ("192.0.2.1", "192.0.2.9") : ("2001:db8::1", "2001:db8::9")
                try traffic.expect("\(name) \(outside)", from: "outside", own, port.hostPort, by: [port.transport == .udp])
            }
            traffic.stopAnswering()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for container in containers { group.addTask { try await container.remove(force: true) } }
            try await group.waitForAll()
        }
        try await traffic.removeContainers()
        try await traffic.expect(onlyWhatThereWas: before, "of two hundred")
        try await traffic.remove()
    }
}
