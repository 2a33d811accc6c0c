internal import Berth
internal import NIOCore

/// A connection that was taken over, tied to a process's streams.
struct TakenConnection {
    private let call: Call

    init(_ call: Call) { self.call = call }

    /// Carries bytes both ways until the process has ended, or the client has gone or pressed the keys to leave.
    func carry(_ attachment: Attachment, takesInput: Bool, terminal: Bool) async {
        let channel = call.reply.channel
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    while let chunk = try await attachment.read() {
                        try await Reply.writeRaw(StreamFrame.chunk(chunk, terminal: terminal), to: channel)
                    }
                } catch {
                    // The client has gone, and tells nobody: what reads from it notices.
                }
                channel.close(promise: nil)
            }
            await feed(attachment, takesInput)
        }
    }

    /// What the client gives goes to the process, until it has gone.
    private func feed(_ attachment: Attachment, _ takesInput: Bool) async {
        var listens = takesInput
        while true {
            switch await call.parts.nextRaw() {
            case .bytes(let bytes):
                guard listens else { continue }
                // What nobody reads any more is dropped; that the process has ended is told by its output's end.
                do { listens = try await attachment.write(Array(bytes.readableBytesView)) } catch { listens = false }
            case .end:
                if listens { await end(attachment) }
                listens = false
            case .gone:
                // As Docker has it, a client that goes has also given all that it gives.
                if listens { await end(attachment) }
                return attachment.detach()
            }
        }
    }

    private func end(_ attachment: Attachment) async {
        // That the process has ended meanwhile is told by its output's end.
        try? await attachment.closeInput()
    }

    /// Says a few last words, and closes.
    func close(saying words: ByteBuffer = ByteBuffer()) async throws {
        if words.readableBytes > 0 { try await call.reply.writeRaw(words) }
        call.reply.channel.close(promise: nil)
    }
}
