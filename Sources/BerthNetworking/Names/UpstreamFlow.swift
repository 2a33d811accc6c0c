internal import BerthLinux
internal import BerthReactor
internal import Synchronization

/// What came of asking one server.
enum UpstreamOutcome: Sendable {
    /// This is to be told.
    case answer([UInt8])
    /// The server will not, or cannot.
    case refusal
    /// It has said nothing in time.
    case silence
    /// It cannot be reached, or whoever asked has gone.
    case failure
}

/// A socket of UDP to one server, from a port that the kernel has drawn, over which several questions are under way.
///
/// It has an end: once so many questions have been asked over it, or none is under way any more, the next gets another one with another port, which
/// a stranger who would answer in the server's place has to guess anew, as well as each question's number.
final class UpstreamFlow: Sendable {
    /// The most questions of one.
    static var questionLimit: Int { 32 }
    /// The most bytes of an answer: of any datagram.
    private static var answerByteLimit: Int { 65_535 }
    /// How many datagrams are taken in one go.
    private static var batchCount: Int { 64 }

    private struct Entry {
        var question: ForwardedQuestion
        var continuation: CheckedContinuation<UpstreamOutcome, Never>?
    }
    private struct State {
        var entries: [UInt16: Entry] = [:]
        /// The numbers of all its questions: none is given twice, and so no late answer is taken for another's.
        var ids: Set<UInt16> = []
        var hasEnded = false
        var reader: Task<Void, Never>?
    }
    private let state = Mutex(State())
    private let socket: HeldSocket
    private let reactor: Reactor

    /// Over a socket that is connected to the server.
    init(_ socket: HeldSocket, reactor: Reactor) { (self.socket, self.reactor) = (socket, reactor) }

    /// Whether it takes no more questions.
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    /// Takes a place for a question; `nil` once this has come to its end.
    func reserve(_ question: ForwardedQuestion) -> UInt16? {
        state.withLock { state in
            guard !state.hasEnded else { return nil }
            var id = UInt16.random(in: 0...UInt16.max)
            while !state.ids.insert(id).inserted { id = UInt16.random(in: 0...UInt16.max) }
            state.entries[id] = Entry(question: question)
            state.hasEnded = state.ids.count >= Self.questionLimit
            if state.reader == nil { state.reader = Task { [self] in await read() } }
            return id
        }
    }

    /// Asks what a place was taken for, and gives it up.
    func ask(_ id: UInt16, _ question: ForwardedQuestion, timeout: Duration) async -> UpstreamOutcome {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                do throws(ReactorError) {
                    try await reactor.sleep(for: timeout)
                    finish(id, .silence)
                } catch {
                    // There was an answer, or nobody wants one any more.
                    finish(id, .failure)
                }
            }
            let outcome = await withCheckedContinuation { wait(for: id, question, $0) }
            group.cancelAll()
            return outcome
        }
    }

    private func wait(for id: UInt16, _ question: ForwardedQuestion, _ continuation: CheckedContinuation<UpstreamOutcome, Never>) {
        let isThere = state.withLock { state in
            guard state.entries[id] != nil else { return false }
            state.entries[id]?.continuation = continuation
            return true
        }
        guard isThere else { return continuation.resume(returning: .failure) }
        do throws(Errno) {
            // Where there is no room, it is as if it were lost on the way.
            _ = try socket.descriptor.sendNow(question.message(id: id))
        } catch {
            finish(id, .failure)
        }
    }

    private func finish(_ id: UInt16, _ outcome: UpstreamOutcome) {
        finish(outcome) { $0.removeValue(forKey: id).map { [$0] } ?? [] }
    }

    private func finish(_ outcome: UpstreamOutcome, _ remove: (inout [UInt16: Entry]) -> [Entry]) {
        let (removed, reader) = state.withLock { state -> ([Entry], Task<Void, Never>?) in
            let removed = remove(&state.entries)
            guard state.entries.isEmpty else { return (removed, nil) }
            state.hasEnded = true
            return (removed, state.reader)
        }
        for entry in removed { entry.continuation?.resume(returning: outcome) }
        reader?.cancel()
    }

    private func read() async {
        var buffer = [UInt8](repeating: 0, count: Self.answerByteLimit)
        while !Task.isCancelled {
            do throws(ReactorError) { try await reactor.waitReadable(socket.descriptor) } catch {
                // Without a wait there is no answer.
                return failAll()
            }
            for _ in 0..<Self.batchCount {
                do throws(Errno) {
                    guard let count = try socket.descriptor.receiveNow(into: &buffer) else { break }
                    take(Array(buffer[..<count]))
                } catch {
                    // Nobody is there, or no way leads there.
                    failAll()
                    break
                }
            }
        }
    }

    private func failAll() {
        finish(.failure) { entries in
            defer { entries = [:] }
            return Array(entries.values)
        }
    }

    private func take(_ answer: [UInt8]) {
        guard answer.count >= 2 else { return }
        let id = UInt16(answer[0]) << 8 | UInt16(answer[1])
        guard let question = state.withLock({ $0.entries[id]?.question }) else { return }
        switch question.judge(answer, id: id) {
        case .answer(let bytes): finish(id, .answer(bytes))
        case .refusal: finish(id, .refusal)
        case .foreign: break
        }
    }
}
