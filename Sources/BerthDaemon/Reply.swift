internal import DockerAPI
internal import NIOCore
internal import NIOHTTP1

/// The answer to one request, as it is given.
final class Reply {
    let channel: any Channel
    private let server: String
    private(set) var hasBegun = false
    private(set) var isWhole = false
    /// Whether the connection speaks HTTP no longer.
    private(set) var isTakenOver = false
    /// Whether the client, or something in the answer, wants the connection closed afterwards.
    var closes: Bool

    init(_ channel: any Channel, server: String, closes: Bool) {
        (self.channel, self.server, self.closes) = (channel, server, closes)
    }

    private func headers(_ more: [(String, String)]) -> HTTPHeaders {
        var headers = HTTPHeaders([
            ("Api-Version", APIVersion.newest.description), ("Docker-Experimental", "false"), ("Ostype", "linux"), ("Server", server),
        ])
        headers.add(contentsOf: more)
        if closes { headers.add(name: "Connection", value: "close") }
        return headers
    }

    /// Answers with a body that is there.
    func whole(_ status: HTTPResponseStatus, type: String, _ bytes: [UInt8], headers more: [(String, String)] = []) async throws {
        let headers = headers(more + [("Content-Type", type), ("Content-Length", String(bytes.count))])
        (hasBegun, isWhole) = (true, true)
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        try await write(.whole(head, bytes.isEmpty ? nil : ByteBuffer(bytes: bytes)))
    }

    /// Hands on, and waits until the kernel has it: a client that reads slowly is written to slowly.
    private func write(_ part: Outgoing) async throws { try await channel.writeAndFlush(part).get() }

    /// Answers with JSON.
    func json(_ value: some JSONWritable, _ status: HTTPResponseStatus = .ok) async throws { try await json(value.json, status) }

    /// Answers with JSON text, and the end of the line that Go's encoder writes.
    func json(_ bytes: [UInt8], _ status: HTTPResponseStatus = .ok) async throws {
        try await whole(status, type: "application/json", bytes + [10])
    }

    /// Answers without a body.
    func empty(_ status: HTTPResponseStatus) async throws {
        (hasBegun, isWhole) = (true, true)
        // These two have no body by their nature, and no length of one.
        let more = status == .noContent || status == .notModified ? [] : [("Content-Length", "0")]
        try await write(.whole(HTTPResponseHead(version: .http1_1, status: status, headers: headers(more)), nil))
    }

    /// Begins an answer whose length is not known.
    func begin(_ status: HTTPResponseStatus = .ok, type: String, headers more: [(String, String)] = []) async throws {
        hasBegun = true
        try await write(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers(more + [("Content-Type", type)]))))
    }

    /// A piece of it.
    func write(_ bytes: ByteBuffer) async throws { try await write(.body(bytes)) }
    /// A piece of it.
    func write(_ bytes: [UInt8]) async throws { try await write(ByteBuffer(bytes: bytes)) }

    /// Ends it.
    func end() async throws {
        isWhole = true
        try await write(.end)
    }

    /// The last piece of it and its end, which go out together.
    func end(with bytes: [UInt8]) async throws {
        isWhole = true
        // What becomes of it, the end is told as well.
        channel.write(Outgoing.body(ByteBuffer(bytes: bytes)), promise: nil)
        try await write(.end)
    }

    /// Takes the connection over, as Docker's attach does: from now on it carries bytes both ways.
    ///
    /// - Parameters:
    ///   - upgrades: whether the client has asked for that; else it is told `200`, as clients of old expect.
    ///   - type: what the bytes are.
    func takeOver(upgrades: Bool, type: String) async throws {
        let head =
            upgrades
            ? "HTTP/1.1 101 UPGRADED\r\nContent-Type: \(type)\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            : "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\n"
        try await takeOver(head, .plain)
    }

    /// Takes the connection over, as Docker's attach over WebSocket does.
    ///
    /// - Parameter answer: what lets the client change over (``WebSocket/answer(to:on:)``).
    func takeOver(asWebSocket answer: HTTPHeaders, isText: Bool) async throws {
        let lines = answer.map { "\($0.name): \($0.value)\r\n" }
        try await takeOver("HTTP/1.1 101 Switching Protocols\r\n" + lines.joined(), .webSocket(isText: isText))
    }

    private func takeOver(_ head: String, _ speech: TakenOverSpeech) async throws {
        (hasBegun, isWhole, isTakenOver) = (true, true, true)
        let own = "Api-Version: \(APIVersion.newest)\r\nOstype: linux\r\nServer: \(server)\r\n\r\n"
        try await write(.takeOver(ByteBuffer(string: head + own), speech))
    }

    /// A piece of what a connection that was taken over carries.
    func writeRaw(_ bytes: ByteBuffer) async throws { try await Self.writeRaw(bytes, to: channel) }

    /// The same, for another task than the one that answers.
    static func writeRaw(_ bytes: ByteBuffer, to channel: any Channel) async throws {
        try await channel.writeAndFlush(Outgoing.raw(bytes)).get()
    }
}
