internal import BerthLinux

/// Reads an archive's entries one after the other: ustar, pax and GNU, with long names, sparse files and extended attributes.
///
/// An archive is hostile: names and numbers are bounded, and what is wrong is an error, never a guess. Not to be shared between threads.
@safe public final class TarReader {
    /// The longest name or target of a link.
    public static var maximumNameByteCount: Int { PaxRecords.maximumByteCount }
    /// The largest file, holes included: 16 TiB.
    public static var maximumFileByteCount: UInt64 { 1 << 44 }

    /// How many bytes a block has.
    public static var blockByteCount: Int { TarHeader.byteCount }

    /// Whether some first bytes, a block or more, are those of a tar: of an entry's header, or of the end of one that has none.
    public static func isHeader(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= blockByteCount else { return false }
        // Anything else is no header, which is what is asked.
        do { return try TarHeader(Array(bytes[..<blockByteCount])) != nil || bytes.allSatisfy { $0 == 0 } } catch { return false }
    }

    private let source: any ByteSource
    private let buffer: UnsafeMutableRawBufferPointer
    private var filled = 0..<0
    private var global = PaxRecords(limit: PaxRecords.maximumGlobalByteCount)
    /// Of the entry at hand, what has not been read yet.
    private var dataLeft: UInt64 = 0
    private var paddingLeft = 0
    private var hasEnded = false
    private var isAtBeginning = true

    /// Reads from a source.
    public init(_ source: any ByteSource) {
        self.source = source
        unsafe buffer = .allocate(byteCount: 256 << 10, alignment: 4096)
    }

    deinit { unsafe buffer.deallocate() }

    /// The next entry; what was not read of the data of the one before is skipped. `nil` at the end.
    ///
    /// - Throws: `truncated`, `corrupt`, `tooLarge`, `unsupported`, `source`.
    public func next() throws(TarError) -> TarEntry? {
        try skipData()
        var pax = PaxRecords()
        var (longName, longLink): ([UInt8]?, [UInt8]?) = (nil, nil)
        while !hasEnded, let header = try readHeader() {
            switch header.typeFlag {
            case UInt8(ascii: "x"): try pax.add(try metadata(header, "an extended header"))
            case UInt8(ascii: "g"): try global.add(try metadata(header, "an extended header for all entries"))
            case UInt8(ascii: "L"): longName = Array(try metadata(header, "a long name").prefix { $0 != 0 })
            case UInt8(ascii: "K"): longLink = Array(try metadata(header, "a long target of a link").prefix { $0 != 0 })
            case UInt8(ascii: "V"): _ = try metadata(header, "a volume's label")
            default: return try entry(header, pax.laid(over: global), longName, longLink)
            }
        }
        hasEnded = true
        return nil
    }

