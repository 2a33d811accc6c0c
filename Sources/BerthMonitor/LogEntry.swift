/// What one record tells a receiver: a line of output, or 16 KiB of a longer one.
struct LogEntry {
    /// Which piece of a line it is that comes in several.
    struct Piece {
        /// The same for all pieces of a line, and for no others.
        var id: String
        /// 1 is the first.
        var ordinal: Int
        var isLast: Bool
    }
    /// Without the newline.
    var bytes: [UInt8]
    var isError: Bool
    /// When the line was read, or its first piece: nanoseconds since 1970.
    var time: Int64
    var piece: Piece?
}

/// One stream's output as entries.
struct EntrySeries {
    let isError: Bool
    private var splitter = LineSplitter()
    /// The line whose pieces are coming.
    private var line: (id: String, ordinal: Int, time: Int64)?

    init(isError: Bool) { self.isError = isError }

    mutating func append(_ bytes: borrowing Span<UInt8>, time: Int64) -> [LogEntry] {
        let isError = isError
        var entries: [LogEntry] = []
        splitter.append(bytes) { entries.append(LogEntry(bytes: Array($0), isError: isError, time: time)) }
        return entries.map { numbered($0) }
    }

    /// What has no newline is a piece whose line has not ended, also when there will be no more: as with Docker.
    mutating func finish(time: Int64) -> [LogEntry] {
        let isError = isError
        var entries: [LogEntry] = []
        splitter.finish { entries.append(LogEntry(bytes: Array($0), isError: isError, time: time)) }
        return entries.map { numbered($0) }
    }

    private mutating func numbered(_ entry: LogEntry) -> LogEntry {
        var entry = entry
        let isLast = entry.bytes.last == 10
        if isLast { entry.bytes.removeLast() }
        if line == nil, isLast { return entry }
        let known = line ?? (Self.newID(), 0, entry.time)
        entry.time = known.time
        entry.piece = LogEntry.Piece(id: known.id, ordinal: known.ordinal + 1, isLast: isLast)
        line = isLast ? nil : (known.id, known.ordinal + 1, known.time)
        return entry
    }

    /// 64 digits, as Docker's are.
    private static func newID() -> String {
        (0..<4).map { _ in
            let digits = String(UInt64.random(in: 0...UInt64.max), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

extension [UInt8] {
    init(_ span: borrowing Span<UInt8>) { self = unsafe span.withUnsafeBufferPointer { unsafe Array($0) } }
}
