internal import BerthLinux

/// One file of a log, open. It stays what it is, whatever it is called later.
struct LogPart: Sendable {
    let file: FileHolder
    let device: UInt64
    let inode: UInt64
    /// How long it was when it was opened.
    let byteCount: Int64

    func isSame(_ other: LogPart) -> Bool { device == other.device && inode == other.inode }
}

/// The files of a log.
enum LogParts {
    /// The highest number that a full file has.
    private static let numberLimit = LogSettings.fileCountLimit

    /// Opens all that there are, the oldest first. A rotation meanwhile makes none of them seen twice, and none missing: they are opened from the youngest on,
    /// and a rotation only makes them older.
    static func open(_ name: PathBytes, in directory: borrowing Directory) throws(Errno) -> [LogPart] {
        var parts: [LogPart] = []
        if let part = try openOne(name, in: directory) { parts.append(part) }
        let numbers = try numbers(of: name, in: directory)
        guard let last = numbers.last else { return parts }
        // One more: the oldest may just have been moved on.
        for number in 1...last + 1 {
            guard let part = try openOne(try numbered(name, number), in: directory), !parts.contains(where: { $0.isSame(part) }) else {
                continue
            }
            parts.append(part)
        }
        return parts.reversed()
    }

    static func openOne(_ name: PathBytes, in directory: borrowing Directory) throws(Errno) -> LogPart? {
        let file: FileHolder
        do { file = FileHolder(try directory.openForReading(name)) } catch {
            if error == .ENOENT { return nil }
            throw error
        }
        let status = try file.value.status()
        return LogPart(file: file, device: status.device, inode: status.inode, byteCount: status.byteCount)
    }

    /// How many bytes all of them have.
    static func byteCount(_ name: PathBytes, in directory: borrowing Directory) throws(Errno) -> UInt64 {
        var total = UInt64(max(0, try directory.statusIfThere(name)?.byteCount ?? 0))
        for number in try numbers(of: name, in: directory) {
            total += UInt64(max(0, try directory.statusIfThere(try numbered(name, number))?.byteCount ?? 0))
        }
        return total
    }

    private static func numbered(_ name: PathBytes, _ number: Int) throws(Errno) -> PathBytes {
        try PathBytes(name.bytes + Array(".\(number)".utf8))
    }

    /// The numbers of full files, in order.
    private static func numbers(of name: PathBytes, in directory: borrowing Directory) throws(Errno) -> [Int] {
        let prefix = name.bytes + [UInt8(ascii: ".")]
        return try directory.entries().compactMap { entry in
            guard entry.name.bytes.starts(with: prefix) else { return nil }
            let number = Int(String(decoding: entry.name.bytes.dropFirst(prefix.count), as: UTF8.self))
            return number.flatMap { (1...numberLimit).contains($0) ? $0 : nil }
        }.sorted()
    }
}
