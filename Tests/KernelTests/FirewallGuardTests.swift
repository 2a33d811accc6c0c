import BerthLinux
import BerthNetlink
@testable import BerthNetworking
import Foundation
import Testing

/// Each guard keeps something out, and without it that comes in.
@Suite("The firewall's guards, each seen to fail when it is taken out", .kernelTier, .serialized, .timeLimit(.minutes(3)))
struct FirewallGuardTests {
    private let scene: FirewallScene
    init() throws { scene = try FirewallScene() }

    /// Expects nothing with all guards, and an answer without those that are named; what is published is reached both times.
    private func check(
        without guards: Set<FirewallGuard>, _ networks: [FirewallNetwork]? = nil, from place: String, _ address: String, _ port: UInt16,
        answer: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let whole = try await scene.firewall(networks)
        try scene.expectNothing(from: place, address, port, "guarded:", sourceLocation: sourceLocation)
        try whole.remove()
        let part = try await scene.firewall(networks, without: guards)
        try scene.expectAnswer(answer, from: place, address, port, "unguarded:", sourceLocation: sourceLocation)
        try part.remove()
    }

    @Test func aRouteLeadsNeitherToABridgeNorToAContainer() async throws {
        try await check(without: [.directRoute], from: "outside", "10.88.1.1", 90, answer: "host 192.0.2.9")
        try await check(without: [.directRoute], from: "outside", "fd00:88:1::1", 90, answer: "host 2001:db8::9")
        // A port that is published on the loopback, by its container's address; one that is not published.
        try await check(without: [.directRoute, .isolation], from: "outside", "10.88.1.11", 80, answer: "c1 192.0.2.9")
        try await check(without: [.directRoute, .isolation], from: "outside", "fd00:88:1::11", 91, answer: "c1 2001:db8::9")
        // Either alone is enough for a container.
        for guards: Set<FirewallGuard> in [[.directRoute], [.isolation]] {
            let firewall = try await scene.firewall(without: guards)
            try scene.expectNothing(from: "outside", "10.88.1.11", 80, "without \(guards):")
            try scene.expectNothing(from: "outside", "fd00:88:1::11", 80, "without \(guards):")
            try firewall.remove()
        }
    }

    @Test func networksAreApart() async throws {
        try await check(without: [.isolation], from: "c3", "10.88.1.11", 80, answer: "c1 10.88.2.13")
        try await check(without: [.isolation], from: "c1", "fd00:88:2::13", 80, answer: "c3 fd00:88:1::11")
    }

    @Test func whatIsPublishedOnTheLoopbackIsNotReachedByPacketsToIt() async throws {
        try scene.sendLoopbackOut(from: "outside", by: "192.0.2.1")
        try await check(without: [.loopbackPublished], from: "outside", "127.0.0.1", 8081, answer: "c1 192.0.2.9")
        try await check(without: [.loopbackPublished], from: "outside", "127.0.0.1", 8080, answer: "c1 192.0.2.9")
    }

    @Test func aContainerDoesNotReachTheHostsLoopback() async throws {
        try scene.sendLoopbackOut(from: "c1", by: "10.88.1.1")
        try await check(without: [.loopbackFromContainers], from: "c1", "127.0.0.1", 99, answer: "host 10.88.1.11")
        try await check(without: [.loopbackFromContainers, .loopbackPublished], from: "c1", "127.0.0.1", 8082, answer: "c3 10.88.2.1")
    }

    /// The host's answer shows up on the host's own loopback: whom the host took the container for.
    @Test func aContainerDoesNotSpeakAsTheHostsLoopback() async throws {
        try scene.sendLoopbackOut(from: "c1", by: "10.88.1.1")
        try NetlinkScene.run(in: scene.namespace("c1"), "ip addr add 127.0.0.7/32 dev lo")
        let host = try IPAddress.of("192.0.2.1")
        for (guards, expected) in [([], nil), ([FirewallGuard.loopbackPretended], "host 127.0.0.7")] as [(Set<FirewallGuard>, String?)] {
            let firewall = try await scene.firewall(without: guards)
            let ear = try Caller(in: scene.host, true, version: .v4, from: (.of("127.0.0.7"), 5555))
            let mouth = try Caller(in: scene.namespace("c1"), true, version: .v4, from: (.of("127.0.0.7"), 5555))
            #expect(mouth.call(host, 90, .forNothing) == nil)
            #expect(ear.receive(expected == nil ? .forNothing : .forAnswer) == expected)
            try firewall.remove()
        }
    }

