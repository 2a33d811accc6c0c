public import BerthLinux
internal import CBerth
internal import Glibc
internal import Synchronization

/// One thread that waits for descriptors, process ends and points in time on behalf of tasks, which do not block while they wait.
///
/// The thread lives as long as a value of this type does. Nothing is known here of what is being waited for.
public final class Reactor: Sendable {
    private let core: Core

    private init(core: Core) { self.core = core }

    deinit { core.shutDown() }

    /// How many waits there are, for tests: none when nobody waits.
    var waitCount: Int { core.waitCount }

    /// Starts the thread.
    ///
    /// - Throws: `EMFILE` where the process may open no more descriptors, `EAGAIN` where it may start no thread.
    public static func start() throws(Errno) -> Reactor {
        let core = try Core()
        try startThread { core.run() }
        return Reactor(core: core)
    }

    /// Waits until a descriptor can be read, has ended or failed.
    ///
    /// - Throws: ``ReactorError/Code-swift.struct/cancelled`` if the task is cancelled meanwhile; the descriptor is as it was.
    public func waitReadable(_ descriptor: borrowing OwnedDescriptor) async throws(ReactorError) {
        try await wait(descriptor, forWriting: false)
    }

    /// Waits until a descriptor can be written, or has failed.
    public func waitWritable(_ descriptor: borrowing OwnedDescriptor) async throws(ReactorError) {
        try await wait(descriptor, forWriting: true)
    }

    /// Waits until a process has ended. It has not been reaped.
    public func waitExit(of process: borrowing ProcessHandle) async throws(ReactorError) {
        try await wait(process.descriptor, forWriting: false)
    }

    /// Waits until so much time has gone by.
    public func sleep(for duration: Duration) async throws(ReactorError) {
        let (seconds, attoseconds) = duration.components
        // 292 years are as good as for ever, and less than nothing is now.
        let longest: Int64 = 9_000_000_000
        let nanoseconds = seconds >= longest ? Int64.max : max(0, seconds) * 1_000_000_000 + max(0, attoseconds / 1_000_000_000)
        let deadline = monotonicNanoseconds().addingReportingOverflow(nanoseconds)
        try await suspend { core.addTimer($0, at: deadline.overflow ? Int64.max : deadline.partialValue, $1) }
    }

    private func wait(_ descriptor: borrowing OwnedDescriptor, forWriting: Bool) async throws(ReactorError) {
        // A descriptor of the wait's own: the caller's may be closed, or waited for twice, meanwhile.
        let own: OwnedDescriptor
        do { own = try descriptor.duplicate() } catch { throw .system(error) }
        let number = own.withRawDescriptor { $0 }
        let core = self.core
        try await suspend { core.add($0, number, forWriting: forWriting, $1) }
        _ = consume own
    }

    private func suspend(_ register: (UInt64, CheckedContinuation<ReactorError?, Never>) -> Void) async throws(ReactorError) {
        let id = core.nextID()
        let core = self.core
        let error = await withTaskCancellationHandler {
            await withCheckedContinuation { register(id, $0) }
        } onCancel: {
            core.finish(id, .cancelled)
        }
        if let error { throw error }
    }
}

/// The thread's state. A wait is finished once: by its event, its cancellation or the end of the reactor.
private final class Core: Sendable {
    private struct State {
        var waits: [UInt64: (continuation: CheckedContinuation<ReactorError?, Never>, descriptor: CInt)] = [:]
        var deadlines: [UInt64: Int64] = [:]
        /// Begun and not registered yet, with the error of those that were cancelled meanwhile. A cancellation that comes after the end of its wait
        /// finds its number nowhere.
        var beginning: [UInt64: ReactorError?] = [:]
        var lastID: UInt64 = 1
        var isShutDown = false
    }
    private let state = Mutex(State())
    private let epoll: CInt
    private let wakeup: CInt

    init() throws(Errno) {
        epoll = berth_epoll_create()
        guard epoll >= 0 else { throw .current }
        wakeup = berth_eventfd()
        guard wakeup >= 0 else {
            let error = Errno.current
            close(epoll)
            throw error
        }
        guard berth_epoll_add(epoll, wakeup, 0, 0, 1) == 0 else { throw .current }
    }

    deinit {
        close(epoll)
        close(wakeup)
    }

    func nextID() -> UInt64 {
        state.withLock {
            $0.lastID += 1
            $0.beginning[$0.lastID] = .some(nil)
            return $0.lastID
        }
    }

    /// How many waits there are, for tests.
    var waitCount: Int { state.withLock { $0.waits.count + $0.deadlines.count + $0.beginning.count } }

    func add(_ id: UInt64, _ descriptor: CInt, forWriting: Bool, _ continuation: CheckedContinuation<ReactorError?, Never>) {
        let failure: ReactorError? = state.withLock { state in
            if let early = state.beginning.removeValue(forKey: id) ?? nil { return early }
            if state.isShutDown { return .cancelled }
            guard berth_epoll_add(epoll, descriptor, id, forWriting ? 1 : 0, 0) == 0 else { return .system(.current) }
            state.waits[id] = (continuation, descriptor)
            return nil
        }
        if let failure { continuation.resume(returning: failure) }
    }

    func addTimer(_ id: UInt64, at deadline: Int64, _ continuation: CheckedContinuation<ReactorError?, Never>) {
        let failure: ReactorError? = state.withLock { state in
            if let early = state.beginning.removeValue(forKey: id) ?? nil { return early }
            if state.isShutDown { return .cancelled }
            state.waits[id] = (continuation, -1)
            state.deadlines[id] = deadline
            return nil
        }
        if let failure { continuation.resume(returning: failure) } else { wake() }
    }

    func finish(_ id: UInt64, _ error: ReactorError?) {
        let continuation = state.withLock { state -> CheckedContinuation<ReactorError?, Never>? in
            guard let wait = state.waits.removeValue(forKey: id) else {
                if let error, state.beginning[id] != nil { state.beginning[id] = error }
                return nil
            }
            state.deadlines[id] = nil
            if wait.descriptor >= 0 { _ = berth_epoll_remove(epoll, wait.descriptor) }
            return wait.continuation
        }
        continuation?.resume(returning: error)
    }

    func shutDown() {
        state.withLock { $0.isShutDown = true }
        wake()
    }

    private func wake() {
        var one: UInt64 = 1
        unsafe write(wakeup, &one, 8)
    }

    func run() {
        var numbers = [UInt64](repeating: 0, count: 64)
        while true {
            let (earliest, isShutDown) = state.withLock { ($0.deadlines.values.min(), $0.isShutDown) }
            if isShutDown { break }
            var timeout: CInt = -1
            if let earliest { timeout = CInt(clamping: max(0, (earliest - monotonicNanoseconds() + 999_999) / 1_000_000)) }
            let count = unsafe berth_epoll_wait(epoll, &numbers, 64, timeout)
            for id in numbers.prefix(max(0, Int(count))) {
                if id == 0 {
                    var value: UInt64 = 0
                    unsafe read(wakeup, &value, 8)
                } else {
                    finish(id, nil)
                }
            }
            let now = monotonicNanoseconds()
            let due = state.withLock { $0.deadlines.filter { $0.value <= now }.map(\.key) }
            for id in due { finish(id, nil) }
        }
        let remaining = state.withLock { Array($0.waits.keys) }
        for id in remaining { finish(id, .cancelled) }
    }
}
