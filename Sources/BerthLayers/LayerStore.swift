public import BerthArchive
public import BerthContent
internal import BerthLinux
public import BerthOCI
public import BerthSnapshots
public import BerthTar

/// A layer that has come in.
public struct ImportedLayer: Hashable, Sendable {
    /// Its bytes, as they are kept.
    public let blob: Descriptor
    /// The digest of its uncompressed tar.
    public let diffID: Digest
    /// The chain of layers up to it.
    public let name: LayerName
    /// How many bytes its files have.
    public let unpackedByteCount: UInt64
}

/// Takes layers in: blobs and unpacked, in one pass over their bytes.
///
/// A layer comes in two steps. ``unpack(from:for:progress:)``, or ``unpack(_:while:)`` for one that somebody else brings, keeps its bytes and, where layers are
/// kept apart, unpacks them: of several layers in any order, at the same time. ``commit(_:on:for:)`` lays them one on the other.
///
/// All calls block: they belong in a lane.
public final class LayerStore: Sendable {
    let content: ContentStore
    let snapshots: any Snapshotter
    let earlySync = EarlySync()
    /// How much an archive may become.
    public let limits: ArchiveLimits

    /// Layers of these stores.
    public init(content: ContentStore, snapshots: any Snapshotter, limits: ArchiveLimits = ArchiveLimits()) {
        (self.content, self.snapshots, self.limits) = (content, snapshots, limits)
    }

    // MARK: Taking in

    /// Takes a layer in, whatever it will lie on: reads it to its end, keeps it as it arrived, and, where layers are kept apart, unpacks it.
    ///
    /// When this throws, nothing is left.
    /// - Parameters:
    ///   - lease: holds the blob from before it has its name.
    ///   - progress: told now and then how many bytes have arrived. What it throws ends it.
    public func unpack(
        from source: any ByteSource, for lease: Lease, progress: (UInt64) throws(LayerError) -> Void = { (_) throws(LayerError) in }
    ) throws(LayerError) -> UnpackedLayer {
        try unpack(from: source, .beneathRoot, for: lease, progress: progress)
    }

    func unpack(
        from source: any ByteSource, _ absoluteNames: LayerRules.AbsoluteNames, for lease: Lease,
        progress: (UInt64) throws(LayerError) -> Void
    ) throws(LayerError) -> UnpackedLayer {
        try withoutActuallyEscaping(progress) { (progress) throws(LayerError) in
            let arriving: ArrivingSource
            do throws(ContentError) { arriving = ArrivingSource(source, try content.makeIngest(for: lease), progress) } catch {
                throw LayerError(error)
            }
            var files: UnpackedLayer.Files?
            do throws(LayerError) {
                if snapshots.keepsLayersApart {
                    let ahead = ReadAhead(arriving)
                    defer { ahead.stop() }
                    files = try unpack(ahead, on: nil, hashesPlain: false, absoluteNames)
                } else {
                    try arriving.readToEnd()
                }
                do throws(ContentError) { return UnpackedLayer(.pending(try arriving.end()), files, snapshots, absoluteNames) } catch {
                    throw LayerError(error)
                }
            } catch {
                if let files { snapshots.discard(files.prepared) }
                throw arriving.refusal ?? error
            }
        }
    }

    /// A place for a layer that somebody brings piece by piece, while another unpacks it.
    ///
    /// - Parameters:
    ///   - algorithm: that of the digest that it is named by.
    ///   - lease: holds the blob from before it has its name.
    public func makeArrival(_ algorithm: Digest.Algorithm = .sha256, for lease: Lease) throws(LayerError) -> LayerArrival {
        do throws(ContentError) { return LayerArrival(try content.makeIngest(algorithm, for: lease), algorithm) } catch {
            throw LayerError(error)
        }
    }

    /// The same, for a layer of which an earlier one may have brought a part: that is there already, and whoever unpacks it begins with it. Abandoned, what has
    /// come stays for the next (``ContentStore/makeIngest(continuing:for:)``).
    public func makeArrival(continuing blob: Descriptor, for lease: Lease) throws(LayerError) -> LayerArrival {
        do throws(ContentError) {
            return LayerArrival(try content.makeIngest(continuing: blob, for: lease), blob.digest.algorithm)
        } catch { throw LayerError(error) }
    }

    /// Takes in a layer that comes: unpacks it, where layers are kept apart, behind the one who brings it. When this throws, nothing is left.
    ///
    /// - Parameters:
    ///   - progress: told now and then how many of its bytes have been read, as it comes.
    ///   - isWanted: asked now and then whether to go on.
    public func unpack(
        _ arrival: LayerArrival, progress: @escaping (UInt64) -> Void = { _ in }, while isWanted: @escaping () -> Bool = { true }
    ) throws(LayerError) -> UnpackedLayer {
        var files: UnpackedLayer.Files?
        if snapshots.keepsLayersApart {
            let source = try FollowingSource(arrival, progress, while: isWanted)
            files = try unpack(source, on: nil, hashesPlain: arrival.algorithm != .sha256, .beneathRoot)
        }
        do throws(LayerError) { return UnpackedLayer(.pending(try arrival.blob()), files, snapshots) } catch {
            if let files { snapshots.discard(files.prepared) }
            throw error
        }
    }

