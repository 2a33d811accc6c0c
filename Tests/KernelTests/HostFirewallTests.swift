import BerthLinux
import BerthNetlink
@testable import BerthNetworking
import Foundation
import Synchronization
import Testing

/// A firewall of the host's own that drops what is forwarded.
private struct HostRules: CustomStringConvertible, Sendable {
    /// What it is called.
    var description: String
    /// Sets it up in a host whose outer interface is `up0`.
    var setUp: String
    /// The chain and the owner that are named, by family.
    var named: [String]
    /// The beginning of the command that is proposed.
    var remedy: String
    /// Whether published ports come through as it is.
    var letsPublishedIn = false
    /// Loads the rules anew.
    var reload: String
    /// Ends what was begun.
    var tearDown = ""

    static let iptables = HostRules(
        description: "iptables",
        setUp: "iptables -P FORWARD DROP; ip6tables -P FORWARD DROP; iptables -A FORWARD -s 203.0.113.0/24 -j ACCEPT",
        named: ["iptables ip filter FORWARD", "iptables ip6 filter FORWARD"], remedy: "iptables -I FORWARD -i bra -j ACCEPT",
        reload: "printf '*filter\\n:FORWARD DROP [0:0]\\n-A FORWARD -s 203.0.113.0/24 -j ACCEPT\\nCOMMIT\\n' | iptables-restore")

    static let table = HostRules(
        description: "a table of nf_tables",
        setUp: """
            nft -f - <<<'table inet strict {
              set inner { type ifname; elements = { "lan0", "lan1" }; }
              chain through { type filter hook forward priority 0; policy drop;
                ct state { established, related } accept; iifname @inner accept; meta l4proto icmp accept; }
            }'
            """, named: ["nftables inet strict through"], remedy: "nft insert rule inet strict through iifname bra accept",
        reload: """
            nft -f - <<<'flush chain inet strict through; add rule inet strict through ct state { established, related } accept'
            """)

    /// As many write it: the policy lets through, and the last rule of a chain that is jumped to does not.
    static let lastRule = HostRules(
        description: "a last rule that rejects",
        setUp: """
            nft -f - <<<'table ip guard {
              chain rest { ip saddr 198.51.100.0/24 accept; counter reject with icmp type admin-prohibited; }
              chain through { type filter hook forward priority -10; policy accept; ip saddr 203.0.113.7 drop; oifname "lan*" accept; jump rest; }
            }
            table ip6 guard { chain through { type filter hook forward priority -10; policy drop; }; }'
            """, named: ["nftables ip guard through", "nftables ip6 guard through"],
        remedy: "nft insert rule ip guard through iifname bra accept",
        reload: """
            nft -f - <<<'flush chain ip guard through; add rule ip guard through jump rest'
            """)

    static let ufw = HostRules(
        description: "ufw",
        setUp: """
            for f in /usr/share/ufw/iptables/*.rules; do [ -e /etc/ufw/${f##*/} ] || cp $f /etc/ufw/; done
            ufw --force enable >/dev/null
            """, named: ["ufw ip filter FORWARD", "ufw ip6 filter FORWARD"], remedy: "ufw route allow in on bra", reload: "ufw reload")

    /// It stays in the background, and so must hold nothing open by which its starter's end is noticed, and keep no signal from it that its starter does. It needs a bus of its own, and is told by a signal to load its rules anew: the program that would tell it asks for a policy kit.
    static let firewalld = HostRules(
        description: "firewalld",
        setUp: """
            mkdir -p /run/dbus
            for file in /proc/self/fd/*; do [ ${file##*/} -le 2 ] || eval "exec ${file##*/}>&-" 2>/dev/null || true; done
            dbus-daemon --system --fork --nopidfile --print-pid </dev/null >/run/test-bus.pid 2>/dev/null
            python3 -c 'import os, signal, sys; signal.pthread_sigmask(signal.SIG_SETMASK, []); os.execvp(sys.argv[1], sys.argv[1:])' firewalld --nofork --nopid </dev/null >/dev/null 2>&1 & echo $! >/run/test-firewalld.pid
            for turn in $(seq 200); do
              nft list chain inet firewalld filter_FWD_public 2>/dev/null | grep reject >/dev/null && break
              read -t 0.1 <> <(:) || true
            done
            nft list chain inet firewalld filter_FORWARD >/dev/null
            """, named: ["firewalld inet firewalld filter_FORWARD"], remedy: "firewall-cmd --zone=trusted --change-interface=bra",
        letsPublishedIn: true, reload: "kill -HUP $(cat /run/test-firewalld.pid)",
        tearDown: "kill -9 $(cat /run/test-firewalld.pid) $(cat /run/test-bus.pid)")

    static var all: [HostRules] {
        [iptables, table, lastRule]
            + [("ufw", ufw), ("firewalld", firewalld)].filter { FileManager.default.fileExists(atPath: "/usr/sbin/\($0.0)") }.map(\.1)
    }
}

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
    fileprivate func dropping(_ host: HostRules) async throws {
        let firewall = try await scene.firewall()
        defer { try? firewall.remove() }
        #expect(try findings().isEmpty)
        try expectEverythingWorks("before")
        try run(host.setUp)
        defer { _ = try? run(host.tearDown) }
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
        #expect(try findings().isEmpty)
        try expectEverythingWorks("cooperating")
        #expect(try cooperation.rules().count == 4 * host.named.count)
        // It lasts when somebody loads his rules anew.
        try run(host.reload)
        #expect(sayings.next()?.contains("the engine's rules are in it again") == true)
        try expectEverythingWorks("loaded anew")
        try run(host.reload)
        _ = sayings.next()
        try cooperation.end()
        #expect(try cooperation.rules().isEmpty)
        #expect(try !rules().contains("berth"))
        cooperation.close()
    }

    @Test("Rules come and go without a trace, stay when the engine goes, and are taken up by the next", arguments: HostRules.all)
    fileprivate func withoutATrace(_ host: HostRules) throws {
        try run(host.setUp)
        defer { _ = try? run(host.tearDown) }
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
    fileprivate func remedy(_ host: HostRules) async throws {
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
