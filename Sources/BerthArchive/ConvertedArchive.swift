public import BerthLinux
public import BerthTar
internal import CArchive

/// An archive that is no tar, as the tar that says the same: cpio, zip, 7z, ar, cab, ISO 9660, lha, rar and warc.
///
/// What it is read from is a file, since some of these have their tables at the end. It goes the same way as any tar from here on: the
/// same rules, the same limits. The same archive gives the same tar.
public final class ConvertedArchive: ByteSource {
    private let file: OwnedDescriptor
    private let archive: LibraryArchive
    private let limits: ArchiveLimits
    private let sink = Pieces()
    private let writer: TarWriter
    private let archiveByteCount: UInt64
    private var buffer: [UInt8]
    private var data: TarEntry?
    private var producedByteCount: UInt64 = 0
    private var hasEnded = false
    /// The first name of a file, and the others so far: in cpio the data may come with the last of them.
    private var linkNames: [[UInt8]: [[UInt8]]] = [:]

    /// What the writer has written and nobody has read.
    private final class Pieces: ByteSink {
        var bytes: [UInt8] = []
        var read = 0
        func write(_ piece: borrowing RawSpan) throws(ByteSinkError) {
            unsafe piece.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        }
    }

    /// Reads a file from its beginning.
    ///
    /// - Throws: `corrupt` for what is no archive that is known here.
    public init(_ file: consuming OwnedDescriptor, limits: ArchiveLimits = ArchiveLimits()) throws(ByteSourceError) {
        do throws(Errno) { archiveByteCount = UInt64(try file.status().byteCount) } catch {
            throw ByteSourceError(.storage, "cannot read the archive: \(error)", underlying: error)
        }
        archive = try file.withRawDescriptor { (number) throws(ByteSourceError) in
            try unsafe LibraryArchive(file: number) { (library, raw) in
                unsafe [
                    library.archive_read_support_format_cpio(raw), library.archive_read_support_format_zip(raw),
                    library.archive_read_support_format_7zip(raw),
                    library.archive_read_support_format_ar(raw), library.archive_read_support_format_cab(raw),
                    library.archive_read_support_format_iso9660(raw),
                    library.archive_read_support_format_lha(raw), library.archive_read_support_format_rar(raw),
                    library.archive_read_support_format_rar5(raw),
                    library.archive_read_support_format_warc(raw),
                ]
            }
        }
        self.file = file
        self.limits = limits
        writer = TarWriter(sink)
        buffer = [UInt8](repeating: 0, count: 256 << 10)
    }

    /// Whether some first bytes are those of a format that is converted here. The more there are the better: an ISO 9660 says it at byte 32,769.
    public static func isKnown(_ head: [UInt8]) -> Bool {
        let magics: [(offset: Int, bytes: [UInt8])] = [
            (0, Array("070701".utf8)), (0, Array("070702".utf8)), (0, Array("070707".utf8)), (0, [0xc7, 0x71]), (0, [0x71, 0xc7]),
            (0, [0x50, 0x4b, 3, 4]), (0, [0x50, 0x4b, 5, 6]), (0, [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]), (0, Array("!<arch>\n".utf8)),
            (0, Array("MSCF\0\0\0\0".utf8)), (0, Array("Rar!\u{1a}\u{7}".utf8)), (0, Array("WARC/".utf8)),
            (2, Array("-lh".utf8)), (32_769, Array("CD001".utf8)),
        ]
        return magics.contains { $0.offset + $0.bytes.count <= head.count && head[$0.offset...].starts(with: $0.bytes) }
    }

    /// How many first bytes it is best to give ``isKnown(_:)``.
    public static var telltaleByteCount: Int { 32_774 }

    /// Reads the tar.
    public func read(into target: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        do throws(TarError) {
            while sink.read == sink.bytes.count, !hasEnded {
                sink.bytes.removeAll(keepingCapacity: true)
                sink.read = 0
                try step()
            }
        } catch { throw Self.error(error) }
        let piece = sink.bytes[sink.read...].prefix(target.count)
        unsafe target.copyBytes(from: piece)
        sink.read += piece.count
        producedByteCount += UInt64(piece.count)
        if producedByteCount > ArchiveLimits.ratioFreeByteCount, producedByteCount / max(1, archiveByteCount) > limits.ratio {
            throw ByteSourceError(
                .tooLarge,
                "the archive becomes more than \(limits.ratio) times larger when it is unpacked, the limit that is set: it looks like a bomb"
            )
        }
        return piece.count
    }

    private static func error(_ error: TarError) -> ByteSourceError {
        let kind: ByteSourceError.Kind =
            switch error.code {
            case .source(let kind): kind
            case .tooLarge: .tooLarge
            case .unsupported: .unsupported
            case .storage, .sink: .storage
            default: .corrupt
            }
        return ByteSourceError(kind, error.description, underlying: error.underlying)
    }

    /// Writes some more of the tar.
    private func step() throws(TarError) {
        if data != nil { return try copyData() }
        var entry: OpaquePointer?
        let result = unsafe archive.library.archive_read_next_header(archive.raw, &entry)
        guard result != ARCHIVE_EOF else {
            hasEnded = true
            return try writer.finish()
        }
        guard result >= ARCHIVE_WARN, let entry = unsafe entry else { throw TarError(archive.failure("read")) }
        try unsafe begin(LibraryEntry(entry, archive.library))
    }

