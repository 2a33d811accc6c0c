/// The keys with which a client at a terminal leaves a container that runs on.
public struct DetachKeys: Hashable, Sendable, CustomStringConvertible {
    /// What the terminal sends for them.
    public let sequence: [UInt8]

    /// Docker's default: ctrl-p, ctrl-q.
    public static var standard: DetachKeys { DetachKeys(unchecked: [16, 17]) }

    private init(unchecked sequence: [UInt8]) { self.sequence = sequence }

    /// The most keys of a sequence.
    public static var maximumCount: Int { 64 }

    /// Parses Docker's text: keys between commas, each one character, `DEL`, or `ctrl-` and one of `a` … `z`, `@`, `[`, `\`, `]`, `^`, `_`.
    ///
    /// The empty text is the default.
    /// - Throws: `invalid`.
    public init(parsing text: String) throws(ContainerError) {
        if text.isEmpty {
            self = .standard
            return
        }
        var sequence: [UInt8] = []
        for key in text.split(separator: ",", omittingEmptySubsequences: false) {
            let bytes = Array(key.utf8)
            if bytes.count == 1, bytes[0] < 0x80 {
                sequence.append(bytes[0])
            } else if key.hasPrefix("ctrl-"), bytes.count == 6, let code = Self.control(bytes[5]) {
                sequence.append(code)
            } else if key == "DEL" {
                sequence.append(127)
            } else {
                throw ContainerError(
                    .invalid,
                    "Invalid detach keys (\(text)) provided: '\(key)' is neither one character nor DEL nor ctrl- with one of a-z@[\\]^_")
            }
        }
        guard sequence.count <= Self.maximumCount else {
            throw ContainerError(.invalid, "Invalid detach keys provided: \(sequence.count) keys, and the bound is \(Self.maximumCount)")
        }
        self.sequence = sequence
    }

    private static func control(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 1
        case UInt8(ascii: "@"): 0
        case UInt8(ascii: "["), UInt8(ascii: "\\"), UInt8(ascii: "]"), UInt8(ascii: "^"), UInt8(ascii: "_"): byte - 64
        default: nil
        }
    }

    /// Docker's text for them.
    public var description: String {
        sequence.map { byte in
            switch byte {
            case 0: "ctrl-@"
            case 1...26: "ctrl-\(Character(Unicode.Scalar(byte + 96)))"
            case 27...31: "ctrl-\(Character(Unicode.Scalar(byte + 64)))"
            case 127: "DEL"
            default: String(Character(Unicode.Scalar(byte)))
            }
        }.joined(separator: ",")
    }

    /// Looks for the keys in what a client types, wherever it is cut into pieces.
    public struct Matcher: Sendable {
        private let sequence: [UInt8]
        private var matched = 0

        /// Nothing typed yet.
        public init(_ keys: DetachKeys) { sequence = keys.sequence }

        /// Takes what was typed.
        ///
        /// - Returns: what is for the container: keys that may be the beginning of the sequence are held back until the next one shows that they are
        ///   not. And whether the sequence is complete: what follows it is dropped.
        public mutating func take(_ bytes: some Collection<UInt8>) -> (forContainer: [UInt8], isComplete: Bool) {
            guard !sequence.isEmpty else { return (Array(bytes), false) }
            var out: [UInt8] = []
            out.reserveCapacity(bytes.count)
            for byte in bytes {
                // What was held back and does not fit any more is let go from its front, until the rest with this byte is a beginning again.
                while matched > 0, sequence[matched] != byte {
                    var shift = 1
                    while shift < matched, !sequence[shift..<matched].elementsEqual(sequence[0..<matched - shift]) { shift += 1 }
                    out += sequence[0..<shift]
                    matched -= shift
                }
                if sequence[matched] == byte {
                    matched += 1
                    if matched == sequence.count {
                        matched = 0
                        return (out, true)
                    }
                } else {
                    out.append(byte)
                }
            }
            return (out, false)
        }

        /// What is still held back, for when no more is typed.
        public mutating func finish() -> [UInt8] {
            defer { matched = 0 }
            return Array(sequence[0..<matched])
        }
    }
}
