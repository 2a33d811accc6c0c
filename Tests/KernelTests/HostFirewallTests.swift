import BerthLinux
import BerthNetlink
@testable import BerthNetworking
import Foundation
import Synchronization
import Testing

/// What a cooperation says by itself.
private final class Sayings: Sendable {
    private let said = Mutex<[String]>([])
    private let semaphore = DispatchSemaphore(value: 0)

    func take(_ text: String) {
        said.withLock { $0.append(text) }
        semaphore.signal()
    }

    /// The next, within some seconds.
    func next() -> String? {
        guard semaphore.wait(timeout: .now() + .seconds(5)) == .success else { return nil }
        return said.withLock { $0.removeFirst() }
    }
}

@Suite(
    "Other people's firewalls are explained, and cooperated with where that is asked for", .kernelTier, .serialized, .timeLimit(.minutes(4))
)
struct HostFirewallTests {
    private let scene: FirewallScene
    private let sayings = Sayings()
    init() throws { scene = try FirewallScene() }

    /// Runs commands that may have their own input.
    @discardableResult
    private func run(_ commands: String) throws -> String { try NetlinkScene.run(in: scene.host, commands + "\ntrue") }

    private var networks: [FirewallNetwork] { get throws { try [FirewallScene.network("a"), FirewallScene.network("b")] } }

    private func findings() throws -> [HostFirewall.Finding] {
        try HostFirewall(engineID: "0123abcd", in: scene.host).findings(networks, outer: [.named("up0")])
    }

    private func cooperation(_ networks: [FirewallNetwork]? = nil) throws -> HostCooperation {
        let (wanted, outer) = (try networks ?? self.networks, try InterfaceName.named("up0"))
        return try HostCooperation(engineID: "0123abcd", in: scene.host) { () throws(NetworkError) in
            wanted.flatMap { SamplePacket.all(of: $0, outer: [outer], numbers: [:]) }
        } log: { [sayings] in
            sayings.take($0)
        }
    }

    /// All rules but those of the engine's own table, as programs write them, without how often each was used.
    private func rules() throws -> String {
        try run(
            """
            { for t in $(nft list tables | grep -v berth- | cut -d' ' -f2,3 | tr ' ' /); do nft list table ${t%/*} ${t#*/}; done
              iptables-save; ip6tables-save; } 2>/dev/null |
              sed -E '/^#/d; s/counter packets [0-9]+ bytes [0-9]+/counter/; s/\\[[0-9]+:[0-9]+\\]//'
            """)
    }

    /// Containers reach the outside and are reached by what is published, by both versions and protocols.
    private func expectEverythingWorks(_ note: String) throws {
        for outside in ["192.0.2.9", "2001:db8::9"] {
            try scene.expectAnswer("outside \(outside == "192.0.2.9" ? "192.0.2.1" : "2001:db8::1")", from: "c1", outside, 80, note)
        }
        for host in ["192.0.2.1", "2001:db8::1"] {
            try scene.expectAnswer("c1 \(host == "192.0.2.1" ? "192.0.2.9" : "2001:db8::9")", from: "outside", host, 8080, note)
        }
        // What nobody has published is not reached, whatever rules of ours stand in other people's chains.
        try scene.expectNothing(from: "outside", "10.88.1.11", 91, note)
    }

