import BerthLinux
import BerthNetlink
import BerthNetworking
import Foundation
import Testing

@Suite("Whom a sandbox's name server asks", .kernelTier, .serialized, .timeLimit(.minutes(3)))
struct NameForwardingTests {
    private let scene: NameScene
    private let sockets: Sockets
    init() throws {
        scene = try NameScene()
        sockets = Sockets(try NameSockets.make(in: scene.sandbox))
    }

    /// How long something takes.
    private func time(_ body: () throws -> Void) throws -> Duration {
        let began = ContinuousClock.now
        try body()
        return began.duration(to: .now)
    }

    private final class Sockets {
        let value: NameSockets
        init(_ value: consuming NameSockets) { self.value = value }
    }

    private func upstream(_ addresses: String..., at place: NameUpstream.Place = .engine, isAllowed: Bool = true, keeps: Bool = false)
        throws
        -> NameUpstream
    {
        NameUpstream(
            servers: try addresses.map { .init(try #require(ResolverFile.Server($0)), at: place) }, isAllowed: isAllowed,
            keepsSingleLabels: keeps)
    }

    private func serve(_ upstream: NameUpstream) throws -> NameServer { try scene.serve(sockets.value, try NameScene.table(), upstream) }

    @Test("What is not known is asked from the engine's namespace, and comes back as it is")
    func forwarding() async throws {
        let stub = try StubServer(in: scene.host, at: "127.0.0.53", last: 1)
        defer { try? stub.stop() }  // the test's own thread
        let server = try serve(try upstream("127.0.0.53"))
        for transport in ["+notcp", "+tcp"] {
            #expect(try scene.short("\(transport) example.com") == ["192.0.2.1"])
            #expect(try scene.short("\(transport) single") == ["192.0.2.1"])
            #expect(try scene.status("\(transport) missing.example") == "NXDOMAIN")
            #expect(try scene.status("\(transport) refused.example") == "SERVFAIL")
            #expect(try scene.status("\(transport) -x 9.9.9.9") == "NOERROR")
            // Whoever does not know the number or the question is not listened to.
            #expect(try scene.short("\(transport) forged.example") == ["192.0.2.1"])
            #expect(try scene.short("\(transport) cased.example") == ["192.0.2.1"])
        }
        #expect(stub.questions.filter { $0.hasPrefix("tcp ") }.count == 7 && !stub.questions.contains { $0.contains("error") })
        // What is too large for a datagram is asked for again over a connection, and so passed on.
        #expect(try scene.dig("+ignore large.example").contains(" tc "))
        #expect(try scene.short("large.example").count == 100)
        // What the sandbox's networks know nobody else learns.
        #expect(try scene.status("-x 172.18.9.9") == "NXDOMAIN")
        #expect(try scene.short("web") == ["172.18.0.2"])
        #expect(!stub.questions.contains { $0.contains("172") || $0.hasSuffix(" web") })
        // A question of another class is one of somebody else's.
        #expect(try scene.status("CH TXT version.bind") == "NOERROR")
        await server.close()
    }

    @Test("Where one does not answer, or will not, the next is asked, and the silent one last for a while")
    func failingOver() async throws {
        // It is bound, and says nothing.
        let silent = try NameScene.Socket.make(in: scene.host, .datagrams)
        try silent.descriptor.bind(to: try NameScene.endpoint("127.0.0.54", 53))
        let (one, two) = (
            try StubServer(in: scene.host, at: "127.0.0.1", last: 1), try StubServer(in: scene.host, at: "127.0.0.2", last: 2)
        )
        defer { for stub in [one, two] { try? stub.stop() } }  // the test's own threads

        // Nobody is at the first: that is known at once.
        let server = try serve(try upstream("127.0.0.55", "127.0.0.1", "127.0.0.2"))
        let refused = try time { () throws in
            #expect(try scene.short("example.com") == ["192.0.2.1"])
            #expect(try scene.short("+tcp example.com") == ["192.0.2.1"])
            #expect(try scene.status("failing.example") == "SERVFAIL")
        }
        #expect(refused < .seconds(2) && two.questions == ["udp failing.example"])

        server.update(try upstream("127.0.0.54", "127.0.0.1"))
        let waited = try time { () throws in #expect(try scene.short("a.example") == ["192.0.2.1"]) }
        #expect(waited > .seconds(3.9) && waited < .seconds(7))
        let again = try time { () throws in
            for number in 0..<5 { #expect(try scene.short("a\(number).example") == ["192.0.2.1"]) }
            // It is asked last; that it refuses connections is known at once.
            #expect(try scene.short("+tcp a.example") == ["192.0.2.1"])
        }
        #expect(again < .seconds(2))

        // With more than two, each has two seconds; nobody answers in the end.
        server.update(try upstream("127.0.0.54", "127.0.0.1", "127.0.0.2", "127.0.0.53"))
        let all = try time { () throws in #expect(try scene.status("silent.example") == "SERVFAIL") }
        #expect(all > .seconds(5.9) && all < .seconds(9))
        await server.close()
    }

    @Test("On internal networks the engine asks nobody, and the sandbox may ask whom it reaches")
    func internalNetworks() async throws {
        let outside = try StubServer(in: scene.host, at: "127.0.0.53", last: 1)
        let inside = try StubServer(in: scene.sandbox, at: "127.0.0.53", last: 2)
        defer { for stub in [outside, inside] { try? stub.stop() } }  // the test's own threads
        let server = try serve(try upstream("127.0.0.53", isAllowed: false))
        #expect(try scene.status("example.com") == "SERVFAIL")
        #expect(try scene.short("web") == ["172.18.0.2"])
        #expect(outside.questions.isEmpty && inside.questions.isEmpty)
        for isAllowed in [false, true] {
            server.update(try upstream("127.0.0.53", at: .sandbox, isAllowed: isAllowed))
            #expect(try scene.short("example.com") == ["192.0.2.2"])
            #expect(try scene.short("+tcp example.com") == ["192.0.2.2"])
        }
        #expect(outside.questions.isEmpty)
        // It does not ask itself.
        server.update(try upstream("127.0.0.11", "127.0.0.53", at: .sandbox))
        #expect(try scene.short("example.com") == ["192.0.2.2"])
        await server.close()
    }

    @Test("Names without a dot stay here where their asker puts something behind them")
    func singleLabels() async throws {
        let stub = try StubServer(in: scene.host, at: "127.0.0.53", last: 1)
        defer { try? stub.stop() }  // the test's own thread
        let server = try serve(try upstream("127.0.0.53", keeps: true))
        #expect(try scene.status("single") == "NOERROR")
        #expect(try scene.short("single") == [] && stub.questions.isEmpty)
        #expect(try scene.status("single MX") == "NOERROR" && stub.questions == ["udp single"])
        #expect(try scene.short("single.example") == ["192.0.2.1"])
        await server.close()
    }

    @Test(
        "A thousand questions at once are all answered, over few sockets; what is beyond the bound is refused, and does not hold up what is known"
    )
    func crowd() async throws {
        let stub = try StubServer(in: scene.host, at: "127.0.0.53", last: 1)
        let other = try StubServer(in: scene.sandbox, at: "127.0.0.54", last: 2)
        defer { for stub in [stub, other] { try? stub.stop() } }  // the test's own threads
        let server = try serve(try upstream("127.0.0.53"))
        let asker = try NameScene.Socket.make(in: scene.sandbox, .datagrams, connectedTo: "127.0.0.11", port: 53)
        try asker.descriptor.setReceiveRoom(byteCount: 8 << 20)
        func answers(_ count: Int) throws -> [UInt16: [UInt8]] {
            var answers: [UInt16: [UInt8]] = [:]
            while answers.count < count, let answer = try asker.receive(milliseconds: 9000) {
                answers[UInt16(answer[0]) << 8 | UInt16(answer[1])] = answer
            }
            return answers
        }
        for place in [NameUpstream.Place.engine, .sandbox] {
            server.update(try upstream(place == .engine ? "127.0.0.53" : "127.0.0.54", at: place))
            for id in UInt16(0)..<1000 { try asker.send(NameScene.question("a\(id).example", id: id)) }
            let all = try answers(1000)
            #expect(all.count == 1000)
            #expect(all.values.allSatisfy { $0.suffix(4) == [192, 0, 2, place == .engine ? 1 : 2] })
        }

        server.update(try upstream("127.0.0.53"))
        for id in UInt16(0)..<1024 { try asker.send(NameScene.question("silent.example", id: id)) }
        // They have come when what was asked after them is answered.
        try asker.send(NameScene.question("web", id: 2000))
        #expect(try #require(try asker.receive()).suffix(4) == [172, 18, 0, 2])
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        #expect(open < 400, "\(open) descriptors")
        try asker.send(NameScene.question("silent.example", id: 2001))
        #expect(try #require(try asker.receive())[3] & 15 == 5)
        let failed = try answers(1024)
        #expect(failed.count == 1024 && failed.values.allSatisfy { $0[3] & 15 == 2 })
        #expect(try scene.short("b.example") == ["192.0.2.1"])

        // Its end does not wait for those who do not answer.
        for id in UInt16(0)..<200 { try asker.send(NameScene.question("silent.example", id: id)) }
        #expect(try scene.short("web") == ["172.18.0.2"])
        let end = await ContinuousClock().measure { await server.close() }
        #expect(end < .seconds(2))
        #expect(try asker.receive(milliseconds: 200) == nil)
    }
}
