import BerthLinux
import BerthNetlink
import Foundation
import Testing

/// A firewall of the host's own that drops what is forwarded.
struct HostRules: CustomStringConvertible, Sendable {
    /// What it is called.
    var description: String
    /// Whether its programs are this machine's, and not those of a ``FirewallRoot``.
    var isInstalled = true
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
    /// Whether that leaves what others have in its chains: then nothing need be put back.
    var leavesRulesOfOthers = false
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
        description: "ufw", isInstalled: false,
        setUp: "cp /usr/share/ufw/iptables/*.rules /usr/share/ufw/ufw.conf /etc/ufw/; ufw --force enable >/dev/null",
        named: ["ufw ip filter FORWARD", "ufw ip6 filter FORWARD"], remedy: "ufw route allow in on bra", reload: "ufw reload",
        leavesRulesOfOthers: true)

    /// It stays in the background, and so must hold nothing open by which its starter's end is noticed, and keep no signal from it that its starter does. It needs a bus, which is as for a session because the user is missing whose a system's is; and is told by a signal to load its rules anew: the program that would tell it asks for a policy kit.
    static let firewalld = HostRules(
        description: "firewalld", isInstalled: false,
        setUp: """
            mkdir -p /run/dbus
            for file in /proc/self/fd/*; do [ ${file##*/} -le 2 ] || eval "exec ${file##*/}>&-" 2>/dev/null || true; done
            dbus-daemon --config-file=/usr/share/dbus-1/session.conf --address=unix:path=/run/dbus/system_bus_socket --fork --nopidfile \
              --print-pid </dev/null >/run/test-bus.pid 2>/dev/null
            python3 -c 'import os, signal, sys; signal.pthread_sigmask(signal.SIG_SETMASK, []); os.execvp(sys.argv[1], sys.argv[1:])' firewalld --nofork --nopid </dev/null >/dev/null 2>&1 & echo $! >/run/test-firewalld.pid
            for turn in $(seq 200); do
              nft list chain inet firewalld filter_FWD_public 2>/dev/null | grep reject >/dev/null && break
              read -t 0.1 <> <(:) || true
            done
            nft list chain inet firewalld filter_FORWARD >/dev/null
            """, named: ["firewalld inet firewalld filter_FORWARD"], remedy: "firewall-cmd --zone=trusted --change-interface=bra",
        letsPublishedIn: true,
        // It does so by itself, and drops all that is new meanwhile: it is done when its table is another and whole, and the dropping is over.
        reload: """
            before=$(nft -a list table inet firewalld | sed -n 1p)
            kill -HUP $(cat /run/test-firewalld.pid)
            is_done() {
              [ "$(nft -a list table inet firewalld 2>/dev/null | sed -n 1p)" != "$before" ] &&
                nft list chain inet firewalld filter_FWD_public 2>/dev/null | grep reject >/dev/null &&
                ! nft list table inet firewalld_policy_drop >/dev/null 2>&1
            }
            for turn in $(seq 200); do
              is_done && break
              read -t 0.1 <> <(:) || true
            done
            is_done
            """,
        tearDown: "kill -9 $(cat /run/test-firewalld.pid) $(cat /run/test-bus.pid)")

    static let all = [iptables, table, lastRule, ufw, firewalld]
}

/// A firewall of the host's own that is in force.
final class PresentRules {
    private let rules: HostRules
    private let host: NamespaceHandle
    private let root: FirewallRoot?

    init(_ rules: HostRules, in host: NamespaceHandle) throws {
        (self.rules, self.host) = (rules, host)
        root = rules.isInstalled ? nil : try FirewallRoot()
        try run(rules.setUp)
    }

    /// Has it load its rules anew.
    func reload() throws { try run(rules.reload) }

    /// Ends what was begun. The rules stay, and go with the host.
    func end() { _ = try? run(rules.tearDown) }

    private func run(_ commands: String) throws {
        try NetlinkScene.run(in: host, (root?.enclosed(commands) ?? commands) + "\ntrue")
    }
}

/// A view of this machine's root that has ufw and firewalld, as `Tests/host-programs` laid them out, and takes every change itself. It is gone with this value.
final class FirewallRoot {
    private let scratch: Scratch
    private let path: String

    init() throws {
        let programs = try #require(
            ProcessInfo.processInfo.environment["BERTH_HOST_PROGRAMS"],
            "BERTH_HOST_PROGRAMS names no folder that Tests/host-programs has made: Tests/run --tier kernel makes one")
        scratch = try Scratch()
        path = try scratch.mount("tmpfs", at: "view", options: "mode=755")
        // What somebody has set up on this machine is not what comes with the packages.
        try scratch.shell(
            """
            cd view
            mkdir work root
            cp -a '\(programs)/root' changes
            mount -t overlay -o lowerdir=/,upperdir=$PWD/changes,workdir=$PWD/work overlay root
            for folder in proc sys dev; do mount --rbind /$folder root/$folder; done
            mount -t tmpfs -o mode=755 run root/run
            rm -r root/etc/ufw root/etc/firewalld
            cp -a '\(programs)/root/etc/ufw' '\(programs)/root/etc/firewalld' root/etc/
            """)
    }

    /// Commands that have it as their root.
    func enclosed(_ commands: String) -> String {
        "chroot '\(path)/root' /bin/bash -euo pipefail <<'BERTH_ROOT'\n\(commands)\nBERTH_ROOT\n"
    }
}
