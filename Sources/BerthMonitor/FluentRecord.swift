internal import BerthLaunch

/// An entry in fluentd's forward protocol, message mode: the MessagePack of `[tag, time, record, option]`.
struct FluentRecord {
    let tag: String
    let fields: [LogReceiver.Field]
    let hasNanoseconds: Bool

    /// - Parameter chunk: what the entry is called in the answer that is asked for; empty where none is.
    func bytes(of entry: LogEntry, chunk: [UInt8] = []) -> [UInt8] {
        var out = MessagePack()
        out.array(count: 4)
        out.string(Array(tag.utf8))
        if hasNanoseconds { out.eventTime(entry.time) } else { out.unsigned(UInt64(entry.time / 1_000_000_000)) }
        var record = fields.map { ($0.name, Array($0.value.utf8)) }
        record += [("source", Array((entry.isError ? "stderr" : "stdout").utf8)), ("log", entry.bytes)]
        if let piece = entry.piece {
            let facts = [
                ("partial_message", "true"), ("partial_id", piece.id), ("partial_ordinal", "\(piece.ordinal)"),
                ("partial_last", "\(piece.isLast)"),
            ]
            record += facts.map { ($0, Array($1.utf8)) }
        }
        out.map(count: record.count)
        for (name, value) in record {
            out.string(Array(name.utf8))
            out.string(value)
        }
        out.map(count: chunk.isEmpty ? 0 : 1)
        if !chunk.isEmpty {
            out.string(Array("chunk".utf8))
            out.string(chunk)
        }
        return out.bytes
    }
}

/// What of MessagePack a record takes, each in its shortest form.
struct MessagePack {
    private(set) var bytes: [UInt8] = []

    mutating func array(count: Int) { head(small: 0x90, below: 16, [0xdc, 0xdd], count) }
    mutating func map(count: Int) { head(small: 0x80, below: 16, [0xde, 0xdf], count) }

    mutating func string(_ text: [UInt8]) {
        if text.count < 32 {
            bytes.append(0xa0 | UInt8(text.count))
        } else if let count = UInt8(exactly: text.count) {
            bytes += [0xd9, count]
        } else {
            head(small: 0, below: 0, [0xda, 0xdb], text.count)
        }
        bytes += text
    }

    mutating func unsigned(_ value: UInt64) {
        if value < 128 {
            bytes.append(UInt8(value))
        } else if let value = UInt32(exactly: value) {
            bytes.append(0xce)
            number(value)
        } else {
            bytes.append(0xcf)
            number(value)
        }
    }

    /// fluentd's own type 0: seconds and nanoseconds in four bytes each.
    mutating func eventTime(_ time: Int64) {
        bytes += [0xd7, 0]
        number(UInt32(truncatingIfNeeded: time / 1_000_000_000))
        number(UInt32(truncatingIfNeeded: time % 1_000_000_000))
    }

    private mutating func head(small: UInt8, below limit: Int, _ kinds: [UInt8], _ count: Int) {
        if count < limit {
            bytes.append(small | UInt8(count))
        } else if let count = UInt16(exactly: count) {
            bytes.append(kinds[0])
            number(count)
        } else {
            bytes.append(kinds[1])
            number(UInt32(clamping: count))
        }
    }

    /// The highest byte first.
    private mutating func number(_ value: some FixedWidthInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
}
