internal import BerthClient
internal import BerthLinux
internal import Glibc

/// Carries the bytes between this program's standard streams and a container's, in one thread.
struct AttachLoop: ~Copyable {
    /// How a stream ended.
    enum End {
        /// The container, or its streams, ended.
        case stream
        /// The keys were pressed.
        case detached
    }

    /// What to do when something happens beside the bytes.
    struct Handlers {
        /// A signal came that the container is meant to get.
        var signal: (CInt) -> Void = { _ in }
        /// The terminal has another size.
        var resize: () -> Void = {}
    }

    private let stream: HijackedStream
    private let isTerminal: Bool
    private var keys: DetachKeys?
    private let wantsOutput: Bool
    private let wantsErrors: Bool
    private var demultiplexer = StreamDemultiplexer()
    private var takesInput: Bool
    private var pending: [UInt8] = []
    private var pendingStart = 0

    /// The most that waits to be sent.
    private static let pendingLimit = 256 << 10

    /// - Parameters:
    ///   - isTerminal: whether the container's streams are a terminal's: one stream, not in frames.
    ///   - keys: what ends an attachment to a terminal.
    init(
        _ stream: consuming HijackedStream, isTerminal: Bool, input: Bool, output: Bool = true, errors: Bool = true, keys: DetachKeys? = nil
    ) {
        self.stream = stream
        self.isTerminal = isTerminal
        self.keys = keys
        (takesInput, wantsOutput, wantsErrors) = (input, output, errors)
    }

    /// Carries bytes until the stream ends.
    mutating func run(_ signals: borrowing SignalQueue, _ handlers: Handlers) throws -> End {
        // Most say little: room for more is made once there is more.
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        try deliver(stream.readAhead[...])
        let socket = stream.descriptor.withRawDescriptor { $0 }  // lent for as long as `stream` is there, which is this whole call
        setNonBlocking(socket)
        while true {
            let hasPending = pendingStart < pending.count
            let wantsInput = takesInput && pending.count - pendingStart < Self.pendingLimit
            var polled = [
                pollfd(fd: socket, events: Int16(hasPending ? POLLIN | POLLOUT : POLLIN), revents: 0),
                pollfd(fd: wantsInput ? 0 : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor.withRawDescriptor { $0 }, events: Int16(POLLIN), revents: 0),
            ]
            guard unsafe poll(&polled, 3, -1) >= 0 || errno == EINTR else {
                throw Failure("waiting for the streams failed: \(Errno.current)")
            }
            if polled[2].revents != 0 { drain(signals, handlers) }
            if polled[1].revents != 0, try readInput(&chunk) == .detached { return .detached }
            if polled[0].revents & Int16(POLLOUT) != 0 || (!hasPending && pendingStart < pending.count) { try sendPending(socket) }
            if polled[0].revents & ~Int16(POLLOUT) != 0, try !readOutput(socket, &chunk) { return .stream }
        }
    }

    private func drain(_ signals: borrowing SignalQueue, _ handlers: Handlers) {
        while let number = signals.next() {
            if number == SIGWINCH { handlers.resize() } else { handlers.signal(number) }
        }
    }

    private func setNonBlocking(_ descriptor: CInt) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    /// - Returns: `.detached` once the keys are complete.
    private mutating func readInput(_ chunk: inout [UInt8]) throws -> End? {
        let count = unsafe read(0, &chunk, min(chunk.count, 64 << 10))
        if count < 0 {
            // EIO: the terminal is gone or not ours; as good as its end.
            guard errno == EAGAIN || errno == EINTR else { return try endInput() }
            return nil
        }
        if count == 0 { return try endInput() }
        if pendingStart == pending.count {
            pending.removeAll(keepingCapacity: true)
            pendingStart = 0
        }
        guard keys != nil else {
            pending += chunk[..<count]
            return nil
        }
        let (send, isComplete) = keys!.feed(chunk[..<count])
        pending += send
        return isComplete ? .detached : nil
    }

    private mutating func endInput() throws -> End? {
        takesInput = false
        if pendingStart == pending.count { stream.closeSending() }
        return nil
    }

    private mutating func sendPending(_ socket: CInt) throws {
        let start = pendingStart
        let count = unsafe pending.withUnsafeBytes { unsafe send(socket, $0.baseAddress! + start, $0.count - start, CInt(MSG_NOSIGNAL)) }
        if count < 0 {
            switch errno {
            case EAGAIN, EINTR: return
            case EPIPE, ECONNRESET:
                // The container does not listen any more; what it still says is to be read.
                takesInput = false
                pendingStart = pending.count
                return
            default: throw Failure("the daemon cannot be written to: \(Errno.current)")
            }
        }
        pendingStart += count
        if !takesInput, pendingStart == pending.count { stream.closeSending() }
    }

    /// - Returns: `false` at the end.
    private mutating func readOutput(_ socket: CInt, _ chunk: inout [UInt8]) throws -> Bool {
        let count = unsafe recv(socket, &chunk, chunk.count, 0)
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        if count == 0 { return false }
        try deliver(chunk[..<count])
        if count == chunk.count, count < 256 << 10 { chunk = [UInt8](repeating: 0, count: 256 << 10) }
        return true
    }

    private mutating func deliver(_ bytes: ArraySlice<UInt8>) throws {
        if isTerminal {
            if wantsOutput { try Output.write(bytes, to: 1) }
            return
        }
        let (output, errors) = (wantsOutput, wantsErrors)
        try demultiplexer.feed(bytes) { (stream, part) throws(Failure) in
            switch stream {
            case .output: if output { try Output.write(part, to: 1) }
            case .errors: if errors { try Output.write(part, to: 2) }
            case .daemon: throw Failure("error from daemon in stream: \(String(decoding: part, as: UTF8.self))")
            }
        } mistake: {
            Failure($0)
        }
    }
}
