import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOWebSocket
import Testing

@testable import BerthDaemon

@Suite("A connection that was taken over and speaks in frames")
struct WebSocketTests {
    private func head(_ headers: [(String, String)]) -> HTTPRequestHead {
        HTTPRequestHead(version: .http1_1, method: .GET, uri: "/containers/x/attach/ws", headers: HTTPHeaders(headers))
    }

    /// The key and the answer to it are RFC 6455's own, section 1.3.
    @Test("Who asks as the protocol says is answered as it says")
    func handshake() async throws {
        let channel = NIOAsyncTestingChannel()
        let asked = head([
            ("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ])
        let answer = try await WebSocket.answer(to: asked, on: channel)
        #expect(answer["Sec-WebSocket-Accept"] == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="])
        #expect(answer["Upgrade"].map { $0.lowercased() } == ["websocket"] && answer["Connection"].map { $0.lowercased() } == ["upgrade"])
    }

    @Test(
        "Who does not is told so, and stays with HTTP",
        arguments: [
            [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")],
            [("Upgrade", "tcp"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")],
            [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "8"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")],
            [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
            [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "a"), ("Sec-WebSocket-Key", "b")],
        ])
    func refused(_ headers: [(String, String)]) async throws {
        let channel = NIOAsyncTestingChannel()
        let failure = await #expect(throws: APIFailure.self) { try await WebSocket.answer(to: head(headers), on: channel) }
        #expect(failure?.status == .badRequest)
    }

    /// A channel that has been taken over, and is driven by this test.
    private func taken(isText: Bool = false) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handlers: WebSocket.handlers(isText: isText))
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
        return channel
    }

    /// A frame as a client sends it (section 5.2), of less than 126 bytes.
    private func frame(_ opcode: UInt8, _ text: String, mask: [UInt8] = [1, 2, 3, 4], fin: Bool = true) -> ByteBuffer {
        let bytes = text.utf8.enumerated().map { mask.isEmpty ? $1 : $1 ^ mask[$0 % 4] }
        return ByteBuffer(bytes: [(fin ? 0x80 : 0) | opcode, (mask.isEmpty ? 0 : 0x80) | UInt8(bytes.count)] + mask + bytes)
    }

    private func said(by channel: EmbeddedChannel) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let part = try channel.readOutbound(as: ByteBuffer.self) { bytes += part.readableBytesView }
        return bytes
    }

    @Test("Whatever data frames hold is bytes of one stream, also of parts of a message and in pieces")
    func streams() throws {
        let channel = try taken()
        var bytes = frame(2, "one ")
        for more in [frame(1, "two ", fin: false), frame(0, "three "), frame(2, "")] { bytes.writeImmutableBuffer(more) }
        for byte in bytes.readableBytesView { try channel.writeInbound(ByteBuffer(bytes: [byte])) }
        var text = ""
        while let part = try channel.readInbound(as: ByteBuffer.self) { text += String(buffer: part) }
        #expect(text == "one two three ")

        try channel.writeOutbound(ByteBuffer(string: "four"))
        #expect(try said(by: channel) == [0x82, 4] + Array("four".utf8))
        let old = try taken(isText: true)
        try old.writeOutbound(ByteBuffer(string: "five"))
        #expect(try said(by: old) == [0x81, 4] + Array("five".utf8))
    }

    @Test("A ping is answered with what it says, and the end is said before the connection ends")
    func control() throws {
        let channel = try taken()
        try channel.writeInbound(frame(9, "still there?"))
        #expect(try said(by: channel) == [0x8A, 12] + Array("still there?".utf8))
        try channel.close().wait()
        #expect(try said(by: channel) == [0x88, 2, 0x03, 0xE8])
    }

    @Test("A client that says goodbye is let go")
    func goodbye() throws {
        let channel = try taken()
        try channel.writeInbound(frame(8, ""))
        #expect(!channel.isActive)
        #expect(try said(by: channel) == [0x88, 2, 0x03, 0xE8])
        #expect(try channel.readInbound(as: ByteBuffer.self) == nil)
    }

    @Test("Frames that no client may send end the connection, and nothing of them is taken")
    func hostile() throws {
        let unmasked = try taken()
        try unmasked.writeInbound(frame(2, "bare", mask: []))
        #expect(try said(by: unmasked) == [0x88, 2, 0x03, 0xEA])
        #expect(try !unmasked.isActive && unmasked.readInbound(as: ByteBuffer.self) == nil)

        // Longer than is taken: said before the bytes have come.
        let long = try taken()
        let header: [UInt8] = [0x82, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]
        #expect(throws: NIOWebSocketError.self) { try long.writeInbound(ByteBuffer(bytes: header)) }
        #expect(try said(by: long) == [0x88, 2, 0x03, 0xF1])
        #expect(try !long.isActive && long.readInbound(as: ByteBuffer.self) == nil)
    }
}
