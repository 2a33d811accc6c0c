internal import BerthLaunch
internal import BerthLinux

/// Whoever has taken a process's streams: one end of a socket pair, spoken to in frames, never waited for.
final class StreamClient {
    /// What may wait for a client that does not read, before the process is made to wait.
    static let maximumPendingByteCount = 1 << 20

    let socket: OwnedDescriptor
    let streams: MonitorRequest.StreamChoice
    private var parser = AttachFrame.Parser()
    private var pending: [UInt8] = []
    private var sent = 0
    private(set) var hasGone = false
    private(set) var hasEnded = false

    init(_ socket: consuming OwnedDescriptor, _ streams: MonitorRequest.StreamChoice) throws(Errno) {
        self.socket = socket
        self.streams = streams
        try self.socket.setBlocking(false)
    }

    var pendingByteCount: Int { pending.count - sent }
    var isFull: Bool { pendingByteCount >= Self.maximumPendingByteCount }

    func send(_ kind: AttachFrame.Kind, _ bytes: ArraySlice<UInt8>) {
        guard !hasGone else { return }
        pending += AttachFrame.head(kind, byteCount: bytes.count)
        pending += bytes
        flush()
    }

    func end() {
        guard !hasEnded else { return }
        hasEnded = true
        send(.end, [])
    }

    func flush() {
        while sent < pending.count {
            do {
                sent += try unsafe socket.write(pending.span.extracting(sent..<pending.count).bytes)
            } catch {
                if error != .EAGAIN { leave() }
                break
            }
        }
        if sent == pending.count {
            pending.removeAll(keepingCapacity: pending.capacity <= 1 << 20)
            sent = 0
        } else if sent > 1 << 20 {
            pending.removeFirst(sent)
            sent = 0
        }
    }

    /// What has come. `nil` in a frame's place: the client has gone.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> [(kind: AttachFrame.Kind, bytes: [UInt8])] {
        do {
            let count = try unsafe socket.read(into: buffer)
            guard count > 0 else {
                leave()
                return []
            }
            unsafe parser.append(buffer[..<count])
            var frames: [(AttachFrame.Kind, [UInt8])] = []
            while let frame = try parser.next() { frames.append(frame) }
            return frames
        } catch {
            if (error as? Errno) != .EAGAIN { leave() }
            return []
        }
    }

    private func leave() {
        hasGone = true
        pending = []
        sent = 0
    }
}
