internal import BerthLaunch
internal import BerthLinux
internal import CZlib
internal import Glibc

/// A full file of a log that becomes a gzip file, a piece at a time: nothing waits longer for it than a piece takes.
///
/// `NAME.gz.new` grows, is synced and becomes `NAME.N.gz`; only then `NAME.N` is removed. At any time one of the two is whole.
@safe final class LogCompression {
    private let directory: Directory
    private let name: PathBytes
    private let compressedName: PathBytes
    private let unfinishedName: PathBytes
    private let source: OwnedDescriptor
    private let target: OwnedDescriptor
    private let stream: UnsafeMutablePointer<z_stream>
    private var checksum = crc32(0, nil, 0)
    private var byteCount: UInt32 = 0
    private var input = [UInt8](repeating: 0, count: 256 << 10)
    private var output = [UInt8](repeating: 0, count: 64 << 10)

    /// Begins with the youngest full file that is not compressed; `nil` where all are.
    static func next(of name: PathBytes, in directory: borrowing Directory, fileCount: Int) throws(Errno) -> LogCompression? {
        for number in 1..<max(fileCount, 1) {
            let full = try LogRotation.numbered(name, number)
            guard try LogRotation.form(of: full, in: directory) == .plain else { continue }
            return try LogCompression(full, unfinished: try PathBytes(name.bytes + Array(".gz.new".utf8)), in: directory)
        }
        return nil
    }

    private init(_ name: PathBytes, unfinished: PathBytes, in directory: borrowing Directory) throws(Errno) {
        (self.name, unfinishedName) = (name, unfinished)
        compressedName = try LogRotation.Form.compressed.name(name)
        self.directory = try directory.duplicate()
        source = try directory.openForReading(name)
        // What another left that was killed over it.
        if try directory.contains(unfinished) { try directory.removeFile(unfinished) }
        target = try directory.createFile(unfinished, permissions: 0o640)
        let status = try source.status()
        let time = status.modificationTime
        let mark = LogFileMark(inode: status.inode, seconds: time.seconds, nanoseconds: UInt32(clamping: time.nanoseconds))
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // Negative is without a header: ours says more than zlib's. 8 is its usual use of memory.
        let size = unsafe Int32(MemoryLayout<z_stream>.size)
        let result = unsafe deflateInit2_(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
        guard result == Z_OK else { throw .ENOMEM }
        try unsafe target.writeAll(mark.gzipHeader.span.bytes)
    }

    deinit {
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Compresses a piece. What is thrown leaves the file as it is, and what was made of it to ``abandon()``.
    ///
    /// - Returns: whether that was the last.
    func step() throws(Errno) -> Bool {
        let count = try source.read(intoArray: &input)
        unsafe checksum = input.withUnsafeBufferPointer { unsafe crc32(checksum, $0.baseAddress, UInt32(count)) }
        byteCount &+= UInt32(count)
        try deflate(count, isLast: count == 0)
        guard count == 0 else { return false }
        let trailer = [UInt32(truncatingIfNeeded: checksum), byteCount].flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        try unsafe target.writeAll(trailer.span.bytes)
        try target.synchronize()
        try directory.rename(unfinishedName, to: compressedName)
        try directory.synchronize()
        try directory.removeFile(name)
        return true
    }

    /// Removes what has been made so far. Where that cannot be, the next one does.
    func abandon() { try? directory.removeFile(unfinishedName) }  // gone, or in nobody's way

    private func deflate(_ count: Int, isLast: Bool) throws(Errno) {
        try unsafe input.withUnsafeMutableBufferPointer { (input) throws(Errno) in
            unsafe stream.pointee.next_in = input.baseAddress
            unsafe stream.pointee.avail_in = UInt32(count)
            var produced: Int
            repeat {
                let room = output.count
                produced = try unsafe output.withUnsafeMutableBufferPointer { (output) throws(Errno) in
                    unsafe stream.pointee.next_out = output.baseAddress
                    unsafe stream.pointee.avail_out = UInt32(room)
                    guard unsafe CZlib.deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH) != Z_STREAM_ERROR else { throw .EIO }
                    return unsafe room - Int(stream.pointee.avail_out)
                }
                try unsafe target.writeAll(Array(output[..<produced]).span.bytes)
            } while produced == output.count
        }
    }
}
