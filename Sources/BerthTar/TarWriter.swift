internal import BerthLinux

/// Writes an archive, entry after entry: ustar, with pax headers where that has no room.
///
/// Deterministic: the same entries with the same data are the same bytes, on any machine. Files are written with all their bytes, holes as zeros: every
/// reader could take GNU's sparse files, and no tool that makes layers writes them, so that a layer with one would be the first that others see.
///
/// When a call has thrown, the archive is not whole and cannot become so. Not to be shared between threads.
@safe public final class TarWriter {
    private let sink: any ByteSink
    private let buffer: UnsafeMutableRawBufferPointer
    private var filled = 0
    /// Of the entry at hand, what is still owed: bytes of data, what the holes between and after them have, and what fills the last block.
    private var dataLeft: UInt64 = 0
    private var regions: ArraySlice<TarEntry.Region>?
    private var position: UInt64 = 0
    private var byteCount: UInt64 = 0
    private var displayName = ""

    /// Writes to a sink, in pieces of 256 KiB.
    public init(_ sink: any ByteSink) {
        self.sink = sink
        unsafe buffer = .allocate(byteCount: 256 << 10, alignment: 4096)
    }

    deinit { unsafe buffer.deallocate() }

    // MARK: Entries

    /// Begins an entry. A file's data are then given by ``write(_:)``: as many bytes as it says, or, of one with regions, as these say, one region
    /// after the other.
    ///
    /// A directory's name gets a slash at its end, as everybody writes it.
    /// - Throws: `unrepresentable` for a name that is empty, has a NUL in it, or is a directory's and the entry is none; `tooLarge` for more
    ///   than what ``TarReader`` takes; `wrongLength` if the entry before has not got all its data; `sink`.
    public func append(_ entry: TarEntry) throws(TarError) {
        try endEntry()
        var entry = entry
        if entry.kind == .directory, entry.name.last != UInt8(ascii: "/") { entry.name.append(UInt8(ascii: "/")) }
        try Self.check(entry)
        let name = TarName(entry.name)
        let extended = PaxEncoder(entry, fits: name).bytes
        if !extended.isEmpty { try append(extended, about: entry) }
        let byteCount = entry.kind == .file ? entry.byteCount : 0
        try put(UstarBlock(entry, name: name ?? .standIn(for: entry.name), type: Self.type(of: entry.kind), byteCount: byteCount).bytes)
        displayName = entry.displayName
        (position, self.byteCount) = (0, byteCount)
        regions = entry.kind == .file ? entry.regions?[...] : nil
        dataLeft = regions.map { $0.reduce(0) { $0 + $1.byteCount } } ?? byteCount
    }

    /// Writes data of the entry that was begun last.
    ///
    /// - Throws: `wrongLength` for more than the entry says: then none of these are written; `sink`.
    public func write(_ data: borrowing RawSpan) throws(TarError) {
        guard UInt64(data.byteCount) <= dataLeft else { throw wrongLength("longer") }
        var offset = 0
        while offset < data.byteCount {
            let count = Int(min(UInt64(data.byteCount - offset), try nextPieceByteCount()))
            try put(data.extracting(offset..<offset + count))
            noteWritten(count)
            offset += count
        }
    }

    /// Writes an entry with these data; its size is theirs.
    ///
    /// - Throws: as ``append(_:)``.
    public func append(_ entry: TarEntry, contents: [UInt8]) throws(TarError) {
        var entry = entry
        (entry.byteCount, entry.regions) = (UInt64(contents.count), nil)
        try append(entry)
        try unsafe write(contents.span.bytes)
    }

    /// Writes an entry with what a source has, to its end.
    ///
    /// - Throws: as ``append(_:)``; `wrongLength` if the source has less, or more, than the entry says; `source`.
    public func append(_ entry: TarEntry, contents: any ByteSource) throws(TarError) {
        try append(entry)
        func read(into buffer: UnsafeMutableRawBufferPointer) throws(TarError) -> Int {
            do throws(ByteSourceError) { return try unsafe contents.read(into: buffer) } catch { throw TarError(error) }
        }
        while dataLeft > 0 {
            let count = try unsafe writeData { (room) throws(TarError) in try unsafe read(into: room) }
            guard count > 0 else { throw wrongLength("shorter") }
        }
        var extra: UInt64 = 0
        let count = try unsafe withUnsafeMutableBytes(of: &extra) { (room) throws(TarError) in try unsafe read(into: room) }
        guard count == 0 else { throw wrongLength("longer") }
    }

