internal import BerthLinux
internal import BerthNetlink
internal import BerthReactor
internal import Synchronization

/// Asks others for a sandbox: server by server, until one answers.
final class NameForwarder: Sendable {
    /// The most questions that are under way for one sandbox, as with Docker; what is beyond is refused.
    static var questionLimit: Int { 1024 }
    /// The most of them that go over streams, each of which has a connection of its own.
    static var streamLimit: Int { 64 }

    /// A socket to a server that is there or is being made, and how many questions wait for it.
    private struct Flow {
        var number: Int
        var task: Task<UpstreamFlow?, Never>
        var promisedCount = 0
    }
    private struct State {
        var order = ServerOrder()
        var flows: [NameUpstream.Server: Flow] = [:]
        var flowCount = 0
        var questionCount = 0
        var streamCount = 0
    }
    private let state = Mutex(State())
    private let reactor: Reactor
    private let sources: @Sendable (NameUpstream.Place) -> SocketSource

    /// - Parameter sources: makes the sockets of a place.
    init(reactor: Reactor, sources: @escaping @Sendable (NameUpstream.Place) -> SocketSource) {
        (self.reactor, self.sources) = (reactor, sources)
    }

    /// Takes a place for a question, if there is one left. ``ask(_:_:)`` gives it back.
    func admit(overStream: Bool) -> Bool {
        state.withLock { state in
            guard state.questionCount < Self.questionLimit, !overStream || state.streamCount < Self.streamLimit else { return false }
            state.questionCount += 1
            if overStream { state.streamCount += 1 }
            return true
        }
    }

    /// Asks. There is an answer in any case: that nobody knows, if no server answers.
    func ask(_ question: ForwardedQuestion, _ upstream: NameUpstream) async -> [UInt8] {
        defer {
            state.withLock {
                $0.questionCount -= 1
                if question.isOverStream { $0.streamCount -= 1 }
            }
        }
        let servers = upstream.askedServers
        let timeout = ServerOrder.timeout(serverCount: servers.count)
        for server in state.withLock({ $0.order.ordered(servers, at: .now) }) where !Task.isCancelled {
            let outcome =
                if question.isOverStream { await askOverStream(question, server, timeout) } else {
                    await askByDatagram(question, server, timeout)
                }
            switch outcome {
            case .answer(let answer):
                state.withLock { $0.order.hasAnswered(server) }
                return answer
            case .silence: state.withLock { $0.order.wasSilent(server, at: .now) }
            case .refusal, .failure: break
            }
        }
        return question.failure
    }

    // MARK: UDP

    private func askByDatagram(_ question: ForwardedQuestion, _ server: NameUpstream.Server, _ timeout: Duration) async -> UpstreamOutcome {
        // A flow may come to its end between being found and being used.
        for _ in 0..<3 {
            let found = promise(server)
            let flow = await found.task.value
            defer { if flow?.hasEnded ?? true { forget(server, found.number) } }
            guard let flow else { return .failure }
            if let id = flow.reserve(question) { return await flow.ask(id, question, timeout: timeout) }
        }
        // Others have been faster each time: one that nobody else knows of.
        guard let flow = await connect(to: server), let id = flow.reserve(question) else { return .failure }
        return await flow.ask(id, question, timeout: timeout)
    }

    private func promise(_ server: NameUpstream.Server) -> Flow {
        state.withLock { state in
            if let flow = state.flows[server], flow.promisedCount < UpstreamFlow.questionLimit {
                state.flows[server]?.promisedCount += 1
                return flow
            }
            state.flowCount += 1
            let flow = Flow(number: state.flowCount, task: Task { [self] in await connect(to: server) }, promisedCount: 1)
            state.flows[server] = flow
            return flow
        }
    }

    private func forget(_ server: NameUpstream.Server, _ number: Int) {
        state.withLock { if $0.flows[server]?.number == number { $0.flows[server] = nil } }
    }

    private func connect(to server: NameUpstream.Server) async -> UpstreamFlow? {
        do {
            let socket = try await sources(server.place).socket(.init(kind: .datagrams, version: server.server.address.version))
            guard let endpoint = server.endpoint else { return nil }
            _ = try socket.descriptor.beginConnecting(to: endpoint)
            return UpstreamFlow(socket, reactor: reactor)
        } catch {
            // No socket, or no way there: whoever asks tries the next server.
            return nil
        }
    }

    // MARK: TCP

    private func askOverStream(_ question: ForwardedQuestion, _ server: NameUpstream.Server, _ timeout: Duration) async -> UpstreamOutcome {
        guard let endpoint = server.endpoint,
            let socket = try? await sources(server.place).socket(.init(kind: .stream, version: server.server.address.version))
        else { return .failure }  // as if it could not be reached
        let outcome: UpstreamOutcome? = await reactor.within(timeout) { [reactor] in
            do {
                return try await Self.exchange(question, over: socket, with: endpoint, reactor)
            } catch {
                return Task.isCancelled ? nil : .failure
            }
        }
        return outcome ?? (Task.isCancelled ? .failure : .silence)
    }

    private static func exchange(
        _ question: ForwardedQuestion, over socket: HeldSocket, with endpoint: InternetEndpoint, _ reactor: Reactor
    ) async throws -> UpstreamOutcome {
        if try !socket.descriptor.beginConnecting(to: endpoint) {
            try await reactor.waitWritable(socket.descriptor)
            if let error = socket.descriptor.takeError() { throw error }
        }
        let id = UInt16.random(in: 0...UInt16.max)
        try await reactor.send(NameFrames.framed(question.message(id: id)), over: socket)
        var frames = NameFrames(limit: 65_535)
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            while let answer = frames.next() {
                switch question.judge(answer, id: id) {
                case .answer(let bytes): return .answer(bytes)
                case .refusal: return .refusal
                case .foreign: break
                }
            }
            guard let count = try socket.descriptor.receiveNow(into: &buffer) else {
                try await reactor.waitReadable(socket.descriptor)
                continue
            }
            if count == 0 { return .failure }
            frames.add(buffer[..<count])
        }
    }
}

extension Reactor {
    /// Sends all of it over a stream, however long the other side takes it.
    func send(_ bytes: [UInt8], over socket: HeldSocket) async throws {
        var offset = 0
        while offset < bytes.count {
            if let count = try socket.descriptor.sendNow(bytes, from: offset) {
                offset += count
            } else {
                try await waitWritable(socket.descriptor)
            }
        }
    }
}

extension NameUpstream.Server {
    /// Where it is; `nil` where its zone is no link of the engine's.
    var endpoint: InternetEndpoint? {
        guard let zone = server.zone else { return InternetEndpoint(address: server.address.bytes, port: port) }
        guard let number = UInt32(zone) ?? InternetEndpoint.linkNumber(zone) else { return nil }
        return InternetEndpoint(address: server.address.bytes, port: port, scope: number)
    }
}
