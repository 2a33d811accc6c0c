@testable import BerthNetworking
import Testing

@Suite("Whom to ask, and what to believe")
struct ForwardingTests {
    private static func server(_ text: String, _ place: NameUpstream.Place = .engine) throws -> NameUpstream.Server {
        .init(try #require(ResolverFile.Server(text)), at: place)
    }
    private func question(_ name: String = "WeB.example") throws -> ForwardedQuestion {
        let bytes = NameMessageTests.message(name, options: NameMessageTests.options())
        guard case .query(let query) = NameQuery.read(bytes) else { throw NotRead() }
        return ForwardedQuestion(query, in: bytes, isOverStream: false)
    }
    private struct NotRead: Error {}

    @Test("A question goes on as it came, under another number, and its answer comes back under its own")
    func numbers() throws {
        let question = try question()
        let message = question.message(id: 0x0102)
        #expect(
            message.prefix(2) == [1, 2]
                && message.dropFirst(2) == NameMessageTests.message("WeB.example", options: NameMessageTests.options()).dropFirst(2))
        var answer = message
        answer[2] |= 0x80
        #expect(question.judge(answer, id: 0x0102) == .answer([0xBE, 0xEF] + answer.dropFirst(2)))
        // Truncated is an answer too: its asker comes again over a stream.
        answer[2] |= 0x02
        #expect(question.judge(answer, id: 0x0102) == .answer([0xBE, 0xEF] + answer.dropFirst(2)))
        #expect(question.failure.prefix(4) == [0xBE, 0xEF, 0x81, 0x82])
    }

    struct Change: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let make: @Sendable (inout [UInt8]) -> Void
        init(_ what: String, _ make: @escaping @Sendable (inout [UInt8]) -> Void) { (testDescription, self.make) = (what, make) }
    }

    @Test(
        "What is not the answer is not listened to",
        arguments: [
            Change("another number") { $0[1] ^= 1 }, Change("a question") { $0[2] &= 0x7F }, Change("another name") { $0[13] ^= 1 },
            Change("another kind") { $0[26] ^= 1 }, Change("another class") { $0[28] ^= 1 }, Change("two questions") { $0[5] = 2 },
            Change("none, and all is well") { $0[5] = 0 }, Change("none, and no such name") { ($0[5], $0[3]) = (0, $0[3] | 3) },
            Change("its head alone") { $0 = Array($0.prefix(12)) }, Change("less") { $0 = Array($0.prefix(11)) },
            Change("half a name") { $0 = Array($0.prefix(20)) }, Change("nothing") { $0 = [] },
        ])
    func foreign(_ change: Change) throws {
        let question = try question()
        var answer = question.message(id: 7)
        answer[2] |= 0x80
        #expect(question.judge(answer, id: 7) != .foreign)
        change.make(&answer)
        #expect(question.judge(answer, id: 7) == .foreign)
    }

    @Test("A server that will not, or cannot, is no answer; one that says there is nothing is")
    func codes() throws {
        let question = try question()
        for (code, isAnswer) in [(0, true), (1, true), (2, false), (3, true), (4, true), (5, false), (9, true)] as [(UInt8, Bool)] {
            var answer = question.message(id: 7)
            answer[2] |= 0x80
            answer[3] |= code
            #expect((question.judge(answer, id: 7) != .refusal) == isAnswer, "\(code)")
            // Who does not understand a question does not repeat it.
            answer[5] = 0
            if ![0, 3].contains(code) { #expect((question.judge(answer, id: 7) != .refusal) == isAnswer, "\(code)") }
        }
        var lower = question.message(id: 7)
        lower[2] |= 0x80
        for index in 13..<16 { lower[index] |= 0x20 }
        #expect(question.judge(lower, id: 7) != .foreign)
    }

    @Test("The silent are asked last, for a while")
    func order() throws {
        let servers = try ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map { try Self.server($0) }
        var order = ServerOrder()
        let now = ContinuousClock.now
        #expect(order.ordered(servers, at: now) == servers)
        order.wasSilent(servers[0], at: now)
        #expect(order.ordered(servers, at: now) == [servers[1], servers[2], servers[0]])
        order.wasSilent(servers[1], at: now.advanced(by: .seconds(10)))
        #expect(order.ordered(servers, at: now.advanced(by: .seconds(11))) == [servers[2], servers[0], servers[1]])
        #expect(order.ordered(servers, at: now.advanced(by: .seconds(31))) == [servers[0], servers[2], servers[1]])
        order.hasAnswered(servers[1])
        #expect(order.ordered(servers, at: now.advanced(by: .seconds(31))) == servers)
        #expect(ServerOrder.timeout(serverCount: 1) == .seconds(4) && ServerOrder.timeout(serverCount: 2) == .seconds(4))
        #expect(ServerOrder.timeout(serverCount: 3) == .seconds(2))
    }

    @Test("Three are asked; on internal networks the engine asks nobody; nobody asks itself")
    func asked() throws {
        let engine = try ["10.0.0.1", "127.0.0.11", "10.0.0.3", "10.0.0.4"].map { try Self.server($0) }
        let sandbox = try ["127.0.0.11", "10.0.0.1"].map { try Self.server($0, .sandbox) }
        #expect(NameUpstream(servers: engine).askedServers == Array(engine.prefix(3)))
        #expect(NameUpstream(servers: engine, isAllowed: false).askedServers.isEmpty)
        #expect(NameUpstream(servers: sandbox + engine, isAllowed: false).askedServers == [sandbox[1]])
        #expect(NameUpstream(servers: sandbox, isAllowed: true).askedServers == [sandbox[1]])
    }

    @Test("Messages of a stream come whole, however they are cut, and what is too large ends it", arguments: 1...9)
    func frames(_ size: Int) {
        let messages = (0..<20).map { [UInt8](repeating: UInt8($0), count: $0 * 7) }
        let bytes = messages.flatMap(NameFrames.framed)
        var frames = NameFrames(limit: 200)
        var found: [[UInt8]] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            frames.add(bytes[start..<min(start + size, bytes.count)])
            while let message = frames.next() { found.append(message) }
        }
        #expect(found == messages && !frames.isBroken)
        frames.add([0, 201])
        #expect(frames.next() == nil && frames.isBroken)
        frames.add([UInt8](repeating: 0, count: 300))
        #expect(frames.next() == nil)
    }
}
