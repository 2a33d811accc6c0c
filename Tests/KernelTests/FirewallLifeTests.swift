import BerthLinux
import BerthNetlink
@testable import BerthNetworking
import Foundation
import Synchronization
import Testing

/// A connection that is in use all the time: what it says comes back, line by line, until it is ended.
private final class Conversation: Sendable {
    private let isOver = Mutex(false)
    private let count = Mutex((answered: 0, failed: false))
    private let ended = DispatchSemaphore(value: 0)

    init(_ caller: Caller) {
        Thread.detachNewThread { [self] in
            while !isOver.withLock({ $0 }) {
                let answer = caller.say("hello", .forAnswer)
                count.withLock { $0 = ($0.answered + 1, $0.failed || answer != "hello") }
                if answer != "hello" { break }
            }
            ended.signal()
        }
    }

    /// Waits until so many more lines have come back.
    func goOn(_ more: Int = 20) throws {
        let before = count.withLock { $0.answered }
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(20)
        while true {
            let (answered, failed) = count.withLock { $0 }
            try #require(!failed && clock.now < deadline, "a connection was cut after \(answered) lines")
            if answered >= before + more { return }
            sched_yield()
        }
    }

    func end() {
        isOver.withLock { $0 = true }
        ended.wait()
    }
}

/// What a firewall says by itself.
private final class Events: Sendable {
    private let events = Mutex<[Firewall.Event]>([])
    private let semaphore = DispatchSemaphore(value: 0)

    func take(_ event: Firewall.Event) {
        events.withLock { $0.append(event) }
        semaphore.signal()
    }

    /// The next one, within a second, or a longer time.
    func next(within seconds: Int = 1) -> Firewall.Event? {
        guard semaphore.wait(timeout: .now() + .seconds(seconds)) == .success else { return nil }
        return events.withLock { $0.removeFirst() }
    }

    var isEmpty: Bool { events.withLock { $0.isEmpty } }
}

@Suite("The firewall's table, and what others do to it", .kernelTier, .serialized, .timeLimit(.minutes(3)))
struct FirewallLifeTests {
    private let scene: FirewallScene
    init() throws { scene = try FirewallScene() }

    private func conversations() throws -> [Conversation] {
        try [
            ("outside", "192.0.2.1", 8080), ("outside", "2001:db8::1", 8080), ("host", "127.0.0.1", 8081), ("c3", "192.0.2.1", 8080),
            ("c1", "192.0.2.9", 80),
        ]
        .map { place, address, port in
            let address = try IPAddress.of(address)
            let caller = try Caller(in: scene.namespace(place), false, version: address.version)
            try #require(caller.call(address, UInt16(port), .forAnswer) != nil)
            return Conversation(caller)
        }
    }

