import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import BerthDaemon

/// A connection without a socket, on a loop that this test drives.
private struct Wire {
    let channel = NIOAsyncTestingChannel()
    let mailbox = Mailbox()

    init() async throws {
        let mailbox = mailbox
        try await channel.testingEventLoop.executeInContext { [channel] in
            let (encoder, decoder) = (HTTPResponseEncoder(), ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes)))
            try channel.pipeline.syncOperations.addHandlers([encoder, decoder])
            try channel.pipeline.syncOperations.addHandler(
                WireHandler(encoder: encoder, decoder: decoder, mailbox: mailbox, endMeansGone: false))
        }
        try await channel.connect(to: try SocketAddress(unixDomainSocketPath: "/x")).get()
    }

    func say(_ text: String) async throws { try await channel.writeInbound(ByteBuffer(string: text)) }
    func heard() async throws -> String {
        var text = ""
        while let part = try await channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: part) }
        return text
    }
}

@Suite("A connection that speaks HTTP until it is taken over")
struct ConnectionTests {
    private func serve(_ wire: Wire, _ routes: [Route]) -> Connections {
        var log = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        log.logLevel = .critical
        let connections = Connections(router: Router(routes), server: "Test", log: log)
        connections.begin(wire.channel, wire.mailbox)
        return connections
    }

    @Test("Requests on one connection are answered in their order")
    func order() async throws {
        let wire = try await Wire()
        let connections = serve(wire, [Route(.GET, "/containers/{id}/json") { try await $0.reply.json(Array("\"\($0.subject)\"".utf8)) }])
        try await wire.say(
            "GET /containers/one/json HTTP/1.1\r\nHost: x\r\n\r\nGET /containers/two/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try await wire.channel.closeFuture.get()
        let text = try await wire.heard()
        let bodies = text.split(separator: "\r\n\r\n").filter { $0.hasPrefix("\"") }.map { $0.prefix { $0 != "\n" } }
        #expect(bodies == ["\"one\"", "\"two\""])
        #expect(text.contains("Api-Version: 1.51"))
        await connections.endAll()
    }

    @Test("Bytes behind the request to take a connection over reach who took it", arguments: [true, false])
    func takingOver(upgrades: Bool) async throws {
        let wire = try await Wire()
        let connections = serve(
            wire,
            [
                Route(.POST, "/x") { call in
                    _ = try await call.parts.body(limit: 10)
                    try await call.reply.takeOver(upgrades: call.upgrades, type: "t")
                    while case .bytes(let bytes) = await call.parts.nextRaw() { try await call.reply.writeRaw(bytes) }
                    try await call.reply.writeRaw(ByteBuffer(string: "bye"))
                }
            ])
        let upgrade = upgrades ? "Connection: Upgrade\r\nUpgrade: tcp\r\n" : ""
        // Who has asked for the upgrade may have said more already; who has not waits for the answer.
        try await wire.say("POST /x HTTP/1.1\r\nHost: x\r\n\(upgrade)Content-Length: 2\r\n\r\n{}" + (upgrades ? "early " : ""))
        var text = ""
        while !text.contains("\r\n\r\n") {
            text += try await wire.heard()
            await Task.yield()
        }
        #expect(text.hasPrefix(upgrades ? "HTTP/1.1 101 UPGRADED\r\n" : "HTTP/1.1 200 OK\r\n"))
        try await wire.say("late \u{0}\u{1}")
        wire.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        try await wire.channel.closeFuture.get()
        text += try await wire.heard()
        #expect(text.hasSuffix("\r\n\r\n" + (upgrades ? "early " : "") + "late \u{0}\u{1}bye"))
        await connections.endAll()
    }

    @Test(
        "What is no HTTP is told so and closed",
        arguments: ["\u{16}\u{3}\u{1}", "GET\r\n\r\n", "HELLO /x HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
    func garbage(text: String) async throws {
        let wire = try await Wire()
        let connections = serve(wire, [])
        try? await wire.say(text)
        try await wire.channel.closeFuture.get()
        #expect(try await wire.heard().hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        await connections.endAll()
    }

    @Test("A client that goes ends the work for it")
    func going() async throws {
        let wire = try await Wire()
        let (began, begun) = AsyncStream<Void>.makeStream()
        let (ended, ending) = AsyncStream<Bool>.makeStream()
        let connections = serve(
            wire,
            [
                Route(.GET, "/wait") { _ in
                    begun.finish()
                    for await _ in AsyncStream<Void>.makeStream().stream {}
                    ending.yield(Task.isCancelled)
                }
            ])
        try await wire.say("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        for await _ in began {}
        try await wire.channel.close().get()
        #expect(await ended.first { _ in true } == true)
        await connections.endAll()
    }

    @Test("A mailbox is full with eight, and says when it is no longer")
    func mailbox() async {
        let mailbox = Mailbox()
        let (emptied, emptying) = AsyncStream<Void>.makeStream()
        mailbox.whenEmptied { emptying.finish() }
        for _ in 0..<7 { mailbox.offer(.end) }
        #expect(!mailbox.isFull)
        mailbox.offer(.end)
        mailbox.offer(.rawEnd)
        #expect(mailbox.isFull)
        for _ in 0..<2 { _ = await mailbox.next() }
        #expect(!mailbox.isFull)
        for await _ in emptied {}
        mailbox.finish()
        for _ in 0..<7 { #expect(await mailbox.next() != nil) }
        #expect(await mailbox.next() == nil)
    }
}
