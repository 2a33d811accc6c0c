/// Turns a process's output into lines of Docker's json-file format: `{"log":"…\n","stream":"stdout","time":"…"}`. One value a stream.
struct LineFormat {
    private let suffixStart: [UInt8]
    private var splitter = LineSplitter()
    /// How many bytes of output are in the entries that were appended.
    private(set) var formattedByteCount: UInt64 = 0

    /// - Parameter attributes: what each entry has besides, as `"attrs":{…}`; empty for nothing.
    init(streamName: String, attributes: String = "") {
        suffixStart = Array(#"","stream":"\#(streamName)",\#(attributes.isEmpty ? "" : attributes + ",")"time":""#.utf8)
    }

    /// Appends entries for what has come to `out`.
    ///
    /// - Parameter time: the time as text, the same for all entries of one batch.
    mutating func append(_ bytes: borrowing Span<UInt8>, time: [UInt8], to out: inout [UInt8]) {
        let suffix = suffixStart + time
        var count: UInt64 = 0
        splitter.append(bytes) { Self.entry($0, suffix, &count, &out) }
        formattedByteCount += count
    }

    /// Appends what is left when there will be no more.
    mutating func finish(time: [UInt8], to out: inout [UInt8]) {
        let suffix = suffixStart + time
        var count: UInt64 = 0
        splitter.finish { Self.entry($0, suffix, &count, &out) }
        formattedByteCount += count
    }

    private static func entry(_ bytes: borrowing Span<UInt8>, _ suffix: [UInt8], _ count: inout UInt64, _ out: inout [UInt8]) {
        out += #"{"log":""#.utf8
        count += UInt64(bytes.count)
        escape(bytes, 0, bytes.count, &out)
        out += suffix
        out += "\"}\n".utf8
    }

    /// Appends bytes as the inside of a JSON string, as Docker does: `<`, `>`, `&`, U+2028 and U+2029 escaped, what is not UTF-8 replaced by U+FFFD.
    private static func escape(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int, _ out: inout [UInt8]) {
        var index = start
        var clean = start
        while index < end {
            index = plainEnd(bytes, index, end)
            guard index < end else { break }
            let byte = unsafe bytes[unchecked: index]
            if byte >= 0x80, let length = validSequence(bytes, index, end), !isLineSeparator(bytes, index, end) {
                index += length
                continue
            }
            copy(bytes, clean, index, &out)
            switch byte {
            case 0x22: out += #"\""#.utf8
            case 0x5c: out += #"\\"#.utf8
            case 0x0a: out += #"\n"#.utf8
            case 0x0d: out += #"\r"#.utf8
            case 0xe2 where isLineSeparator(bytes, index, end):
                out += bytes[index + 2] == 0xa8 ? #"\u2028"#.utf8 : #"\u2029"#.utf8
                index += 2
            case 0x80...: out += #"\ufffd"#.utf8
            default:
                let digits = Array("0123456789abcdef".utf8)
                out += #"\u00"#.utf8
                out.append(digits[Int(byte >> 4)])
                out.append(digits[Int(byte & 15)])
            }
            index += 1
            clean = index
        }
        copy(bytes, clean, end, &out)
    }

    // What every byte of a container's output goes through: many at a time.

    private static func copy(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int, _ out: inout [UInt8]) {
        guard start < end else { return }
        unsafe bytes.withUnsafeBufferPointer { unsafe out.append(contentsOf: UnsafeBufferPointer(rebasing: $0[start..<end])) }
    }

    /// The first byte from `start` on that may not stand in a JSON string as it is, or that is no ASCII; `end` if there is none before.
    private static func plainEnd(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> Int {
        unsafe bytes.withUnsafeBytes { buffer in
            var index = start
            while index + 8 <= end {
                let word = unsafe buffer.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                if hasSpecial(word) { break }
                index += 8
            }
            while index < end {
                let byte = unsafe buffer[index]
                guard byte &- 0x20 < 0x60, byte != 0x22, byte != 0x5c, byte | 0x02 != 0x3e, byte != 0x26 else { break }
                index += 1
            }
            return index
        }
    }

    /// Whether one of eight bytes may not stand in a JSON string as it is, or is no ASCII: a byte's highest bit is set in what is found out of it.
    @inline(__always)
    private static func hasSpecial(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        func isZero(_ bytes: UInt64) -> UInt64 { (bytes &- ones) & ~bytes }
        let isControl = (word &- ones &* 0x20) & ~word
        let isQuote = isZero(word ^ ones &* 0x22) | isZero(word ^ ones &* 0x5c)
        // 0x3c and 0x3e differ in one bit.
        let isMarkup = isZero((word | ones &* 0x02) ^ ones &* 0x3e) | isZero(word ^ ones &* 0x26)
        return (word | isControl | isQuote | isMarkup) & (ones &* 0x80) != 0
    }

    /// U+2028 and U+2029 end a line in JavaScript; Go escapes them.
    private static func isLineSeparator(_ bytes: borrowing Span<UInt8>, _ index: Int, _ end: Int) -> Bool {
        index + 2 < end && bytes[index] == 0xe2 && bytes[index + 1] == 0x80 && bytes[index + 2] & 0xfe == 0xa8
    }

    /// The length of the UTF-8 sequence at `index`, or `nil` if there is none that is well-formed.
    private static func validSequence(_ bytes: borrowing Span<UInt8>, _ index: Int, _ end: Int) -> Int? {
        let first = bytes[index]
        let (length, lowest, highest): (Int, UInt8, UInt8) =
            switch first {
            case 0xc2...0xdf: (2, 0x80, 0xbf)
            case 0xe0: (3, 0xa0, 0xbf)
            case 0xed: (3, 0x80, 0x9f)
            case 0xe1...0xef: (3, 0x80, 0xbf)
            case 0xf0: (4, 0x90, 0xbf)
            case 0xf1...0xf3: (4, 0x80, 0xbf)
            case 0xf4: (4, 0x80, 0x8f)
            default: (0, 0, 0)
            }
        guard length > 0, index + length <= end, (lowest...highest).contains(bytes[index + 1]) else { return nil }
        for offset in 2..<max(length, 2) where bytes[index + offset] & 0xc0 != 0x80 { return nil }
        return length
    }
}
