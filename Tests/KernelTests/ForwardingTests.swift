import BerthLinux
import BerthNetlink
@testable import BerthNetworking
import Foundation
import Testing

@Suite("What is switched on so that containers are reached", .kernelTier, .serialized, .timeLimit(.minutes(2)))
struct ForwardingTests {
    private func setting(_ scene: FirewallScene, _ name: String) throws -> String {
        try NetlinkScene.run(in: scene.host, "cat /proc/sys/net/\(name)").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test func onlyWhatIsNeededIsChangedAndToldAndOnce() throws {
        let scene = try FirewallScene()
        #expect(try setting(scene, "ipv4/ip_forward") == "0" && setting(scene, "ipv6/conf/all/forwarding") == "0")
        #expect(
            scene.changes.allSatisfy {
                $0.old == "0" && $0.new == "1" || $0.name == "net.ipv6.conf.bra.accept_ra" || $0.name == "net.ipv6.conf.brb.accept_ra"
            })
        let names = Set(scene.changes.map(\.name))
        #expect(
            names.isSuperset(of: [
                "net.ipv4.conf.bra.forwarding", "net.ipv4.conf.bra.route_localnet", "net.ipv4.conf.up0.forwarding",
                "net.ipv6.conf.bra.accept_ra",
            ]))
        #expect(!names.contains("net.ipv4.conf.up0.route_localnet") && !names.contains("net.ipv6.conf.up0.accept_ra"))
        #expect(try setting(scene, "ipv4/conf/bra/route_localnet") == "1" && setting(scene, "ipv6/conf/bra/accept_ra") == "0")
        let count = scene.changes.count
        try scene.forwarding.prepare(bridge: .named("bra"), versions: [.v4, .v6])
        #expect(try scene.forwarding.open([.named("up0")], .v4) == [])
        #expect(scene.changes.count == count)
        #expect(try Set(scene.forwarding.outerInterfaces(besides: [.named("bra"), .named("brb")]).map(\.description)) == ["up0"])
        try NetlinkScene.run(
            in: scene.host,
            """
            ip link add others type bridge; ip addr add 10.99.0.1/16 dev others; ip link add pair0 type veth peer name pair1
            ip link add uplink type bridge; ip addr add 203.0.113.2/24 dev uplink; ip link set uplink up; ip route add default via 203.0.113.1
            """)
        #expect(
            try Set(scene.forwarding.outerInterfaces(besides: [.named("bra"), .named("brb")]).map(\.description)) == ["up0", "uplink"])
        // One that has gone is none; one whose name has a dot is written as sysctl does.
        #expect(try scene.forwarding.open([.named("gone0")], .v4) == [])
        try NetlinkScene.run(in: scene.host, "ip link add up.7 type bridge")
        #expect(try scene.forwarding.open([.named("up.7")], .v4) == [ForwardingOpening(.named("up.7"), .v4)])
        #expect(scene.changes.last?.description == "net.ipv4.conf.up/7.forwarding: 0 to 1")
        #expect(throws: NetworkError.self) { try scene.forwarding.prepare(bridge: .named("gone0"), versions: [.v4]) }
        // Who forwards everything needs none, and that is not ours.
        try NetlinkScene.run(in: scene.host, "echo 1 >/proc/sys/net/ipv4/ip_forward; ip link add up8 type bridge")
        #expect(try scene.forwarding.forwardsEverything(.v4) && !scene.forwarding.forwardsEverything(.v6))
        #expect(try scene.forwarding.open([.named("up8")], .v4) == [])
        #expect(try scene.forwarding.bridgesMeetRules() == false)
    }

    /// A router advertisement, as the neighbour sends it.
    private func advertise(from namespace: NamespaceHandle) throws {
        let raw = try namespace.run { () throws(NetlinkError) in socket(AF_INET6, Int32(SOCK_RAW.rawValue), Int32(IPPROTO_ICMPV6)) }
        defer { close(raw) }
        var (hops, device): (Int32, [CChar]) = (255, "eth0".utf8CString.map { $0 })
        unsafe setsockopt(raw, Int32(IPPROTO_IPV6), IPV6_MULTICAST_HOPS, &hops, 4)
        unsafe setsockopt(raw, SOL_SOCKET, SO_BINDTODEVICE, &device, 5)
        // Type 134, hop limit 64, half an hour; the kernel counts the checksum.
        let message: [UInt8] = [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]
        let sent = try unsafe IPAddress.of("ff02::1").withSocketAddress(0) { unsafe sendto(raw, message, message.count, 0, $0, $1) }
        try #require(sent == message.count, "\(Errno.current)")
    }

    private func hasLearntRoute(_ scene: FirewallScene) throws -> Bool {
        try NetlinkScene.run(in: scene.host, "ip -6 route show default proto ra").contains("via fe80:")
    }

    /// What the host has learnt from a router it keeps, by both ways of forwarding; without the care it would be lost.
    @Test(arguments: ["by interface", "everything", "everything, without care"]) func whatARouterHasToldIsKept(way: String) throws {
        let scene = try FirewallScene()
        try NetlinkScene.run(
            in: scene.host, "echo 0 >/proc/sys/net/ipv6/conf/up0/force_forwarding; echo 1 >/proc/sys/net/ipv6/conf/up0/accept_ra")
        var routes = try NetlinkSubscription([.routes], in: scene.host)
        let never = try Interruption()
        for _ in 0..<100 where try !hasLearntRoute(scene) {
            // The addresses of the link may still be tentative: then nothing is sent, or heard.
            do { try advertise(from: scene.outside) } catch {}
            _ = try routes.next(withinMilliseconds: 200, orUntil: never)
        }
        try #require(try hasLearntRoute(scene))
        switch way {
        case "by interface": #expect(try scene.forwarding.open([.named("up0")], .v6) == [ForwardingOpening(.named("up0"), .v6)])
        case "everything":
            try scene.forwarding.forwardAll6()
            #expect(try setting(scene, "ipv6/conf/all/forwarding") == "1" && setting(scene, "ipv6/conf/up0/accept_ra") == "2")
            #expect(scene.changes.contains { $0.description == "net.ipv6.conf.up0.accept_ra: 1 to 2" })
        default: try NetlinkScene.run(in: scene.host, "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        }
        #expect(try hasLearntRoute(scene) == (way != "everything, without care"))
    }
}
