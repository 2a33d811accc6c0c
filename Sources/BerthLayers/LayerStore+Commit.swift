internal import BerthArchive
public import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
public import BerthSnapshots
internal import BerthTar
internal import Synchronization

extension LayerStore {
    /// Makes a layer of what a container has changed, in one pass: packed, hashed, compressed and kept, and unpacked beside its parent, all at the
    /// same time.
    ///
    /// The layer is stored as gzip; the same changes make the same layer. The container's own layer is only read. Whole or absent, as
    /// ``importLayer(from:on:for:until:progress:)``.
    /// - Parameters:
    ///   - lease: holds the blob and the layer from before they have their names, and the layer below.
    ///   - progress: told now and then how many bytes of tar there are. What it throws ends it.
    /// - Returns: `nil` if nothing has changed: then nothing is made.
    /// - Throws: `invalid` for a name that no layer can have, with its path; `noSpace` before anything is written; `storage`, and what `progress`
    ///   throws.
    public func commitLayer(
        of container: WritableLayer, on parent: LayerName?, leavingOut mountPoints: MountPoints, for lease: Lease,
        progress: @escaping @Sendable (UInt64) throws(LayerError) -> Void
    ) throws(LayerError) -> ImportedLayer? {
        if let parent { lease.hold(parent) }
        let (own, comparison) = try compare(container, on: parent, leavingOut: mountPoints)
        if comparison.isEmpty { return nil }
        try requireSpace(for: comparison.byteCount)
        let prepared: PreparedLayer
        do throws(SnapshotError) { prepared = try snapshots.prepareLayer(on: parent) } catch { throw LayerError(error) }
        do throws(LayerError) {
            let sink: LayerSink
            do throws(ContentError) { sink = LayerSink(try content.makeIngest(for: lease), progress) } catch { throw LayerError(error) }
            let files = try sink.unpacking(self, into: prepared) { () throws(LayerError) in
                try Self.pack(own.take(), comparison, to: sink)
                try sink.finish()
            }
            let (blob, diffID) = try sink.commit()
            let name = LayerName(chainID: Self.chainID(of: diffID, on: parent))
            lease.hold(name)
            do throws(SnapshotError) {
                let information = LayerInformation(name: name, diffID: diffID, parent: parent, byteCount: files.byteCount)
                try snapshots.commit(files.prepared, as: information)
            } catch { throw LayerError(error) }
            return ImportedLayer(blob: blob, diffID: diffID, name: name, unpackedByteCount: files.byteCount)
        } catch {
            snapshots.discard(prepared)
            throw error
        }
    }

    /// The files lie a second time beside their parent. How many bytes the blob of them has is not known yet.
    private func requireSpace(for byteCount: UInt64) throws(LayerError) {
        let free: UInt64
        do throws(SnapshotError) { free = try snapshots.availableByteCount() } catch { throw LayerError(error) }
        guard byteCount <= free else {
            throw LayerError(
                ContentError.noSpace(for: "what the container has changed", needing: byteCount, at: snapshots.path, having: free))
        }
    }

    /// Unpacks what comes out of a pipe, to its end. What fails here is told once everything has been read, so that nobody writes into nothing.
    fileprivate func unpack(
        _ source: DescriptorSource, into prepared: PreparedLayer, _ state: UnpackState
    ) -> Result<UnpackedLayer.Files, LayerError> {
        let result = Result { () throws(LayerError) in
            var prepared = prepared
            return try unpack(source, into: &prepared, false, .refused)
        }
        if case .failure(let error) = result {
            state.fail(error)
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            // The error that counts is known already.
            while let count = try? unsafe buffer.withUnsafeMutableBytes({ try unsafe source.read(into: $0) }), count > 0 {}
        }
        return result
    }
}

/// What the thread that unpacks has to say to the one that packs.
private final class UnpackState: Sendable {
    private let value = Mutex<LayerError?>(nil)
    var failure: LayerError? { value.withLock { $0 } }
    func fail(_ error: LayerError) { value.withLock { $0 = error } }
}

