internal import BerthLinux
internal import Synchronization

/// An error that can say that a lane is full.
public protocol LaneRefusable: Error {
    /// So many calls already wait in the lane of this name.
    static func busy(lane: String, waitingCount: Int) -> Self
}

/// Where calls that may block run: files, mounts, a FUSE file system that hangs.
///
/// Each container, volume or store has a lane of its own with at most two threads and 64 waiting calls; the next is refused at once. So what
/// hangs holds up its own lane and nothing else, and never a thread of Swift's own pool. Threads live while there is work.
public final class Lane: Sendable {
    /// The most threads of one lane.
    public static let threadLimit = 2
    /// The most calls that wait.
    public static let waitingLimit = 64

    /// The lane's name, for errors.
    public let name: String

    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var threadCount = 0
    }
    private let state = Mutex(State())

    /// A lane with nothing in it.
    public init(named name: String) {
        self.name = name
    }

    /// Runs a call that may block, and waits for it without blocking.
    ///
    /// A call that has begun runs to its end also if the task is cancelled: `body` has to look for that itself.
    /// - Throws: what `body` throws, or the error's `busy` if the lane is full.
    public func run<Result: Sendable, Failure: LaneRefusable>(
        _ body: @escaping @Sendable () throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        let result: Swift.Result<Result, Failure> = await withCheckedContinuation { continuation in
            let refusal = enqueue {
                do throws(Failure) {
                    let value = try body()
                    continuation.resume(returning: .success(value))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
            if let refusal { continuation.resume(returning: .failure(Failure.busy(lane: name, waitingCount: refusal))) }
        }
        return try result.get()
    }

    /// Takes the call, or says how many wait.
    private func enqueue(_ call: @escaping @Sendable () -> Void) -> Int? {
        let (refusal, needsThread) = state.withLock { state -> (Int?, Bool) in
            guard state.waiting.count < Self.waitingLimit else { return (state.waiting.count, false) }
            state.waiting.append(call)
            guard state.threadCount < Self.threadLimit else { return (nil, false) }
            state.threadCount += 1
            return (nil, true)
        }
        guard needsThread else { return refusal }
        do {
            try startThread { [self] in work() }
            return nil
        } catch {
            // No thread to be had: another of the lane's may still do it; if there is none, nobody will.
            return state.withLock { state -> Int? in
                state.threadCount -= 1
                guard state.threadCount == 0 else { return nil }
                state.waiting.removeLast()
                return state.waiting.count
            }
        }
    }

    private func work() {
        while true {
            let call = state.withLock { state -> (@Sendable () -> Void)? in
                guard !state.waiting.isEmpty else {
                    state.threadCount -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
            guard let call else { return }
            call()
        }
    }
}
