public import BerthLinux
public import BerthNetlink
public import BerthReactor
internal import Synchronization

/// The name server of one sandbox: answers what its networks know, and asks others for the rest.
///
/// It is asked by the sockets of ``NameSockets``, of which it has duplicates: while there is none, questions wait in them, and are answered by the next.
/// Nothing that a sandbox asks costs another one anything: every count has a bound.
public final class NameServer: Sendable {
    /// The most connections that are served at once; the next ones wait.
    public static var connectionLimit: Int { 64 }
    /// How long a connection may be silent while nothing is under way on it.
    public static var idleTimeout: Duration { .seconds(10) }
    /// The most bytes of a question. A larger datagram is not answered, and a connection that announces more is ended.
    public static var questionByteLimit: Int { 4096 }
    /// The most questions that others are asked for at once; beyond them a question is answered with "refused".
    public static var forwardLimit: Int { NameForwarder.questionLimit }
    /// The most of those that came over connections.
    public static var forwardedStreamLimit: Int { NameForwarder.streamLimit }

    private let core: NameServerCore
    private let task: Task<Void, Never>

    /// Starts to answer.
    ///
    /// - Parameters:
    ///   - udp: the socket of UDP, or a duplicate of it.
    ///   - tcp: the listening socket of TCP, or a duplicate of it.
    ///   - table: what the sandbox's networks know.
    ///   - upstream: who is asked for what they do not.
    ///   - outside: the engine's network namespace, if it is not that of this process.
    /// - Throws: `system` where the sockets are none.
    public init(
        udp: consuming OwnedDescriptor, tcp: consuming OwnedDescriptor, table: NameTable, upstream: NameUpstream, reactor: Reactor,
        outside: NamespaceHandle? = nil
    ) throws(NetworkError) {
        do throws(Errno) {
            // The mode is shared with whoever holds the sockets besides, and reads nothing.
            try udp.setBlocking(false)
            try tcp.setBlocking(false)
        } catch {
            throw NetworkError(.system, "cannot serve names: \(error)")
        }
        let core = NameServerCore(
            udp: HeldSocket(udp), tcp: HeldSocket(tcp), table: table, upstream: upstream, reactor: reactor, outside: outside)
        self.core = core
        task = Task { await core.run() }
    }

    deinit { task.cancel() }

    /// Answers by another table from now on. What was asked before may still be answered by the former one.
    public func update(_ table: NameTable) { core.update(table) }

    /// Answers by what is known when the next question comes: for changes that come faster than questions.
    public func update(by makeTable: @escaping @Sendable () -> NameTable) { core.update(by: makeTable) }

    /// Asks others from now on. Who was asked already is still waited for.
    public func update(_ upstream: NameUpstream) { core.update(upstream) }

    /// Ends it, and waits until nothing is answered any more; who waits for an answer gets none from here. Doing it again is fine.
    public func close() async {
        task.cancel()
        await task.value
    }
}

/// What answers: a value's decisions, and the sockets.
final class NameServerCore: Sendable {
    struct Knowledge: Sendable {
        var table: NameTable
        /// Makes the table that counts, if it has changed since the last question.
        var makeTable: (@Sendable () -> NameTable)?
        var upstream: NameUpstream
    }

    /// What is done with what came.
    enum Handling: Sendable {
        /// This is told.
        case answer([UInt8])
        /// Others are asked: a place for it is taken.
        case forward(ForwardedQuestion, NameUpstream)
        /// Nothing.
        case nothing
    }

    /// How many datagrams are taken in one go.
    private static var batchCount: Int { 64 }
    /// How long is waited where the kernel has no room, before it is tried again.
    private static var pause: Duration { .milliseconds(100) }

    let reactor: Reactor
    private let udp: HeldSocket
    private let tcp: HeldSocket
    private let knowledge: Mutex<Knowledge>
    private let turn = Atomic<Int>(0)
    private let forwarder: NameForwarder

    init(
        udp: HeldSocket, tcp: HeldSocket, table: NameTable, upstream: NameUpstream, reactor: Reactor, outside: NamespaceHandle?
    ) {
        (self.udp, self.tcp, self.reactor) = (udp, tcp, reactor)
        knowledge = Mutex(Knowledge(table: table, upstream: upstream))
        let lane = Lane(named: "the name server of a sandbox")
        let engine: SocketSource
        if let outside {
            engine = SocketSource(lane: lane) { () throws(Errno) in outside }
        } else {
            engine = SocketSource(lane: lane, namespace: nil)
        }
        // The sockets tell whose they are: nobody else has to.
        let sandbox = SocketSource(lane: lane) { () throws(Errno) in
            NamespaceHandle(adopting: try udp.descriptor.networkNamespace())
        }
        forwarder = NameForwarder(reactor: reactor) { $0 == .engine ? engine : sandbox }
    }

