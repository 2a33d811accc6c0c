@testable import BerthNetlink
@testable import BerthNetworking
import Testing

@Suite("What is known of packets that are not there, and hostile rules")
struct HostFirewallTests {
    @Test("A comparison is certain only where every bit counts")
    func partlyKnown() throws {
        let prefix = PartlyKnown(try #require(IPPrefix("10.88.0.0/15")))
        #expect(prefix.equals([10, 88, 0, 1]) == nil)
        #expect(prefix.equals([10, 90, 0, 1]) == false)
        #expect(prefix.masked([0xff, 0xfe, 0, 0], flipping: [0, 0, 0, 0]).equals([10, 88, 0, 0]) == true)
        #expect(prefix.masked([0xff, 0xff, 0, 0], flipping: [0, 0, 0, 0]).equals([10, 88, 0, 0]) == nil)
        #expect(prefix.isWithin([10, 0, 0, 0], [10, 255, 255, 255]) == true)
        #expect(prefix.isWithin([10, 89, 0, 0], [10, 255, 255, 255]) == nil)
        #expect(prefix.isWithin([11, 0, 0, 0], [12, 0, 0, 0]) == false)
        #expect(PartlyKnown([1, 2]).part(1, 3).equals([2, 0, 0]) == nil)
        var registers = PartlyKnown.unknown(4)
        registers.replace(3, with: PartlyKnown([7, 8]))
        #expect(registers.part(3, 1).equals([7]) == true && registers.part(0, 1).isUnknown)
        // Negative, and beyond the end: nothing is known there.
        #expect(registers.part(-1, 2).isUnknown && registers.part(900, 2).isUnknown)
    }

    private var packet: SamplePacket {
        get throws {
            let (bridge, outer) = (try #require(InterfaceName("br0")), try #require(InterfaceName("up0")))
            return SamplePacket(
                input: .init(name: bridge), output: .init(name: outer), source: IPPrefix("10.0.0.0/8"), version: .v4, isTranslated: false)
        }
    }

    @Test("Tables of iptables-legacy that make no sense are nobody's firewall, and end")
    func hostileTables() throws {
        var random = SystemRandomNumberGenerator()
        for size in [0, 1, 112, 152, 4096] {
            for _ in 0..<200 {
                let bytes = (0..<size).map { _ in UInt8.random(in: 0...(Bool.random(using: &random) ? 255 : 3), using: &random) }
                let places = (0..<5).map { _ in Int.random(in: -8...max(1, size), using: &random) }
                for version in IPAddress.Version.allCases {
                    let table = LegacyTable(version: version, name: "filter", entries: places, policies: places, bytes: bytes)
                    _ = LegacyRules(table).drop(try packet)
                }
            }
        }
        let short = LegacyTable(version: .v4, name: "filter", entries: [0], policies: [], bytes: [])
        #expect(try LegacyRules(short).drop(packet) == nil)
    }

    @Test("A command is proposed only where a shell reads it as it is meant")
    func remedies() {
        func text(_ owner: HostFirewall.Owner, _ family: NfFamily, _ table: String, _ chain: String, _ bridges: [String]) -> String {
            Remedy(owner: owner, family: family, table: table, chain: chain, ways: [.outward, .inward]).text(bridges)
        }
        #expect(
            text(.iptables, .ipv6, "filter", "FORWARD", ["br0"])
                == "ip6tables -I FORWARD -i br0 -j ACCEPT && ip6tables -I FORWARD -o br0 -j ACCEPT")
        #expect(
            text(.nftables, .inet, "t", "c", ["br0"])
                == "nft insert rule inet t c iifname br0 accept && nft insert rule inet t c oifname br0 accept")
        #expect(text(.ufw, .ipv4, "filter", "FORWARD", ["br0"]) == "ufw route allow in on br0 && ufw route allow out on br0")
        #expect(text(.nftables, .inet, "t; reboot", "c", ["br0"]).isEmpty)
        #expect(text(.nftables, .inet, "t", "$(reboot)", ["br0"]).isEmpty)
        #expect(text(.nftables, .inet, "-f", "c", ["br0"]).isEmpty)
        #expect(text(.iptables, .ipv4, "filter", "FORWARD", (0..<5).map { "br\($0)" }).isEmpty)
    }

    @Test("What the match conntrack of iptables' asks is known where it is about the state alone")
    func conntrack() throws {
        func data(_ flags: UInt8, _ inverted: UInt8, _ states: UInt8) -> [UInt8] {
            [UInt8](repeating: 0, count: 146) + [flags, 0, inverted, 0, states, 0, 0, 0]
        }
        var packet = try packet
        #expect(ConntrackMatch([1, 2]) == nil)
        #expect(ConntrackMatch(data(1, 0, 0x06))?.holds(of: packet) == false)
        #expect(ConntrackMatch(data(1, 1, 0x06))?.holds(of: packet) == true)
        #expect(ConntrackMatch(data(1, 0, 0x08))?.holds(of: packet) == true)
        #expect(ConntrackMatch(data(1, 0, 0x80))?.holds(of: packet) == false)
        packet.isTranslated = true
        #expect(ConntrackMatch(data(1, 0, 0x80))?.holds(of: packet) == true)
        #expect(ConntrackMatch(data(3, 0, 0x08))?.holds(of: packet) == false)
    }
}
