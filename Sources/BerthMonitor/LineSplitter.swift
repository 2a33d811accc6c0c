internal import Glibc

/// Cuts a process's output into entries of a log.
///
/// An entry ends with a line, or has 16 KiB of it; the rest of a longer line follows as further entries, of which only the last ends in `\n`; none of them ends
/// within a character. One value a stream.
struct LineSplitter {
    /// The most bytes of output in one entry, as with Docker.
    static let maximumEntryByteCount = 16 << 10

    private var partial: [UInt8] = []

    /// Gives the entries of what has come to `entry`; what is no whole one is kept.
    mutating func append(_ bytes: borrowing Span<UInt8>, _ entry: (borrowing Span<UInt8>) -> Void) {
        var start = 0
        let count = bytes.count
        while start < count {
            let room = Self.maximumEntryByteCount - partial.count
            let limit = min(count, start + room)
            let end = Self.newline(bytes, start, limit)
            if end < limit {
                give(bytes, start, end + 1, entry)
                start = end + 1
            } else if limit - start == room {
                // In the middle of a character both halves would be lost: it goes into the next entry as a whole.
                if room > 3 {
                    let end = limit - Self.beginningOfCharacter(bytes, before: limit)
                    give(bytes, start, end, entry)
                    start = end
                } else {
                    keep(bytes, start, limit)
                    start = limit
                    let next = Array(partial.suffix(Self.beginningOfCharacter(partial.span, before: partial.count)))
                    partial.removeLast(next.count)
                    finish(entry)
                    partial += next
                }
            } else {
                return keep(bytes, start, count)
            }
        }
    }

    /// Gives what is left when there will be no more.
    mutating func finish(_ entry: (borrowing Span<UInt8>) -> Void) {
        guard !partial.isEmpty else { return }
        entry(partial.span)
        partial.removeAll(keepingCapacity: true)
    }

    private mutating func give(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int, _ entry: (borrowing Span<UInt8>) -> Void) {
        guard !partial.isEmpty else { return entry(bytes.extracting(start..<end)) }
        keep(bytes, start, end)
        finish(entry)
    }

    private mutating func keep(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) {
        unsafe bytes.withUnsafeBufferPointer { unsafe partial.append(contentsOf: UnsafeBufferPointer(rebasing: $0[start..<end])) }
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
}