    private func begin(_ found: LibraryEntry) throws(TarError) {
        guard var entry = try found.tarEntry() else { return }  // a socket, which no archive can make
        if entry.kind == .hardLink {
            linkNames[entry.linkName, default: []].append(entry.name)
            guard found.byteCount > 0 else { return try writer.append(entry) }
            // The data of all of them: the first is written anew, and they are made links to it, this one too.
            (entry.name, entry.kind, entry.byteCount) = (entry.linkName, .file, found.byteCount)
            entry.linkName = []
        }
        try writer.append(entry)
        guard entry.kind == .file else { return }
        data = entry
        if entry.byteCount == 0 { try endData() }
    }

    private func copyData() throws(TarError) {
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe archive.library.archive_read_data(archive.raw, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw TarError(archive.failure("unpack")) }
        guard count > 0 else { return try endData() }
        let piece = buffer
        try unsafe writer.write(piece.span.extracting(0..<count).bytes)
    }

    private func endData() throws(TarError) {
        guard let entry = data.take() else { return }
        for name in linkNames[entry.name] ?? [] {
            var link = entry
            (link.name, link.kind, link.linkName, link.byteCount) = (name, .hardLink, entry.name, 0)
            try writer.append(link)
        }
    }
}

/// What libarchive says of an entry.
@safe private struct LibraryEntry {
    private let raw: OpaquePointer
    private let library: carchive_functions

    init(_ raw: OpaquePointer, _ library: carchive_functions) { unsafe (self.raw, self.library) = (raw, library) }

    var byteCount: UInt64 { unsafe UInt64(max(0, library.archive_entry_size(raw))) }

    /// The same as an entry of a tar; `nil` for what no tar can have.
    func tarEntry() throws(TarError) -> TarEntry? {
        // Depending on the format, a name is in the archive as bytes, or as Unicode.
        guard let name = unsafe bytes(library.archive_entry_pathname(raw)) ?? bytes(library.archive_entry_pathname_utf8(raw)), !name.isEmpty
        else {
            throw TarError(.corrupt, "an entry of the archive has a name that cannot be read")
        }
        let display = String(decoding: name.prefix(512), as: UTF8.self)
        guard unsafe library.archive_entry_is_encrypted(raw) == 0 else {
            throw TarError(.unsupported, "the entry '\(display)' of the archive is encrypted, which is not supported")
        }
        let hardLink = unsafe bytes(library.archive_entry_hardlink(raw)) ?? bytes(library.archive_entry_hardlink_utf8(raw))
        guard let kind = hardLink != nil ? .hardLink : kind else { return nil }
        let symbolicLink = unsafe bytes(library.archive_entry_symlink(raw)) ?? bytes(library.archive_entry_symlink_utf8(raw))
        guard let userID = unsafe UInt32(exactly: library.archive_entry_uid(raw)),
            let groupID = unsafe UInt32(exactly: library.archive_entry_gid(raw))
        else {
            throw TarError(.corrupt, "the entry '\(display)' of the archive has an owner or group that cannot be")
        }
        if kind == .file, unsafe library.archive_entry_size_is_set(raw) == 0 {
            throw TarError(.unsupported, "the entry '\(display)' of the archive does not say how many bytes it has, which is not supported")
        }
        var entry = TarEntry(
            name: kind == .directory ? name : Array(name.reversed().drop { $0 == UInt8(ascii: "/") }.reversed()), kind: kind,
            permissions: unsafe UInt32(library.archive_entry_perm(raw)) & 0o7777, userID: userID, groupID: groupID,
            byteCount: kind == .file ? byteCount : 0,
            modificationTime: unsafe FileTime(
                seconds: Int64(library.archive_entry_mtime(raw)), nanoseconds: Int64(library.archive_entry_mtime_nsec(raw))),
            linkName: hardLink ?? symbolicLink ?? [])
        entry.extendedAttributes = extendedAttributes()
        return entry
    }

    private func bytes(_ text: UnsafePointer<CChar>?) -> [UInt8]? {
        guard let text = unsafe text else { return nil }
        var count = 0
        while unsafe text[count] != 0 { count += 1 }
        return unsafe Array(UnsafeRawBufferPointer(start: text, count: count))
    }

    private var kind: TarEntry.Kind? {
        let device = {
            unsafe DeviceNumber(major: UInt32(library.archive_entry_rdevmajor(raw)), minor: UInt32(library.archive_entry_rdevminor(raw)))
        }
        // The numbers are those of stat(2) on every system: archive_entry.h, "File-type constants".
        switch unsafe UInt32(library.archive_entry_filetype(raw)) {
        case 0o100000: return .file
        case 0o120000: return .symbolicLink
        case 0o020000: return .characterDevice(device())
        case 0o060000: return .blockDevice(device())
        case 0o040000: return .directory
        case 0o010000: return .fifo
        default: return nil
        }
    }

    private func extendedAttributes() -> [String: [UInt8]] {
        var result: [String: [UInt8]] = [:]
        _ = unsafe library.archive_entry_xattr_reset(raw)
        var (name, value, size): (UnsafePointer<CChar>?, UnsafeRawPointer?, Int) = (nil, nil, 0)
        while unsafe library.archive_entry_xattr_next(raw, &name, &value, &size) == ARCHIVE_OK {
            guard let key = unsafe name else { continue }
            result[unsafe String(cString: key)] = unsafe Array(UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : size))
        }
        return result
    }
}
