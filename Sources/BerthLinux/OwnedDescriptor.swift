internal import CBerth
internal import Glibc

/// A file descriptor with one owner: closed when its owner goes.
///
/// The number is lent for the length of a call and leaves only through ``release()``. Every descriptor made by this
/// package is close-on-exec.
public struct OwnedDescriptor: ~Copyable, Sendable {
    private let raw: CInt

    /// Takes the ownership of an open descriptor.
    ///
    /// - Parameter raw: a descriptor that nobody else will close. A negative number is a mistake of the caller and stops the program.
    public init(adopting raw: CInt) {
        precondition(raw >= 0, "a descriptor is not negative")
        self.raw = raw
    }

    deinit { _ = close(raw) }

    /// Lends the number for the length of `body`, which must neither close nor keep it.
    public borrowing func withRawDescriptor<Result: ~Copyable, Failure: Error>(
        _ body: (CInt) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(raw)
    }

    /// Gives the ownership away: the caller closes the descriptor.
    public consuming func release() -> CInt {
        let raw = raw
        discard self
        return raw
    }

    /// A second descriptor for the same open file, close-on-exec.
    ///
    /// - Throws: `EMFILE` where the process may open no more.
    public borrowing func duplicate() throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(adopting: try check { fcntl(raw, F_DUPFD_CLOEXEC, 0) })
    }

    /// Reads once, up to the buffer's size. 0 is the end of the file.
    ///
    /// Interrupted calls are repeated. A descriptor that does not block throws `EAGAIN` where there is nothing.
    public borrowing func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try check { unsafe Glibc.read(raw, buffer.baseAddress, buffer.count) }
    }

    /// Writes once and says how much was taken.
    public borrowing func write(_ bytes: borrowing RawSpan) throws(Errno) -> Int {
        try unsafe bytes.withUnsafeBytes { (buffer) throws(Errno) in
            try check { unsafe Glibc.write(raw, buffer.baseAddress, buffer.count) }
        }
    }

    /// Writes everything; on failure some of it may have been written.
    public borrowing func writeAll(_ bytes: borrowing RawSpan) throws(Errno) {
        try unsafe bytes.withUnsafeBytes { (buffer) throws(Errno) in
            var offset = 0
            while offset < buffer.count {
                offset += try check { unsafe Glibc.write(raw, buffer.baseAddress! + offset, buffer.count - offset) }
            }
        }
    }

    /// Reads from the current position to the end.
    ///
    /// - Parameter limit: the most that is read. `EFBIG` if there is more.
    public borrowing func readToEnd(limit: Int) throws(Errno) -> [UInt8] {
        var result: [UInt8] = []
        // Most have little: room for more is made once there is more.
        var chunk = [UInt8](repeating: 0, count: 4 << 10)
        while true {
            let count = try check { [size = chunk.count] in unsafe Glibc.read(raw, &chunk, size) }
            if count == 0 { return result }
            guard result.count + count <= limit else { throw .EFBIG }
            result += chunk[..<count]
            if count == chunk.count, count < 64 << 10 { chunk = [UInt8](repeating: 0, count: 64 << 10) }
        }
    }

    /// fsync(2): the file's bytes and size are on the disk when this returns.
    public borrowing func synchronize() throws(Errno) {
        try SystemCallSeam.pass("fsync")
        _ = try check { fsync(raw) }
    }
}

extension OwnedDescriptor {
    /// sync_file_range(2): the disk begins with what was written to a part of the file, and nobody waits. A later sync has less to wait for.
    ///
    /// A hint: what is wrong with the disk is said by the sync.
    public borrowing func beginWriteback(from offset: UInt64, byteCount: UInt64) {
        _ = withRawDescriptor { berth_begin_writeback($0, Int64(offset), Int64(byteCount)) }
    }
}

/// A pipe; both ends are close-on-exec and block.
public struct Pipe: ~Copyable, Sendable {
    /// The end that is read.
    public let reading: OwnedDescriptor
    /// The end that is written.
    public let writing: OwnedDescriptor

    /// pipe2(2).
    public init() throws(Errno) {
        var ends: [CInt] = [-1, -1]
        _ = try check { unsafe berth_pipe(&ends) }
        reading = OwnedDescriptor(adopting: ends[0])
        writing = OwnedDescriptor(adopting: ends[1])
    }

    /// Lets it hold so many bytes before its writer waits; the kernel rounds up. Where the kernel gives no more, it stays as it is.
    public borrowing func extend(to byteCount: Int32) {
        _ = writing.withRawDescriptor { berth_pipe_capacity($0, byteCount) }
    }

    /// Gives both ends away.
    public consuming func take<Result: ~Copyable, Failure: Error>(
        _ body: (_ reading: consuming OwnedDescriptor, _ writing: consuming OwnedDescriptor) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(reading, writing)
    }
}

extension OwnedDescriptor {
    /// ftruncate(2).
    public borrowing func truncate(to byteCount: Int64) throws(Errno) {
        try SystemCallSeam.pass("ftruncate")
        _ = try withRawDescriptor { (raw) throws(Errno) in try check { ftruncate(raw, off_t(byteCount)) } }
    }
}

extension OwnedDescriptor {
    /// Reads once into an array, from its beginning. 0 is the end of the file.
    public borrowing func read(intoArray buffer: inout [UInt8]) throws(Errno) -> Int {
        let count = buffer.count
        return try check { unsafe Glibc.read(raw, &buffer, count) }
    }

    /// lseek(2) from the beginning.
    public borrowing func seek(to offset: Int64) throws(Errno) {
        _ = try withRawDescriptor { (raw) throws(Errno) in try check { lseek(raw, off_t(offset), SEEK_SET) } }
    }

    /// Writes once what an array has from an offset on, and says how much was taken. A vanished reader is `EPIPE`, never a signal, for sockets.
    public borrowing func write(bytes: [UInt8], from offset: Int) throws(Errno) -> Int {
        try unsafe write(bytes.span.extracting(offset..<bytes.count).bytes)
    }

    /// flock(2), exclusive, without waiting: `false` if somebody else has it. It goes with the last descriptor of this opening.
    public borrowing func lockExclusively() throws(Errno) -> Bool {
        do {
            _ = try withRawDescriptor { (raw) throws(Errno) in try check { berth_flock_exclusive(raw) } }
            return true
        } catch {
            if error == .EAGAIN { return false }
            throw error
        }
    }

    /// Ends both directions of a connection.
    public borrowing func shutDown() {
        _ = withRawDescriptor { shutdown($0, CInt(SHUT_RDWR)) }
    }
}
