internal import Synchronization

/// One change of a sandbox at a time, whichever of its containers it is for, and wherever those have gone.
final class NetworkTurns: Sendable {
    /// For each sandbox, whoever came last: fulfilled when his turn is over.
    private let last = Mutex<[String: Promise<Void>]>([:])

    /// Takes a turn: when the one before has been fulfilled it has come.
    func take(_ sandbox: String) -> (former: Promise<Void>?, own: Promise<Void>) {
        let own = Promise<Void>()
        return (last.withLock { last in last.updateValue(own, forKey: sandbox) }, own)
    }

    /// Lets the next go on.
    func end(_ own: Promise<Void>, of sandbox: String) {
        last.withLock { last in if last[sandbox] === own { last[sandbox] = nil } }
        own.fulfil(())
    }

    /// Does something in a turn, which comes however long it takes, also to a task that was cancelled. From inside, no turn of the same sandbox is to be had.
    func run<Value: Sendable, Failure: Error>(
        _ sandbox: String, _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let (former, own) = take(sandbox)
        defer { end(own, of: sandbox) }
        if let former { await Task.detached { _ = await former.value() }.value }
        return try await body()
    }
}