    @Test(
        "Whoever drops is named, and with rules of ours in his chain everything works; taken away, everything is as it was",
        arguments: HostRules.all)
    func dropping(_ host: HostRules) async throws {
        let firewall = try await scene.firewall()
        defer { try? firewall.remove() }
        #expect(try findings().isEmpty)
        try expectEverythingWorks("before")
        let present = try PresentRules(host, in: scene.host)
        defer { present.end() }
        let before = try rules()
        try scene.expectNothing(from: "c1", "192.0.2.9", 80)
        if host.letsPublishedIn {
            try scene.expectAnswer("c1 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        } else {
            try scene.expectNothing(from: "outside", "192.0.2.1", 8080)
        }

        let found = try findings()
        #expect(found.map { "\($0.owner) \($0.family) \($0.table) \($0.chain)" } == host.named)
        #expect(found.allSatisfy { $0.bridges == ["bra", "brb"] && $0.ways == (host.letsPublishedIn ? [.outward] : [.outward, .inward]) })
        #expect(found.first?.remedy.hasPrefix(host.remedy) == true, "\(found)")
        #expect(found.first?.description.contains("berth system firewall cooperate") == true)
        #expect(try rules() == before)

        let cooperation = try cooperation()
        try cooperation.begin()
        let left = try findings()
        try #require(left.isEmpty, "\(left)")
        try expectEverythingWorks("cooperating")
        #expect(try cooperation.rules().count == 4 * host.named.count)
        // It lasts when somebody loads his rules anew.
        for _ in 1...2 {
            try present.reload()
            if !host.leavesRulesOfOthers { #expect(sayings.next()?.contains("the engine's rules are in it again") == true) }
            try await until("the engine's rules to be where they were") {
                try cooperation.rules().count == 4 * host.named.count && findings().isEmpty
            }
        }
        try expectEverythingWorks("loaded anew")
        try cooperation.end()
        #expect(try cooperation.rules().isEmpty)
        #expect(try !rules().contains("berth"))
        cooperation.close()
    }

    @Test("Rules come and go without a trace, stay when the engine goes, and are taken up by the next", arguments: HostRules.all)
    func withoutATrace(_ host: HostRules) throws {
        let present = try PresentRules(host, in: scene.host)
        defer { present.end() }
        let before = try rules()
        let first = try cooperation()
        try first.begin()
        let with = try rules()
        #expect(with != before && with.contains("berth 0123abcd"))
        try first.begin()
        #expect(try rules() == with)
        first.close()
        #expect(try rules() == with)
        let next = try cooperation()
        try next.begin()
        #expect(try rules() == with)
        try next.end()
        #expect(try rules() == before)
        next.close()
    }

    @Test("The command that is proposed helps", arguments: [HostRules.iptables, .table, .lastRule])
    func remedy(_ host: HostRules) async throws {
        let firewall = try await scene.firewall()
        defer { try? firewall.remove() }
        try run(host.setUp)
        let found = try findings()
        #expect(found.count == host.named.count)
        for finding in found { try run(finding.remedy) }
        #expect(try findings().isEmpty)
        try expectEverythingWorks("by hand")
    }

    @Test("Rules that iptables has saved and loaded again are known, and do not double")
    func savedRules() throws {
        let reload = "saved=$(iptables-save); iptables-restore <<<\"$saved\""
        try run("iptables -P FORWARD DROP; " + reload)
        let before = try rules()
        let cooperation = try cooperation()
        try cooperation.begin()
        try run(reload)
        #expect(sayings.next() != nil)
        #expect(try cooperation.rules().count == 4)
        try cooperation.end()
        #expect(try rules() == before)
        cooperation.close()
    }

    @Test("Rules of iptables-legacy are explained, and what is not in use is not asked for")
    func legacy() throws {
        let used = "cat /proc/net/ip_tables_names"
        #expect(try findings().isEmpty)
        #expect(try run(used) == "")
        let (text, code) = try NetlinkScene.tryRun(
            in: scene.host, "iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -o lan+ -j ACCEPT")
        try #require(code == 0, "\(text)")
        let before = try run("iptables-legacy-save")
        let found = try findings()
        #expect(found.map { "\($0.owner) \($0.family) \($0.table) \($0.chain)" } == ["legacy ip filter FORWARD"])
        #expect(found.first?.remedy.hasPrefix("iptables-legacy -I FORWARD -i bra -j ACCEPT") == true)
        for finding in found { try run(finding.remedy) }
        #expect(try findings().isEmpty)
        try run(
            """
            iptables-legacy -F FORWARD; iptables-legacy -P FORWARD ACCEPT; iptables-legacy -N last; iptables-legacy -A last -j REJECT
            iptables-legacy -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; iptables-legacy -A FORWARD -j last
            """)
        #expect(try findings().map(\.why) == ["a rule rejects what no rule before lets through"])
        try run("iptables-legacy -I last -i bra -j RETURN; iptables-legacy -I FORWARD -m conntrack --ctstate NEW -j ACCEPT")
        #expect(try findings().isEmpty)
        #expect(!before.isEmpty)
    }

    @Test("A firewall that lets containers through, or drops only others, is nobody's business")
    func friendly() throws {
        try run(
            """
            nft -f - <<<'table inet fine {
              set ours { type ifname; elements = { "bra", "brb" }; }
              chain hidden { type filter hook input priority 0; policy drop; }
              chain away { type filter hook forward priority 5; policy accept; iifname "wan*" drop; ip saddr 203.0.113.0/24 drop; ct state invalid drop; }
              chain through { type filter hook forward priority 0; policy drop; iifname @ours accept; oifname vmap { "bra" : accept, "brb" : jump more }; }
              chain more { meta nfproto ipv4 accept; meta nfproto ipv6 accept; }
            }
            table ip asleep { flags dormant; chain through { type filter hook forward priority 0; policy drop; }; }'
            """)
        #expect(try findings().isEmpty)
    }
}
