internal import BerthLaunch
internal import BerthLinux

/// One file of a log, open. It stays what it is, whatever it is called later; compressed, it is still the file that it was.
struct LogPart: Sendable {
    let file: FileHolder
    /// Which file it was before it was compressed; `nil` where it is not, or does not say so.
    let mark: LogFileMark?
    /// Whether the file is to be unpacked before it can be read.
    let isCompressed: Bool
    let device: UInt64
    let inode: UInt64
    /// How long it was when it was opened.
    let byteCount: Int64
    /// When it was last written by then.
    let modificationTime: FileTime

    func isSame(_ other: LogPart) throws(Errno) -> Bool {
        if inode == other.inode, device == other.device { return true }
        switch (mark, other.mark) {
        case (let mark?, nil): return try other.wasCompressed(as: mark)
        case (nil, let mark?): return try wasCompressed(as: mark)
        // Once compressed, a file is what it is.
        default: return false
        }
    }

    /// While it is held open nobody has its number, but one of before had it: that one was written earlier.
    private func wasCompressed(as mark: LogFileMark) throws(Errno) -> Bool {
        guard mark.inode == inode else { return false }
        let time = try file.value.status().modificationTime
        return time == FileTime(seconds: mark.seconds, nanoseconds: Int64(mark.nanoseconds))
    }
}

/// The files of a log.
enum LogParts {
    /// The highest number that a full file has.
    private static let numberLimit = LogSettings.fileCountLimit

    /// How often the files are looked through anew because the log went on to another one meanwhile.
    static let usualAttemptLimit = 64

    /// Opens all that there are, or those that are younger than one of them, the oldest first.
    ///
    /// They are opened from the youngest on. A rotation meanwhile makes them older, so that none is missed; after two, one that is younger than the first may have
    /// the name of the next: so the log must be the same file before and after.
    ///
    /// - Parameter attemptLimit: how often that is tried. What is opened the last time is returned; it lacks none but the youngest.
    static func open(
        _ name: PathBytes, in directory: borrowing Directory, after known: LogPart? = nil, attemptLimit: Int = usualAttemptLimit
    ) throws(Errno) -> [LogPart] {
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
        func isNew(_ part: LogPart) throws(Errno) -> Bool {
            for other in parts { if try other.isSame(part) { return false } }
            return true
        }
        if let part = try openOne(name, in: directory) {
            if let known, try known.isSame(part) { return [] }
            parts.append(part)
        }
        var number = 1
        // Files are moved on meanwhile, by any number of rotations: at the end is who has met nothing where the oldest is by now.
        while let last = try numbers(of: name, in: directory).last, number <= last + 1 {
            while number <= last + 1 {
                defer { number += 1 }
                guard let part = try openFull(try numbered(name, number), in: directory), try isNew(part) else { continue }
                if let known, try known.isSame(part) { return parts.reversed() }
                parts.append(part)
            }
        }
        return parts.reversed()
    }

    /// A full file. It is plain until after it is there compressed as well.
    private static func openFull(_ name: PathBytes, in directory: borrowing Directory) throws(Errno) -> LogPart? {
        if let part = try openOne(name, in: directory) { return part }
        return try openOne(try compressed(name), in: directory, isCompressed: true)
    }

    private static func openOne(_ name: PathBytes, in directory: borrowing Directory, isCompressed: Bool = false) throws(Errno) -> LogPart?
    {
        let file: FileHolder
        do { file = FileHolder(try directory.openForReading(name)) } catch {
            if error == .ENOENT { return nil }
            throw error
        }
        let status = try file.value.status()
        var mark: LogFileMark?
        if isCompressed {
            var header = [UInt8](repeating: 0, count: LogFileMark.headerByteCount)
            _ = try file.value.read(intoArray: &header)
            mark = LogFileMark(gzipHeader: header)
        }
        let time = mark.map { FileTime(seconds: $0.seconds, nanoseconds: Int64($0.nanoseconds)) }
        return LogPart(
            file: file, mark: mark, isCompressed: isCompressed, device: status.device, inode: status.inode, byteCount: status.byteCount,
            modificationTime: time ?? status.modificationTime)
    }

    /// How many bytes all of them have.
    static func byteCount(_ name: PathBytes, in directory: borrowing Directory) throws(Errno) -> UInt64 {
        var total = UInt64(max(0, try directory.statusIfThere(name)?.byteCount ?? 0))
        for number in try numbers(of: name, in: directory) {
            let full = try numbered(name, number)
            for form in [full, try compressed(full)] { total += UInt64(max(0, try directory.statusIfThere(form)?.byteCount ?? 0)) }
        }
        return total
    }

    private static func numbered(_ name: PathBytes, _ number: Int) throws(Errno) -> PathBytes {
        try PathBytes(name.bytes + Array(".\(number)".utf8))
    }

    private static func compressed(_ full: PathBytes) throws(Errno) -> PathBytes { try PathBytes(full.bytes + compressedSuffix) }

    private static let compressedSuffix = Array(".gz".utf8)

    /// The numbers of full files, in order.
    private static func numbers(of name: PathBytes, in directory: borrowing Directory) throws(Errno) -> [Int] {
        let prefix = name.bytes + [UInt8(ascii: ".")]
        let numbers = try directory.entries().compactMap { entry -> Int? in
            guard entry.name.bytes.starts(with: prefix) else { return nil }
            var digits = entry.name.bytes.dropFirst(prefix.count)
            if digits.suffix(compressedSuffix.count).elementsEqual(compressedSuffix) { digits.removeLast(compressedSuffix.count) }
            let number = Int(String(decoding: digits, as: UTF8.self))
            return number.flatMap { (1...numberLimit).contains($0) ? $0 : nil }
        }
        return Set(numbers).sorted()
    }
}
