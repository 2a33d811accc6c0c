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

    /// Kernels that pass what a bridge carries to the rules as well, and those that do not: among containers of one network it is the same.
    @Test(arguments: ["0", "1"])
    func aBridgeIsTheSameWhetherOrNotRulesSeeWhatItCarries(_ setting: String) async throws {
        let file = "/proc/sys/net/bridge/bridge-nf-call-ip"
        guard FileManager.default.fileExists(atPath: file + "tables") else {
            // Without the module they never do.
            #expect(setting == "0" || !FileManager.default.fileExists(atPath: "/sys/module/br_netfilter"))
            return
        }
        let before = try ["tables", "6tables"].map {
            try String(contentsOfFile: file + $0, encoding: .utf8).trimmingCharacters(in: .newlines)
        }
        func set(_ values: [String]) throws { try Scratch.bash("echo \(values[0]) >\(file)tables; echo \(values[1]) >\(file)6tables") }
        try set([setting, setting])
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        try await traffic.network("lonely", 2) { $0.options = [Self.icc: "false"] }
        try await traffic.network("shut", 3) { ($0.isInternal, $0.options) = (true, [Self.icc: "false"]) }
        for (number, name) in ["front1", "front2", "lonely1", "lonely2", "shut1", "shut2"].enumerated() {
            try await traffic.start(name, in: [String(name.dropLast())]) {
                $0.networking.publishedPorts = NetworkHost.ports(at: UInt16(8080 + number)...UInt16(8080 + number))
            }
            try traffic.answer(name, 80)
        }
        for version in IPAddress.Version.allCases {
            func address(_ name: String) throws -> String { try traffic.address(name, in: String(name.dropLast()), version) }
            let host = version == .v4 ? "192.0.2.1" : "2001:db8::1"
            try traffic.expect("front2 \(address("front1"))", from: "front1", address("front2"), 80)
            for (from, to) in [("lonely1", "lonely2"), ("lonely2", "lonely1"), ("shut1", "shut2")] {
                try traffic.expectNothing(from: from, address(to), 80)
            }
            // By ports that are published they reach each other, wherever they are, unless there is no way out.
            for from in ["front1", "lonely1"] {
                for (number, to) in [(1, "front2"), (3, "lonely2")] {
                    let answer = try traffic.ask(from: from, host, UInt16(8080 + number))
                    #expect(answer?.hasPrefix("\(to) ") ?? false, "\(from) asks for \(to) by \(host): \(answer ?? "nothing")")
                }
            }
            try traffic.expectNothing(from: "shut1", host, 8081)
            let outside = version == .v4 ? ("192.0.2.9", "192.0.2.1") : ("2001:db8::9", "2001:db8::1")
            for from in ["front1", "lonely1"] { try traffic.expect("outside \(outside.1)", from: from, outside.0, 80) }
        }
        try await traffic.remove()
        try set(before)
    }

    private static let mode = "com.docker.network.bridge.gateway_mode_ipv"

    /// Docker's `nat-unprotected`: as `nat`, and every port is open to whoever has a route.
    @Test func anUnprotectedNetworkIsReachedAtEveryPort() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("open", 1) {
            ($0.options[Self.mode + "4"], $0.options[Self.mode + "6"]) = ("nat-unprotected", "nat-unprotected")
        }
        try await traffic.network("half", 2) { $0.options[Self.mode + "6"] = "nat-unprotected" }
        for name in ["open", "half"] {
            try await traffic.start(name, in: [name]) {
                if name == "open" { $0.networking.publishedPorts = NetworkHost.ports(at: 8080...8080) }
            }
            try traffic.answer(name, 80, 81)
        }
        func address(_ name: String, _ version: IPAddress.Version) throws -> String { try traffic.address(name, in: name, version) }
        for port: UInt16 in [80, 81] {
            try traffic.expect("open 192.0.2.9", from: "outside", address("open", .v4), port)
            try traffic.expect("open 2001:db8::9", from: "outside", address("open", .v6), port)
            try traffic.expect("open \(address("half", .v4))", from: "half", address("open", .v4), port)
            try traffic.expect("half 2001:db8::9", from: "outside", address("half", .v6), port)
            try traffic.expectNothing(from: "outside", address("half", .v4), port)
            try traffic.expectNothing(from: "open", address("half", .v4), port)
        }
        // Published and leaving as any other.
        try traffic.expect("open 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        try traffic.expect("open 2001:db8::9", from: "outside", "2001:db8::1", 8080)
        try traffic.expect("outside 192.0.2.1", from: "open", "192.0.2.9", 80)
        try traffic.expect("outside 2001:db8::1", from: "open", "2001:db8::9", 80)
        try await traffic.remove()
    }

    /// Docker's `isolated`: an internal network in which not even the host is.
    @Test func anIsolatedNetworkHasNoHostInIt() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("lone", 1) {
            ($0.isInternal, $0.options) = (true, [Self.mode + "4": "isolated", Self.mode + "6": "isolated"])
        }
        try await traffic.network("half", 2) { ($0.isInternal, $0.options) = (true, [Self.mode + "4": "isolated"]) }
        for name in ["lone1", "lone2", "half1"] {
            try await traffic.start(name, in: [String(name.dropLast())])
            try traffic.answer(name, 80)
        }
        try traffic.answer("host", 99)
        func address(_ name: String, _ version: IPAddress.Version) throws -> String {
            try traffic.address(name, in: String(name.dropLast()), version)
        }
        func hostAddresses(_ name: String) throws -> Set<String> {
            let bridge = "br-\(try traffic.engine.networks.find(name).shortID)"
            let told = try NetlinkScene.json(in: traffic.host, "ip -j address show \(bridge)")
            return Set(told.flatMap { $0["addr_info"] as? [[String: Any]] ?? [] }.compactMap { $0["local"] as? String })
        }
        #expect(try hostAddresses("lone").allSatisfy { $0.hasPrefix("fe80:") })
        #expect(try hostAddresses("half").filter { !$0.hasPrefix("fe80:") } == ["fd00:88:2::1"])
        for version in IPAddress.Version.allCases {
            try traffic.expect("lone2 \(address("lone1", version))", from: "lone1", address("lone2", version), 80)
            try traffic.expectNothing(from: "host", address("lone1", version), 80)
            try traffic.expectNothing(from: "outside", address("lone1", version), 80)
            try traffic.expectNothing(from: "lone1", version == .v4 ? "192.0.2.9" : "2001:db8::9", 80)
        }
        try traffic.expect("host \(address("half1", .v6))", from: "half1", "fd00:88:2::1", 99)
        // Not even by packets that find its bridge without an address.
        for (name, version, own) in [("lone", IPAddress.Version.v4, "192.0.2.1"), ("lone", .v6, "2001:db8::1"), ("half", .v4, "192.0.2.1")]
        {
            let bridge = "br-\(try traffic.engine.networks.find(name).shortID)"
            let link = try NetlinkScene.json(in: traffic.host, "ip -j link show \(bridge)")
            let hardware = try #require(link.first?["address"] as? String)
            let ip = version == .v4 ? "ip" : "ip -6"
            try NetlinkScene.run(
                in: traffic.namespace("\(name)1"),
                "\(ip) route replace \(own) dev eth0; \(ip) neigh replace \(own) lladdr \(hardware) dev eth0 nud permanent")
            try NetlinkScene.run(in: traffic.host, "\(ip) route replace \(address("\(name)1", version)) dev \(bridge)")
            try traffic.expectNothing(from: "\(name)1", own, 99)
        }
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