    @Test func anInternalNetworkIsClosed() async throws {
        let networks = try [FirewallScene.network("a", isInternal: true), FirewallScene.network("b")]
        try await check(without: [.internalOut], networks, from: "c1", "192.0.2.9", 80, answer: "outside 10.88.1.11")
        try await check(without: [.internalOut], networks, from: "c1", "2001:db8::9", 80, answer: "outside fd00:88:1::11")
        try await check(without: [.internalOut], networks, from: "c1", "10.88.1.1", 8082, answer: "c3 10.88.1.11")
        try await check(without: [.internalIn], networks, from: "c3", "10.88.1.11", 80, answer: "c1 10.88.2.13")
        try await check(
            without: [.internalIn, .directRoute], networks, from: "outside", "fd00:88:1::11", 80, answer: "c1 2001:db8::9")
        let firewall = try await scene.firewall(networks)
        try scene.expectAnswer("c2 10.88.1.11", from: "c1", "10.88.1.12", 80)
        try scene.expectAnswer("host 10.88.1.11", from: "c1", "10.88.1.1", 90)
        try scene.expectAnswer("c1 fd00:88:1::1", from: "host", "fd00:88:1::11", 80)
        // Nothing of it is published, whatever is said.
        try scene.expectNothing(from: "outside", "192.0.2.1", 8080)
        try scene.expectNothing(from: "host", "127.0.0.1", 8081)
        let exposure = firewall.exposure
        #expect(exposure.allSatisfy { $0.networkID == "b" } && exposure.count == 4)
        try firewall.remove()
    }

    /// The bridge keeps its ports apart; the way by the host is ours to close.
    @Test func containersAreApartWhereTheyAreNotAllowedTo() async throws {
        try NetlinkScene.run(in: scene.host, "bridge link set dev vc1 isolated on; bridge link set dev vc2 isolated on")
        for (name, other) in [("c1", "12"), ("c2", "11")] {
            try NetlinkScene.run(
                in: scene.namespace(name),
                "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_redirects; ip route add 10.88.1.\(other) via 10.88.1.1; ip -6 route add fd00:88:1::\(other) via fd00:88:1::1"
            )
        }
        let networks = try [FirewallScene.network("a", allowsInterContainer: false), FirewallScene.network("b")]
        try await check(without: [.interContainer], networks, from: "c1", "10.88.1.12", 80, answer: "c2 10.88.1.11")
        try await check(without: [.interContainer], networks, from: "c2", "fd00:88:1::11", 80, answer: "c1 fd00:88:1::12")
        let firewall = try await scene.firewall(networks)
        try scene.expectAnswer("c2 10.88.1.1", from: "c1", "192.0.2.1", 8083)
        try scene.expectAnswer("outside 192.0.2.1", from: "c1", "192.0.2.9", 80)
        try firewall.remove()
    }

    @Test func aRoutedNetworkIsReachedByItsPublishedPorts() async throws {
        let networks = try [FirewallScene.network("a", .init(.routed)), FirewallScene.network("b")]
        try await check(without: [.routedPorts], networks, from: "outside", "10.88.1.11", 91, answer: "c1 192.0.2.9")
        try await check(without: [.routedPorts], networks, from: "c3", "fd00:88:1::11", 91, answer: "c1 fd00:88:2::13")
        let firewall = try await scene.firewall(networks)
        try firewall.apply(FirewallScene.ports(8084, "c1", on: "127.0.0.1", to: 91).map { .publish($0) })
        try scene.expectAnswer("c1 192.0.2.9", from: "outside", "10.88.1.11", 80)
        try scene.expectAnswer("c1 2001:db8::9", from: "outside", "fd00:88:1::11", 80)
        try scene.expectAnswer("c1 10.88.2.13", from: "c3", "10.88.1.11", 80)
        try scene.expectNothing(from: "outside", "10.88.1.11", 91, "published on the loopback:")
        try scene.expectNothing(from: "outside", "192.0.2.1", 8080, "no port of the host's:")
        // Out as itself: this neighbour knows the way back.
        try scene.expectAnswer("outside 10.88.1.11", from: "c1", "192.0.2.9", 80)
        for address in ["10.88.1.11", "fd00:88:1::11"] { try NetlinkScene.run(in: scene.outside, "busybox ping -c 1 -W 5 \(address)") }
        // Two ports of the host's are one of the container's: it stays open while either is published.
        try firewall.apply(FirewallScene.ports(8090, "c1").map { .publish($0) })
        try firewall.apply(FirewallScene.ports(8080, "c1").map { .unpublish($0) })
        try scene.expectAnswer("c1 192.0.2.9", from: "outside", "10.88.1.11", 80)
        try firewall.apply(FirewallScene.ports(8090, "c1").map { .unpublish($0) })
        try scene.expectNothing(from: "outside", "10.88.1.11", 80)
        try firewall.remove()
    }

