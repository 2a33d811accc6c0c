internal import BerthArchive
internal import BerthContent
internal import BerthLayers
internal import BerthLinux
internal import BerthOCI
internal import BerthState
internal import BerthTar

/// Reads an archive of images from a stream that cannot go back: keeps what comes, and has layers unpacked while they come, before anybody
/// knows which image they are of.
final class ArchiveReceiver {
    private let services: ImageStore.Services
    private let context: JobContext
    private let lease: Lease
    private let start: (StartedLayer) -> Void
    private let members: ArchiveMembers
    private var looks = ArchiveLooks()
    private var memberCount = 0
    private var smallByteCount = 0
    private var receivedByteCount: UInt64 = 0
    private var toldAt: UInt64 = 0

    /// The most members of an archive.
    static let maximumMemberCount = 65_536
    /// The longest name of one.
    static let maximumNameByteCount = 4096
    /// What is not longer stays in memory, all of it together up to the other.
    private static let smallLimit = 64 << 10
    private static let smallTotalLimit = 8 << 20
    /// For smaller files, asking whether there is a place for them would cost more than it saves.
    private static let askedByteCount: UInt64 = 1 << 20

    /// - Parameters:
    ///   - lease: holds what comes.
    ///   - members: where what comes is put.
    ///   - start: told of each layer as soon as it begins to come.
    init(
        _ services: ImageStore.Services, _ context: JobContext, _ lease: Lease, into members: ArchiveMembers,
        start: @escaping (StartedLayer) -> Void
    ) {
        (self.services, self.context, self.lease, self.members, self.start) = (services, context, lease, members, start)
    }

    /// Reads to the end.
    ///
    /// - Throws: `invalid` for what is no archive of images, in words that say what it looks like.
    func receive(from source: any ByteSource) throws(ImageError) {
        let observed = ObservedSource(source)
        let reader = TarReader(observed)
        while let entry = try next(reader, observed) {
            let path = try Self.path(of: entry)
            try looks.see(path)
            if let error = members.hopeless { throw ImageError(error) }
            switch entry.kind {
            case .file: try receive(entry, path, reader)
            case .symbolicLink, .hardLink: members.add(.link(to: try Self.target(of: entry, path)), at: path)
            default: continue  // a folder; what else there may be is no part of an image
            }
        }
        do throws(TarError) { try reader.drain() } catch { throw ImageError(error) }
        guard memberCount > 0 else { throw ArchiveLooks.complaint(about: observed) }
    }

    private func next(_ reader: TarReader, _ observed: ObservedSource) throws(ImageError) -> TarEntry? {
        do throws(TarError) {
            guard let entry = try reader.next() else { return nil }
            memberCount += 1
            guard memberCount <= Self.maximumMemberCount else {
                throw TarError(
                    .tooLarge, "the archive has more than \(Self.maximumMemberCount) members, the most that one of images may have")
            }
            return entry
        } catch {
            if memberCount == 0, error.code == .corrupt || error.code == .truncated { throw ArchiveLooks.complaint(about: observed) }
            throw ImageError(error)
        }
    }

    // MARK: Names

    private static func path(of entry: TarEntry) throws(ImageError) -> String {
        guard entry.name.count <= maximumNameByteCount else {
            throw ImageError(
                .tooLarge, "a member of the archive has a name of \(entry.name.count) bytes: at most \(maximumNameByteCount) are taken")
        }
        guard let path = ArchiveMembers.path(String(decoding: entry.name, as: UTF8.self)) else {
            throw ImageError(.invalid, "the member '\(entry.displayName)' of the archive has '..' in its name: it could lead out of it")
        }
        return path
    }

    private static func target(of entry: TarEntry, _ path: String) throws(ImageError) -> String {
        let text = String(decoding: entry.linkName.prefix(maximumNameByteCount), as: UTF8.self)
        // A hard link's target is a name of the archive, a symbolic link's begins where the link is.
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        guard let target = entry.kind == .hardLink ? ArchiveMembers.path(text) : ArchiveMembers.path(text, in: folder) else {
            throw ImageError(.invalid, "the member '\(entry.displayName)' of the archive is a link that leads out of it, to '\(text)'")
        }
        return target
    }

    // MARK: Files

