import BerthLinux
import BerthNetlink
@testable import BerthNetworking
import Foundation
import Testing

@Suite("The firewall, with packets", .kernelTier, .serialized, .timeLimit(.minutes(3)))
struct FirewallTests {
    @Test(arguments: [false, true]) func whatIsPublishedIsReached(bridgesMeetRules: Bool) async throws {
        let scene = try FirewallScene(bridgesMeetRules: bridgesMeetRules)
        let firewall = try await scene.firewall()
        // From outside, with the sender's own address.
        try scene.expectAnswer("c1 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        try scene.expectAnswer("c1 2001:db8::9", from: "outside", "2001:db8::1", 8080)
        try scene.expectAnswer("c3 192.0.2.9", from: "outside", "192.0.2.1", 8082)
        try scene.expectAnswer("c2 192.0.2.9", from: "outside", "192.0.2.1", 8083)
        try scene.expectAnswer("c2 2001:db8::9", from: "outside", "2001:db8::1", 8083)
        // From the host: by the loopback, by its address.
        try scene.expectAnswer("c1 10.88.1.1", from: "host", "127.0.0.1", 8080)
        try scene.expectAnswer("c1 10.88.1.1", from: "host", "127.0.0.1", 8081)
        try scene.expectAnswer("c1 192.0.2.1", from: "host", "192.0.2.1", 8080)
        try scene.expectAnswer("c1 2001:db8::1", from: "host", "2001:db8::1", 8080)
        // From containers: of the same network, of another, from the very one.
        for address in ["192.0.2.1", "10.88.1.1", "10.88.2.1"] {
            try scene.expectAnswer("c1 10.88.1.1", from: "c2", address, 8080)
            try scene.expectAnswer("c1 10.88.1.1", from: "c3", address, 8080)
            try scene.expectAnswer("c1 10.88.1.1", from: "c1", address, 8080)
        }
        try scene.expectAnswer("c1 fd00:88:1::1", from: "c2", "2001:db8::1", 8080)
        try scene.expectAnswer("c1 fd00:88:1::1", from: "c3", "2001:db8::1", 8080)
        try scene.expectAnswer("c1 fd00:88:1::1", from: "c1", "fd00:88:1::1", 8080)
        // Out, with the host's address.
        try scene.expectAnswer("outside 192.0.2.1", from: "c1", "192.0.2.9", 80)
        try scene.expectAnswer("outside 2001:db8::1", from: "c3", "2001:db8::9", 80)
        // Among each other, and from the host directly.
        try scene.expectAnswer("c2 10.88.1.11", from: "c1", "10.88.1.12", 80)
        try scene.expectAnswer("c2 fd00:88:1::11", from: "c1", "fd00:88:1::12", 80)
        try scene.expectAnswer("c3 10.88.2.1", from: "host", "10.88.2.13", 80)
        // What is published on one address is not on another.
        try scene.expectNothing(from: "host", "127.0.0.1", 8083)
        try firewall.remove()
        #expect(try NetlinkScene.run(in: scene.host, "nft list tables") == "")
        try scene.expectNothing(from: "outside", "192.0.2.1", 8080)
    }

    /// Where no answer would find its way back, it is the socket on the port that takes what comes.
    @Test func whatCannotBeTranslatedIsLeftToTheSocketOnThePort() async throws {
        let scene = try FirewallScene()
        let firewall = try await scene.firewall()
        try scene.answer("host", in: scene.host, 8080)
        for isDatagram in [false, true] {
            #expect(try scene.ask(from: "host", "::1", 8080, isDatagram: isDatagram, .forAnswer) == "host ::1")
            #expect(try scene.ask(from: "host", "127.0.0.1", 8080, isDatagram: isDatagram, .forAnswer) == "c1 10.88.1.1")
        }
        var far = try NetlinkSocket(.route, in: scene.outside)
        // An address that nobody else has is used at once; the kernel's own may still be asked about.
        try NetlinkScene.run(in: scene.host, "ip addr add fe80::77/64 dev up0 nodad")
        try NetlinkScene.run(in: scene.outside, "ip addr add fe80::99/64 dev eth0 nodad")
        let scope = UInt32(try #require(try far.link(.name(.named("eth0")))).index)
        for isDatagram in [false, true] {
            let caller = try Caller(in: scene.outside, isDatagram, version: .v6)
            let answer = try caller.call(.of("fe80::77"), 8080, scope: scope, .forAnswer)
            #expect(answer?.hasPrefix("host fe80::") ?? false, "\(answer ?? "nobody")")
        }
        try firewall.remove()
    }
}
