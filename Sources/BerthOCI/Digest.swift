/// The name of some bytes: a hash algorithm and the hash that it gave.
///
/// Written `sha256:` and 64 lowercase hexadecimal digits, or `sha512:` and 128 (OCI image specification, *Descriptor*, "Digests").
/// A value that exists is well-formed; whether some bytes have this digest is for whoever has them to check.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
    /// A hash algorithm that the specification registers.
    public enum Algorithm: String, Hashable, Sendable, CaseIterable {
        /// SHA-256, 32 bytes.
        case sha256
        /// SHA-512, 64 bytes.
        case sha512

        /// How many bytes the algorithm's hashes have.
        public var byteCount: Int { self == .sha256 ? 32 : 64 }
    }

    /// Why some text is no digest.
    public enum ParseError: Error, Hashable, CustomStringConvertible {
        /// There is no colon.
        case noSeparator
        /// The part before the colon is no registered algorithm.
        case unknownAlgorithm(String)
        /// The part behind the colon is too short or too long.
        case wrongLength(expected: Int, found: Int)
        /// A character of the hash is no lowercase hexadecimal digit.
        case notLowercaseHex(offset: Int)

        /// A sentence for people.
        public var description: String {
            switch self {
            case .noSeparator: "invalid digest: expected ALGORITHM:HEX"
            case .unknownAlgorithm(let name):
                "unsupported digest algorithm '\(Substring(name.unicodeScalars.prefix(64)))': expected sha256 or sha512"
            case .wrongLength(let expected, let found): "invalid digest length: expected \(expected) hexadecimal digits, found \(found)"
            case .notLowercaseHex(let offset):
                "invalid digest: the character at offset \(offset) of the hash is no lowercase hexadecimal digit"
            }
        }
    }

    /// The algorithm.
    public let algorithm: Algorithm
    // Inline: a digest allocates nothing. Bytes behind the algorithm's are zero.
    private let storage: [64 of UInt8]

    /// Parses `ALGORITHM:HEX`.
    public init(parsing text: some StringProtocol) throws(ParseError) {
        guard let colon = text.firstIndex(of: ":") else { throw .noSeparator }
        let name = String(text[..<colon])
        guard let algorithm = Algorithm(rawValue: name) else { throw .unknownAlgorithm(name) }
        let hex = text[text.index(after: colon)...].utf8
        let width = algorithm.byteCount * 2
        guard hex.count == width else { throw .wrongLength(expected: width, found: hex.count) }
        var bytes = [64 of UInt8](repeating: 0)
        for (offset, character) in hex.enumerated() {
            let nibble: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): nibble = character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): nibble = character - UInt8(ascii: "a") + 10
            default: throw .notLowercaseHex(offset: offset)
            }
            bytes[offset / 2] = bytes[offset / 2] << 4 | nibble
        }
        self.algorithm = algorithm
        storage = bytes
    }

    /// Takes the bytes that a hash function gave.
    ///
    /// - Returns: `nil` if their count is not the algorithm's.
    public init?(algorithm: Algorithm, bytes: some Sequence<UInt8>) {
        var storage = [64 of UInt8](repeating: 0)
        var count = 0
        for byte in bytes {
            guard count < algorithm.byteCount else { return nil }
            storage[count] = byte
            count += 1
        }
        guard count == algorithm.byteCount else { return nil }
        self.algorithm = algorithm
        self.storage = storage
    }

    /// The hash in lowercase hexadecimal.
    public var hex: String { text(after: "") }

    /// `ALGORITHM:HEX`.
    public var description: String { text(after: algorithm == .sha256 ? "sha256:" : "sha512:") }

    /// The hash in lowercase hexadecimal, behind something else.
    private func text(after prefix: StaticString) -> String {
        let length = prefix.utf8CodeUnitCount
        return unsafe String(unsafeUninitializedCapacity: length + algorithm.byteCount * 2) { buffer in
            for index in 0..<length { unsafe buffer[index] = prefix.utf8Start[index] }
            for index in 0..<algorithm.byteCount {
                unsafe buffer[length + index * 2] = Self.digit(storage[index] >> 4)
                unsafe buffer[length + index * 2 + 1] = Self.digit(storage[index] & 15)
            }
            return length + algorithm.byteCount * 2
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value }

    /// Same algorithm, same hash.
    public static func == (a: Self, b: Self) -> Bool {
        a.algorithm == b.algorithm && a.storage.indices.allSatisfy { a.storage[$0] == b.storage[$0] }
    }

    /// Eight bytes of a hash tell two digests apart.
    public func hash(into hasher: inout Hasher) {
        for index in 0..<8 { hasher.combine(storage[index]) }
    }
}

extension Digest: Codable {
    /// Decodes the text form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do { try self.init(parsing: text) } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    /// Encodes the text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
