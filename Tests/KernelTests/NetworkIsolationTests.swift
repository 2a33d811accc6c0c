import Berth
import BerthNetlink
import BerthNetworking
import Foundation
import Testing

/// Who reaches whom, and what changes while containers run.
@Suite("Networks apart and together, with packets through an engine", .kernelTier, .serialized, .timeLimit(.minutes(5)))
struct NetworkIsolationTests {
    private static let icc = "com.docker.network.bridge.enable_icc"

    @Test func networksAreApart() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        try await traffic.network("back", 2)
        try await traffic.network("shut", 3) { $0.isInternal = true }
        try await traffic.network("lonely", 4) { $0.options = [Self.icc: "false"] }
        for (name, network) in [
            ("front1", "front"), ("front2", "front"), ("back1", "back"), ("shut1", "shut"), ("shut2", "shut"), ("lonely1", "lonely"),
            ("lonely2", "lonely"),
        ] {
            try await traffic.start(name, in: [network])
            try traffic.answer(name, 80)
        }
        func address(_ name: String, _ version: IPAddress.Version = .v4) throws -> String {
            try traffic.address(name, in: String(name.dropLast()), version)
        }
        for version in IPAddress.Version.allCases {
            try traffic.expect("front2 \(address("front1", version))", from: "front1", address("front2", version), 80)
            try traffic.expectNothing(from: "back1", address("front1", version), 80)
            try traffic.expectNothing(from: "front1", address("back1", version), 80)
            // Internal: among each other, and nobody else.
            try traffic.expect("shut2 \(address("shut1", version))", from: "shut1", address("shut2", version), 80)
            try traffic.expectNothing(from: "shut1", address("front1", version), 80)
            try traffic.expectNothing(from: "front1", address("shut1", version), 80)
            try traffic.expectNothing(from: "shut1", version == .v4 ? "192.0.2.9" : "2001:db8::9", 80)
            try traffic.expectNothing(from: "outside", address("shut1", version), 80)
            // Without communication between containers: out, and not to each other.
            try traffic.expectNothing(from: "lonely1", address("lonely2", version), 80)
            try traffic.expect(
                version == .v4 ? "outside 192.0.2.1" : "outside 2001:db8::1", from: "lonely1", version == .v4 ? "192.0.2.9" : "2001:db8::9",
                80)
        }
        #expect(try NetlinkScene.run(in: traffic.namespace("shut1"), "ip route show default; ip -6 route show default") == "")
        try await traffic.remove()
    }

    /// The way to everywhere else, by version 4.
    private func way(_ traffic: NetworkTraffic, _ name: String) throws -> String {
        let found = try NetlinkScene.json(in: traffic.namespace(name), "ip -j route show default").compactMap { $0["gateway"] as? String }
        return found.joined(separator: " ")
    }

    @Test func ofSeveralNetworksOneLeadsToEverywhereElse() async throws {
        let traffic = try await NetworkTraffic()
        for (number, name) in ["alpha", "beta", "gamma"].enumerated() { try await traffic.network(name, number + 1) }
        // Of equals the first by name; else the highest.
        try await traffic.start("equal", in: ["beta", "alpha"])
        #expect(try way(traffic, "equal") == "10.88.1.1")
        try await traffic.start("chosen", in: ["alpha", "beta"]) { configuration in
            configuration.endpoints[1].gatewayPriority = 1
        }
        #expect(try way(traffic, "chosen") == "10.88.2.1")
        let six = try NetlinkScene.json(in: traffic.namespace("chosen"), "ip -j -6 route show default")
        #expect(six.compactMap { $0["gateway"] as? String } == ["fd00:88:2::1"])
        try traffic.answer("equal", 80)
        for (network, number) in [("alpha", 1), ("beta", 2)] {
            #expect(try traffic.address("equal", in: network).hasPrefix("10.88.\(number)."))
            try traffic.expect(
                "equal \(traffic.address("chosen", in: network))", from: "chosen", traffic.address("equal", in: network), 80)
        }
        try traffic.expect("outside 192.0.2.1", from: "chosen", "192.0.2.9", 80)
        try await traffic.remove()
    }

    @Test func networksComeAndGoWhileAContainerRuns() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("alpha", 1)
        try await traffic.network("middle", 2)
        try await traffic.network("omega", 3)
        let web = try await traffic.start("web", in: ["alpha"]) {
            $0.networking.publishedPorts = [
                PortRequest(Port(80, .tcp), hostPorts: 8080...8080), PortRequest(Port(80, .udp), hostPorts: 8080...8080),
            ]
        }
        try await traffic.start("peer", in: ["omega"])
        try traffic.answer("web", 80)
        try traffic.answer("peer", 80)
        func expectPublished(sourceLocation: SourceLocation = #_sourceLocation) throws {
            try traffic.expect("web 192.0.2.9", from: "outside", "192.0.2.1", 8080, sourceLocation: sourceLocation)
            try traffic.expect("web 2001:db8::9", from: "outside", "2001:db8::1", 8080, sourceLocation: sourceLocation)
        }
        try expectPublished()
        #expect(try way(traffic, "web") == "10.88.1.1")

        // One that does not lead to everywhere else.
        try await web.connect(EndpointConfiguration(network: "omega"))
        #expect(try way(traffic, "web") == "10.88.1.1")
        try traffic.expect("peer \(traffic.address("web", in: "omega"))", from: "web", traffic.address("peer", in: "omega"), 80)
        #expect(try await traffic.file("/etc/hosts", of: "web").contains("\(traffic.address("web", in: "omega"))\tweb\n") == false)
        try expectPublished()

        // One that does: the ports go with it.
        var gateway = EndpointConfiguration(network: "middle")
        gateway.gatewayPriority = 10
        try await web.connect(gateway)
        #expect(try way(traffic, "web") == "10.88.2.1")
        #expect(try web.details().endpoints.filter { !$0.ports.isEmpty }.map(\.networkName) == ["middle"])
        try expectPublished()
        try traffic.expect("web fd00:88:2::1", from: "host", "::1", 8080)

        // And back, when it goes.
        try await web.disconnect(from: "middle")
        #expect(try way(traffic, "web") == "10.88.1.1")
        #expect(try web.details().endpoints.map(\.networkName) == ["alpha", "omega"])
        #expect(try web.details().endpoints.filter { !$0.ports.isEmpty }.map(\.networkName) == ["alpha"])
        try expectPublished()
        try traffic.expect("web fd00:88:1::1", from: "host", "::1", 8080)
        try await web.disconnect(from: "alpha")
        #expect(try way(traffic, "web") == "10.88.3.1")
        try expectPublished()
        #expect(try NetlinkScene.json(in: traffic.namespace("web"), "ip -j link").compactMap { $0["ifname"] as? String }.count == 2)

        // The last one goes: nothing is published, nothing is reached; and comes again.
        try await web.disconnect(from: "omega")
        #expect(try web.details().endpoints == [])
        #expect(try NetlinkScene.json(in: traffic.namespace("web"), "ip -j link").compactMap { $0["ifname"] as? String } == ["lo"])
        try traffic.expectNothing(from: "outside", "192.0.2.1", 8080)
        try traffic.expectNothing(from: "host", "::1", 8080)
        try await web.connect(EndpointConfiguration(network: "alpha"))
        try expectPublished()
        #expect(try way(traffic, "web") == "10.88.1.1")
        try await traffic.remove()
    }

    @Test func itsFilesFollowUntilItEditsThem() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        try await traffic.network("back", 2)
        let web = try await traffic.start("web", in: ["front"]) { $0.hostname = "www" }
        let (front, six) = (try traffic.address("web", in: "front"), try traffic.address("web", in: "front", .v6))
        let hosts = try await traffic.file("/etc/hosts", of: "web")
        #expect(hosts.contains("\(front)\twww\n") && hosts.contains("\(six)\twww\n"), "\(hosts)")
        #expect(try await traffic.file("/etc/resolv.conf", of: "web").contains("nameserver 127.0.0.11\n"))
        let number = try await traffic.execute("web", "stat -c %i /etc/hosts /etc/resolv.conf").output

        try await web.connect(EndpointConfiguration(network: "back"))
        let back = try traffic.address("web", in: "back")
        let both = try await traffic.file("/etc/hosts", of: "web")
        #expect(both.contains("\(front)\twww\n") && both.contains("\(back)\twww\n"), "\(both)")
        try await web.disconnect(from: "front")
        let after = try await traffic.file("/etc/hosts", of: "web")
        #expect(!after.contains(front) && after.contains("\(back)\twww\n"), "\(after)")
        #expect(try await traffic.execute("web", "stat -c %i /etc/hosts /etc/resolv.conf").output == number, "the same files")

        // Edited, it is the container's own.
        _ = try await traffic.execute("web", "echo '192.0.2.77 mine' >>/etc/hosts")
        let edited = try await traffic.file("/etc/hosts", of: "web")
        try await web.connect(EndpointConfiguration(network: "front"))
        #expect(try await traffic.file("/etc/hosts", of: "web") == edited)

        // One of the default network asks whom its host asks, until it has names.
        let plain = try await traffic.start("plain", in: ["bridge"])
        #expect(try await !traffic.file("/etc/resolv.conf", of: "plain").contains("127.0.0.11"))
        try await plain.connect(EndpointConfiguration(network: "back"))
        #expect(try await traffic.file("/etc/resolv.conf", of: "plain").contains("nameserver 127.0.0.11\n"))
        #expect(try traffic.dig(at: "plain", "web") == [back])
        try await traffic.remove()
    }
}