    func update(_ table: NameTable) { knowledge.withLock { ($0.table, $0.makeTable) = (table, nil) } }

    func update(by makeTable: @escaping @Sendable () -> NameTable) { knowledge.withLock { $0.makeTable = makeTable } }

    /// What is known now. It is made outside of the lock; what changes meanwhile counts for the next question.
    private func current() -> (NameTable, NameUpstream) {
        guard let makeTable = knowledge.withLock({ $0.makeTable.take() }) else { return knowledge.withLock { ($0.table, $0.upstream) } }
        let table = makeTable()
        return knowledge.withLock { knowledge in
            knowledge.table = table
            return (table, knowledge.upstream)
        }
    }
    func update(_ upstream: NameUpstream) { knowledge.withLock { $0.upstream = upstream } }

    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.serveDatagrams() }
            group.addTask { await self.serveConnections() }
        }
    }

    // MARK: Deciding

    func handle(_ bytes: [UInt8], overStream: Bool) -> Handling {
        let query: NameQuery
        switch NameQuery.read(bytes) {
        case .query(let read): query = read
        case .refusal(let answer): return .answer(answer)
        case .nothing: return .nothing
        }
        let limit = overStream ? nil : query.maximumByteCount
        let (table, upstream) = current()
        if let answer = table.answer(to: query, turn: turn.wrappingAdd(1, ordering: .relaxed).oldValue) {
            return .answer(answer.bytes(to: query, limit: limit))
        }
        if upstream.keepsSingleLabels, query.name.labels.count == 1, [.a, .aaaa].contains(query.kind) {
            return .answer(NameAnswer(.success).bytes(to: query, limit: limit))
        }
        guard forwarder.admit(overStream: overStream) else { return .answer(NameAnswer(.refused).bytes(to: query, limit: limit)) }
        return .forward(ForwardedQuestion(query, in: bytes, isOverStream: overStream), upstream)
    }

    func forward(_ question: ForwardedQuestion, _ upstream: NameUpstream) async -> [UInt8] { await forwarder.ask(question, upstream) }

    // MARK: UDP

    private func serveDatagrams() async {
        await withDiscardingTaskGroup { group in
            // One byte more than is taken, which shows what is too large.
            var buffer = [UInt8](repeating: 0, count: NameServer.questionByteLimit + 1)
            while await canGoOn({ () async throws(ReactorError) in try await reactor.waitReadable(udp.descriptor) }) {
                for _ in 0..<Self.batchCount {
                    let datagram: (byteCount: Int, sender: InternetEndpoint)?
                    do throws(Errno) { datagram = try udp.descriptor.receiveDatagram(into: &buffer) } catch {
                        await rest()
                        break
                    }
                    guard let datagram else { break }
                    guard datagram.byteCount <= NameServer.questionByteLimit else { continue }
                    switch handle(Array(buffer[..<datagram.byteCount]), overStream: false) {
                    case .answer(let answer): tell(answer, datagram.sender)
                    case .forward(let question, let upstream):
                        group.addTask { [self] in
                            let answer = await forward(question, upstream)
                            if !Task.isCancelled { tell(answer, datagram.sender) }
                        }
                    case .nothing: break
                    }
                }
            }
            group.cancelAll()
        }
    }

    /// What cannot be sent now is lost: who asked by a datagram asks again.
    private func tell(_ answer: [UInt8], _ receiver: InternetEndpoint) {
        _ = try? udp.descriptor.sendDatagram(answer, to: receiver, from: Self.sender)
    }

    /// Sockets that were made before the loopback interface was up would answer from another address.
    private static let sender = InternetEndpoint(address: NameSockets.address.bytes, port: 0)

    // MARK: TCP

    private func serveConnections() async {
        await withTaskGroup(of: Void.self) { group in
            var count = 0
            while await canGoOn({ () async throws(ReactorError) in try await reactor.waitReadable(tcp.descriptor) }) {
                do throws(Errno) {
                    guard let connection = try tcp.descriptor.acceptConnection() else { continue }
                    let socket = HeldSocket(connection)
                    group.addTask { [self] in await NameConnection(socket, self).serve() }
                    count += 1
                } catch {
                    // The connection has gone already, or there is no room for it yet.
                    await rest()
                }
                while count >= NameServer.connectionLimit {
                    await group.next()
                    count -= 1
                }
            }
            group.cancelAll()
        }
    }

    // MARK: Waiting

    /// Waits for something; `false` once this is to end. Where it cannot be waited for now, it is tried again in a moment.
    private func canGoOn(_ wait: () async throws(ReactorError) -> Void) async -> Bool {
        do throws(ReactorError) { try await wait() } catch {
            if error.code != .cancelled { await rest() }
        }
        return !Task.isCancelled
    }

    private func rest() async {
        // It ends early if the task does.
        try? await reactor.sleep(for: Self.pause)
    }
}
