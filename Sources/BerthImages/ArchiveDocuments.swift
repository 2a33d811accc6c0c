/// Reads the documents of an archive, or a directory, and counts what they are together: they are in memory at once.
final class ArchiveDocuments {
    /// The most bytes of all that are read, and made, of one archive. A thousand images of today have a fifth of it.
    static let maximumTotalByteCount = 64 << 20

    let parts: any ImageParts
    private var byteCount = 0

    init(_ parts: any ImageParts) { self.parts = parts }

    /// A document, whole; `nil` if there is nothing of that path.
    ///
    /// - Throws: `tooLarge` if it, or all of them together, are.
    func read(_ path: String) throws(ImageError) -> [UInt8]? {
        guard let bytes = try parts.document(at: path) else { return nil }
        try count(bytes, "'\(path)'")
        return bytes
    }

    /// Counts a document that was made of others.
    ///
    /// - Throws: `tooLarge`, as for one that was read.
    func count(_ bytes: [UInt8], _ what: String) throws(ImageError) {
        guard bytes.count <= ImageStore.maximumDocumentByteCount else {
            throw ImageError(
                .tooLarge, "\(what) has \(bytes.count) bytes: a document of an image has at most \(ImageStore.maximumDocumentByteCount)")
        }
        byteCount += bytes.count
        guard byteCount <= Self.maximumTotalByteCount else {
            throw ImageError(
                .tooLarge,
                "the documents of the archive have more than \(Self.maximumTotalByteCount) bytes together, the most that are read")
        }
    }
}
