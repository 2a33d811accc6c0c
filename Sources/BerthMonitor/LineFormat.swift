internal import Glibc

/// Turns a process's output into lines of Docker's json-file format: `{"log":"…\n","stream":"stdout","time":"…"}`.
///
/// A line is written when its end has come, or 16 KiB of it; the rest of a longer one follows as further entries, of which only the last ends in
/// `\n`; none of them ends within a character. One value a stream.
struct LineFormat {
    /// The most bytes of output in one entry, as with Docker.
    static let maximumEntryByteCount = 16 << 10

    private let suffixStart: [UInt8]
    private var partial: [UInt8] = []
    /// How many bytes of output are in the entries that were appended.
    private(set) var formattedByteCount: UInt64 = 0

    /// - Parameter attributes: what each entry has besides, as `"attrs":{…}`; empty for nothing.
    init(streamName: String, attributes: String = "") {
        suffixStart = Array(#"","stream":"\#(streamName)",\#(attributes.isEmpty ? "" : attributes + ",")"time":""#.utf8)
    }

    /// Whether there is a beginning of a line that has not been written.
    var hasPartialLine: Bool { !partial.isEmpty }

    /// Appends entries for what has come to `out`.
    ///
    /// - Parameter time: the time as text, the same for all entries of one batch.
    mutating func append(_ bytes: borrowing Span<UInt8>, time: [UInt8], to out: inout [UInt8]) {
        var start = 0
        let count = bytes.count
        while start < count {
            let room = Self.maximumEntryByteCount - partial.count
            let limit = min(count, start + room)
            let end = Self.newline(bytes, start, limit)
            if end < limit {
                entry(bytes, start, end + 1, time, &out)
                start = end + 1
            } else if limit - start == room {
                // In the middle of a character both halves would be lost: it goes into the next entry as a whole.
                if room > 3 {
                    let end = limit - Self.beginningOfCharacter(bytes, before: limit)
                    entry(bytes, start, end, time, &out)
                    start = end
                } else {
                    Self.copy(bytes, start, limit, &partial)
                    start = limit
                    let next = Array(partial.suffix(Self.beginningOfCharacter(partial.span, before: partial.count)))
                    partial.removeLast(next.count)
                    entry(bytes, limit, limit, time, &out)
                    partial += next
                }
            } else {
                Self.copy(bytes, start, count, &partial)
                return
            }
        }
    }

    /// Appends what is left when there will be no more.
    mutating func finish(time: [UInt8], to out: inout [UInt8]) {
        guard !partial.isEmpty else { return }
        entry([UInt8]().span, 0, 0, time, &out)
    }

    private mutating func entry(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int, _ time: [UInt8], _ out: inout [UInt8]) {
        out += #"{"log":""#.utf8
        formattedByteCount += UInt64(partial.count + end - start)
        if partial.isEmpty {
            Self.escape(bytes, start, end, &out)
        } else {
            Self.copy(bytes, start, end, &partial)
            Self.escape(partial.span, 0, partial.count, &out)
            partial.removeAll(keepingCapacity: true)
        }
        out += suffixStart
        out += time
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

    /// Where the next newline is; `end` if there is none before.
    private static func newline(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> Int {
        guard start < end else { return end }
        return unsafe bytes.withUnsafeBytes { buffer in
            let first = unsafe buffer.baseAddress! + start
            guard let found = unsafe memchr(first, 10, end - start) else { return end }
            return unsafe start + (UnsafeRawPointer(found) - first)
        }
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

    /// How many bytes before `end` are the beginning of a character, and no whole one: 0 ... 3.
    private static func beginningOfCharacter(_ bytes: borrowing Span<UInt8>, before end: Int) -> Int {
        for length in 1...3 where length <= end {
            let byte = bytes[end - length]
            if byte & 0xc0 == 0x80 { continue }
            let whole = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1
            return whole > length && byte <= 0xf4 ? length : 0
        }
        return 0
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
