internal import BerthLinux
internal import BerthTar
internal import CArchive

/// A handle of libarchive's, with what it reads from. Not to be shared between threads.
@safe final class LibraryArchive {
    let raw: OpaquePointer
    private let input: Input?

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
    ///
    /// - Parameter support: turns on what may be in it; each call's result.
    init(_ source: any ByteSource, _ support: (OpaquePointer) -> [CInt]) throws(ByteSourceError) {
        let input = Input(source)
        unsafe (raw, self.input) = (try Self.make(support), input)
        let opened = unsafe archive_read_open2(
            raw, Unmanaged.passUnretained(input).toOpaque(), nil,
            { _, context, bytes in
                let input = unsafe Unmanaged<Input>.fromOpaque(context!).takeUnretainedValue()
                unsafe bytes?.pointee = UnsafeRawPointer(input.buffer.baseAddress)
                return input.fill()
            }, nil, nil)
        guard opened >= ARCHIVE_WARN else { throw failure("read") }
    }

    /// Reads a file, in which it may go to and fro. The descriptor has to stay open as long as this.
    init(file: CInt, _ support: (OpaquePointer) -> [CInt]) throws(ByteSourceError) {
        unsafe (raw, input) = (try Self.make(support), nil)
        guard unsafe archive_read_open_fd(raw, file, 256 << 10) >= ARCHIVE_WARN else { throw failure("read") }
    }

    deinit { unsafe archive_read_free(raw) }

    private static func make(_ support: (OpaquePointer) -> [CInt]) throws(ByteSourceError) -> OpaquePointer {
        guard let raw = unsafe archive_read_new() else {
            throw ByteSourceError(.storage, "there is no memory to read the archive")
        }
        // A warning means that libarchive was built without it, and would run another program, which we never do.
        guard unsafe support(raw).allSatisfy({ $0 == ARCHIVE_OK }) else {
            unsafe archive_read_free(raw)
            throw ByteSourceError(.unsupported, "libarchive was built here without a format that the archive may be in")
        }
        return unsafe raw
    }

    /// Why the last call failed, in libarchive's words where the source has none.
    func failure(_ what: String) -> ByteSourceError {
        if let failure = input?.failure { return failure }
        let number = unsafe archive_errno(raw)
        let words = unsafe archive_error_string(raw).map { unsafe String(cString: $0) } ?? "it is damaged"
        let kind: ByteSourceError.Kind = number == Errno.ENOMEM.rawValue ? .storage : .corrupt
        return ByteSourceError(kind, "cannot \(what) the archive: \(words.prefix(512))")
    }
}

/// Undoes the compressions that are not on the way of every layer: xz, bzip2, lz4, lzip, lzma and Unix's compress.
final class LibraryFilter: ByteSource {
    private let archive: LibraryArchive

    /// Reads a stream from its beginning.
    init(_ source: any ByteSource) throws(ByteSourceError) {
        archive = try unsafe LibraryArchive(source) { raw in
            unsafe [
                archive_read_support_filter_xz(raw), archive_read_support_filter_bzip2(raw), archive_read_support_filter_lz4(raw),
                archive_read_support_filter_lzip(raw), archive_read_support_filter_lzma(raw), archive_read_support_filter_compress(raw),
                archive_read_support_format_raw(raw),
            ]
        }
        var entry: OpaquePointer?
        let result = unsafe archive_read_next_header(archive.raw, &entry)
        guard result >= ARCHIVE_WARN else { throw archive.failure("decompress") }
        // Too short to be known for what it began as, it would be given as it is.
        guard unsafe archive_filter_code(archive.raw, 0) != ARCHIVE_FILTER_NONE else {
            throw ByteSourceError(.corrupt, "cannot decompress the archive: its compressed stream is damaged, or cut off")
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = unsafe archive_read_data(archive.raw, buffer.baseAddress, buffer.count)
        guard count >= 0 else { throw archive.failure("decompress") }
        return count
    }
}
