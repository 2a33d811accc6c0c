/// A question that is passed on: as it came, under another number.
struct ForwardedQuestion: Sendable {
    /// Whether it came over a stream, and so is passed on over one.
    let isOverStream: Bool
    private let bytes: [UInt8]
    private let query: NameQuery

    /// The question that was read from these bytes.
    init(_ query: NameQuery, in bytes: [UInt8], isOverStream: Bool) {
        (self.query, self.bytes, self.isOverStream) = (query, bytes, isOverStream)
    }

    /// The message to a server.
    func message(id: UInt16) -> [UInt8] { Self.number(id) + bytes.dropFirst(2) }

    /// What came of asking.
    enum Judgement: Hashable, Sendable {
        /// This is to be told.
        case answer([UInt8])
        /// The server will not, or cannot: another may.
        case refusal
        /// It is no answer to this question.
        case foreign
    }

    /// Judges what came back: nothing of it is believed, but that whoever knows the number and the question, and has the server's address, is the server.
    func judge(_ answer: [UInt8], id: UInt16) -> Judgement {
        guard answer.count >= 12, answer.starts(with: Self.number(id)), answer[2] & 0x80 != 0 else { return .foreign }
        let code = NameAnswer.Code(rawValue: UInt16(answer[3] & 15))
        let questionCount = Int(answer[4]) << 8 | Int(answer[5])
        if questionCount == 0 {
            // Who cannot read a question cannot repeat it.
            guard code != .success, code != .noSuchName else { return .foreign }
        } else {
            // It is repeated, but for the case of its letters.
            let repeated = answer.dropFirst(12).prefix(query.question.count)
            guard questionCount == 1, repeated.count == query.question.count,
                zip(repeated, query.question).allSatisfy({ Self.folded($0) == Self.folded($1) })
            else { return .foreign }
        }
        if code == .failure || code == .refused { return .refusal }
        return .answer(Self.number(query.id) + answer.dropFirst(2))
    }

    /// What is told where nobody knows.
    var failure: [UInt8] { NameAnswer(.failure).bytes(to: query) }

    private static func number(_ id: UInt16) -> [UInt8] { [UInt8(id >> 8), UInt8(id & 255)] }
    private static func folded(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 32 : byte }
}

/// In which order servers are asked, and how long each is waited for.
///
/// The order is the user's, but a server that was silent is asked last for a while: each question to it would cost its asker the whole wait.
struct ServerOrder: Sendable {
    /// For how long a server that was silent is asked last.
    static var silenceMemory: Duration { .seconds(30) }

    private var silentUntil: [NameUpstream.Server: ContinuousClock.Instant] = [:]

    /// How long each of so many is waited for. Together they take no longer than the usual resolver waits for one answer and asks again.
    static func timeout(serverCount: Int) -> Duration { serverCount > 2 ? .seconds(2) : .seconds(4) }

    /// Those servers, the one that is asked first being the first.
    func ordered(_ servers: [NameUpstream.Server], at now: ContinuousClock.Instant) -> [NameUpstream.Server] {
        let silent = servers.filter { silentUntil[$0].map { $0 > now } ?? false }
        return servers.filter { !silent.contains($0) } + silent
    }

    /// A server has said nothing in time.
    mutating func wasSilent(_ server: NameUpstream.Server, at now: ContinuousClock.Instant) {
        // Only servers of now count: there are few.
        silentUntil = silentUntil.filter { $0.value > now }
        silentUntil[server] = now.advanced(by: Self.silenceMemory)
    }

    /// A server has said something.
    mutating func hasAnswered(_ server: NameUpstream.Server) { silentUntil[server] = nil }
}

/// Messages of a stream, each with its length before it (RFC 1035, section 4.2.2).
struct NameFrames: Sendable {
    private var bytes: [UInt8] = []
    private let limit: Int
    /// A message was announced that is larger than what is taken: nothing that follows can be read.
    private(set) var isBroken = false

    /// Nothing yet; messages of at most so many bytes are taken.
    init(limit: Int) { self.limit = limit }

    /// Takes what came.
    mutating func add(_ more: some Sequence<UInt8>) { bytes += more }

    /// The next message, once all of it is there.
    mutating func next() -> [UInt8]? {
        guard !isBroken, bytes.count >= 2 else { return nil }
        let count = Int(bytes[0]) << 8 | Int(bytes[1])
        guard count <= limit else {
            isBroken = true
            return nil
        }
        guard bytes.count >= 2 + count else { return nil }
        defer { bytes.removeFirst(2 + count) }
        return Array(bytes[2..<2 + count])
    }

    /// A message as it is sent.
    static func framed(_ message: [UInt8]) -> [UInt8] { [UInt8(message.count >> 8 & 255), UInt8(message.count & 255)] + message }
}
