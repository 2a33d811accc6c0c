import BerthLinux
@testable import BerthNetlink
import Foundation
import Testing

@Suite("Tracked flows and changes that are told", .kernelTier, .serialized, .timeLimit(.minutes(2)))
struct NetlinkFlowTests {
    private let scene: NetlinkScene
    init() throws { scene = try NetlinkScene() }

    private func describe(_ flow: TrackedFlow) -> String {
        func direction(_ direction: TrackedFlow.Direction) -> String {
            "src=\(direction.source) dst=\(direction.destination) sport=\(direction.sourcePort ?? 0) dport=\(direction.destinationPort ?? 0)"
        }
        return "\(flow.transportProtocol) \(direction(flow.original)) \(direction(flow.reply)) mark=\(flow.mark)"
    }

    private func theirs() throws -> [String] {
        try NetlinkScene.run(in: scene.host, "conntrack -L 2>/dev/null").split(separator: "\n").map { line in
            let words = line.split(separator: " ").map(String.init)
            let ends = words.filter { word in ["src=", "dst=", "sport=", "dport="].contains { word.hasPrefix($0) } }
            return "\(words[1]) \(ends.joined(separator: " ")) \(words.first { $0.hasPrefix("mark=") } ?? "")"
        }
    }

    @Test func flowsAreListedAndForgotten() throws {
        try NetlinkScene.run(
            in: scene.host,
            """
            for port in 4000 4001 4002; do
                conntrack -I -p udp -s 10.0.0.9 -d 10.0.0.1 --sport $port --dport 5353 -t 300 --dst-nat 172.17.0.2:53 >/dev/null 2>&1
            done
            conntrack -I -p udp -s 10.0.0.9 -d 10.0.0.1 --sport 4000 --dport 5354 -t 300 -m 7 >/dev/null 2>&1
            conntrack -I -p tcp -s 10.0.0.9 -d 10.0.0.1 --sport 4000 --dport 5353 -t 300 --state ESTABLISHED >/dev/null 2>&1
            conntrack -I -p udp -s fd00::9 -d fd00::1 --sport 4000 --dport 5353 -t 300 >/dev/null 2>&1
            """)
        var host = try NetlinkSocket(.netfilter, in: scene.host)
        let flows = try host.flows()
        #expect(flows.count == 6)
        expectSame(flows.map(describe), try theirs(), "flows")
        #expect(try host.flows(FlowFilter(version: .v6)).map(\.original.source.description) == ["fd00::9"])
        let translated = try host.flows(FlowFilter(reply: .init(source: try .of("172.17.0.2"))))
        #expect(
            translated.count == 3 && translated.allSatisfy { $0.status.contains(.destinationTranslated) && ($0.timeoutSeconds ?? 0) > 200 })

