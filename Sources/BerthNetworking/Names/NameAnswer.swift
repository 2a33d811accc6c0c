public import BerthNetlink

/// What a name server says to a question (RFC 1035, section 4.1).
public struct NameAnswer: Hashable, Sendable {
    /// How it ended.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The number, of which the upper bits are EDNS's.
        public let rawValue: UInt16
        /// A code of this number.
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        /// All is well; without records: there is the name, and nothing of that kind.
        public static var success: Code { Code(rawValue: 0) }
        /// The question cannot be read.
        public static var malformed: Code { Code(rawValue: 1) }
        /// It could not be found out.
        public static var failure: Code { Code(rawValue: 2) }
        /// There is no such name.
        public static var noSuchName: Code { Code(rawValue: 3) }
        /// Nobody does that here.
        public static var notImplemented: Code { Code(rawValue: 4) }
        /// It is not told.
        public static var refused: Code { Code(rawValue: 5) }
        /// A version of EDNS that is not known (RFC 6891, section 9).
        public static var badVersion: Code { Code(rawValue: 16) }
    }

    /// Something that is known of the name that was asked about.
    public enum Record: Hashable, Sendable {
        /// An address of it.
        case address(IPAddress)
        /// Its name, of an address.
        case pointer(DomainName)

        fileprivate var kind: NameQuery.Kind {
            switch self {
            case .address(let address): address.version == .v4 ? .a : .aaaa
            case .pointer: .ptr
            }
        }
        fileprivate var bytes: [UInt8] {
            switch self {
            case .address(let address): address.bytes
            case .pointer(let name): name.bytes
            }
        }
    }

    /// How it ended.
    public var code: Code
    /// What is known, in the order in which it is told.
    public var records: [Record]

    /// An answer of these.
    public init(_ code: Code, _ records: [Record] = []) { (self.code, self.records) = (code, records) }

    /// For how many seconds it may be remembered: as Docker says.
    public static var lifetime: UInt32 { 600 }

    /// The message.
    ///
    /// - Parameter limit: the most bytes that may be sent: `nil` for what goes over a stream, else what the asker takes. Of an answer that has more nothing is
    ///   told but that: the asker comes again over a stream.
    public func bytes(to query: NameQuery, limit: Int? = nil) -> [UInt8] {
        let whole = bytes(to: query, Array(records.prefix(Self.maximumRecordCount)), isCut: false)
        guard let limit, whole.count > limit else { return whole }
        return bytes(to: query, [], isCut: true)
    }

    /// More would not fit into the 65,535 bytes of a message, whatever they are.
    private static let maximumRecordCount = 240

    private func bytes(to query: NameQuery, _ records: [Record], isCut: Bool) -> [UInt8] {
        // An answer, of one who also asks others; what was wanted is repeated.
        let flags: UInt16 = 0x8080 | (query.wantsRecursion ? 0x0100 : 0) | (isCut ? 0x0200 : 0) | (code.rawValue & 15)
        var message = MessageWriter()
        for number in [query.id, flags, 1, UInt16(records.count), 0, query.hasOptions ? 1 : 0] { message.add(number) }
        message.bytes += query.question
        for record in records {
            // The name is where the question has it, behind the header.
            message.add(0xC00C)
            message.add(record.kind.rawValue)
            message.add(1)
            message.add(UInt16(Self.lifetime >> 16))
            message.add(UInt16(Self.lifetime & 0xFFFF))
            let data = record.bytes
            message.add(UInt16(data.count))
            message.bytes += data
        }
        if query.hasOptions {
            message.bytes.append(0)
            for number in [41, UInt16(NameQuery.largestByteCount), (code.rawValue >> 4) << 8, 0, 0] { message.add(number) }
        }
        return message.bytes
    }

    /// What is said to something that is no question: its header, and nothing more.
    static func refusal(id: UInt16, flags: UInt16, _ code: Code) -> [UInt8] {
        var message = MessageWriter()
        for number in [id, 0x8080 | (flags & 0x7900) | (code.rawValue & 15), 0, 0, 0, 0] { message.add(number) }
        return message.bytes
    }
}

private struct MessageWriter {
    var bytes: [UInt8] = []
    mutating func add(_ number: UInt16) { bytes += [UInt8(number >> 8), UInt8(truncatingIfNeeded: number)] }
}
