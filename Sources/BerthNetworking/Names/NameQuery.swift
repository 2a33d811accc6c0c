/// A question to a name server (RFC 1035, section 4.1; RFC 6891), as it came.
public struct NameQuery: Sendable {
    /// What is asked for, by its number in the registry of the Internet.
    public struct Kind: RawRepresentable, Hashable, Sendable {
        /// The number.
        public let rawValue: UInt16
        /// A kind of this number.
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        /// An address of version 4.
        public static var a: Kind { Kind(rawValue: 1) }
        /// An address of version 6.
        public static var aaaa: Kind { Kind(rawValue: 28) }
        /// The name of an address.
        public static var ptr: Kind { Kind(rawValue: 12) }
        /// Whatever there is.
        public static var any: Kind { Kind(rawValue: 255) }
    }

    /// What became of bytes that came.
    public enum Arrival: Sendable {
        /// A question.
        case query(NameQuery)
        /// Something else that is to be answered with this.
        case refusal([UInt8])
        /// What is answered with nothing: it is no question, or too short to say whose it is.
        case nothing
    }

    /// What the asker knows it by.
    public let id: UInt16
    /// What is asked about.
    public let name: DomainName
    /// What of it.
    public let kind: Kind
    /// Whether it is of the Internet, and of no other class.
    public let isOfInternet: Bool
    /// Whether the asker wants it to be looked up elsewhere.
    public let wantsRecursion: Bool
    /// The most bytes that the asker takes in one datagram.
    public let maximumByteCount: Int
    /// Whether the asker speaks EDNS.
    public let hasOptions: Bool
    /// The question as it came, letter for letter: the answer repeats it.
    let question: [UInt8]

    private static let headerByteCount = 12
    /// What everybody takes (RFC 1035, section 4.2.1).
    static let plainByteCount = 512
    /// More is not sent in one datagram, whatever is said: it would be cut into fragments (RFC 9715, section 3).
    static let largestByteCount = 1232

    /// Reads what came.
    public static func read(_ bytes: [UInt8]) -> Arrival {
        var reader = MessageReader(bytes)
        guard let id = reader.number(), let flags = reader.number(), flags & 0x8000 == 0 else { return .nothing }
        let refusal = { (code: NameAnswer.Code) -> Arrival in .refusal(NameAnswer.refusal(id: id, flags: flags, code)) }
        guard let questions = reader.number(), let answers = reader.number(), let authorities = reader.number(),
            let additions = reader.number()
        else { return refusal(.malformed) }
        guard flags & 0x7800 == 0 else { return refusal(.notImplemented) }
        // One question: what several would mean nobody has ever said (RFC 9619).
        guard questions == 1, answers == 0, authorities == 0 else { return refusal(.malformed) }
        let start = reader.position
        guard let name = reader.name(), let kind = reader.number(), let group = reader.number() else { return refusal(.malformed) }
        let question = Array(bytes[start..<reader.position])
        var options: (byteCount: Int, version: UInt8)?
        for _ in 0..<additions {
            guard let record = reader.record() else { return refusal(.malformed) }
            guard record.kind == 41 else { continue }
            guard options == nil, record.name.labels.isEmpty else { return refusal(.malformed) }
            options = (Int(record.group), UInt8(truncatingIfNeeded: record.lifetime >> 16))
        }
        let query = NameQuery(
            id: id, name: name, kind: Kind(rawValue: kind), isOfInternet: group == 1, wantsRecursion: flags & 0x0100 != 0,
            maximumByteCount: min(max(options?.byteCount ?? 0, plainByteCount), largestByteCount), hasOptions: options != nil,
            question: question)
        if let options, options.version > 0 { return .refusal(NameAnswer(.badVersion).bytes(to: query)) }
        return .query(query)
    }
}

/// Reads a message, of which nothing is believed.
private struct MessageReader {
    struct Record {
        var name: DomainName
        var kind: UInt16
        var group: UInt16
        var lifetime: UInt32
    }
    let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func number() -> UInt16? {
        guard position + 2 <= bytes.count else { return nil }
        defer { position += 2 }
        return UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
    }

    /// A name that is written out: there is nothing before a question that it could point to.
    mutating func name() -> DomainName? {
        var labels: [[UInt8]] = []
        while position < bytes.count {
            let count = Int(bytes[position])
            position += 1
            if count == 0 { return DomainName(labels: labels) }
            guard count <= DomainName.maximumLabelByteCount, position + count <= bytes.count,
                labels.count < DomainName.maximumByteCount / 2
            else { return nil }
            labels.append(Array(bytes[position..<position + count]))
            position += count
        }
        return nil
    }

    mutating func record() -> Record? {
        guard let name = name(), let kind = number(), let group = number(), let high = number(), let low = number(),
            let count = number(), position + Int(count) <= bytes.count
        else { return nil }
        position += Int(count)
        return Record(name: name, kind: kind, group: group, lifetime: UInt32(high) << 16 | UInt32(low))
    }
}
