internal import BerthLinux
internal import BerthReactor

/// A connection over which questions come, several at once if the asker likes: each is answered when its answer is there (RFC 7766, section 6.2.1.1).
struct NameConnection: Sendable {
    /// The most questions of one connection that are under way: beyond them nothing is read.
    static var questionLimit: Int { 16 }
    /// The most bytes of answers that wait to be taken: beyond them nothing is read.
    static var answerByteLimit: Int { 128 << 10 }

    private enum Event: Sendable {
        case received([UInt8])
        /// Nothing has come for long.
        case idle
        /// Nothing more comes.
        case ended
        case answered([UInt8])
        case written(Bool)
    }

    private let socket: HeldSocket
    private let server: NameServerCore

    init(_ socket: HeldSocket, _ server: NameServerCore) { (self.socket, self.server) = (socket, server) }

    /// Answers until the other side ends, is silent or does not take its answers, or the task is cancelled.
    func serve() async {
        await withTaskGroup(of: Event.self) { group in
            var frames = NameFrames(limit: NameServer.questionByteLimit)
            var answers: [UInt8] = []
            var underWay = 0
            var (isReading, isWriting, hasEnded) = (false, false, false)
            var hasRoom: Bool { underWay < Self.questionLimit && answers.count < Self.answerByteLimit }
            while !Task.isCancelled {
                while hasRoom, let message = frames.next() {
                    switch server.handle(message, overStream: true) {
                    case .answer(let answer): answers += NameFrames.framed(answer)
                    case .forward(let question, let upstream):
                        underWay += 1
                        group.addTask { .answered(await server.forward(question, upstream)) }
                    case .nothing: break
                    }
                }
                if frames.isBroken { hasEnded = true }
                if !isWriting, !answers.isEmpty {
                    isWriting = true
                    let bytes = answers
                    answers = []
                    group.addTask { .written(await write(bytes)) }
                }
                if !isReading, !hasEnded, hasRoom {
                    isReading = true
                    group.addTask { await read() }
                }
                if hasEnded, !isWriting, underWay == 0 { break }
                guard let event = await group.next() else { break }
                switch event {
                case .received(let bytes):
                    isReading = false
                    frames.add(bytes)
                case .idle:
                    isReading = false
                    if !isWriting, underWay == 0 { hasEnded = true }
                case .ended: (isReading, hasEnded) = (false, true)
                case .answered(let answer):
                    underWay -= 1
                    answers += NameFrames.framed(answer)
                case .written(let isTaken):
                    isWriting = false
                    if !isTaken { (hasEnded, underWay) = (true, 0) }
                }
                if hasEnded, underWay == 0, !isWriting, answers.isEmpty { break }
            }
            group.cancelAll()
        }
    }

    private func read() async -> Event {
        await server.reactor.within(NameServer.idleTimeout) {
            var buffer = [UInt8](repeating: 0, count: NameServer.questionByteLimit + 2)
            while true {
                do {
                    if let count = try socket.descriptor.receiveNow(into: &buffer) {
                        return count == 0 ? .ended : .received(Array(buffer[..<count]))
                    }
                    try await server.reactor.waitReadable(socket.descriptor)
                } catch {
                    return Task.isCancelled ? nil : .ended
                }
            }
        } ?? .idle
    }

    private func write(_ bytes: [UInt8]) async -> Bool {
        await server.reactor.within(NameServer.idleTimeout) {
            do {
                try await server.reactor.send(bytes, over: socket)
                return true
            } catch {
                // The other side has gone, or does not take it in time.
                return false
            }
        } ?? false
    }
}
