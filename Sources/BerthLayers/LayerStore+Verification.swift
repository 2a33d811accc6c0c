internal import BerthArchive
internal import BerthContent
internal import BerthLinux
public import BerthOCI
public import BerthSnapshots
internal import BerthTar

extension LayerStore {
    /// Verifies a blob: reads it, and compares its bytes with its digest.
    ///
    /// - Parameter progress: told now and then how many more bytes have been read. What it throws ends it.
    /// - Returns: what is wrong with it; `nil` if nothing is.
    /// - Throws: `storage` for one that is not there or cannot be read, and what `progress` throws.
    public func verify(_ blob: Digest, progress: @escaping (UInt64) throws(LayerError) -> Void) throws(LayerError) -> String? {
        let source = CountedSource(try open(blob), blob.algorithm, progress)
        do throws(LayerError) { try source.readToEnd() } catch { return try Self.blobFault(error) }
        return source.fault(of: blob)
    }

    /// Verifies layers, each against its blob: the blob's digest, and then every file of the layer's directory with its kind, owner, mode, time,
    /// attributes, contents and names, what it removes from the layers below, and that there is nothing besides. In one pass over each blob.
    ///
    /// The names and attributes of a layer's files are in memory while it is compared, no contents.
    /// - Parameters:
    ///   - layers: layers that lie on each other, from the lowest of all; where ``Snapshotter/keepsLayersApart``, any layers.
    ///   - compares: which of them are compared; the others are only read, where that is needed.
    ///   - progress: told now and then how many more bytes of blobs have been read. What it throws ends it.
    ///   - done: told of each layer that was compared.
    /// - Throws: `storage`, for what cannot be read of the files, and what `progress` throws.
    public func verify(
        _ layers: [(name: LayerName, blob: Digest)], compares: (LayerName) -> Bool = { _ in true },
        progress: @escaping (UInt64) throws(LayerError) -> Void, done: (LayerVerification) -> Void
    ) throws(LayerError) {
        var tree = LayeredTree(maximumEntryCount: limits.entryCount)
        var unknown: String?
        for (name, blob) in layers {
            var verification = LayerVerification(name, blob)
            if snapshots.keepsLayersApart { (tree, unknown) = (LayeredTree(maximumEntryCount: limits.entryCount), nil) }
            if let unknown {
                verification.blobFault = unknown
            } else {
                verification.blobFault = try read(blob, of: name, into: tree, progress)
                if verification.blobFault != nil { unknown = LayerVerification.unreadBelow }
            }
            guard compares(name) else { continue }
            if verification.blobFault == nil {
                verification = try compare(verification, tree, { () throws(LayerError) in try progress(0) })
            }
            done(verification)
        }
    }

    private func open(_ blob: Digest) throws(LayerError) -> DescriptorSource {
        do throws(ContentError) { return DescriptorSource(try content.open(blob)) } catch { throw LayerError(error) }
    }

    /// A blob that cannot be read whole is damaged; who asks no longer, is not answered.
    private static func blobFault(_ error: LayerError) throws(LayerError) -> String {
        if error.code == .cancelled { throw error }
        return error.description
    }

    /// - Returns: what is wrong with the blob.
    private func read(
        _ blob: Digest, of name: LayerName, into tree: LayeredTree, _ progress: @escaping (UInt64) throws(LayerError) -> Void
    ) throws(LayerError) -> String? {
        guard let information = snapshots.layers()[name] else { throw LayerError(.storage, "layer \(name.chainID) has gone meanwhile") }
        let source: CountedSource
        do throws(LayerError) { source = CountedSource(try open(blob), blob.algorithm, progress) } catch {
            return try Self.blobFault(error)
        }
        let plain = HashedSource(Decompressor(source, limits: limits), hashesPlain: true)
        let ahead = ReadAhead(plain)
        var failure: LayerError?
        do throws(TarError) {
            defer { ahead.stop() }
            let reader = TarReader(ahead)
            try tree.add(reader, hashesContents: true)
            try reader.drain()
        } catch { failure = LayerError(error) }
        if let refusal = source.refusal { throw refusal }
        do throws(LayerError) { try source.readToEnd() } catch { return try Self.blobFault(error) }
        if let fault = source.fault(of: blob) { return fault }
        if let failure { return "it cannot be read: \(failure.description)" }
        return plain.digest == information.diffID ? nil : "it is another layer's: its tar has not the digest \(information.diffID)"
    }