    @Test func anUnprotectedNetworkIsReachedByEveryPort() async throws {
        let firewall = try await scene.firewall([FirewallScene.network("a", .init(.natUnprotected)), FirewallScene.network("b")])
        try scene.expectAnswer("c1 192.0.2.9", from: "outside", "10.88.1.11", 91)
        try scene.expectAnswer("c1 2001:db8::9", from: "outside", "fd00:88:1::11", 91)
        try scene.expectAnswer("c1 10.88.2.13", from: "c3", "10.88.1.11", 91)
        try scene.expectAnswer("c1 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        try scene.expectAnswer("outside 192.0.2.1", from: "c1", "192.0.2.9", 80)
        try scene.expectNothing(from: "outside", "10.88.2.13", 80)
        let subnet = try #require(Subnet("10.88.1.0/24"))
        #expect(firewall.exposure.contains { $0.place == .subnet(subnet) })
        try firewall.remove()
    }

    @Test func aNetworkWithoutAGatewayDoesNotReachTheHost() async throws {
        let networks = try [FirewallScene.network("a", isInternal: true, .init(.isolated)), FirewallScene.network("b")]
        try await check(without: [.gatewayless], networks, from: "c1", "10.88.1.1", 90, answer: "host 10.88.1.11")
        try await check(without: [.gatewayless], networks, from: "c1", "192.0.2.1", 90, answer: "host 10.88.1.11")
    }

    @Test func theHostIsNoRouterForStrangers() async throws {
        let stranger = try scene.addStranger()
        #expect(try NetlinkScene.run(in: scene.host, "cat /proc/sys/net/ipv4/ip_forward") == "0\n")
        try await check(without: [.strangersForwarded], from: "outside", "198.51.100.9", 80, answer: "stranger 192.0.2.9")
        try await check(without: [.strangersForwarded], from: "outside", "2001:db8:1::9", 80, answer: "stranger 2001:db8::9")
        // What somebody else wants is theirs.
        let firewall = try await scene.firewall()
        try firewall.apply(scene.openings.map { .close($0) })
        try scene.expectAnswer("stranger 192.0.2.9", from: "outside", "198.51.100.9", 80)
        try firewall.remove()
        _ = stranger
    }

    @Test func answersFindTheWayBackAmongContainers() async throws {
        let guarded = try await scene.firewall()
        try scene.expectAnswer("c1 10.88.1.1", from: "c2", "192.0.2.1", 8080)
        try guarded.remove()
        let part = try await scene.firewall(without: [.hairpin])
        try scene.expectNothing(from: "c2", "192.0.2.1", 8080)
        try part.remove()
    }

    @Test func addressesAreKeptOrChosenWhereThatIsAskedFor() async throws {
        let networks = try [
            FirewallScene.network("a", .init(.nat, masquerades: false)), FirewallScene.network("b"),
        ]
        let kept = try await scene.firewall(networks)
        try scene.expectAnswer("outside 10.88.1.11", from: "c1", "192.0.2.9", 80)
        try scene.expectAnswer("c1 10.88.1.1", from: "c2", "192.0.2.1", 8080)
        try scene.expectNothing(from: "outside", "10.88.1.11", 80)
        try kept.remove()
        try NetlinkScene.run(in: scene.host, "ip addr add 192.0.2.7/24 dev up0; ip addr add 2001:db8::7/64 dev up0 nodad")
        var chosen = try FirewallScene.network("a")
        chosen.v4.source = try .of("192.0.2.7")
        chosen.v6.source = try .of("2001:db8::7")
        let firewall = try await scene.firewall([chosen, FirewallScene.network("b")])
        try scene.expectAnswer("outside 192.0.2.7", from: "c1", "192.0.2.9", 80)
        try scene.expectAnswer("outside 2001:db8::7", from: "c1", "2001:db8::9", 80)
        try scene.expectAnswer("outside 192.0.2.1", from: "c3", "192.0.2.9", 80)
        try firewall.remove()
    }
}
