internal import BerthLinux

/// Writes whole entries to a log's file, begins the next where it is full, and compresses those that were.
struct LogWriter: ~Copyable {
    private var file: OwnedDescriptor
    private let name: PathBytes
    private let directory: Directory
    private let limits: LogLimits
    /// Whether the file ends within a line.
    private var isTorn: Bool
    private var compression: LogCompression?
    /// Whether a full file may be there that is to be compressed.
    private(set) var isCompressing: Bool

    init(appendingTo name: PathBytes, in directory: borrowing Directory, limits: LogLimits) throws(Errno) {
        let file = try directory.openForAppending(name, permissions: 0o640)
        let kept = try directory.duplicate()
        isTorn = try Self.endsWithinLine(file, name, in: directory)
        (self.name, self.limits) = (name, limits)
        // Those that an earlier monitor left.
        isCompressing = limits.compresses
        self.directory = kept
        self.file = file
    }

    /// A monitor that was killed may have left half a line, which would spoil the next one too.
    private static func endsWithinLine(_ file: borrowing OwnedDescriptor, _ name: PathBytes, in directory: borrowing Directory)
        throws(Errno)
        -> Bool
    {
        let byteCount = try file.status().byteCount
        guard byteCount > 0 else { return false }
        let reading = try directory.openForReading(name)
        try reading.seek(to: byteCount - 1)
        var last: [UInt8] = [0]
        return try reading.read(intoArray: &last) == 1 && last != [10]
    }

    /// Compresses a piece of a full file. What cannot be compressed, as where there is no room, stays as it is and is tried again after the next rotation.
    mutating func compressMore() {
        do throws(Errno) {
            if compression == nil { compression = try LogCompression.next(of: name, in: directory, fileCount: limits.fileCount) }
            guard let compression else { return isCompressing = false }
            if try compression.step() { self.compression = nil }
        } catch {
            stopCompressing()
        }
    }

    private mutating func stopCompressing() {
        compression?.abandon()
        (compression, isCompressing) = (nil, false)
    }

    /// Compresses so much more, and stops.
    mutating func finishCompression(pieceCount: Int) {
        for _ in 0..<pieceCount where isCompressing { compressMore() }
        stopCompressing()
    }

    /// Writes all or leaves the file as it was: half a line would spoil the next one too.
    mutating func writeWhole(_ bytes: [UInt8]) -> Bool {
        guard var before = try? file.status().byteCount else { return false }  // a file that cannot be asked cannot be written either
        if limits.maximumByteCount > 0, before >= Int64(clamping: limits.maximumByteCount) {
            // One that is being compressed keeps its name until that is done.
            while compression != nil { compressMore() }
            do throws(Errno) {
                file = try LogRotation.rotate(name, in: directory, keeping: limits.fileCount)
                (isTorn, before, isCompressing) = (false, 0, limits.compresses)
            } catch {
                // The old file is written on, and the next lines try again: nothing is lost.
            }
        }
        do {
            if isTorn { try unsafe file.writeAll("\n".utf8Span.span.bytes) }
            isTorn = false
            try unsafe file.writeAll(bytes.span.bytes)
            return true
        } catch {
            do throws(Errno) { try file.truncate(to: before) } catch { isTorn = true }
            return false
        }
    }
}
