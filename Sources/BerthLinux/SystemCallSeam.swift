internal import Glibc
internal import Synchronization

/// The one place through which every state-changing call of this room passes, so that a test can stop the program or
/// make the call fail at each of them in turn.
///
/// Without a script, and in release builds always, passing costs nothing that can be measured. A script counts calls of the whole
/// process: a test that sets one runs alone.
public enum SystemCallSeam {
    /// What happens at the call that a script names.
    public enum Outcome: Hashable, Sendable {
        /// The call, and every later one, throws `error` without reaching the kernel: from then on the disk is full, or gone.
        case failFrom(Errno)
        /// The call alone throws `error` without reaching the kernel.
        case failOnce(Errno)
        /// The call, and every later one, throws ``SystemCallSeam/stopped`` without reaching the kernel: what a kill at this point leaves on the disk.
        case stop
        /// The program is killed instead of making the call: what it has told others by then stays told as well.
        case kill
    }

    /// For writes to files of our own state, which go through ``OwnedDescriptor/writeAll(_:)`` like any other.
    @inline(__always)
    public static func passWrite() throws(Errno) { try pass("write") }

    /// For what the kernel, or another program, is told to change.
    @inline(__always)
    public static func passSend() throws(Errno) { try pass("send") }

    /// What a stopped call throws. It is no error of any kernel, so nothing can mistake it for one.
    public static var stopped: Errno { Errno(rawValue: 4095) }

    #if DEBUG
        private struct Script {
            var callNumber = 0
            var at: Int?
            var outcome: Outcome?
            var calls: [String] = []
        }
        private static let script = Mutex<Script?>(nil)
        private static let isScripted = Atomic<Bool>(false)

        /// Counts the calls made by `body`, and lets `outcome` happen at call number `at` (the first is 1; `nil`: only count).
        ///
        /// - Returns: what `body` gave, and the names of the calls that passed, in order.
        public static func scripted<Result>(
            at: Int? = nil, _ outcome: Outcome? = nil, isolation: isolated (any Actor)? = #isolation, _ body: () async -> Result
        ) async -> (result: Result, calls: [String]) {
            script.withLock { $0 = Script(at: at, outcome: outcome) }
            isScripted.store(true, ordering: .sequentiallyConsistent)
            let result = await body()
            isScripted.store(false, ordering: .sequentiallyConsistent)
            return (
                result,
                script.withLock { script in
                    defer { script = nil }; return script?.calls ?? []
                }
            )
        }

        @inline(__always)
        static func pass(_ call: StaticString) throws(Errno) {
            guard isScripted.load(ordering: .relaxed) else { return }
            try passScripted(call)
        }

        private static func passScripted(_ call: StaticString) throws(Errno) {
            let error: Errno? = script.withLock { script in
                guard var current = script else { return nil }
                defer { script = current }
                current.callNumber += 1
                current.calls.append(call.description)
                guard let at = current.at, let outcome = current.outcome else { return nil }
                switch outcome {
                case .failOnce(let error): return current.callNumber == at ? error : nil
                case .failFrom(let error): return current.callNumber >= at ? error : nil
                case .stop: return current.callNumber >= at ? stopped : nil
                case .kill:
                    if current.callNumber == at { _ = Glibc.kill(getpid(), SIGKILL) }
                    return nil
                }
            }
            if let error { throw error }
        }
    #else
        @inline(__always)
        static func pass(_ call: StaticString) throws(Errno) {}
    #endif
}
