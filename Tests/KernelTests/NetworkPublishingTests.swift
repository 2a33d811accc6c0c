import Berth
import BerthNetlink
import BerthNetworking
import Foundation
import Testing

/// Ports that are published, and everything else, which is not reached.
@Suite("Published ports, with packets through an engine", .kernelTier, .serialized, .timeLimit(.minutes(5)))
struct NetworkPublishingTests {
    private static func request(
        _ port: UInt16, _ transport: PublishedPort.Transport, at hostPorts: ClosedRange<UInt16>?, on address: String? = nil
    ) throws -> PortRequest {
        PortRequest(Port(port, transport), hostAddress: try address.map { try .of($0) }, hostPorts: hostPorts)
    }

    /// A port of both protocols.
    private static func both(_ port: UInt16, at hostPort: UInt16, on address: String? = nil) throws -> [PortRequest] {
        try [.tcp, .udp].map { try request(port, $0, at: hostPort...hostPort, on: address) }
    }

    @Test func aPublishedPortIsReachedFromEverywhere() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        try await traffic.network("back", 2)
        try await traffic.start("web", in: ["front"]) {
            $0.networking.publishedPorts =
                try Self.both(80, at: 8080) + Self.both(80, at: 8083, on: "192.0.2.1")
                + Self.both(80, at: 8083, on: "2001:db8::1")
        }
        for name in ["neighbour", "other"] { try await traffic.start(name, in: [name == "other" ? "back" : "front"]) }
        try traffic.answer("web", 80)
        // From the host: by its loopback, by its address.
        try traffic.expect("web 10.88.1.1", from: "host", "127.0.0.1", 8080)
        try traffic.expect("web fd00:88:1::1", from: "host", "::1", 8080)
        try traffic.expect("web 192.0.2.1", from: "host", "192.0.2.1", 8080)
        try traffic.expect("web 2001:db8::1", from: "host", "2001:db8::1", 8080)
        // From outside, whose address is kept.
        for port: UInt16 in [8080, 8083] {
            try traffic.expect("web 192.0.2.9", from: "outside", "192.0.2.1", port)
            try traffic.expect("web 2001:db8::9", from: "outside", "2001:db8::1", port)
        }
        // From containers of the same and of another network, and from itself.
        for place in ["neighbour", "other", "web"] {
            try traffic.expect("web 10.88.1.1", from: place, "192.0.2.1", 8080)
            try traffic.expect("web fd00:88:1::1", from: place, "2001:db8::1", 8080)
        }
        try traffic.expectNothing(from: "host", "127.0.0.1", 8083)
        // Out, and among each other.
        try traffic.expect("outside 192.0.2.1", from: "web", "192.0.2.9", 80)
        try traffic.expect("outside 2001:db8::1", from: "web", "2001:db8::9", 80)
        try traffic.expect("web \(traffic.address("neighbour", in: "front"))", from: "neighbour", traffic.address("web", in: "front"), 80)
        // What has ended is published no more, and can be published again.
        try await traffic.container("web").kill()
        try traffic.expectNothing(from: "outside", "192.0.2.1", 8080)
        try traffic.expectNothing(from: "host", "::1", 8080)
        try await traffic.start("web2", in: ["back"]) { $0.networking.publishedPorts = try Self.both(80, at: 8080) }
        try traffic.answer("web2", 80)
        try traffic.expect("web2 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        try traffic.expect("web2 fd00:88:2::1", from: "host", "::1", 8080)
        try await traffic.remove()
    }

    /// The default network has addresses of version 4 alone: by version 6 its ports are reached by the sockets.
    @Test func theDefaultNetworkIsReachedByBothVersions() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.start("web", in: ["bridge"]) { $0.networking.publishedPorts = try Self.both(80, at: 8080) }
        try traffic.answer("web", 80)
        let gateway = try #require(traffic.engine.networks.find("bridge").part(.v4)?.gateway).description
        try traffic.expect("web 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        try traffic.expect("web \(gateway)", from: "outside", "2001:db8::1", 8080)
        try traffic.expect("web \(gateway)", from: "host", "::1", 8080)
        try traffic.expect("web \(gateway)", from: "web", "192.0.2.1", 8080)
        try await traffic.remove()
    }

