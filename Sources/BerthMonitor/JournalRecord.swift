internal import BerthLaunch

/// An entry in journald's native protocol: a field a line, or, where a value has lines itself, its length in eight bytes.
struct JournalRecord {
    private let fields: [UInt8]

    init(_ fields: [LogReceiver.Field]) { self.fields = fields.flatMap { Self.field($0.name, Array($0.value.utf8)) } }

    func bytes(of entry: LogEntry) -> [UInt8] {
        var record = Self.field("PRIORITY", [UInt8(ascii: entry.isError ? "3" : "6")]) + Self.field("MESSAGE", entry.bytes) + fields
        guard let piece = entry.piece else { return record }
        let facts = [
            ("CONTAINER_PARTIAL_ID", piece.id), ("CONTAINER_PARTIAL_ORDINAL", "\(piece.ordinal)"),
            ("CONTAINER_PARTIAL_LAST", "\(piece.isLast)"),
        ]
        for (name, value) in facts { record += Self.field(name, Array(value.utf8)) }
        return piece.isLast ? record : record + Self.field("CONTAINER_PARTIAL_MESSAGE", Array("true".utf8))
    }

    private static func field(_ name: String, _ value: [UInt8]) -> [UInt8] {
        guard value.contains(10) else { return Array(name.utf8) + [UInt8(ascii: "=")] + value + [10] }
        let count = (0..<8).map { UInt8(truncatingIfNeeded: UInt64(value.count) >> (8 * $0)) }
        return Array(name.utf8) + [10] + count + value + [10]
    }
}
