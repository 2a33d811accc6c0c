import BerthLinux
import BerthNetlink
import Foundation
import Testing

@Suite("nf_tables, as nft sees it", .kernelTier, .serialized, .timeLimit(.minutes(2)))
struct NetlinkRuleTests {
    private let scene: NetlinkScene
    private let table: NfTableName
    init() throws {
        scene = try NetlinkScene()
        table = NfTableName(.inet, try Self.name("berth"))
    }

    private static func name(_ text: String) throws -> NfName { try #require(NfName(text)) }

    /// What is needed for bridges and published ports.
    private func published() throws -> (transaction: NfTransaction, rules: [NfRule], sets: [NfSet], elements: [[NfElement]]) {
        func name(_ text: String) throws -> NfName { try Self.name(text) }
        let ports = NfSet(table, try name("p4"), key: [.transportProtocol, .port], value: .data([.ipv4Address, .port]))
        let bridges = NfSet(table, try name("bridges"), key: [.interfaceName], value: .verdict)
        let ours = NfSet(table, try name("ours"), key: [.ipv4Address], isInterval: true)
        let pairs = NfSet(table, try name("pairs"), key: [.ipv4Address, .port], isInterval: true)
        let hosts = NfSet(table, try name("hosts6"), key: [.ipv6Address], comment: "those of others")
        let (pre, post, forward, inside) = (try name("pre"), try name("post"), try name("forward"), try name("from-br0"))
        var transaction = NfTransaction()
        transaction.add(NfTable(table, comment: "engine 0123"))
        let sets = [ports, bridges, ours, pairs, hosts]
        for set in sets { transaction.add(set) }
        transaction.add(NfChain(table, pre, at: .init(.nat, .prerouting, priority: -100)))
        transaction.add(NfChain(table, post, at: .init(.nat, .postrouting, priority: 100)))
        transaction.add(NfChain(table, forward, at: .init(.filter, .forward, priority: 0, policy: .drop)))
        transaction.add(NfChain(table, inside))
        let bridge = try InterfaceName.named("br0")
        let rules = [
            NfRule(
                table, pre,
                .destinationIsLocal + .isOf(.v4) + [
                    .meta(.transportProtocol, into: .first), .payload(.transport, offset: 2, byteCount: 2, into: .word(1)),
                    .lookup(ports.name, key: .first, into: .first, isInverted: false),
                    .nat(.destination, .ipv4, address: .first, port: .word(1), flags: []),
                ], comment: "published ports"),
            NfRule(
                table, post,
                .isOf(.v4) + .sourceIsIn(try .of("172.17.0.0/16")) + .leavesBy(bridge, isInverted: true) + [.masquerade(flags: [])],
                comment: "out of br0"),
            NfRule(
                table, post,
                .isOf(.v6) + .sourceIsIn(try .of("fd00::/64")) + .destinationIsIn(try .of("fd00::9/128"), isInverted: true) + [
                    .masquerade(flags: [.randomPorts])
                ]),
            NfRule(table, post, .isOf(.v4) + .sourceIsIn(try .of("172.18.16.0/20")) + [.counter(packets: 0, bytes: 0)]),
            NfRule(table, forward, .connectionIs([.established, .related]) + [.counter(packets: 0, bytes: 0), .verdict(.accept)]),
            NfRule(table, forward, .connectionHas(.destinationTranslated) + [.verdict(.accept)]),
            NfRule(
                table, forward,
                [.meta(.inputInterfaceName, into: .first), .lookup(bridges.name, key: .first, into: NfRegister.verdict, isInverted: false)]),
            NfRule(table, inside, .cameBy(bridge) + .transportProtocolIs(6) + .destinationPortIs(25) + [.reject(.reset)]),
            NfRule(
                table, inside,
                .isOf(.v4) + [
                    .payload(.network, offset: 16, byteCount: 4, into: .first),
                    .lookup(ours.name, key: .first, into: nil, isInverted: true), .reject(.unreachable(3)),
                ]),
            NfRule(table, inside, [.immediate(NfValue.number(7), into: .first), .setMeta(.mark, from: .first), .verdict(.return)]),
        ]
        for rule in rules { transaction.add(rule) }
        let elements: [[NfElement]] = [
            try [(80, "172.17.0.2", 8080), (443, "172.17.0.3", 8443)].map { port, address, target in
                NfElement(
                    NfValue.joined([NfValue.transportProtocol(6), NfValue.port(port)]),
                    data: .value(NfValue.joined([NfValue.address(try .of(address)), NfValue.port(target)])))
            },
            [NfElement(NfValue.interfaceName(bridge), data: .verdict(.goto(inside)))],
            [
                NfElement(try .of("10.0.0.0/8")), NfElement(from: [192, 168, 0, 5], through: [192, 168, 0, 9]),
                NfElement(try .of("255.0.0.0/8")),
            ],
            [NfElement(from: [10, 0, 0, 0, 0, 80, 0, 0], through: [10, 0, 0, 255, 0, 90, 0, 0])],
            [NfElement(try IPAddress.of("fd00::77").bytes, comment: "a neighbour")],
        ]
        for (set, elements) in zip(sets, elements) { transaction.add(elements, to: set) }
        return (transaction, rules, sets, elements)
    }

    /// The same in nft's words.
    private let words = """
        table inet berth {
            comment "engine 0123"
            map p4 { type inet_proto . inet_service : ipv4_addr . inet_service
                elements = { tcp . 80 : 172.17.0.2 . 8080, tcp . 443 : 172.17.0.3 . 8443 } }
            map bridges { type ifname : verdict; elements = { "br0" : goto from-br0 } }
            set ours { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.0.5-192.168.0.9, 255.0.0.0/8 } }
            set pairs { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/24 . 80-90 } }
            set hosts6 { type ipv6_addr; comment "those of others"; elements = { fd00::77 comment "a neighbour" } }
            chain pre { type nat hook prerouting priority -100; policy accept
                fib daddr type local meta nfproto ipv4 dnat ip to meta l4proto . th dport map @p4 comment "published ports"
            }
            chain post { type nat hook postrouting priority 100; policy accept
                meta nfproto ipv4 ip saddr 172.17.0.0/16 oifname != "br0" masquerade comment "out of br0"
                meta nfproto ipv6 ip6 saddr fd00::/64 ip6 daddr != fd00::9 masquerade fully-random
                meta nfproto ipv4 ip saddr 172.18.16.0/20 counter packets 0 bytes 0
            }
            chain forward { type filter hook forward priority 0; policy drop
                ct state established,related counter packets 0 bytes 0 accept
                ct status dnat accept
                iifname vmap @bridges
            }
            chain from-br0 {
                iifname "br0" meta l4proto tcp th dport 25 reject with tcp reset
                meta nfproto ipv4 ip daddr != @ours reject with icmpx type admin-prohibited
                meta mark set 0x00000007 return
            }
        }
        """

    @Test func whatWeMakeIsWhatNftWouldMake() throws {
        var host = try NetlinkSocket(.netfilter, in: scene.host)
        let (transaction, rules, sets, elements) = try published()
        try host.commit(transaction)
        try NetlinkScene.run(in: scene.inside, "nft -f /dev/stdin", input: words)
        let (mine, other) = (try NetlinkScene.ruleSet(in: scene.host), try NetlinkScene.ruleSet(in: scene.inside))
        // nft lists sets in the order of their making, and so do we make them.
        #expect(mine.count == other.count)
        for (mine, other) in zip(mine, other) { #expect(mine == other) }

        // And what we read, of both: what was written.
        var inside = try NetlinkSocket(.netfilter, in: scene.inside)
        for isOurs in [true, false] {
            func asked<Value>(_ body: (inout NetlinkSocket) throws -> Value) throws -> Value {
                isOurs ? try body(&host) : try body(&inside)
            }
            let read = try asked { try $0.rules(of: table) }
            try #require(read.count == rules.count)
            for (read, rule) in zip(read, rules) {
                #expect(read.chain == rule.chain && read.steps == rule.steps && read.comment == rule.comment, "ours: \(isOurs)")
            }
            let found = try asked { try $0.sets(of: table) }
            for (set, expected) in zip(sets, elements) {
                let same = try #require(found.first { $0.name == set.name })
                #expect(same.key == set.key && same.value == set.value && same.isInterval == set.isInterval && same.comment == set.comment)
                #expect(Set(try asked { try $0.elements(of: same) }) == Set(expected), "\(set.name)")
            }
            #expect(try asked { try $0.table(table) }?.comment == "engine 0123")
            let chains = try asked { try $0.chains(of: table) }
            #expect(chains.map(\.name.description) == ["pre", "post", "forward", "from-br0"])
            #expect(chains[2].base == .init(.filter, .forward, priority: 0, policy: .drop) && chains[3].base == nil)
            #expect(try asked { try $0.tables(.inet) }.map(\.id) == [table] && asked { try $0.tables() }.count == 1)
        }
    }

    @Test func thingsAreRemovedOneByOne() throws {
        var host = try NetlinkSocket(.netfilter, in: scene.host)
        let (transaction, _, sets, elements) = try published()
        try host.commit(transaction)
        let before = try host.generation()
        let inside = try Self.name("from-br0")
        let handle = try #require(try host.rules(of: table, chain: inside).first?.handle)
        var change = NfTransaction(expecting: before)
        change.remove([elements[0][0]], from: sets[0])
        change.remove([elements[2][1]], from: sets[2])
        change.removeRule(handle, of: inside, of: table)
        let rule = NfRule(table, inside, [.counter(packets: 0, bytes: 0)], comment: "first")
        change.prepend(rule)
        change.add(NfRule(table, inside, [.verdict(.accept)], comment: "last"))
        change.flush(set: sets[4].name, of: table)
        try host.commit(change)
        #expect(try host.generation() != before)
        let text = try NetlinkScene.run(in: scene.host, "nft -a list ruleset")
        #expect(text.contains("tcp . 443") && !text.contains("tcp . 80 ") && !text.contains("fd00::77") && !text.contains("dport 25"))
        #expect(!text.contains("192.168.0.5") && text.contains("10.0.0.0/8"))
        #expect(try host.rules(of: table, chain: inside).compactMap(\.comment) == ["first", "last"])
        let last = try #require(try host.rules(of: table, chain: inside).last?.handle)
        var more = NfTransaction()
        more.add(NfRule(table, inside, [.verdict(.drop)], comment: "before the last"), before: last)
        more.flush(set: sets[1].name, of: table)
        try host.commit(more)
        #expect(try host.rules(of: table, chain: inside).compactMap(\.comment) == ["first", "before the last", "last"])
        var rest = NfTransaction()
        rest.flush(chain: try Self.name("forward"), of: table)
        rest.remove(chain: inside, of: table)
        rest.remove(set: sets[1].name, of: table)
        try host.commit(rest)
        #expect(try host.chains(of: table).map(\.name.description) == ["pre", "post", "forward"])
        var end = NfTransaction()
        end.remove(table)
        try host.commit(end)
        #expect(try NetlinkScene.run(in: scene.host, "nft list ruleset") == "" && host.table(table) == nil)
    }

    @Test func aTransactionIsMadeWholeOrNotAtAll() throws {
        var host = try NetlinkSocket(.netfilter, in: scene.host)
        let empty = try host.generation()
        var wrong = NfTransaction()
        wrong.add(NfTable(table))
        wrong.add(NfChain(table, try Self.name("a")))
        wrong.add(NfRule(table, try Self.name("none"), [.verdict(.accept)]))
        wrong.add(NfChain(table, try Self.name("b")))
        let error = #expect(throws: NetlinkError.self) { try host.commit(wrong) }
        #expect(error?.index == 2 && error?.code == .notFound && error?.purpose == "add a rule to the chain none of the table inet berth")
        #expect(error?.attributeType == 2)
        #expect(try host.tables().isEmpty && host.generation() == empty)

        var table = NfTransaction(expecting: empty)
        table.add(NfTable(self.table), existing: .isRefused)
        try host.commit(table)
        let stale = #expect(throws: NetlinkError.self) { try host.commit(table) }
        #expect(stale?.code == .changed && stale?.index == nil)
        table.expectedGeneration = nil
        let exists = #expect(throws: NetlinkError.self) { try host.commit(table) }
        #expect(exists?.code == .exists && exists?.index == 0)
        // A failure leaves the socket as it was.
        #expect(try host.tables().count == 1)
        try host.commit(NfTransaction())

        var unwritable = NfTransaction()
        unwritable.remove(self.table)
        unwritable.add(NfRule(self.table, try Self.name("a"), [.other("quota")]))
        let refused = #expect(throws: NetlinkError.self) { try host.commit(unwritable) }
        #expect(refused?.index == 1 && refused?.code == .invalid)
        #expect(try host.tables().count == 1)
    }

    /// So many failures are more than the kernel has room to tell: the first one is known nevertheless, and the socket goes on.
    @Test func moreFailuresThanCanBeTold() throws {
        var host = try NetlinkSocket(.netfilter, in: scene.host)
        var transaction = NfTransaction()
        transaction.add(NfTable(table))
        for _ in 0..<3000 { transaction.add(NfRule(table, try Self.name("none"), [.verdict(.accept)])) }
        let error = #expect(throws: NetlinkError.self) { try host.commit(transaction) }
        #expect(error?.index == 1 && error?.code == .notFound)
        #expect(try host.tables().isEmpty)
        var good = NfTransaction()
        good.add(NfTable(table))
        try host.commit(good)
        #expect(try host.tables().count == 1)
    }

    @Test func manyElementsAreOneTransaction() throws {
        var host = try NetlinkSocket(.netfilter, in: scene.host)
        let set = NfSet(table, try Self.name("p4"), key: [.transportProtocol, .port], value: .data([.ipv4Address, .port]))
        let elements = (1...20_000).map { number in
            NfElement(
                NfValue.joined([NfValue.transportProtocol(6), NfValue.port(UInt16(number))]),
                data: .value(NfValue.joined([[172, 17, 0, 2], NfValue.port(UInt16(number))])))
        }
        var transaction = NfTransaction()
        transaction.add(NfTable(table))
        transaction.add(set)
        transaction.add(elements, to: set)
        #expect(transaction.requests.map(\.body.count).reduce(0, +) > 512 << 10)
        let before = try host.generation()
        try host.commit(transaction)
        #expect(try host.generation() == before + 1)
        #expect(Set(try host.elements(of: set)) == Set(elements))
        // One that stands for something else is refused, the last of many, and nothing changes.
        var clash = NfTransaction()
        clash.flush(set: set.name, of: table)
        clash.add(Array(elements.dropLast()), to: set)
        clash.add([NfElement(elements[0].key, data: .value([1, 1, 1, 1, 0, 1, 0, 0]))], to: set)
        let error = #expect(throws: NetlinkError.self) { try host.commit(clash) }
        #expect(error?.code == .exists && error?.index == clash.requests.count - 1)
        #expect(try host.elements(of: set).count == 20_000)
        var fewer = NfTransaction()
        fewer.remove(Array(elements.prefix(19_999)), from: set)
        try host.commit(fewer)
        #expect(try host.elements(of: set) == [elements[19_999]])
    }

    /// Linux 6.9 and later have tables that are owned and persist; an older kernel says that it does not.
    @Test func anOwnedTableIsAdoptedWithItsContents() throws {
        var owner: NetlinkSocket? = try NetlinkSocket(.netfilter, in: scene.host)
        let owned = NfTable(table, flags: [.owner, .persist])
        var transaction = NfTransaction()
        transaction.add(owned)
        transaction.add(NfChain(table, try Self.name("a")))
        do throws(NetlinkError) { try owner?.commit(transaction) } catch {
            #expect(error.code == .unsupported || error.code == .invalid, "\(error)")
            print("this kernel has no tables that are owned and persist: \(error)")
            return
        }
        let ownerPort = owner?.port
        var other = try NetlinkSocket(.netfilter, in: scene.host)
        #expect(try other.table(table)?.flags == [.owner, .persist] && other.table(table)?.ownerPort == ownerPort)
        var removal = NfTransaction()
        removal.remove(table)
        let denied = #expect(throws: NetlinkError.self) { try other.commit(removal) }
        #expect(denied?.code == .denied && denied?.index == 0)
        try NetlinkScene.run(in: scene.host, "nft flush ruleset")
        #expect(try other.chains(of: table).count == 1)
        // A duplicate keeps it when the first descriptor goes.
        let kept = try owner?.duplicate()
        owner = nil
        #expect(try other.table(table)?.flags == [.owner, .persist])
        _ = consume kept
        #expect(try other.table(table)?.flags == .persist)
        try other.commit(transaction)
        #expect(try other.table(table)?.ownerPort == other.port && other.chains(of: table).count == 1)
    }
}