    @Test func aLowPortNeedsTheRightToIt() async throws {
        // As a kernel has it: what ran here before may have changed it.
        try "1024".write(toFile: "/proc/sys/net/ipv4/ip_unprivileged_port_start", atomically: false, encoding: .utf8)
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        await traffic.engine.close()
        let host = try EngineHost(
            "network-refused", at: traffic.scene,
            by: ["/usr/bin/setpriv", "--inh-caps=-net_bind_service", "--bounding-set=-net_bind_service"])
        let refusal = try await host.ready().refusal
        #expect(
            refusal.hasSuffix(
                "failed to bind host port for 0.0.0.0:80:10.88.1.2:80/tcp: permission denied: a port below 1024 needs CAP_NET_BIND_SERVICE"),
            "\(refusal)")
        host.kill()
        try await traffic.openAgain()
        #expect(try traffic.engine.containers.find("low").details().endpoints.isEmpty)
        #expect(try !NetlinkScene.json(in: traffic.host, "ip -j link").contains { ($0["ifname"] as? String)?.hasPrefix("veth") ?? false })
        try await traffic.remove()
    }

    @Test func programsOfOthersAreServed() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.start(
            "web", in: ["bridge"], command: ["sh", "-c", "echo hello >/tmp/index.html; exec httpd -f -p 0.0.0.0:80 -h /tmp"]
        ) {
            $0.networking.publishedPorts = [try Self.request(80, .tcp, at: 8080...8080)]
        }
        try await until("the server to listen") {
            let details = try traffic.container("web").details()
            try #require(details.status == .running, "\(details)")
            return try !NetlinkScene.run(in: traffic.namespace("web"), "ss -Hltn sport = :80").isEmpty
        }
        for address in ["127.0.0.1", "[::1]", "192.0.2.1"] {
            #expect(try Scratch.bash("curl --silent --show-error --max-time 20 http://\(address):8080/") == "hello\n")
        }
        #expect(try NetlinkScene.run(in: traffic.outside, "curl --silent --show-error --max-time 20 http://192.0.2.1:8080/") == "hello\n")
        try await traffic.start("asker", in: ["bridge"])
        #expect(try await traffic.execute("asker", "wget -q -O - http://192.0.2.1:8080/").output == "hello\n")
        try await traffic.remove()
    }

    @Test func portsAreChosenFromRangesAndAtRandom() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        var taken: Set<UInt16> = []
        for number in 1...3 {
            let container = try await traffic.start("range\(number)", in: ["front"]) {
                $0.networking.publishedPorts = [try Self.request(80, .tcp, at: 9000...9002)]
            }
            let ports = Set(try container.details().endpoints.flatMap(\.ports).map(\.hostPort))
            #expect(ports.count == 1 && taken.isDisjoint(with: ports))
            taken.formUnion(ports)
            try traffic.answer("range\(number)", 80)
            try traffic.expect("range\(number) 192.0.2.9", from: "outside", "192.0.2.1", #require(ports.first), by: [false])
        }
        #expect(taken == [9000, 9001, 9002])
        let refusal = await #expect(throws: ContainerError.self) {
            try await traffic.start("range4", in: ["front"]) {
                $0.networking.publishedPorts = [try Self.request(80, .tcp, at: 9000...9002)]
            }
        }
        #expect(refusal?.code == .conflict && "\(refusal!)".contains("all ports are allocated"), "\(refusal!)")
        // Any port, and everything that is exposed.
        let open = try await traffic.start("open", in: ["front"]) {
            $0.networking.exposedPorts = [Port(83, .tcp), Port(84, .udp)]
            $0.networking.publishesAllPorts = true
            $0.networking.publishedPorts = [try Self.request(81, .tcp, at: nil)]
        }
        try traffic.answer("open", 81, 83, 84)
        let ports = try open.details().endpoints.flatMap(\.ports)
        #expect(Set(ports.map(\.containerPort)) == [81, 83, 84])
        for port in ports {
            let isSix = port.version == .v6
            try traffic.expect(
                isSix ? "open 2001:db8::9" : "open 192.0.2.9", from: "outside", isSix ? "2001:db8::1" : "192.0.2.1", port.hostPort,
                by: [port.transport == .udp])
        }
        // The same port of both versions.
        for number: UInt16 in [81, 83, 84] { #expect(Set(ports.filter { $0.containerPort == number }.map(\.hostPort)).count == 1) }
        try await traffic.remove()
    }

    @Test func nothingElseIsReachedFromOutside() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        try await traffic.start("web", in: ["front"]) {
            $0.networking.publishedPorts =
                try Self.both(80, at: 8080) + Self.both(81, at: 8081, on: "127.0.0.1")
                + Self.both(81, at: 8081, on: "::1")
        }
        try traffic.answer("web", 80, 81, 82)
        try traffic.answer("host", 90, at: "10.88.1.1")
        try traffic.answer("host", 90, at: "fd00:88:1::1")
        let (four, six) = (try traffic.address("web", in: "front"), try traffic.address("web", in: "front", .v6))
        try traffic.expect("web 10.88.1.1", from: "host", "127.0.0.1", 8081)
        try traffic.expect("web fd00:88:1::1", from: "host", "::1", 8081)
        try traffic.expect("host \(four)", from: "web", "10.88.1.1", 90)
        // By a route: what is published, what is published on the loopback, what is not published, the bridge's own address.
        for port: UInt16 in [80, 81, 82] {
            try traffic.expectNothing(from: "outside", four, port)
            try traffic.expectNothing(from: "outside", six, port)
        }
        try traffic.expectNothing(from: "outside", "10.88.1.1", 90)
        try traffic.expectNothing(from: "outside", "fd00:88:1::1", 90)
        for port: UInt16 in [8081, 82] {
            try traffic.expectNothing(from: "outside", "192.0.2.1", port)
            try traffic.expectNothing(from: "outside", "2001:db8::1", port)
        }
        // By packets to the loopback.
        try traffic.sendLoopbackOut(from: "outside", by: "192.0.2.1")
        for port: UInt16 in [8080, 8081] { try traffic.expectNothing(from: "outside", "127.0.0.1", port) }
        try traffic.expect("web 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        try await traffic.remove()
    }

    /// As with Docker 28: the container's own address is all there is, and the host's port is nobody's.
    @Test func aRoutedNetworkTakesNoPortOfTheHosts() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("routed", 1) { configuration in
            for version in ["ipv4", "ipv6"] { configuration.options["com.docker.network.bridge.gateway_mode_" + version] = "routed" }
        }
        try await traffic.network("half", 2) { $0.options["com.docker.network.bridge.gateway_mode_ipv6"] = "routed" }
        let web = try await traffic.start("web", in: ["routed"]) {
            $0.networking.publishedPorts = try Self.both(80, at: 8080) + Self.both(81, at: 8081, on: "127.0.0.1")
        }
        try traffic.answer("web", 80, 81, 82)
        let (four, six) = (try traffic.address("web", in: "routed"), try traffic.address("web", in: "routed", .v6))
        // At its own address, by its own port, and nobody's address is changed.
        try traffic.expect("web 192.0.2.9", from: "outside", four, 80)
        try traffic.expect("web 2001:db8::9", from: "outside", six, 80)
        for port: UInt16 in [81, 82] {
            try traffic.expectNothing(from: "outside", four, port)
            try traffic.expectNothing(from: "outside", six, port)
        }
        for (address, place) in [("192.0.2.1", "outside"), ("2001:db8::1", "outside"), ("127.0.0.1", "host"), ("::1", "host")] {
            for port: UInt16 in [8080, 8081] { try traffic.expectNothing(from: place, address, port) }
        }
        try traffic.expect("outside \(four)", from: "web", "192.0.2.9", 80)
        try traffic.expect("outside \(six)", from: "web", "2001:db8::9", 80)
        #expect(try Scratch.bash("ss -Hltun 'sport = :8080 or sport = :8081'").isEmpty)
        #expect(try web.details().endpoints.flatMap(\.ports).allSatisfy { $0.hostPort == 0 })
        // So another may have it: of one version by the host's address, of the other by its own.
        try await traffic.start("half", in: ["half"]) { $0.networking.publishedPorts = try Self.both(80, at: 8080) }
        try traffic.answer("half", 80)
        try traffic.expect("half 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        try traffic.expectNothing(from: "outside", "2001:db8::1", 8080)
        try traffic.expect("half 2001:db8::9", from: "outside", traffic.address("half", in: "half", .v6), 80)
        try await traffic.remove()
    }

    /// As with Docker: where a container is reached at its own address it is so by every such network, whichever leads to everywhere else.
    @Test func everyRoutedNetworkHasThePortsOpen() async throws {
        let traffic = try await NetworkTraffic()
        let mode = "com.docker.network.bridge.gateway_mode_ipv"
        try await traffic.network("alpha", 1)
        for (number, name) in [(2, "routed"), (3, "second")] {
            try await traffic.network(name, number) { ($0.options[mode + "4"], $0.options[mode + "6"]) = ("routed", "routed") }
        }
        try await traffic.network("half", 4) { $0.options[mode + "6"] = "routed" }
        let web = try await traffic.start("web", in: ["alpha", "routed", "half"]) {
            $0.networking.publishedPorts = try Self.both(80, at: 8080)
        }
        try traffic.answer("web", 80, 81)
        func expectOpen(_ network: String, _ versions: [IPAddress.Version] = [.v4, .v6], sourceLocation: SourceLocation = #_sourceLocation)
            throws
        {
            for version in versions {
                let seen = version == .v4 ? "web 192.0.2.9" : "web 2001:db8::9"
                let address = try traffic.address("web", in: network, version)
                // By UDP it would answer with the address that leads to everywhere else.
                try traffic.expect(seen, from: "outside", address, 80, by: [false], sourceLocation: sourceLocation)
                try traffic.expectNothing(from: "outside", address, 81, sourceLocation: sourceLocation)
            }
        }
        func expectPublished(sourceLocation: SourceLocation = #_sourceLocation) throws {
            try traffic.expect("web 192.0.2.9", from: "outside", "192.0.2.1", 8080, sourceLocation: sourceLocation)
            try traffic.expect("web 2001:db8::9", from: "outside", "2001:db8::1", 8080, sourceLocation: sourceLocation)
        }
        try expectPublished()
        try expectOpen("routed")
        try expectOpen("half", [.v6])
        try traffic.expectNothing(from: "outside", traffic.address("web", in: "half"), 80)
        try traffic.expectNothing(from: "outside", traffic.address("web", in: "alpha"), 80)

        // They come and go with their networks, and the host's port stays where it is.
        try await web.connect(EndpointConfiguration(network: "second"))
        try expectOpen("second")
        try expectPublished()
        let left = try traffic.address("web", in: "second")
        try await web.disconnect(from: "second")
        try traffic.expectNothing(from: "outside", left, 80)
        try expectPublished()
        try expectOpen("routed")
        try await traffic.reopen()
        try expectPublished()
        try expectOpen("routed")
        try expectOpen("half", [.v6])

        // With the one that led to everywhere else goes the host's port, to the next that can have it: by version 4 alone.
        try await traffic.container("web").disconnect(from: "alpha")
        try traffic.expect("web 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        try traffic.expectNothing(from: "outside", "2001:db8::1", 8080)
        try expectOpen("routed")
        try expectOpen("half", [.v6])
        try await traffic.remove()
    }

    @Test func whoAdministersItsNetworkDoesNotReachTheHostsLoopback() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.start("admin", in: ["bridge"]) { $0.addedCapabilities = ["NET_ADMIN"] }
        try traffic.answer("host", 99, at: "127.0.0.1")
        try traffic.expect("host 127.0.0.1", from: "host", "127.0.0.1", 99)
        let gateway = try #require(traffic.engine.networks.find("bridge").part(.v4)?.gateway).description
        // The setting is read-only to the container; somebody else has made it.
        try NetlinkScene.run(in: traffic.namespace("admin"), "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet")
        let changed = try await traffic.execute("admin", "ip addr del 127.0.0.1/8 dev lo && ip route add 127.0.0.0/8 via \(gateway)")
        #expect(changed.code == 0, "\(changed.output)")
        try traffic.expectNothing(from: "admin", "127.0.0.1", 99)
        try await traffic.remove()
    }
}

extension NetworkTraffic {
    /// Has a place send to 127.0.0.1 by its router, as who administers its own network can.
    func sendLoopbackOut(from place: String, by router: String) throws {
        try NetlinkScene.run(
            in: namespace(place),
            """
            echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; ip addr del 127.0.0.1/8 dev lo
            ip route add 127.0.0.0/8 via \(router)
            """)
    }
}
