internal import BerthReactor
internal import Logging
internal import NIOCore
internal import Synchronization

/// The connections of a registry's clients, each served by a task of its own.
final class RegistryConnections: Sendable {
    /// The most at a time: a further one is closed at once.
    private static let limit = 4096

    private let service: RegistryService
    private let isEncrypted: Bool
    private let log: Logger
    /// Where blobs are read that are sent.
    private let lane = Lane(named: "reading blobs", waitingLimit: Lane.sharedWaitingLimit)
    private struct Serving {
        var task: Task<Void, Never>
        var channel: any Channel
        var isBusy = false
    }
    private struct State {
        var serving: [UInt64: Serving] = [:]
        var lastID: UInt64 = 0
        var isEnding = false
    }
    private let state = Mutex(State())

    init(service: RegistryService, isEncrypted: Bool, log: Logger) {
        (self.service, self.isEncrypted, self.log) = (service, isEncrypted, log)
    }

    /// Serves a connection until it ends.
    func begin(_ stream: RegistryConnection.Stream) {
        let connection = RegistryConnection(stream: stream, service: service, isEncrypted: isEncrypted, lane: lane)
        state.withLock { state in
            state.lastID += 1
            let id = state.lastID
            let isWelcome = state.serving.count < Self.limit && !state.isEnding
            let task = Task {
                do {
                    guard isWelcome else { return try await stream.executeThenClose { _, _ in } }
                    try await connection.serve { isBusy in self.mark(id, isBusy, stream.channel) }
                } catch {
                    // The client has gone, or an answer that had begun cannot be brought to its end: closing says so.
                    log.debug("a connection ended: \(error)")
                }
                self.state.withLock { $0.serving[id] = nil }
            }
            state.serving[id] = Serving(task: task, channel: stream.channel)
        }
    }

    /// Whoever has been answered while the server ends is not waited for.
    private func mark(_ id: UInt64, _ isBusy: Bool, _ channel: any Channel) {
        let isEnding = state.withLock { state in
            state.serving[id]?.isBusy = isBusy
            return state.isEnding
        }
        if isEnding, !isBusy { channel.close(promise: nil) }
    }

    /// Ends all of them, and takes no more: those that wait for a request at once, the others when theirs is answered or the patience has ended.
    func endAll(within patience: Duration) async {
        let (idle, all) = state.withLock { state in
            state.isEnding = true
            return (state.serving.values.filter { !$0.isBusy }, Array(state.serving.values))
        }
        for serving in idle { serving.channel.close(promise: nil) }
        let impatience = Task {
            // Cancelled when all have ended.
            do { try await Task.sleep(for: patience) } catch { return }
            for serving in all { serving.channel.close(promise: nil) }
        }
        for serving in all { await serving.task.value }
        impatience.cancel()
        await impatience.value
    }
}
