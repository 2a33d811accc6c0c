internal import BerthContent
internal import BerthLayers
internal import BerthLinux
internal import BerthOCI
internal import BerthState
internal import BerthTar
internal import Synchronization

/// An OCI layout in a directory of the host's (OCI image specification, *Image Layout*): only what an image needs of it is read.
final class LayoutDirectory: ImageParts {
    private let directory: Directory
    private let path: String
    private let layers: LayerStore
    private let job = Mutex<(context: JobContext, lease: Lease)?>(nil)

    init(_ directory: consuming Directory, _ path: String, _ layers: LayerStore) {
        self.directory = directory
        (self.path, self.layers) = (path, layers)
    }

    /// Tells a job how far it is, and ends with it. What is read is held by its lease. Before anything is read.
    func follow(_ context: JobContext, _ lease: Lease) { job.withLock { $0 = (context, lease) } }

    var paths: Set<String> {
        // What cannot be listed has nothing that could be told of it.
        Set(((try? directory.entries()) ?? []).map(\.name.description))
    }

    func drop() {}

    /// A file, named and not opened; `nil` if there is nothing of that path. What it is, is seen of what is then read, whatever becomes of its name meanwhile.
    ///
    /// - Throws: `invalid` for what is no file: a link could lead anywhere, and a pipe or a device has no end.
    private func named(_ path: String) throws(ImageError) -> OwnedDescriptor? {
        let kind: FileStatus.Kind
        do throws(Errno) {
            let named = try directory.openPath(try PathBytes(path))
            kind = try named.status().kind
            if kind == .regular { return named }
        } catch {
            switch error {
            case .ENOENT, .ENOTDIR: return nil
            case .ELOOP: throw notFile(path, .symbolicLink)
            default: throw failure(path, error)
            }
        }
        throw notFile(path, kind)
    }

    private func notFile(_ path: String, _ kind: FileStatus.Kind) -> ImageError {
        let what =
            switch kind {
            case .symbolicLink: "leads through a symbolic link, and"
            case .directory: "is a directory, and"
            default: "is no file, and"
            }
        return ImageError(.invalid, "'\(self.path)/\(path)' \(what) of a layout in a directory only its own files are read")
    }

    private func failure(_ path: String, _ error: Errno) -> ImageError {
        ImageError(.storage, "cannot read '\(self.path)/\(path)': \(error)", underlying: error)
    }

    func contains(_ path: String) -> Bool {
        do { return try named(path) != nil } catch { return true }  // what it is instead is said when it is read
    }

    func requireSpace(for images: [FoundImage], in content: ContentStore) throws(ImageError) {
        var byteCount: UInt64 = 0
        var seen: Set<String> = []
        for layer in images.flatMap(\.layers) where seen.insert(layer.path).inserted {
            // What is no file is told when it is read.
            guard let file = try? named(layer.path), let status = try? file.status() else { continue }
            if let digest = layer.descriptor?.digest, (try? content.contains(digest)) ?? false { continue }
            byteCount += UInt64(max(0, status.byteCount))
        }
        do throws(ContentError) { try content.requireSpace(for: "the images of '\(path)'", byteCount: byteCount) } catch {
            throw ImageError(error)
        }
    }

    func document(at path: String) throws(ImageError) -> [UInt8]? {
        guard let file = try open(path) else { return nil }
        let limit = ImageStore.maximumDocumentByteCount
        do throws(Errno) { return try file.readToEnd(limit: limit) } catch {
            if error == .EFBIG {
                throw ImageError(.tooLarge, "'\(self.path)/\(path)' has more than \(limit) bytes, the most of a document")
            }
            throw failure(path, error)
        }
    }

    private func open(_ path: String) throws(ImageError) -> OwnedDescriptor? {
        guard let named = try named(path) else { return nil }
        do throws(Errno) { return try HostFile.open("/proc/self/fd/\(named.withRawDescriptor { $0 })") } catch {
            throw failure(path, error)
        }
    }

    func layer(at path: String) throws(ImageError) -> UnpackedLayer? {
        guard let file = try open(path) else { return nil }
        guard let (context, lease) = job.withLock({ $0 }) else { preconditionFailure("it is read by a job") }
        do throws(LayerError) {
            return try layers.unpack(from: DescriptorSource(file), for: lease) { (count) throws(LayerError) in
                if context.isCancelled { throw LayerError(.cancelled, "the load was cancelled") }
                context.report(Progress(status: "Loading", completedByteCount: count))
            }
        } catch { throw ImageError(ImageError(error).code, "the layer '\(path)': \(error)", underlying: error.underlying) }
    }

    func keep(_ blob: Descriptor, in content: ContentStore, for lease: Lease) throws(ImageError) {
        let path = SavedImages.path(of: blob.digest)
        guard let file = try open(path) else {
            throw ImageError(.invalid, "'\(self.path)' does not have the blob \(blob.digest) (\(blob.mediaType)), which it names")
        }
        do throws(ContentError) {
            var ingest = try content.makeIngest(blob.digest.algorithm, for: lease)
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count: Int
                do throws(Errno) { count = try file.read(intoArray: &buffer) } catch {
                    throw ContentError(.storage, "cannot read '\(self.path)/\(path)': \(error)", underlying: error)
                }
                if count == 0 { break }
                try unsafe ingest.write(buffer.span.extracting(..<count).bytes)
            }
            _ = try ingest.commit(expecting: blob.digest)
        } catch {
            throw ImageError(error.code == .digestMismatch ? .invalid : .storage, error.description, underlying: error.underlying)
        }
    }

    /// None is asked: layouts have configurations that say it.
    func diffID(ofLayerAt path: String) throws(ImageError) -> Digest? { nil }
}
