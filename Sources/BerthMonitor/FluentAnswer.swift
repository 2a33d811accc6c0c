/// What a receiver of fluentd's answers to a record that has asked for it: the MessagePack of `{"ack": CHUNK}` (Fluentd Forward Protocol Specification, v1.5,
/// "Response").
enum FluentAnswer: Equatable {
    /// There is more to come.
    case partial
    /// It has what is called so.
    case acknowledged([UInt8])
    /// It is no answer.
    case nonsense

    /// An answer is never longer.
    static let byteLimit = 4096

    /// What the bytes that have come say.
    init(_ bytes: [UInt8]) {
        var rest = bytes[...]
        do throws(Flaw) {
            let count: Int
            switch try Self.byte(&rest) {
            case let head where head & 0xf0 == 0x80: count = Int(head & 0x0f)
            case 0xde: count = try Self.number(&rest, byteCount: 2)
            default: throw .nonsense
            }
            var chunk: [UInt8]?
            for _ in 0..<count {
                let (name, value) = (try Self.text(&rest), try Self.text(&rest))
                if name == Array("ack".utf8) { chunk = value }
            }
            self = chunk.map { .acknowledged($0) } ?? .nonsense
        } catch { self = error == .partial && bytes.count < Self.byteLimit ? .partial : .nonsense }
    }

    private enum Flaw: Error { case partial, nonsense }

    private static func byte(_ rest: inout ArraySlice<UInt8>) throws(Flaw) -> UInt8 {
        guard let byte = rest.popFirst() else { throw .partial }
        return byte
    }

    private static func number(_ rest: inout ArraySlice<UInt8>, byteCount: Int) throws(Flaw) -> Int {
        var value = 0
        for _ in 0..<byteCount { value = value << 8 | Int(try byte(&rest)) }
        return value
    }

    /// A text, or bytes.
    private static func text(_ rest: inout ArraySlice<UInt8>) throws(Flaw) -> [UInt8] {
        let count: Int
        switch try byte(&rest) {
        case let head where head & 0xe0 == 0xa0: count = Int(head & 0x1f)
        case 0xc4, 0xd9: count = try number(&rest, byteCount: 1)
        case 0xc5, 0xda: count = try number(&rest, byteCount: 2)
        default: throw .nonsense
        }
        guard rest.count >= count else { throw .partial }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }
}
