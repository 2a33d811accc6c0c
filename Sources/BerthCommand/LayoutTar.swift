internal import BerthClient
internal import BerthCommandLine
internal import BerthLinux
internal import BerthOCI
internal import BerthTar

/// An OCI layout in a directory of this machine, as a tar: its index, and of the blobs those that what is meant in it leads to.
final class LayoutTar {
    private let path: String
    private let directory: Directory
    private let sink = GatheringSink()
    private let writer: TarWriter
    /// What is still to be written, the next one last.
    private var waiting: [String] = []
    private var file: OutgoingFile?
    private var hasEnded = false

    /// The most bytes of a document of it.
    private static let documentLimit = 4 << 20

    /// - Parameter name: which image is meant; `nil` for all that there are.
    init(_ path: String, _ name: String?) throws {
        (self.path, writer) = (path, TarWriter(sink))
        do throws(Errno) { directory = try Directory.open(path) } catch { throw Failure("open \(path): \(error)") }
        guard let index = try read("index.json") else { throw Failure("'\(path)' is no OCI layout: it has no index.json") }
        var blobs: [String] = []
        var seen: Set<String> = []
        var next = index["manifests"]?.elements ?? []
        if let name {
            let named = next.filter { Self.isCalled(name, $0) }
            // What else may be meant by the name is for the daemon to say.
            if !named.isEmpty { next = named }
        }
        while let descriptor = next.popLast() {
            // What is no digest names nothing here.
            guard let text = descriptor["digest"]?.text, let digest = try? Digest(parsing: text), seen.insert(text).inserted else {
                continue
            }
            let blob = "blobs/\(digest.algorithm.rawValue)/\(digest.hex)"
            blobs.append(blob)
            let kind = descriptor["mediaType"]?.text ?? ""
            guard kind.contains("manifest") || kind.contains(".index."), let document = try read(blob) else { continue }
            next += document["manifests"]?.elements ?? []
            next += document["layers"]?.elements ?? []
            if let configuration = document["config"] { next.append(configuration) }
        }
        waiting = blobs.sorted(by: >) + ["index.json", "oci-layout"]
    }

    private static func isCalled(_ name: String, _ descriptor: JSONTree) -> Bool {
        guard descriptor["digest"]?.text != name else { return true }
        return descriptor["annotations"]?["org.opencontainers.image.ref.name"]?.text == name
    }

    private func read(_ name: String) throws -> JSONTree? {
        do {
            guard try directory.statusIfThere(try PathBytes(name)) != nil else { return nil }
            return try JSONTree(parsing: try directory.readFile(try PathBytes(name), limit: Self.documentLimit))
        } catch let error as Errno {
            throw Failure("cannot read '\(path)/\(name)': \(error)")
        } catch {
            throw Failure("'\(path)/\(name)' is no JSON: \(error)")
        }
    }

    /// The next piece; `nil` at the end.
    func next() throws(ClientError) -> [UInt8]? {
        do throws(TarError) {
            while sink.bytes.count < 64 << 10, !hasEnded { try step() }
        } catch { throw ClientError(.local, "The layout '\(path)' cannot be sent: \(error).", underlying: error.underlying) }
        let piece = sink.take()
        return piece.isEmpty && hasEnded ? nil : piece
    }

    private func step() throws(TarError) {
        if let file {
            if try file.write(to: writer) { self.file = nil }
            return
        }
        guard let name = waiting.popLast() else {
            try writer.finish()
            hasEnded = true
            return
        }
        let opened: OwnedDescriptor
        let byteCount: Int64
        do throws(Errno) {
            // A blob that is not there may be one that nobody needs: the daemon says so if it is needed.
            guard let status = try directory.statusIfThere(try PathBytes(name)) else { return }
            guard status.kind == .regular else { throw .EINVAL }
            opened = try directory.openForReading(try PathBytes(name))
            byteCount = status.byteCount
        } catch { throw TarError(.storage, "cannot read '\(name)': \(error)", underlying: error) }
        try writer.append(
            TarEntry(name: Array(name.utf8), kind: .file, permissions: 0o644, byteCount: UInt64(max(0, byteCount))))
        file = OutgoingFile(opened, name)
    }
}

/// A file on its way into a tar.
private final class OutgoingFile {
    private let file: OwnedDescriptor
    private let name: String
    private static let pieceByteCount = 256 << 10

    init(_ file: consuming OwnedDescriptor, _ name: String) {
        self.file = file
        self.name = name
    }

    /// - Returns: whether that was all.
    func write(to writer: TarWriter) throws(TarError) -> Bool {
        var buffer = [UInt8](repeating: 0, count: Self.pieceByteCount)
        let count: Int
        do throws(Errno) { count = try file.read(intoArray: &buffer) } catch {
            throw TarError(.storage, "cannot read '\(name)': \(error)", underlying: error)
        }
        if count == 0 { return true }
        try unsafe writer.write(buffer.span.extracting(..<count).bytes)
        return false
    }
}

/// Keeps what is written until it is taken.
private final class GatheringSink: ByteSink {
    private(set) var bytes: [UInt8] = []

    func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
        unsafe bytes.withUnsafeBytes { unsafe self.bytes.append(contentsOf: $0) }
    }

    func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }
}
