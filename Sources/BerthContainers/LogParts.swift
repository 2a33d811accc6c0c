internal import BerthLinux

/// One file of a log, open. It stays what it is, whatever it is called later.
struct LogPart: Sendable {
    let file: FileHolder
    let device: UInt64
    let inode: UInt64
    /// How long it was when it was opened.
    let byteCount: Int64
    /// When it was last written by then.
    let modificationTime: FileTime

    func isSame(_ other: LogPart) -> Bool { device == other.device && inode == other.inode }
}

/// The files of a log.
enum LogParts {
    /// The highest number that a full file has.
    private static let numberLimit = LogSettings.fileCountLimit

    /// How often the files are looked through anew because the log went on to another one meanwhile.
    private static let attemptLimit = 64

    /// Opens all that there are, or those that are younger than one of them, the oldest first.
    ///
    /// They are opened from the youngest on. A rotation meanwhile makes them older, so that none is missed; after two, one that is younger than the first may have
    /// the name of the next: so the log must be the same file before and after.
    static func open(_ name: PathBytes, in directory: borrowing Directory, after known: LogPart? = nil) throws(Errno) -> [LogPart] {
        var parts: [LogPart] = []
        for _ in 0..<attemptLimit {
            parts = try look(name, in: directory, after: known)
            guard let last = parts.last ?? known else { return [] }
            // Between two files there is none of that name for a moment.
            guard let status = try directory.statusIfThere(name) else { continue }
            if status.inode == last.inode, status.device == last.device { return parts }
        }
        // It goes on faster than it is looked through, or was killed between two files: what is full is not written any more.
        return parts.sorted {
            ($0.modificationTime.seconds, $0.modificationTime.nanoseconds) < ($1.modificationTime.seconds, $1.modificationTime.nanoseconds)
        }
    }

    private static func look(_ name: PathBytes, in directory: borrowing Directory, after known: LogPart?) throws(Errno) -> [LogPart] {
        var parts: [LogPart] = []
        func isNew(_ part: LogPart) -> Bool { !parts.contains { $0.isSame(part) } }
        if let part = try openOne(name, in: directory) {
            if known?.isSame(part) ?? false { return [] }
            parts.append(part)
        }
        let numbers = try numbers(of: name, in: directory)
        guard let last = numbers.last else { return parts }
        // One more: the oldest may just have been moved on.
        for number in 1...last + 1 {
            guard let part = try openOne(try numbered(name, number), in: directory), isNew(part) else { continue }
            if known?.isSame(part) ?? false { break }
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
        return LogPart(
            file: file, device: status.device, inode: status.inode, byteCount: status.byteCount, modificationTime: status.modificationTime)
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
