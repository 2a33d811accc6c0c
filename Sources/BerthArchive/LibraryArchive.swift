internal import BerthLinux
internal import BerthTar
internal import CArchive
internal import Synchronization

/// libarchive, opened when the first archive comes that needs it.
@safe struct ArchiveLibrary: @unchecked Sendable {
    /// None of them is missing. They are never unloaded.
    let functions: carchive_functions

    private static let opened = Mutex<ArchiveLibrary?>(nil)

    /// The library. Where it is missing it is looked for again the next time.
    ///
    /// - Throws: `unsupported`, naming Debian's package.
    static func open() throws(ByteSourceError) -> ArchiveLibrary {
        try opened.withLock { (opened) throws(ByteSourceError) in
            if let opened { return opened }
            var functions = carchive_functions()
            if let reason = unsafe carchive_open(&functions) {
                throw ByteSourceError(
                    .unsupported,
                    "an archive of this kind is read by libarchive, which cannot be opened here (\(unsafe String(cString: reason))): install it (Debian's package 'libarchive13'), or give a tar, plain or compressed with gzip or zstd"
                )
            }
            let library = ArchiveLibrary(functions: functions)
            opened = library
            return library
        }
    }
}

/// A handle of libarchive's, with what it reads from. Not to be shared between threads.
@safe final class LibraryArchive {
    let raw: OpaquePointer
    /// What it is asked by.
    let library: carchive_functions
    private let input: Input?

    /// Turns on what may be in an archive; each call's result.
    typealias Support = (_ library: carchive_functions, _ raw: OpaquePointer) -> [CInt]

    /// What libarchive calls back for bytes.
    @safe private final class Input {
        let source: any ByteSource
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        /// Why the source gives no more.
        var failure: ByteSourceError?

        init(_ source: any ByteSource) { self.source = source }
        deinit { unsafe buffer.deallocate() }

        func fill() -> Int {
            do throws(ByteSourceError) { return try unsafe source.read(into: buffer) } catch {
                failure = error
                return -1
            }
        }
    }

    /// Reads a stream that cannot go back.
    init(_ source: any ByteSource, _ support: Support) throws(ByteSourceError) {
        let input = Input(source)
        unsafe (library, raw) = try Self.make(support)
        self.input = input
        let opened = unsafe library.archive_read_open2(
            raw, Unmanaged.passUnretained(input).toOpaque(), nil,
            { _, context, bytes in
                let input = unsafe Unmanaged<Input>.fromOpaque(context!).takeUnretainedValue()
                unsafe bytes?.pointee = UnsafeRawPointer(input.buffer.baseAddress)
                return input.fill()
            }, nil, nil)
        guard opened >= ARCHIVE_WARN else { throw failure("read") }
    }

    /// Reads a file, in which it may go to and fro. The descriptor has to stay open as long as this.
    init(file: CInt, _ support: Support) throws(ByteSourceError) {
        unsafe (library, raw) = try Self.make(support)
        input = nil
        guard unsafe library.archive_read_open_fd(raw, file, 256 << 10) >= ARCHIVE_WARN else { throw failure("read") }
    }

    deinit { _ = unsafe library.archive_read_free(raw) }

    private static func make(_ support: Support) throws(ByteSourceError) -> (carchive_functions, OpaquePointer) {
        let library = try ArchiveLibrary.open().functions
        guard let raw = library.archive_read_new() else {
            throw ByteSourceError(.storage, "there is no memory to read the archive")
        }
        // A warning means that libarchive was built without it, and would run another program, which we never do.
        guard unsafe support(library, raw).allSatisfy({ $0 == ARCHIVE_OK }) else {
            _ = unsafe library.archive_read_free(raw)
            throw ByteSourceError(.unsupported, "libarchive was built here without a format that the archive may be in")
        }
        return unsafe (library, raw)
    }

    /// Why the last call failed, in libarchive's words where the source has none.
    func failure(_ what: String) -> ByteSourceError {
        if let failure = input?.failure { return failure }
        let number = unsafe library.archive_errno(raw)
        let words = unsafe library.archive_error_string(raw).map { unsafe String(cString: $0) } ?? "it is damaged"
        let kind: ByteSourceError.Kind = number == Errno.ENOMEM.rawValue ? .storage : .corrupt
        return ByteSourceError(kind, "cannot \(what) the archive: \(words.prefix(512))")
    }
}

/// Undoes the compressions that are not on the way of every layer: xz, bzip2, lz4, lzip, lzma and Unix's compress.
final class LibraryFilter: ByteSource {
    private let archive: LibraryArchive

    /// Reads a stream from its beginning.
    init(_ source: any ByteSource) throws(ByteSourceError) {
        archive = try unsafe LibraryArchive(source) { (library, raw) in
            unsafe [
                library.archive_read_support_filter_xz(raw), library.archive_read_support_filter_bzip2(raw),
                library.archive_read_support_filter_lz4(raw),
                library.archive_read_support_filter_lzip(raw), library.archive_read_support_filter_lzma(raw),
                library.archive_read_support_filter_compress(raw),
                library.archive_read_support_format_raw(raw),
            ]
        }
        var entry: OpaquePointer?
        let result = unsafe archive.library.archive_read_next_header(archive.raw, &entry)
        guard result >= ARCHIVE_WARN else { throw archive.failure("decompress") }
        // Too short to be known for what it began as, it would be given as it is.
        guard unsafe archive.library.archive_filter_code(archive.raw, 0) != ARCHIVE_FILTER_NONE else {
            throw ByteSourceError(.corrupt, "cannot decompress the archive: its compressed stream is damaged, or cut off")
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = unsafe archive.library.archive_read_data(archive.raw, buffer.baseAddress, buffer.count)
        guard count >= 0 else { throw archive.failure("decompress") }
        return count
    }
}
