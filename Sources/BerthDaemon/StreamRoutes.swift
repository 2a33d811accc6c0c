internal import Berth
internal import DockerAPI
internal import NIOCore
internal import NIOHTTP1

/// What a container writes and reads: attach and logs.
struct StreamRoutes: Sendable {
    let engine: Engine

    var routes: [Route] {
        [
            Route(.POST, "/containers/{id}/attach") { try await attach($0) },
            Route(.GET, "/containers/{id}/attach/ws") { try await attachAsWebSocket($0) },
            Route(.GET, "/containers/{id}/logs") { try await logs($0) },
        ]
    }

    private func attach(_ call: Call) async throws {
        let container = try engine.containers.find(call.subject)
        let terminal = try container.details().configuration.terminal
        let options = try attachOptions(call)
        _ = try await call.parts.body(limit: 1 << 20)
        try await attach(call, to: container, options, mixed: terminal) {
            try await call.reply.takeOver(upgrades: call.upgrades, type: StreamFrame.type(terminal: terminal, call.version))
        }
    }

    /// As Docker has it: both streams of the output in one, and before 1.42 always all three; the frames are text before 1.28.
    private func attachAsWebSocket(_ call: Call) async throws {
        let container = try engine.containers.find(call.subject)
        var options = try attachOptions(call)
        if call.version < APIVersion(1, 42) {
            (options.input, options.output, options.errors) = (call.query.bool("stream"), true, true)
        }
        let answer = try await WebSocket.answer(to: call.head, on: call.reply.channel)
        try await attach(call, to: container, options, mixed: true) {
            try await call.reply.takeOver(asWebSocket: answer, isText: call.version < APIVersion(1, 28))
        }
    }

    private func attachOptions(_ call: Call) throws -> AttachOptions {
        AttachOptions(
            input: call.query.bool("stdin") && call.query.bool("stream"), output: call.query.bool("stdout"),
            errors: call.query.bool("stderr"), detachKeys: try DetachKeys(parsing: call.query["detachKeys"] ?? ""))
    }

    /// - Parameters:
    ///   - mixed: whether the two streams of the output are one.
    ///   - takeOver: takes the connection over, when it is known that nothing stands against it.
    private func attach(
        _ call: Call, to container: Container, _ options: AttachOptions, mixed: Bool, _ takeOver: () async throws -> Void
    ) async throws {
        let attachment = call.query.bool("stream") ? try await container.attach(options) : nil
        var log: LogStream?
        if call.query.bool("logs") {
            var wanted = LogOptions()
            (wanted.output, wanted.errors) = (options.output, options.errors)
            log = try container.logs(wanted)
        }
        try await takeOver()
        do {
            while let lines = try await log?.nextBatch() {
                try await call.reply.writeRaw(StreamFrame.lines(lines, terminal: mixed, withTimes: false))
            }
        } catch let error as ContainerError {
            // The answer has begun, and what comes after the log can still be had.
            try await call.reply.writeRaw(StreamFrame.message(Self.broken(error), terminal: mixed))
        }
        guard let attachment else { return try await TakenConnection(call).close() }
        await TakenConnection(call).carry(attachment, takesInput: options.input, terminal: mixed)
    }

    /// What stands where lines of a log would have stood, in Docker's words.
    private static func broken(_ error: ContainerError) -> String { "Error grabbing logs: \(error.description)\n" }

    private func logs(_ call: Call) async throws {
        let container = try engine.containers.find(call.subject)
        let terminal = try container.details().configuration.terminal
        var options = LogOptions(following: call.query.bool("follow"))
        (options.output, options.errors) = (call.query.bool("stdout"), call.query.bool("stderr"))
        guard options.output || options.errors else {
            throw APIFailure.invalid("Bad parameters: you must choose at least one stream")
        }
        (options.since, options.until) = (try call.query.time("since"), try call.query.time("until"))
        // As Docker has it, what is no number means all.
        options.tail = call.query["tail"].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
        let (withTimes, withDetails) = (call.query.bool("timestamps"), call.query.bool("details"))
        let log: LogStream
        do throws(ContainerError) { log = try container.logs(options) } catch {
            // Docker's status for a driver that only writes.
            throw error.code == .unsupported ? APIFailure(.notImplemented, error.description) : APIFailure(error)
        }
        try await call.reply.begin(type: StreamFrame.type(terminal: terminal, call.version))
        do {
            while let lines = try await log.nextBatch() {
                try await call.reply.write(StreamFrame.lines(lines, terminal: terminal, withTimes: withTimes, withDetails: withDetails))
            }
        } catch let error as ContainerError {
            // The answer has begun.
            try await call.reply.write(StreamFrame.message(Self.broken(error), terminal: terminal))
        }
        try await call.reply.end()
    }
}

/// Docker's framing of two streams in one (*Stream format* of `POST /containers/{id}/attach`): the stream, three zeros, the length in four bytes
/// with the highest first, the bytes. With a terminal there is one stream, and no frame.
enum StreamFrame {
    /// What an answer's bytes are.
    static func type(terminal: Bool, _ version: APIVersion) -> String {
        terminal || version < APIVersion(1, 42) ? "application/vnd.docker.raw-stream" : "application/vnd.docker.multiplexed-stream"
    }

    static func append(_ bytes: some Collection<UInt8>, isError: Bool, to buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt32(isError ? 2 : 1) << 24)
        buffer.writeInteger(UInt32(bytes.count))
        buffer.writeBytes(bytes)
    }

    /// What the engine itself has to say in such a stream.
    static func message(_ text: String, isError: Bool = true, terminal: Bool) -> ByteBuffer {
        if terminal { return ByteBuffer(string: text) }
        var buffer = ByteBuffer()
        append(Array(text.utf8), isError: isError, to: &buffer)
        return buffer
    }

    static func chunk(_ chunk: AttachStream.Chunk, terminal: Bool) -> ByteBuffer {
        let (bytes, isError) =
            switch chunk {
            case .output(let bytes): (bytes, false)
            case .errors(let bytes): (bytes, true)
            }
        if terminal { return ByteBuffer(bytes: bytes) }
        var buffer = ByteBuffer()
        buffer.reserveCapacity(bytes.count + 8)
        append(bytes, isError: isError, to: &buffer)
        return buffer
    }

    static func lines(_ lines: [LogLine], terminal: Bool, withTimes: Bool, withDetails: Bool = false) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(lines.reduce(0) { $0 + $1.bytes.count + 40 })
        for line in lines {
            var bytes = withDetails ? Array((details(line.attributes) + " ").utf8) + line.bytes : line.bytes
            if withTimes { bytes = Array("\(line.time.rfc3339Padded) ".utf8) + bytes }
            if terminal { buffer.writeBytes(bytes) } else { append(bytes, isError: line.stream == .errors, to: &buffer) }
        }
        return buffer
    }

    /// What a line has with it, as Docker writes it: in order, as in a query.
    private static func details(_ attributes: [String: String]) -> String {
        func escaped(_ text: String) -> String {
            var result = ""
            for byte in text.utf8 {
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "~"):
                    result.unicodeScalars.append(Unicode.Scalar(byte))
                case UInt8(ascii: " "): result += "+"
                default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
                }
            }
            return result
        }
        return attributes.sorted { $0.key < $1.key }.map { "\(escaped($0.key))=\(escaped($0.value))" }.joined(separator: ",")
    }
}
