internal import DockerAPI
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// The connections of a daemon's clients, each served by a task of its own.
final class Connections: Sendable {
    /// The most at a time: a further one is closed at once.
    private static let limit = 4096

    private let router: Router
    private let server: String
    private let log: Logger
    private struct State {
        var tasks: [UInt64: Task<Void, Never>] = [:]
        var lastID: UInt64 = 0
        var isEnding = false
    }
    private let state = Mutex(State())

    init(router: Router, server: String, log: Logger) { (self.router, self.server, self.log) = (router, server, log) }

    /// Serves a connection until it ends.
    func begin(_ channel: any Channel, _ mailbox: Mailbox) {
        let task = state.withLock { state -> Task<Void, Never>? in
            guard state.tasks.count < Self.limit, !state.isEnding else { return nil }
            state.lastID += 1
            let id = state.lastID
            let task = Task {
                await serve(channel, mailbox)
                self.state.withLock { $0.tasks[id] = nil }
            }
            state.tasks[id] = task
            return task
        }
        guard let task else {
            log.warning("a client was turned away: \(Self.limit) are connected")
            return channel.close(promise: nil)
        }
        // Whoever has gone is not worked for any longer.
        channel.closeFuture.whenComplete { _ in task.cancel() }
    }

    /// Ends all of them, and takes no more.
    func endAll() async {
        let tasks = state.withLock { state in
            state.isEnding = true
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func serve(_ channel: any Channel, _ mailbox: Mailbox) async {
        let parts = RequestParts(mailbox)
        while let head = await parts.nextHead() {
            let reply = Reply(channel, server: server, closes: !head.isKeepAlive)
            await answer(head, parts, reply)
            guard reply.isWhole, !reply.closes, !reply.isTakenOver else { break }
        }
        // It may have closed already, which is what is wanted.
        try? await channel.close().get()
    }

    private func answer(_ head: HTTPRequestHead, _ parts: RequestParts, _ reply: Reply) async {
        // Of a connection that was to be another protocol's, nothing more is read as HTTP.
        if head.headers.contains(name: "Upgrade") { reply.closes = true }
        do {
            do {
                let (route, call) = try router.call(head, parts, reply)
                try await route.handler(call)
            } catch {
                if reply.hasBegun { throw error }
                let failure = APIFailure(error)
                if failure.status.code >= 500 { log.error("\(head.method.rawValue) \(head.uri): \(failure.message)") }
                guard failure.status != .notModified else { return try await reply.empty(.notModified) }
                // The answer to HEAD has no body, whatever it says.
                if head.method == .HEAD {
                    try await reply.whole(failure.status, type: "application/json", [])
                } else {
                    try await reply.json(ErrorResponse(message: failure.message), failure.status)
                }
            }
            log.debug("\(head.method.rawValue) \(head.uri)")
        } catch {
            // The client has gone, or an answer that had begun cannot be brought to its end: closing says so.
            log.debug("\(head.method.rawValue) \(head.uri): the answer was not finished: \(error)")
        }
    }
}