    /// Lends room for the next data of the entry at hand, so that they need not be copied; `read` says how many it has put there.
    ///
    /// - Returns: what `read` did; 0 also where nothing is owed.
    func writeData(_ read: (UnsafeMutableRawBufferPointer) throws(TarError) -> Int) throws(TarError) -> Int {
        guard dataLeft > 0 else { return 0 }
        let piece = try nextPieceByteCount()
        if unsafe filled == buffer.count { try flush() }
        let end = unsafe filled + Int(min(piece, UInt64(buffer.count - filled)))
        let count = try unsafe read(UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<end]))
        filled += count
        noteWritten(count)
        return count
    }

    /// How many bytes of data the entry at hand is still owed.
    var owedByteCount: UInt64 { dataLeft }

    /// Gives zeros for what the entry at hand is still owed.
    func fillUp() throws(TarError) {
        // What is owed ends where the file does: holes are zeros too.
        (dataLeft, regions) = (0, nil)
    }

    /// Ends the archive with two blocks of zeros, and gives the sink what it has not got yet.
    ///
    /// - Throws: `wrongLength` if the last entry has not got all its data; `sink`.
    public func finish() throws(TarError) {
        try endEntry()
        try putZeros(2 * UInt64(UstarBlock.byteCount))
        try flush()
    }

    // MARK: Headers

    private static func check(_ entry: TarEntry) throws(TarError) {
        guard !entry.name.isEmpty, !entry.name.contains(0), !entry.linkName.contains(0) else {
            throw TarError(
                .unrepresentable, "the entry '\(entry.displayName)' has a name, or a link's target, that is empty or has a NUL in it")
        }
        guard entry.kind == .directory || entry.name.last != UInt8(ascii: "/") else {
            throw TarError(.unrepresentable, "the entry '\(entry.displayName)' has a directory's name and is none")
        }
        guard entry.byteCount <= TarReader.maximumFileByteCount else {
            throw TarError(
                .tooLarge,
                "the entry '\(entry.displayName)' has \(entry.byteCount) bytes: at most \(TarReader.maximumFileByteCount) are taken")
        }
        guard let regions = entry.regions else { return }
        var end: UInt64 = 0
        for region in regions {
            guard region.offset >= end, region.byteCount <= entry.byteCount, region.offset <= entry.byteCount - region.byteCount else {
                throw TarError(.corrupt, "the regions of the sparse file '\(entry.displayName)' overlap, or lie beyond its end")
            }
            end = region.offset + region.byteCount
        }
    }

    private static func type(of kind: TarEntry.Kind) -> UInt8 {
        switch kind {
        case .file: UInt8(ascii: "0")
        case .hardLink: UInt8(ascii: "1")
        case .symbolicLink: UInt8(ascii: "2")
        case .characterDevice: UInt8(ascii: "3")
        case .blockDevice: UInt8(ascii: "4")
        case .directory: UInt8(ascii: "5")
        case .fifo: UInt8(ascii: "6")
        }
    }

    private func append(_ extended: [UInt8], about entry: TarEntry) throws(TarError) {
        guard extended.count <= PaxRecords.maximumByteCount else {
            throw TarError(
                .tooLarge,
                "the name and attributes of '\(entry.displayName)' have \(extended.count) bytes: at most \(PaxRecords.maximumByteCount) are taken"
            )
        }
        // The name is for readers that know no pax, and is always the same.
        let header = TarEntry(name: Array("././@PaxHeader".utf8), kind: .file, permissions: 0o644)
        try put(
            UstarBlock(header, name: TarName(whole: header.name[...]), type: UInt8(ascii: "x"), byteCount: UInt64(extended.count)).bytes)
        try put(extended)
        try putZeros(Self.padding(of: UInt64(extended.count)))
    }

    // MARK: Data

    private func wrongLength(_ how: String) -> TarError {
        TarError(.wrongLength, "the data of '\(displayName)' are \(how) than the \(byteCount) bytes that its entry says")
    }

    /// Writes the hole before the next region, if there is one, and says how many bytes of data follow without another. Only asked while data are owed.
    private func nextPieceByteCount() throws(TarError) -> UInt64 {
        while let region = regions?.first {
            guard position >= region.offset + region.byteCount else {
                if position < region.offset {
                    try putZeros(region.offset - position)
                    position = region.offset
                }
                return region.offset + region.byteCount - position
            }
            regions?.removeFirst()
        }
        return dataLeft
    }

    private func noteWritten(_ count: Int) {
        dataLeft -= UInt64(count)
        position += UInt64(count)
    }

    private func endEntry() throws(TarError) {
        guard dataLeft == 0 else { throw wrongLength("shorter") }
        try putZeros(byteCount - position + Self.padding(of: byteCount))
        (byteCount, position, regions) = (0, 0, nil)
    }

    private static func padding(of byteCount: UInt64) -> UInt64 { (512 - byteCount % 512) % 512 }

    // MARK: Bytes

    private func put(_ bytes: [UInt8]) throws(TarError) { try unsafe put(bytes.span.bytes) }

    private func put(_ bytes: borrowing RawSpan) throws(TarError) {
        var offset = 0
        while offset < bytes.byteCount {
            if unsafe filled == buffer.count { try flush() }
            let count = unsafe min(bytes.byteCount - offset, buffer.count - filled)
            unsafe bytes.extracting(offset..<offset + count).withUnsafeBytes {
                unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).copyMemory(from: $0)
            }
            filled += count
            offset += count
        }
    }

    private func putZeros(_ count: UInt64) throws(TarError) {
        var left = count
        while left > 0 {
            if unsafe filled == buffer.count { try flush() }
            let count = unsafe Int(min(left, UInt64(buffer.count - filled)))
            unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count]).initializeMemory(as: UInt8.self, repeating: 0)
            filled += count
            left -= UInt64(count)
        }
    }

    private func flush() throws(TarError) {
        guard filled > 0 else { return }
        do throws(ByteSinkError) {
            try unsafe sink.write(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<filled])))
        } catch { throw TarError(error) }
        filled = 0
    }
}