        // One that has come since with the same ends is another.
        var copy = try #require(translated.first)
        copy.id = copy.id.map { $0 &+ 1 }
        let other = #expect(throws: NetlinkError.self) { try host.perform(copy.removal) }
        #expect(other?.code == .notFound)
        let container = FlowFilter(transportProtocol: 17, reply: .init(source: try .of("172.17.0.2"), sourcePort: 53))
        #expect(try host.forgetFlows(container) == 3)
        #expect(try host.forgetFlows(container) == 0)
        expectSame(try host.flows().map(describe), try theirs(), "flows")
        #expect(try host.flows().count == 3)
        #expect(try host.forgetFlows(FlowFilter(original: .init(destinationPort: 5353))) == 2)
        #expect(try theirs().count == 1)
        #expect(try host.forgetFlows(FlowFilter()) == 1 && host.flows().isEmpty)
    }

    /// Reads what is told until it has what is looked for; the bound is a failure.
    private func read(_ subscription: inout NetlinkSubscription, until isDone: ([NetlinkMessage]) throws -> Bool) throws -> [NetlinkMessage]
    {
        let interruption = try Interruption()
        var found: [NetlinkMessage] = []
        while try !isDone(found) {
            guard case .messages(let messages) = try subscription.next(withinMilliseconds: 10_000, orUntil: interruption) else {
                Issue.record("told only of \(found.map(\.type))")
                return found
            }
            found += messages
        }
        return found
    }

    @Test func changesOfLinksAddressesAndRoutesAreTold() throws {
        var subscription = try NetlinkSubscription([.links, .addresses, .routes], in: scene.host)
        try NetlinkScene.run(
            in: scene.host,
            "ip link set lo up; ip link add br0 type bridge; ip addr add 10.0.0.1/24 dev lo; ip route add blackhole 10.9.0.0/16; ip link del br0"
        )
        let messages = try read(&subscription) { messages in
            try messages.contains { if case .linkRemoved(let link) = try RouteChange($0) { link.name == "br0" } else { false } }
        }
        let changes = try messages.compactMap { try RouteChange($0) }
        #expect(changes.contains { if case .link(let link) = $0 { link.name == "br0" && link.kind == "bridge" } else { false } })
        #expect(changes.contains { if case .address(let address) = $0 { address.prefix.description == "10.0.0.1/24" } else { false } })
        #expect(
            changes.contains {
                if case .route(let route) = $0 { route.destination.description == "10.9.0.0/16" && route.kind == .blackhole } else { false }
            })
    }

    @Test func changesOfTheRuleSetAreToldWithWhoseTheyAre() throws {
        var subscription = try NetlinkSubscription([.ruleSet], in: scene.host)
        let table = NfTableName(.inet, try #require(NfName("berth")))
        var host = try NetlinkSocket(.netfilter, in: scene.host)
        var transaction = NfTransaction()
        transaction.add(NfTable(table))
        transaction.add(NfChain(table, try #require(NfName("a"))))
        try host.commit(transaction)
        func isGeneration(_ message: NetlinkMessage) throws -> Bool {
            if case .generation = try RuleSetChange(message) { true } else { false }
        }
        let own = try read(&subscription) { try $0.contains(where: isGeneration) }
        #expect(own.allSatisfy { $0.port == host.port })
        #expect(try own.compactMap { try RuleSetChange($0) }.count == 3)
        #expect(try RuleSetChange(own[1]) == .content(.inet))
        guard case .generation(let generation) = try RuleSetChange(own[2]) else { return #expect(Bool(false), "\(own)") }
        #expect(try generation.number == host.generation())
        #expect((generation.threadID ?? 0) > 0 && generation.threadName != nil)

        let handle = try #require(try host.table(table)?.handle)
        try NetlinkScene.run(in: scene.host, "nft flush ruleset")
        let flush = try read(&subscription) { try $0.contains(where: isGeneration) }
        #expect(flush.allSatisfy { $0.port != host.port })
        #expect(
            try flush.contains {
                if case .tableRemoved(let gone) = try RuleSetChange($0) { gone.id == table && gone.handle == handle } else { false }
            })
        guard case .generation(let theirs) = try RuleSetChange(try #require(flush.last)) else { return #expect(Bool(false), "\(flush)") }
        #expect(theirs.threadName == "nft")
    }

    @Test func whatIsLostIsSaid() throws {
        var subscription = try NetlinkSubscription([.ruleSet], in: scene.host, roomByteCount: 4096)
        var host = try NetlinkSocket(.netfilter, in: scene.host)
        for number in 0..<200 {
            var transaction = NfTransaction()
            transaction.add(NfTable(NfTableName(.inet, try #require(NfName("t\(number)")))))
            try host.commit(transaction)
        }
        let interruption = try Interruption()
        var events: [NetlinkSubscription.Event] = []
        repeat { events.append(try subscription.next(withinMilliseconds: 0, orUntil: interruption)) } while events.last != .nothing
        #expect(events.filter { $0 == .someWereLost }.count == 1)
        // And it goes on.
        var transaction = NfTransaction()
        transaction.remove(NfTableName(.inet, try #require(NfName("t7"))))
        try host.commit(transaction)
        #expect(try read(&subscription) { !$0.isEmpty }.first?.type == NfMessage.removeTable)
    }

    @Test func waitsAreBoundedAndEndFromOutside() throws {
        var subscription = try NetlinkSubscription([.flows], in: scene.host)
        let interruption = try Interruption()
        #expect(try subscription.next(withinMilliseconds: 1, orUntil: interruption) == .nothing)
        let waited = try Interruption()
        Task.detached { waited.signal() }
        #expect(try subscription.next(withinMilliseconds: 60_000, orUntil: waited) == .interrupted)
        try NetlinkScene.run(
            in: scene.host, "conntrack -I -p udp -s 10.0.0.9 -d 10.0.0.1 --sport 1 --dport 2 -t 300 >/dev/null 2>&1")
        let messages = try read(&subscription) { !$0.isEmpty }
        #expect(try messages.compactMap { try TrackedFlow($0) }.map(\.original.destinationPort) == [2])
        let mixed = #expect(throws: NetlinkError.self) { _ = try NetlinkSubscription([.links, .ruleSet]) }
        #expect(mixed?.code == .invalid)
        #expect(throws: NetlinkError.self) { _ = try NetlinkSubscription([]) }
    }
}