/// Where a new layer's tar goes: into its digest, compressed into the content store, and through a pipe to be unpacked.
final class LayerSink: ByteSink {
    private var hasher = DigestHasher()
    private let ingest: IngestSink
    private let compressor: Compressor
    private var pipe: DescriptorSink?
    private let state = UnpackState()
    private let progress: (UInt64) throws(LayerError) -> Void
    private var byteCount: UInt64 = 0
    /// What `progress` threw.
    private(set) var refusal: LayerError?

    init(_ ingest: consuming Ingest, _ progress: @escaping (UInt64) throws(LayerError) -> Void) {
        self.ingest = IngestSink(ingest)
        compressor = Compressor(self.ingest, .gzip)
        self.progress = progress
    }

    /// Unpacks, on a thread beside this one, what `body` writes into this sink.
    ///
    /// - Returns: the files.
    func unpacking(_ layers: LayerStore, into prepared: PreparedLayer, _ body: () throws(LayerError) -> Void) throws(LayerError)
        -> UnpackedLayer.Files
    {
        let companion: Companion<Result<UnpackedLayer.Files, LayerError>>
        do throws(Errno) {
            let ends = try BerthLinux.Pipe()
            ends.extend(to: 1 << 20)
            let (source, sink) = ends.take { reading, writing in (ReadingEnd(reading), DescriptorSink(writing)) }
            companion = try Companion { [state] in
                guard let descriptor = source.take() else { return .failure(LayerError(.storage, "the layer has been unpacked already")) }
                return layers.unpack(DescriptorSource(descriptor), into: prepared, state)
            }
            pipe = sink
        } catch { throw LayerError(.storage, "cannot start to unpack the layer: \(error)", underlying: error) }
        var failure: LayerError?
        do throws(LayerError) { try body() } catch { failure = refusal ?? error }
        // The end of the pipe is the end of the archive.
        pipe = nil
        let unpacked: Result<UnpackedLayer.Files, LayerError>
        do throws(Errno) { unpacked = try companion.join() } catch {
            throw LayerError(.storage, "cannot wait for the layer to be unpacked: \(error)", underlying: error)
        }
        // Where packing has failed, unpacking has failed for want of the rest; where unpacking has failed first, it has said so.
        if let failure { throw state.failure.flatMap { $0.code == .storage ? $0 : nil } ?? failure }
        return try unpacked.get()
    }

    private final class ReadingEnd: Sendable {
        private let value: Mutex<OwnedDescriptor?>
        init(_ value: consuming OwnedDescriptor) { self.value = Mutex(consume value) }
        func take() -> OwnedDescriptor? { value.withLock { $0.take() } }
    }

    func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
        if let failure = state.failure { throw ByteSinkError(.storage, failure.description, underlying: failure.underlying) }
        unsafe bytes.withUnsafeBytes { unsafe hasher.update($0) }
        try pipe?.write(bytes)
        try compressor.write(bytes)
        byteCount += UInt64(bytes.byteCount)
        do throws(LayerError) { try progress(byteCount) } catch {
            refusal = error
            throw ByteSinkError(.cancelled, error.description)
        }
    }

    func finish() throws(LayerError) {
        do throws(ByteSinkError) { try compressor.finish() } catch {
            throw LayerError(.storage, error.description, underlying: error.underlying)
        }
    }

    /// Says that this was all.
    func seal() throws(LayerError) -> (blob: PendingBlob, diffID: Digest) {
        do throws(ContentError) { return (try ingest.seal(), hasher.digest()) } catch { throw LayerError(error) }
    }

    func commit() throws(LayerError) -> (blob: Descriptor, diffID: Digest) {
        let (blob, diffID) = try seal()
        do throws(ContentError) { try blob.commit() } catch { throw LayerError(error) }
        return (Descriptor(mediaType: .layerGzip, digest: blob.digest, byteCount: blob.byteCount), diffID)
    }
}

/// Keeps bytes in the content store.
private final class IngestSink: ByteSink {
    private var ingest: Ingest?

    init(_ ingest: consuming Ingest) { self.ingest = consume ingest }

    func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
        do throws(ContentError) { try ingest?.write(bytes) } catch {
            throw ByteSinkError(.storage, error.description, underlying: error.underlying)
        }
    }

    func seal() throws(ContentError) -> PendingBlob {
        guard let ingest = ingest.take() else { throw ContentError(.storage, "the layer has been kept already") }
        return ingest.seal()
    }
}
