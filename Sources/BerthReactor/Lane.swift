internal import BerthLinux
internal import Synchronization

/// An error that can say that a lane is full.
public protocol LaneRefusable: Error {
    /// So many calls already wait in the lane of this name.
    static func busy(lane: String, waitingCount: Int) -> Self
}

/// Where calls that may block run: files, mounts, a FUSE file system that hangs.
///
/// Each container, volume or store has a lane of its own with at most two threads and 64 waiting calls, or more where all containers come to it; the next
/// is refused at once. So what hangs holds up its own lane and nothing else, and never a thread of Swift's own pool. Threads come while there is work, and
/// wait a moment for that of any lane when there is none (``SpareThreads``).
public final class Lane: Sendable {
    /// The most threads of one lane.
    public static let threadLimit = 2
    /// The most calls that wait for what is one container's, or one job's.
    public static let waitingLimit = 64
    /// The most calls that wait for what all containers share: hundreds may be started at the same moment.
    public static let sharedWaitingLimit = 1024

    /// The lane's name, for errors.
    public let name: String

    /// A call that waits: done by a thread, or refused. One of the two, once.
    private struct Call {
        let perform: @Sendable () -> Void
        let refuse: @Sendable (_ waitingCount: Int) -> Void
    }
    private struct State {
        var waiting: [Call] = []
        var threadCount = 0
    }
    private let state = Mutex(State())
    private let waitingLimit: Int
    private let makeThread: @Sendable (@escaping @Sendable () -> Void) throws(Errno) -> Void

    /// A lane with nothing in it.
    ///
    /// - Parameter waitingLimit: the most calls that wait.
    public convenience init(named name: String, waitingLimit: Int = Lane.waitingLimit) {
        self.init(named: name, waitingLimit: waitingLimit) { body throws(Errno) in try SpareThreads.shared.run(body) }
    }

    init(
        named name: String, waitingLimit: Int = Lane.waitingLimit,
        makeThread: @escaping @Sendable (@escaping @Sendable () -> Void) throws(Errno) -> Void
    ) {
        (self.name, self.waitingLimit, self.makeThread) = (name, waitingLimit, makeThread)
    }

    /// Runs a call that may block, and waits for it without blocking.
    ///
    /// A call that has begun runs to its end also if the task is cancelled: `body` has to look for that itself.
    /// - Throws: what `body` throws, or the error's `busy` if the lane is full.
    public func run<Result: Sendable, Failure: LaneRefusable>(
        _ body: @escaping @Sendable () throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        let result: Swift.Result<Result, Failure> = await withCheckedContinuation { continuation in
            enqueue(
                Call {
                    do throws(Failure) {
                        let value = try body()
                        continuation.resume(returning: .success(value))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                } refuse: { [name] waitingCount in
                    continuation.resume(returning: .failure(Failure.busy(lane: name, waitingCount: waitingCount)))
                })
        }
        return try result.get()
    }

    /// Takes the call, or refuses it.
    private func enqueue(_ call: Call) {
        let (refusal, needsThread) = state.withLock { state -> (Int?, Bool) in
            guard state.waiting.count < waitingLimit else { return (state.waiting.count, false) }
            state.waiting.append(call)
            guard state.threadCount < Self.threadLimit else { return (nil, false) }
            state.threadCount += 1
            return (nil, true)
        }
        if let refusal { return call.refuse(refusal) }
        guard needsThread else { return }
        do {
            try makeThread { [self] in work() }
        } catch {
            // No thread to be had: another of the lane's may still do it. If there is none, nobody does what waits, whoever brought it.
            let abandoned = state.withLock { state -> [Call] in
                state.threadCount -= 1
                guard state.threadCount == 0 else { return [] }
                defer { state.waiting = [] }
                return state.waiting
            }
            for call in abandoned { call.refuse(abandoned.count) }
        }
    }

    private func work() {
        while true {
            let call = state.withLock { state -> Call? in
                guard !state.waiting.isEmpty else {
                    state.threadCount -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
            guard let call else { return }
            call.perform()
        }
    }
}
