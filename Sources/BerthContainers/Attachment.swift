internal import BerthLaunch
public import BerthRuntime
internal import Synchronization

/// Which of a process's streams a client takes, and how it leaves.
public struct AttachOptions: Sendable, Hashable {
    /// Whether it gives standard input.
    public var input: Bool
    /// Whether it reads standard output.
    public var output: Bool
    /// Whether it reads standard error. A terminal has none of its own.
    public var errors: Bool
    /// The keys with which it leaves; looked for only in what goes to a terminal.
    public var detachKeys: DetachKeys

    /// Output and errors, no input.
    public init(input: Bool = false, output: Bool = true, errors: Bool = true, detachKeys: DetachKeys = .standard) {
        (self.input, self.output, self.errors, self.detachKeys) = (input, output, errors, detachKeys)
    }

    var streams: MonitorRequest.StreamChoice {
        var choice: MonitorRequest.StreamChoice = []
        if input { choice.insert(.input) }
        if output { choice.insert(.output) }
        if errors { choice.insert(.errors) }
        return choice
    }
}

/// A client's hold on a process's streams. Dropping it is detaching: the process runs on, and its standard input stays open.
///
/// Taken before the container starts, it waits for the start, and then sees everything from the very first byte.
public final class Attachment: Sendable {
    private let stream = Promise<AttachStream?>()
    private let keys: Mutex<DetachKeys.Matcher>?
    private let detached: @Sendable () -> Void
    /// Waited for before the end of the streams is told.
    private let settled: (@Sendable () async -> Void)?
    private let hasDetached = Atomic<Bool>(false)
    let choice: MonitorRequest.StreamChoice

    init(
        _ options: AttachOptions, terminal: Bool, settled: (@Sendable () async -> Void)? = nil, detached: @escaping @Sendable () -> Void
    ) {
        self.settled = settled
        choice = options.streams
        keys = terminal && options.input ? Mutex(DetachKeys.Matcher(options.detachKeys)) : nil
        self.detached = detached
    }

    var isDetached: Bool { hasDetached.load(ordering: .sequentiallyConsistent) }

    /// The process has these streams; `nil`: it could not be started.
    func bind(_ stream: AttachStream?) {
        self.stream.fulfil(stream)
        if hasDetached.load(ordering: .sequentiallyConsistent) { stream?.detach() }
    }

    /// The next piece of output, or `nil` once the process has ended, could not be started, or ``detach()`` was called. One task reads at a time.
    ///
    /// - Throws: `cancelled`.
    public func read() async throws(ContainerError) -> AttachStream.Chunk? {
        guard let bound = await stream.value() else {
            if Task.isCancelled { throw .cancelled }
            return nil
        }
        do throws(RuntimeError) {
            let chunk = try await bound?.read()
            // Whom the process has left cannot leave it any more.
            if chunk == nil, !hasDetached.exchange(true, ordering: .sequentiallyConsistent) { await settled?() }
            return chunk
        } catch { throw ContainerError(error) }
    }

    /// Gives bytes to standard input, waiting while it is not read. One task writes at a time.
    ///
    /// - Returns: `false` if they had the keys to leave in them: the attachment is detached, and what came before the keys was given.
    /// - Throws: `conflict` once nobody can read it any more, `cancelled`.
    public func write(_ bytes: [UInt8]) async throws(ContainerError) -> Bool {
        guard let found = await stream.value(), let stream = found else {
            if Task.isCancelled { throw .cancelled }
            throw ContainerError(.conflict, "the process was not started: nobody reads its standard input")
        }
        let (forContainer, leaves) = keys?.withLock { $0.take(bytes) } ?? (bytes, false)
        do throws(RuntimeError) { try await stream.write(forContainer) } catch { throw ContainerError(error) }
        if leaves { detach() }
        return !leaves
    }

    /// Says that this client gives no more input. A container that was made with "once" then has its standard input closed; others do not notice.
    ///
    /// Repeating is fine, as is a process that has ended.
    public func closeInput() async throws(ContainerError) {
        guard let found = await stream.value(), let stream = found else { return }
        // Keys that were held back were no keys to leave after all.
        let rest = keys?.withLock { $0.finish() } ?? []
        do throws(RuntimeError) {
            if !rest.isEmpty { try await stream.write(rest) }
            try await stream.closeInput()
        } catch {
            guard error.code == .notRunning else { throw ContainerError(error) }
        }
    }

    /// Leaves. A pending ``read()`` gives `nil`. Repeating does nothing.
    public func detach() {
        guard !hasDetached.exchange(true, ordering: .sequentiallyConsistent) else { return }
        if let bound = stream.current { bound?.detach() } else { stream.fulfil(nil) }
        detached()
    }
}

extension ContainerError {
    init(_ error: RuntimeError) {
        let code: Code =
            switch error.code {
            case .invalid: .invalid
            case .unsupported: .unsupported
            case .commandNotFound: .commandNotFound
            case .commandNotExecutable, .workingDirectory: .commandNotExecutable
            case .notRunning: .conflict
            case .cancelled: .cancelled
            case .busy: .busy
            default: .runtime
            }
        self.init(code, error.description, underlying: error.underlying)
    }
}