    private func receive(_ entry: TarEntry, _ path: String, _ reader: TarReader) throws(ImageError) {
        try requireSpace(for: entry)
        var head: [UInt8] = []
        var arrival: LayerArrival?
        do throws(ImageError) {
            var more = true
            while more {
                more = try unsafe reader.readData(
                    { (bytes) throws(ImageError) in
                        if let arrival { return try unsafe write(bytes, to: arrival) }
                        unsafe head.append(contentsOf: bytes)
                        guard head.count >= TarReader.blockByteCount else { return }
                        arrival = try self.arrival(of: entry, path, &head)
                    }, wrapping: { ImageError($0) })
                try tell()
            }
            // What is shorter than a block may be a layer, too: few bytes can be a whole tar when they are decompressed.
            if arrival == nil { arrival = try self.arrival(of: entry, path, &head) }
            if let arrival { try end(arrival, path) } else { keep(head, at: path) }
        } catch {
            arrival?.abandon()
            throw error
        }
    }

    /// Where a file's bytes go, and its first ones have gone; `nil` for memory.
    private func arrival(of entry: TarEntry, _ path: String, _ head: inout [UInt8]) throws(ImageError) -> LayerArrival? {
        let claimed = Self.claimedDigest(path)
        let isLayer = LayerStore.looksLikeLayer(head)
        guard isLayer || entry.byteCount > Self.smallLimit || smallByteCount + Int(entry.byteCount) > Self.smallTotalLimit else {
            return nil
        }
        let arrival: LayerArrival
        do throws(LayerError) { arrival = try services.layers.makeArrival(claimed?.algorithm ?? .sha256, for: lease) } catch {
            throw ImageError(error)
        }
        // A layer that is here already is mostly unpacked, too; if it is not, that is found out when an image names it.
        if isLayer, !isHere(claimed) {
            let layer = StartedLayer(path: path, arrival)
            members.add(.layer(layer), at: path)
            start(layer)
        }
        try unsafe head.span.bytes.withUnsafeBytes { (bytes) throws(ImageError) in try unsafe write(bytes, to: arrival) }
        head = []
        return arrival
    }

    private func isHere(_ digest: Digest?) -> Bool {
        guard let digest else { return false }
        // What cannot be asked is taken for absent.
        return (try? services.content.contains(digest, for: lease)) ?? false
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to arrival: LayerArrival) throws(ImageError) {
        receivedByteCount += UInt64(bytes.count)
        do throws(LayerError) { try unsafe arrival.write(bytes) } catch { throw ImageError(error) }
    }

    private func end(_ arrival: LayerArrival, _ path: String) throws(ImageError) {
        let blob: PendingBlob
        do throws(LayerError) { blob = try arrival.end() } catch { throw ImageError(error) }
        if let claimed = Self.claimedDigest(path), claimed != blob.digest {
            throw ImageError(.invalid, "'\(path)' of the archive is damaged: its bytes have the digest \(blob.digest)")
        }
        if !members.isLayer(at: path, arrival) { members.add(.blob(blob), at: path) }
    }

    private func keep(_ bytes: [UInt8], at path: String) {
        smallByteCount += bytes.count
        members.add(.bytes(bytes), at: path)
    }

    /// The digest by which an OCI layout names a blob.
    static func claimedDigest(_ path: String) -> Digest? {
        let parts = path.split(separator: "/")
        guard parts.count == 3, parts[0] == "blobs" else { return nil }
        return try? Digest(parsing: "\(parts[1]):\(parts[2])")  // any other name is no claim
    }

    private func requireSpace(for entry: TarEntry) throws(ImageError) {
        guard entry.byteCount >= Self.askedByteCount else { return }
        do throws(ContentError) {
            try services.content.requireSpace(for: "'\(entry.displayName)' of the archive", byteCount: entry.byteCount)
        } catch { throw ImageError(error) }
    }

    private func tell() throws(ImageError) {
        if context.isCancelled { throw ImageError(.cancelled, "the load was cancelled") }
        guard receivedByteCount - toldAt >= 1 << 20 else { return }
        toldAt = receivedByteCount
        context.report(Progress(status: "Loading", completedByteCount: receivedByteCount))
    }
}

/// What a source gives, and what the beginning of it was.
final class ObservedSource: ByteSource {
    private let source: any ByteSource
    /// Its first bytes.
    private(set) var head: [UInt8] = []
    /// How many there were so far.
    private(set) var byteCount: UInt64 = 0

    init(_ source: any ByteSource) { self.source = source }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = try unsafe source.read(into: buffer)
        if head.count < 1024 { unsafe head.append(contentsOf: buffer.prefix(min(count, 1024 - head.count))) }
        byteCount += UInt64(count)
        return count
    }
}