    /// Lends the next piece of the entry's data. Of a sparse file only its regions have data, one after the other.
    ///
    /// - Returns: `false` once there is no more; then `body` was not called.
    public func readData<Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void, wrapping wrap: (TarError) -> Failure
    ) throws(Failure) -> Bool {
        guard dataLeft > 0 else { return false }
        do throws(TarError) { if filled.isEmpty { try fill() } } catch { throw wrap(error) }
        let count = Int(min(UInt64(filled.count), dataLeft))
        try unsafe body(UnsafeRawBufferPointer(rebasing: buffer[filled.lowerBound..<filled.lowerBound + count]))
        filled = filled.lowerBound + count..<filled.upperBound
        dataLeft -= UInt64(count)
        return true
    }

    /// Reads what follows the archive's end, so that a digest of the source covers all of it.
    public func drain() throws(TarError) {
        filled = 0..<0
        do throws(ByteSourceError) { while try unsafe source.read(into: buffer) > 0 {} } catch { throw TarError(error) }
    }

    // MARK: Blocks

    private func fill() throws(TarError) {
        let count: Int
        do throws(ByteSourceError) { count = try unsafe source.read(into: buffer) } catch { throw TarError(error) }
        guard count > 0 else { throw TarError(.truncated, "the archive is cut off in the middle of an entry") }
        filled = 0..<count
    }

    private func skipData() throws(TarError) {
        var left = dataLeft + UInt64(paddingLeft)
        while left > 0 {
            if filled.isEmpty { try fill() }
            let count = Int(min(UInt64(filled.count), left))
            filled = filled.lowerBound + count..<filled.upperBound
            left -= UInt64(count)
        }
        (dataLeft, paddingLeft) = (0, 0)
    }

    private func readBytes(_ count: Int) throws(TarError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            if filled.isEmpty { try fill() }
            let part = min(filled.count, count - bytes.count)
            unsafe bytes.append(contentsOf: buffer[filled.lowerBound..<filled.lowerBound + part])
            filled = filled.lowerBound + part..<filled.upperBound
        }
        return bytes
    }

    /// `nil` where the archive ends: by a block of zeros, or, as some writers leave it, by nothing.
    private func readHeader() throws(TarError) -> TarHeader? {
        if filled.isEmpty {
            let count: Int
            do throws(ByteSourceError) { count = try unsafe source.read(into: buffer) } catch { throw TarError(error) }
            if count == 0 { return nil }
            filled = 0..<count
        }
        defer { isAtBeginning = false }
        return try TarHeader(try readBytes(TarHeader.byteCount), isFirst: isAtBeginning)
    }

    private static func padding(of byteCount: UInt64) -> Int { Int((512 - byteCount % 512) % 512) }

    private func metadata(_ header: TarHeader, _ what: String) throws(TarError) -> [UInt8] {
        let (count, limit) = (try header.byteCount(), PaxRecords.maximumByteCount)
        guard count >= 0 else { throw TarError(.tooLarge, "\(what) of the archive says that it has \(count) bytes, less than none") }
        guard count <= Int64(limit) else {
            throw TarError(.tooLarge, "\(what) of the archive has \(count) bytes: at most \(limit) are read")
        }
        let bytes = try readBytes(Int(count))
        _ = try readBytes(Self.padding(of: UInt64(count)))
        return bytes
    }

    // MARK: Entries

    private func entry(_ header: TarHeader, _ pax: PaxRecords, _ longName: [UInt8]?, _ longLink: [UInt8]?) throws(TarError) -> TarEntry {
        let nonEmpty = { (value: [UInt8]?) -> [UInt8]? in value.flatMap { $0.isEmpty ? nil : $0 } }
        let name = nonEmpty(pax.values["GNU.sparse.name"]) ?? nonEmpty(pax.values["path"]) ?? longName ?? header.name
        let inHeader = try header.byteCount()
        let kind = try self.kind(header, name, inHeader)
        let linkName = nonEmpty(pax.values["linkpath"]) ?? longLink ?? header.linkName

        guard let stored = try pax.unsigned("size") ?? UInt64(exactly: inHeader) else {
            throw TarError(.tooLarge, "the entry '\(Self.display(name))' says that it has less bytes than none")
        }
        guard stored <= Self.maximumFileByteCount else {
            throw TarError(.tooLarge, "the entry '\(Self.display(name))' says that it has more than \(Self.maximumFileByteCount) bytes")
        }
        // Only files have data here; what others say of their size is about something else.
        dataLeft = kind == .file ? stored : 0
        paddingLeft = Self.padding(of: dataLeft)
        let inHeaderTime = try header.modificationTime()
        var entry = TarEntry(
            name: name, kind: kind, permissions: header.permissions,
            userID: try Self.id(try pax.unsigned("uid"), try header.userID(), name),
            groupID: try Self.id(try pax.unsigned("gid"), try header.groupID(), name), byteCount: dataLeft,
            modificationTime: try pax.time("mtime") ?? FileTime(seconds: inHeaderTime), linkName: linkName,
            extendedAttributes: try pax.extendedAttributes(), regions: nil)
        if kind == .file { try readSparse(header, pax, into: &entry) }
        return entry
    }

    /// A name for people.
    private static func display(_ name: [UInt8]) -> String { String(decoding: name.prefix(512), as: UTF8.self) }

    private func kind(_ header: TarHeader, _ name: [UInt8], _ byteCount: Int64) throws(TarError) -> TarEntry.Kind {
        switch header.typeFlag {
        case UInt8(ascii: "0"), UInt8(ascii: "7"), 0, UInt8(ascii: "S"):
            // Before there was a type for directories, a slash at the end of the name was it.
            return byteCount == 0 && name.last == UInt8(ascii: "/") ? .directory : .file
        case UInt8(ascii: "1"): return .hardLink
        case UInt8(ascii: "2"): return .symbolicLink
        case UInt8(ascii: "3"): return .characterDevice(try header.device())
        case UInt8(ascii: "4"): return .blockDevice(try header.device())
        case UInt8(ascii: "5"): return .directory
        case UInt8(ascii: "6"): return .fifo
        default:
            let flag = String(decoding: [header.typeFlag], as: UTF8.self)
            throw TarError(.unsupported, "the entry '\(Self.display(name))' has the type '\(flag)', which is not supported")
        }
    }

    private static func id(_ extended: UInt64?, _ header: Int64, _ name: [UInt8]) throws(TarError) -> UInt32 {
        guard let id = extended.map({ UInt32(exactly: $0) }) ?? UInt32(exactly: header), id != UInt32.max else {
            throw TarError(.corrupt, "the entry '\(display(name))' has an owner or group that cannot be")
        }
        return id
    }

    // MARK: Sparse files

    private func readSparse(_ header: TarHeader, _ pax: PaxRecords, into entry: inout TarEntry) throws(TarError) {
        var regions: [TarEntry.Region]
        let byteCount: UInt64?
        if header.typeFlag == UInt8(ascii: "S") {
            byteCount = UInt64(exactly: try header.sparseByteCount())
            regions = try oldMap(header)
        } else if pax.values["GNU.sparse.major"] == [UInt8(ascii: "1")] {
            byteCount = try pax.unsigned("GNU.sparse.realsize")
            regions = try mapInData()
        } else if let map = pax.values["GNU.sparse.map"] {
            byteCount = try pax.unsigned("GNU.sparse.size")
            regions = try Self.pairs(map.split(separator: UInt8(ascii: ",")))
        } else if try pax.unsigned("GNU.sparse.numblocks") != nil {
            byteCount = try pax.unsigned("GNU.sparse.size")
            regions = pax.regions
        } else {
            return
        }
        guard let byteCount, byteCount <= Self.maximumFileByteCount else {
            throw TarError(
                .tooLarge, "the sparse file '\(entry.displayName)' says that it has more than \(Self.maximumFileByteCount) bytes")
        }
        var (end, sum): (UInt64, UInt64) = (0, 0)
        for region in regions {
            let (itsEnd, overflow) = region.offset.addingReportingOverflow(region.byteCount)
            guard region.offset >= end else {
                throw TarError(.corrupt, "the regions of the sparse file '\(entry.displayName)' overlap, or are in no order")
            }
            guard !overflow, itsEnd <= byteCount else {
                throw TarError(.corrupt, "the regions of the sparse file '\(entry.displayName)' lie beyond its end")
            }
            (end, sum) = (itsEnd, sum + region.byteCount)
        }
        guard sum == dataLeft else {
            throw TarError(.corrupt, "the regions of the sparse file '\(entry.displayName)' have \(sum) bytes, and its data \(dataLeft)")
        }
        (entry.byteCount, entry.regions) = (byteCount, regions.filter { $0.byteCount > 0 })
    }

    private func oldMap(_ header: TarHeader) throws(TarError) -> [TarEntry.Region] {
        var regions: [TarEntry.Region] = []
        func take(_ entries: ArraySlice<UInt8>) throws(TarError) {
            for start in stride(from: entries.startIndex, to: entries.endIndex, by: 24) where entries[start] != 0 {
                guard let offset = TarHeader.number(entries[start..<start + 12]).flatMap({ UInt64(exactly: $0) }),
                    let count = TarHeader.number(entries[start + 12..<start + 24]).flatMap({ UInt64(exactly: $0) })
                else { throw PaxRecords.malformed("a region of GNU's old map of a sparse file is no number") }
                guard regions.count < PaxRecords.maximumRegionCount else { throw PaxRecords.tooManyRegions }
                regions.append(TarEntry.Region(offset: offset, byteCount: count))
            }
        }
        try take(header.sparseEntries)
        var continues = header.sparseContinues
        while continues {
            let block = try readBytes(512)
            try take(block[0..<504])
            continues = block[504] != 0
        }
        return regions
    }

    /// Version 1.0 has the map in front of the data: decimal numbers, a line each, filled up to a block.
    private func mapInData() throws(TarError) -> [TarEntry.Region] {
        var (lines, line, needed): ([[UInt8]], [UInt8], Int) = ([], [], 1)
        while lines.count < needed {
            guard dataLeft >= 512 else { throw PaxRecords.malformed("the map of a sparse file does not end within its data") }
            let block = try readBytes(512)
            dataLeft -= 512
            for byte in block where lines.count < needed {
                guard byte == 10 else {
                    guard line.count < 20 else {
                        throw PaxRecords.malformed("a line of the map of a sparse file is longer than any number")
                    }
                    line.append(byte)
                    continue
                }
                lines.append(line)
                line = []
                if lines.count == 1 {
                    let count = try PaxRecords.unsigned(lines[0], "the count of regions")
                    guard count <= PaxRecords.maximumRegionCount else { throw PaxRecords.tooManyRegions }
                    needed = 1 + 2 * Int(count)
                }
            }
        }
        return try Self.pairs(lines.dropFirst())
    }

    /// There are not more than are allowed: whoever calls has counted them, or has them from a header, which has no place for more.
    private static func pairs(_ numbers: some Collection<some Collection<UInt8>>) throws(TarError) -> [TarEntry.Region] {
        guard numbers.count % 2 == 0 else { throw PaxRecords.malformed("the map of a sparse file has an offset without a length") }
        var regions: [TarEntry.Region] = []
        var offset: UInt64?
        for number in numbers {
            let value = try PaxRecords.unsigned(number, "a region's place or length")
            if let begin = offset {
                regions.append(TarEntry.Region(offset: begin, byteCount: value))
                offset = nil
            } else {
                offset = value
            }
        }
        return regions
    }
}