    /// A layer whose bytes have come, and that is unpacked only if a layer is to be made of it.
    public func hold(_ blob: PendingBlob) -> UnpackedLayer { UnpackedLayer(.pending(blob), nil, snapshots) }

    /// The same of a blob that was here before, and stays for as long as the lease lasts. `storage` if there is none.
    public func hold(_ digest: Digest, for lease: Lease) throws(LayerError) -> UnpackedLayer {
        lease.hold(.blob(digest))
        do throws(ContentError) {
            return UnpackedLayer(.kept(digest, byteCount: try content.byteCount(of: digest)), nil, snapshots)
        } catch { throw LayerError(error) }
    }

    /// Whether some first bytes, a block of a tar or more, may be those of a layer: of a tar, plain or compressed.
    public static func looksLikeLayer(_ head: [UInt8]) -> Bool { Compression.of(head) != .none || TarReader.isHeader(head) }

    /// The digest of a layer's tar: where it has not been unpacked, it is read for that.
    public func diffID(of layer: UnpackedLayer) throws(LayerError) -> Digest {
        if let known = layer.knownDiffID { return known }
        let source = Decompressor(try source(of: layer), limits: limits)
        var hasher = DigestHasher()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        do throws(ByteSourceError) {
            while true {
                let count = try unsafe source.read(into: buffer)
                if count == 0 { return hasher.digest() }
                unsafe hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        } catch { throw LayerError(TarError(error)) }
    }

    // MARK: Layers that are there

    /// What is known of a layer; `nil` if it is not there. If it is, it stays for as long as the lease lasts.
    public func layer(_ name: LayerName, for lease: Lease) -> LayerInformation? {
        lease.hold(name)
        return snapshots.layers()[name]
    }

    /// The name of a chain (OCI image specification, *Image Configuration*, "Layer ChainID").
    public static func chainID(of diffID: Digest, on parent: LayerName?) -> Digest {
        guard let parent else { return diffID }
        return Digest(of: Array("\(parent.chainID) \(diffID)".utf8))
    }

    // MARK: Unpacking

    func source(of layer: UnpackedLayer) throws(LayerError) -> DescriptorSource {
        do throws(ContentError) {
            switch layer.bytes {
            case .pending(let blob): return DescriptorSource(try blob.open())
            case .kept(let digest, _): return DescriptorSource(try content.open(digest))
            }
        } catch { throw LayerError(error) }
    }

    func compression(of layer: UnpackedLayer) throws(LayerError) -> Compression {
        if let known = layer.compression { return known }
        let source = Decompressor(try source(of: layer), limits: limits)
        var first: UInt8 = 0
        do throws(ByteSourceError) {
            _ = try unsafe withUnsafeMutableBytes(of: &first) { (buffer) throws(ByteSourceError) in try unsafe source.read(into: buffer) }
        } catch { throw LayerError(TarError(error)) }
        return source.compression ?? .none
    }

    /// Unpacks into a directory of its own. When this throws, that is gone.
    func unpack(
        _ source: any ByteSource, on parent: LayerName?, hashesPlain: Bool, _ absoluteNames: LayerRules.AbsoluteNames
    ) throws(LayerError) -> UnpackedLayer.Files {
        var prepared: PreparedLayer
        do throws(SnapshotError) { prepared = try snapshots.prepareLayer(on: parent) } catch { throw LayerError(error) }
        do throws(LayerError) { return try unpack(source, into: &prepared, hashesPlain, absoluteNames) } catch {
            snapshots.discard(prepared)
            throw error
        }
    }

    func unpack(
        _ source: any ByteSource, into prepared: inout PreparedLayer, _ hashesPlain: Bool, _ absoluteNames: LayerRules.AbsoluteNames
    ) throws(LayerError) -> UnpackedLayer.Files {
        let directory: Directory
        do throws(SnapshotError) { directory = try prepared.open() } catch { throw LayerError(error) }
        let plain = HashedSource(Decompressor(source, limits: limits), hashesPlain: hashesPlain)
        // What was not compressed is passed on as it is.
        let ahead = ReadAhead(plain) { plain.compression != Compression.none }
        defer { ahead.stop() }
        let rules = LayerRules(style: snapshots.whiteouts, absoluteNames)
        let extractor = TreeExtractor(
            into: directory, maximumEntryCount: limits.entryCount,
            screen: { (entry, path) throws(TarError) in try rules.isAllowed(entry, at: path) },
            filter: { (entry, path, parent) throws(TarError) in
                guard try rules.isToBeUnpacked(entry, at: path, in: parent) else { return false }
                self.earlySync.count(entry.dataByteCount, in: parent)
                return true
            })
        do throws(TarError) {
            let reader = TarReader(ahead)
            try extractor.extractAll(reader)
            try reader.drain()
        } catch { throw LayerError(error) }
        // Its thread, which has come to the end, is not left with what is looked at now.
        ahead.stop()
        prepared.impliedDirectories = extractor.impliedDirectories.union(rules.hasRoot ? [] : [[]])
        return UnpackedLayer.Files(
            prepared: prepared, compression: plain.compression ?? .none, diffID: plain.digest, byteCount: extractor.byteCount)
    }
}

extension Lease {
    /// Holds a layer, with all that it lies on.
    public func hold(_ layer: LayerName) { hold(.layer(chainID: layer.chainID)) }
}