    private func table(_ firewall: Firewall) throws -> NfTable? {
        var socket = try NetlinkSocket(.netfilter, in: scene.host)
        return try socket.table(try #require(FirewallTable(engineID: "0123abcd")).id)
    }

    private func isIntact(_ firewall: Firewall) throws -> Bool {
        let state = firewall.state
        var socket = try NetlinkSocket(.netfilter, in: scene.host)
        return try #require(FirewallTable(engineID: "0123abcd")).isIntact(state.elements, in: &socket)
    }

    @Test func nobodysFlushTakesAnOwnedTableAway() async throws {
        let firewall = try await scene.firewall()
        let handle = try #require(try table(firewall)?.handle)
        let talks = try conversations()
        try talks.forEach { try $0.goOn() }
        for command in [
            "nft flush ruleset", "iptables -F; iptables -t nat -F", "iptables-legacy -F; iptables-legacy -t nat -F; ip6tables -t nat -F",
        ] {
            _ = try NetlinkScene.tryRun(in: scene.host, command)
            try talks.forEach { try $0.goOn() }
        }
        for command in ["nft delete table \(firewall.tableName)", "nft flush table \(firewall.tableName)"] {
            let (text, code) = try NetlinkScene.tryRun(in: scene.host, command)
            #expect(code != 0 && text.contains("not permitted"), "\(command): \(text)")
        }
        #expect(try table(firewall)?.handle == handle)
        #expect(try isIntact(firewall))
        try scene.expectAnswer("c1 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        talks.forEach { $0.end() }
        try firewall.remove()
    }

    @Test func aTableThatAKilledEngineLeftIsTakenOver() async throws {
        var first: Firewall? = try await scene.firewall()
        let talks = try conversations()
        // While somebody has it, nobody else gets it.
        let second = try Firewall(engineID: "0123abcd", in: scene.host)
        let (networks, ports) = try ([FirewallScene.network("a"), FirewallScene.network("b")], FirewallScene.usualPorts)
        let refused = #expect(throws: NetworkError.self) { try second.restore(networks: networks, ports: ports) }
        #expect(refused?.description.contains("another process") ?? false)
        #expect(try second.state.isEmpty)
        try talks.forEach { try $0.goOn() }
        first = nil
        _ = first
        try #require(try table(second)?.flags == .persist)
        // What was done to it meanwhile does not matter.
        let name = second.tableName
        try NetlinkScene.run(
            in: scene.host,
            """
            nft flush chain \(name) routed; nft add chain \(name) more '{ type filter hook forward priority 5; policy accept; }'
            nft add rule \(name) more tcp dport 1 drop; nft add set \(name) theirs '{ type ipv4_addr; }'
            nft add element \(name) ports4 '{ tcp . 9 : 10.88.1.11 . 80 }'; nft add rule \(name) more ip saddr '{ 1.2.3.4, 5.6.7.8 }' drop
            """)
        #expect(try !isIntact(second))
        let further = try FirewallScene.ports(8085, "c2")
        for round in 1...5 {
            try second.restore(networks: networks, ports: ports + (round % 2 == 0 ? [] : further))
            try talks.forEach { try $0.goOn(5) }
        }
        #expect(try table(second)?.flags == [.owner, .persist])
        #expect(try isIntact(second))
        // What forwarding was switched on for is known from the table.
        #expect(try second.state.openings == Set(scene.openings) && scene.openings.count == 2)
        try scene.expectAnswer("c2 192.0.2.9", from: "outside", "192.0.2.1", 8085)
        talks.forEach { $0.end() }
        // Closed, it stays.
        second.close()
        #expect(try table(second)?.flags == .persist)
        try scene.expectAnswer("c1 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        #expect(throws: NetworkError.self) { try second.apply([.removeNetwork("a")]) }
        let third = try Firewall(engineID: "0123abcd", in: scene.host)
        try third.apply([.removeNetwork("a"), .releaseAddress(.of("10.88.1.11"))])
        #expect(try table(third)?.flags == .persist)
        try third.remove()
        try third.remove()
        #expect(try table(third) == nil)
    }

    @Test func aWatchedTableComesBack() async throws {
        let events = Events()
        let firewall = try await scene.firewall(nil, .watched) { events.take($0) }
        #expect(try table(firewall)?.flags == [])
        let name = firewall.tableName
        for command in [
            "nft flush ruleset", "nft delete table \(name)", "nft flush table \(name)", "nft flush chain \(name) forward",
            "nft delete element \(name) ports4 '{ tcp . 8080 }'", "nft flush set \(name) bridges",
            "nft add set \(name) more '{ type mark; }'",
            "nft add rule \(name) forward drop", "nft 'delete table \(name); add table \(name)'",
        ] {
            try NetlinkScene.run(in: scene.host, command)
            #expect(events.next() == .restored, "\(command)")
            #expect(try isIntact(firewall), "\(command)")
        }
        try scene.expectAnswer("c1 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        #expect(events.isEmpty)
        // Neither our own changes nor those of others to what is theirs are any.
        try firewall.apply(FirewallScene.ports(8086, "c2").map { .publish($0) })
        try NetlinkScene.run(in: scene.host, "nft add table inet theirs; nft add chain inet theirs a; nft add rule inet theirs a drop")
        // What was read before a change of ours may be gone when it is made: it is made nevertheless.
        try NetlinkScene.run(in: scene.host, "nft delete table \(name)")
        try firewall.apply(FirewallScene.ports(8087, "c2").map { .publish($0) })
        #expect(try isIntact(firewall))
        try scene.expectAnswer("c2 192.0.2.9", from: "outside", "192.0.2.1", 8087)
        // What nft saves it can load.
        let saved = try NetlinkScene.run(in: scene.host, "nft list ruleset")
        try NetlinkScene.run(in: scene.host, "nft -f /dev/stdin", input: "flush ruleset\n\(saved)")
        // It says some of it otherwise than we do.
        while try !isIntact(firewall) { try #require(events.next() == .restored) }
        firewall.close()
        try NetlinkScene.run(in: scene.host, "nft flush ruleset")
        #expect(try table(firewall) == nil)
    }

    /// Flags that no kernel has: as `persist` is to one before Linux 6.9.
    private static let unknownFlags = NfTable.Flags(rawValue: 0x4000_0006)

    @Test func connectionsGoOnWhileATableThatCannotBeOwnedIsAway() async throws {
        let events = Events()
        let firewall = try await scene.firewall(ownedFlags: Self.unknownFlags) { events.take($0) }
        guard case .isOnlyWatched = events.next() else { return #expect(Bool(false), "nothing is said") }
        let (name, hold) = (firewall.tableName, "\(firewall.tableName)-hold")
        func tables() throws -> [String] {
            try NetlinkScene.run(in: scene.host, "nft list tables").split(separator: "\n").map { String($0.dropFirst("table ".count)) }
        }
        let talks = try conversations()
        try talks.forEach { try $0.goOn() }
        for _ in 1...3 {
            try NetlinkScene.run(in: scene.host, "nft flush ruleset")
            #expect(events.next() == .restored)
            try talks.forEach { try $0.goOn() }
        }
        #expect(try Set(tables()) == [name, hold] && isIntact(firewall))
        // Who wants it watched can load what nft saves: there is nothing then that is owned.
        try firewall.protect(.watched)
        #expect(try tables() == [name])
        try firewall.protect(.owned)
        #expect(try Set(tables()) == [name, hold])
        guard case .isOnlyWatched = events.next() else { return #expect(Bool(false), "nothing is said") }
        try talks.forEach { try $0.goOn() }
        talks.forEach { $0.end() }
        // It is there while there is something to hold, and no longer than who owns it.
        try firewall.remove()
        #expect(try tables() == [])
        try firewall.apply([.addNetwork(FirewallScene.network("a"))])
        #expect(try Set(tables()) == [name, hold])
        firewall.close()
        #expect(try tables() == [name])
    }

    @Test func whereTablesCannotBeOwnedTheyAreWatched() async throws {
        let events = Events()
        let firewall = Firewall(
            try #require(FirewallTable(engineID: "0123abcd")), .owned, scene.host, ownedFlags: Self.unknownFlags
        ) { events.take($0) }
        try firewall.apply([.addNetwork(FirewallScene.network("a"))])
        guard case .isOnlyWatched(let reason) = events.next() else { return #expect(Bool(false), "nothing is said") }
        #expect(reason.contains("add the table inet berth-0123abcd"))
        #expect(firewall.protection == .watched)
        #expect(try table(firewall)?.flags == [])
        #expect(try isIntact(firewall))
        try NetlinkScene.run(in: scene.host, "nft flush ruleset")
        #expect(events.next() == .restored)
        #expect(try isIntact(firewall))
        try firewall.remove()
        // Gone, it stays gone.
        try NetlinkScene.run(in: scene.host, "nft add table inet theirs; nft flush ruleset")
        #expect(try table(firewall) == nil && events.isEmpty)
    }

    /// Who came while the rules were not there does not stay; whose connections the rules allow does.
    @Test func whoCameMeanwhileDoesNotStay() async throws {
        func call(_ place: String, _ address: String, _ port: UInt16) throws -> Caller {
            let address = try IPAddress.of(address)
            let caller = try Caller(in: scene.namespace(place), false, version: address.version)
            try #require(caller.call(address, port, .forAnswer) != nil)
            return caller
        }
        // Connections are tracked while somebody asks for it: without, they would all be new to the rules.
        try NetlinkScene.run(
            in: scene.host,
            "nft 'add table inet theirs; add chain inet theirs a { type filter hook forward priority 0; }; add rule inet theirs a ct state new'"
        )
        let intruders = try [
            call("outside", "10.88.1.11", 80), call("outside", "fd00:88:1::11", 91), call("c3", "10.88.1.11", 80),
        ]
        let rightful = try [call("host", "10.88.1.11", 80), call("c2", "10.88.1.11", 80), call("c1", "192.0.2.9", 80)]
        let firewall = try Firewall(engineID: "0123abcd", in: scene.host)
        try firewall.restore(networks: [FirewallScene.network("a"), FirewallScene.network("b")], ports: [])
        for caller in intruders { #expect(caller.say("still there", .forNothing) == nil) }
        for caller in rightful { #expect(caller.say("still there", .forAnswer) == "still there") }
        try firewall.remove()
    }

    @Test func theTableIsThereWhileThereAreNetworks() async throws {
        let firewall = try Firewall(engineID: "0123abcd", in: scene.host)
        try firewall.apply([])
        try firewall.restore(networks: [], ports: [])
        #expect(try NetlinkScene.run(in: scene.host, "nft list tables") == "")
        let network = try FirewallScene.network("a")
        try firewall.apply([.addNetwork(network)])
        #expect(try table(firewall) != nil)
        #expect(try isIntact(firewall))
        let port = try #require(try FirewallScene.ports(80, "c1").first)
        try firewall.apply([.publish(port)])
        // What cannot be is refused, and nothing of it is done.
        var other = port
        for (changes, code) in try [
            ([.publish(FirewallScene.ports(81, "c2")[0]), .publish(FirewallScene.ports(80, "c2")[0])], NetworkError.Code.conflict),
            ([.addNetwork(FirewallNetwork(id: "c", bridge: .named("bra"), subnets: []))], .conflict),
            ([.publish(FirewallScene.ports(81, "c3")[0])], .notFound),
        ] as [([FirewallChange], NetworkError.Code)] {
            #expect { try firewall.apply(changes) } throws: { ($0 as? NetworkError)?.code == code }
        }
        let state = firewall.state
        #expect(state.ports == [port] && state.networks == ["a": network])
        #expect(try isIntact(firewall))
        other = port
        try firewall.apply([.unpublish(other), .publish(FirewallScene.ports(80, "c2")[0])])
        #expect(try isIntact(firewall))
        try firewall.apply([.removeNetwork("a")])
        #expect(try table(firewall) == nil)
        try firewall.apply([.addNetwork(network)])
        #expect(try isIntact(firewall))
        // What forwards for containers forwards for nobody else, also when they have gone.
        try firewall.apply(scene.openings.map { .open($0) } + [.removeNetwork("a")])
        #expect(try isIntact(firewall))
        try firewall.remove()
    }

    @Test func datagramsGoWhereThePortIsNow() async throws {
        let firewall = try await scene.firewall()
        let source = (try IPAddress.of("192.0.2.9"), UInt16(6000))
        try scene.answer("host", in: scene.host, 8088)
        func answer() throws -> String? {
            try scene.ask(from: "outside", "192.0.2.1", 8088, isDatagram: true, from: source, .forAnswer)
        }
        #expect(try answer() == "host 192.0.2.9")
        let (one, other) = try (FirewallScene.ports(8088, "c1"), FirewallScene.ports(8088, "c2"))
        try firewall.apply(one.map { .publish($0) })
        #expect(try answer() == "c1 192.0.2.9")
        try firewall.apply(one.map { .unpublish($0) } + other.map { .publish($0) })
        #expect(try answer() == "c2 192.0.2.9")
        try firewall.apply(other.map { .unpublish($0) })
        #expect(try answer() == "host 192.0.2.9")
        // A connection of a container that has gone is nobody's.
        let caller = try Caller(in: scene.outside, false, version: .v4)
        #expect(try caller.call(.of("192.0.2.1"), 8080, .forAnswer) != nil)
        try firewall.apply([.releaseAddress(.of("10.88.1.11"))])
        var socket = try NetlinkSocket(.netfilter, in: scene.host)
        #expect(try socket.flows(FlowFilter(reply: .init(source: .of("10.88.1.11")))).isEmpty)
        try firewall.remove()
    }

    /// More calls than any lane takes, at once, and none is lost.
    @Test func manyCallsWaitForEachOther() async throws {
        let firewall = try await scene.firewall()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 20_000..<20_500 as Range<UInt16> {
                group.addTask { try firewall.apply(FirewallScene.ports(number, "c1").map { .publish($0) }) }
            }
            try await group.waitForAll()
        }
        #expect(try firewall.state.ports.count == FirewallScene.usualPorts.count + 2000)
        #expect(try isIntact(firewall))
        try scene.expectAnswer("c1 192.0.2.9", from: "outside", "192.0.2.1", 20_499)
        try firewall.remove()
    }

    /// What one more port costs, with none and with a thousand: by hand, for the figure.
    @Test func theThousandthPortIsLikeTheFirst() async throws {
        let firewall = try await scene.firewall()
        let clock = ContinuousClock()
        func add(_ number: UInt16) async throws -> Duration {
            let port = try FirewallScene.ports(number, "c1")[0]
            return try clock.measure { try firewall.apply([.publish(port)]) }
        }
        var times: [Duration] = []
        for number in 10_000..<UInt16(11_000) { times.append(try await add(number)) }
        func median(_ times: some Sequence<Duration>) -> Duration {
            let sorted = times.sorted()
            return sorted[sorted.count / 2]
        }
        print("a port costs \(median(times.prefix(100))) among none, \(median(times.suffix(100))) among a thousand")
        #expect(try isIntact(firewall))
        try scene.expectAnswer("c1 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        let state = firewall.state
        let replacement = try clock.measure {
            try firewall.restore(
                networks: Array(state.networks.values), ports: Array(state.ports), openings: scene.openings)
        }
        print("restoring all costs \(replacement)")
        #expect(try isIntact(firewall))
        try firewall.remove()
    }
}