    private func compare(
        _ verification: LayerVerification, _ tree: LayeredTree, _ isWanted: @escaping () throws(LayerError) -> Void
    ) throws(LayerError) -> LayerVerification {
        let path: String
        do throws(SnapshotError) { path = try snapshots.directory(of: verification.name) } catch { throw LayerError(error) }
        let directory: Directory
        do throws(Errno) { directory = try Directory.open(path) } catch {
            guard error == .ENOENT || error == .ENOTDIR else {
                throw LayerError(.storage, "cannot open '\(path)': \(error)", underlying: error)
            }
            var verification = verification
            verification.add([], "all of its files are missing")
            return verification
        }
        let comparison = try DirectoryComparison(
            of: directory, verification, snapshots.whiteouts,
            below: { [snapshots] (path) throws(LayerError) in try Self.attributes(below: verification.name, at: path, snapshots) },
            isWanted: isWanted)
        try comparison.run(tree)
        return comparison.verification
    }

    private static func attributes(
        below name: LayerName, at path: [PathBytes], _ snapshots: any Snapshotter
    ) throws(LayerError) -> ExpectedAttributes? {
        do throws(SnapshotError) {
            guard let directory = try snapshots.directory(below: name, at: path) else { return nil }
            do throws(Errno) { return ExpectedAttributes(try directory.status(""), try directory.extendedAttributes(of: "")) } catch {
                throw SnapshotError(.storage, "cannot look below layer \(name.chainID): \(error)", underlying: error)
            }
        } catch { throw LayerError(error) }
    }

    /// Unpacks a layer's blob anew, beside, and puts the files in the place of those that it has: whole, or not at all.
    ///
    /// - Throws: `invalid` for a blob that is not the layer's, `storage`; the layer is as it was then.
    public func restore(_ name: LayerName, from blob: Digest) throws(LayerError) {
        guard let information = snapshots.layers()[name] else { throw LayerError(.storage, "there is no layer \(name.chainID)") }
        let files = try unpack(try open(blob), on: information.parent, hashesPlain: true, .beneathRoot)
        do throws(SnapshotError) {
            guard files.diffID == information.diffID else {
                throw SnapshotError(.invalid, "blob \(blob) is not that of layer \(name.chainID)")
            }
            try snapshots.replaceFiles(of: name, with: files.prepared)
            try snapshots.mend(name)
        } catch {
            snapshots.discard(files.prepared)
            throw LayerError(error)
        }
    }
}

/// Bytes with their digest, and how many there were.
final class CountedSource: ByteSource {
    private let source: DescriptorSource
    private var hasher: DigestHasher
    private let progress: (UInt64) throws(LayerError) -> Void
    /// What `progress` threw.
    private(set) var refusal: LayerError?

    init(_ source: DescriptorSource, _ algorithm: Digest.Algorithm, _ progress: @escaping (UInt64) throws(LayerError) -> Void) {
        (self.source, self.progress) = (source, progress)
        hasher = DigestHasher(algorithm)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = try unsafe source.read(into: buffer)
        unsafe hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        do throws(LayerError) { try progress(UInt64(count)) } catch {
            refusal = error
            throw ByteSourceError(.cancelled, error.description)
        }
        return count
    }

    func interrupt() { source.interrupt() }

    /// Reads what is still to come.
    func readToEnd() throws(LayerError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        do throws(ByteSourceError) { while try unsafe read(into: buffer) > 0 {} } catch { throw refusal ?? LayerError(TarError(error)) }
    }

    /// What is wrong with what was read, to its end; `nil` if nothing is.
    func fault(of blob: Digest) -> String? {
        let found = hasher.digest()
        return found == blob ? nil : "its bytes have the digest \(found)"
    }
}
