internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthState

/// Writes images into a directory of the host's, as an OCI layout.
struct LayoutWriter {
    private let content: ContentStore
    private let context: JobContext

    init(_ content: ContentStore, _ context: JobContext) { (self.content, self.context) = (content, context) }

    /// Writes; on failure nothing is left that was not there.
    func write(_ images: SavedImages, to path: String) throws(ImageError) {
        let index = try images.index()
        let directory = try makeEmpty(path)
        do throws(ImageError) {
            try requireSpace(for: images.blobs.reduce(0) { $0 + $1.byteCount }, in: directory, path)
            for blob in images.blobs { try write(blob, to: directory, path) }
            do throws(Errno) {
                // Without the index it is no layout: it comes when all that it names is on the disk.
                for (name, bytes) in [("oci-layout", SavedImages.layout), ("index.json", index)] {
                    try unsafe directory.replaceFile(try PathBytes(name), with: bytes.span.bytes, permissions: 0o644)
                }
            } catch { throw ImageError(.storage, "cannot write a layout to '\(path)': \(error)", underlying: error) }
        } catch {
            // The reason is the other's.
            for name in ["blobs", "oci-layout", "index.json"] as [PathBytes] { try? directory.removeTree(name) }
            throw error
        }
    }

    private func requireSpace(for byteCount: UInt64, in directory: borrowing Directory, _ path: String) throws(ImageError) {
        let free: UInt64
        do throws(Errno) { free = try directory.availableByteCount() } catch {
            throw ImageError(.storage, "cannot ask how much space '\(path)' has: \(error)", underlying: error)
        }
        guard byteCount <= free else {
            throw ImageError(.noSpace(for: "the layout in '\(path)'", needing: byteCount, at: path, having: free))
        }
    }

    private func makeEmpty(_ path: String) throws(ImageError) -> Directory {
        do throws(Errno) {
            let place = try HostPlace(path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path)
            let directory = try place.directory.makeDirectories(place.name)
            guard try directory.entries().isEmpty else { throw .ENOTEMPTY }
            return directory
        } catch {
            let code: ImageError.Code = error == .ENOTEMPTY ? .conflict : error == .ENOENT ? .notFound : .storage
            throw ImageError(code, "cannot write a layout to '\(path)': \(error)", underlying: error)
        }
    }

    private func write(_ blob: Descriptor, to directory: borrowing Directory, _ path: String) throws(ImageError) {
        if context.isCancelled { throw ImageError(.cancelled, "the save was cancelled") }
        context.report(Progress(status: "Saving", totalByteCount: blob.byteCount))
        let source: OwnedDescriptor
        do throws(ContentError) { source = try content.open(blob.digest) } catch { throw ImageError(error) }
        do throws(Errno) {
            let folder = try directory.makeDirectories(try PathBytes("blobs/\(blob.digest.algorithm.rawValue)"))
            let file = try folder.createFile(try PathBytes(blob.digest.hex), permissions: 0o644)
            try source.copyContents(to: file)
            try file.synchronize()
            try folder.synchronize()
        } catch { throw ImageError(.storage, "cannot write blob \(blob.digest) to '\(path)': \(error)", underlying: error) }
    }
}
