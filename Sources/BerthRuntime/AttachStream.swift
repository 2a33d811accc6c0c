internal import BerthLaunch
internal import BerthLinux
internal import BerthReactor
internal import Synchronization

/// The streams of a process, taken by one client. Dropping it is detaching: the process and its standard input stay as they are.
public final class AttachStream: Sendable {
    /// A piece of what the process wrote.
    public enum Chunk: Hashable, Sendable {
        /// To standard output, or to its terminal.
        case output([UInt8])
        /// To standard error.
        case errors([UInt8])
    }

    private let socket: OwnedDescriptor
    private let reactor: Reactor
    private let parser = Mutex(AttachFrame.Parser())
    private let isDetached = Atomic<Bool>(false)

    init(_ socket: consuming OwnedDescriptor, reactor: Reactor) throws(RuntimeError) {
        self.socket = socket
        self.reactor = reactor
        do { try self.socket.setBlocking(false) } catch { throw .system("cannot use the container's streams", error) }
    }

    /// The next piece, or `nil` once the process has ended or ``detach()`` was called. One task reads at a time.
    ///
    /// A client that does not read is buffered up to 1 MiB; then the process waits for it.
    /// - Throws: `cancelled`.
    public func read() async throws(RuntimeError) -> Chunk? {
        while true {
            do throws(MonitorProtocolError) {
                let frame = try parser.withLock { (parser) throws(MonitorProtocolError) in try parser.next() }
                switch frame?.kind {
                case .output: return .output(frame!.bytes)
                case .errors: return .errors(frame!.bytes)
                case .end: return nil
                case .input, .endOfInput: continue
                case nil: break
                }
            } catch {
                throw RuntimeError(.monitor, "\(error)")
            }
            var buffer = [UInt8](repeating: 0, count: 256 << 10)
            do throws(Errno) {
                let count = try socket.read(intoArray: &buffer)
                if count == 0 || isDetached.load(ordering: .relaxed) { return nil }
                parser.withLock { $0.append(buffer[..<count]) }
            } catch {
                guard error == .EAGAIN else { return nil }  // the monitor has gone: there is no more
                do throws(ReactorError) { try await reactor.waitReadable(socket) } catch { throw RuntimeError(.cancelled, "\(error)") }
            }
        }
    }

    /// Gives bytes to the process's standard input, waiting while it does not read. One task writes at a time.
    ///
    /// - Throws: `notRunning` once nobody can read it any more, `cancelled`.
    public func write(_ bytes: [UInt8]) async throws(RuntimeError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(64 << 10)
            try await send(AttachFrame.head(.input, byteCount: part.count) + part)
            rest = rest.dropFirst(part.count)
        }
    }

    /// Says that there is no more input. What was made with "once" closes its standard input; others do not notice.
    public func closeInput() async throws(RuntimeError) {
        try await send(AttachFrame.head(.endOfInput, byteCount: 0))
    }

    /// Ends this client's part: a pending ``read()`` gives `nil`.
    public func detach() {
        isDetached.store(true, ordering: .relaxed)
        socket.shutDown()
    }

    private func send(_ bytes: [UInt8]) async throws(RuntimeError) {
        var sent = 0
        while sent < bytes.count {
            do throws(Errno) {
                sent += try socket.write(bytes: bytes, from: sent)
            } catch {
                guard error == .EAGAIN else {
                    throw RuntimeError(.notRunning, "nobody reads the container's standard input any more", underlying: error)
                }
                do throws(ReactorError) { try await reactor.waitWritable(socket) } catch {
                    // Half a frame is the end of this client: the next one's head would be taken for the rest of it.
                    if sent > 0 { detach() }
                    throw RuntimeError(.cancelled, "\(error)")
                }
            }
        }
    }
}
