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
            Route(.GET, "/containers/{id}/logs") { try await logs($0) },
        ]
    }

    private func attach(_ call: Call) async throws {
        let container = try engine.containers.find(call.subject)
        let terminal = try container.details().configuration.terminal
        let streams = call.query.bool("stream")
        let options = AttachOptions(
            input: call.query.bool("stdin") && streams, output: call.query.bool("stdout"), errors: call.query.bool("stderr"),
            detachKeys: try DetachKeys(parsing: call.query["detachKeys"] ?? ""))
        _ = try await call.parts.body(limit: 1 << 20)
        let attachment = streams ? try await container.attach(options) : nil
        var log: LogStream?
        if call.query.bool("logs") {
            var wanted = LogOptions()
            (wanted.output, wanted.errors) = (options.output, options.errors)
            log = try container.logs(wanted)
        }
        try await call.reply.takeOver(upgrades: call.upgrades, type: StreamFrame.type(terminal: terminal, call.version))
        if let log {
            while let lines = try await log.nextBatch() {
                try await call.reply.writeRaw(StreamFrame.lines(lines, terminal: terminal, withTimes: false))
            }
        }
        guard let attachment else { return try await TakenConnection(call).close() }
        await TakenConnection(call).carry(attachment, takesInput: options.input, terminal: terminal)
    }

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
            // The answer has begun: the reason goes where the lines would have gone, in Docker's words.
            try await call.reply.write(StreamFrame.message("Error grabbing logs: \(error.description)\n", terminal: terminal))
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
