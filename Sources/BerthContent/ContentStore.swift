public import BerthLinux
public import BerthOCI
internal import FoundationEssentials
internal import Synchronization

/// Reads content. Who only has this cannot remove any.
public protocol ContentReading: Sendable {
    /// How many bytes a blob has. `notFound` if there is none.
    func byteCount(of digest: Digest) throws(ContentError) -> UInt64
    /// Opens a blob for reading, from its beginning.
    func open(_ digest: Digest) throws(ContentError) -> OwnedDescriptor
}

/// Takes content in.
public protocol ContentIngesting: Sendable {
    /// What keeps content from being collected.
    var leases: Leases { get }
    /// A place for bytes that come. Nothing is visible until it is committed; dropped uncommitted, nothing is left.
    ///
    /// - Parameter lease: holds the blob from before it has its name.
    func makeIngest(for lease: Lease) throws(ContentError) -> Ingest
}

/// Blobs by digest, in a directory that is a valid OCI image layout throughout (OCI image specification, *Image Layout*).
///
/// A blob that is there is whole: it was written under another name, compared with its digest, synced, and renamed. All calls block: they
/// belong in a lane. What a kill leaves in `ingest` is removed when the store is opened again, but for partial blobs: ``makeIngest(continuing:for:)``.
public final class ContentStore: ContentReading, ContentIngesting {
    /// The directory.
    let path: String
    let root: Directory
    let blobs: Directory
    let ingests: Directory
    /// What is coming in.
    let pendingNames = PendingNames()
    /// Held between the question whether a blob is wanted and its end; who asks whether it is there asks before or after that.
    let removing = Mutex(())

    /// What keeps blobs, and the layers that are made of them, from being collected.
    public let leases = Leases()
    /// Who is at a blob or a layer that others may want too.
    public let turns = Turns()

    /// Opens the store, making what is missing.
    ///
    /// - Parameter path: `<root>/content`, absolute.
    public init(directory path: String) throws(ContentError) {
        self.path = path
        do throws(Errno) {
            root = try Directory.open("/").makeDirectories(try PathBytes(path), permissions: 0o710)
            for algorithm in Digest.Algorithm.allCases {
                _ = try root.makeDirectories(try PathBytes("blobs/\(algorithm.rawValue)"))
            }
            blobs = try root.openDirectory("blobs")
            ingests = try root.makeDirectories("ingest", permissions: 0o700)
            for entry in try ingests.entries() where try !Self.isContinuable(entry.name, in: ingests) { try ingests.removeTree(entry.name) }
            if try !root.contains("oci-layout") { try Self.writeMarker(in: root) }
        } catch {
            throw .storage("cannot open the content store at '\(path)'", error)
        }
    }

    /// What says that the directory is an image layout.
    static let marker = #"{"imageLayoutVersion":"1.0.0"}"#

    static func writeMarker(in root: borrowing Directory) throws(Errno) {
        try unsafe root.replaceFile("oci-layout", with: marker.utf8Span.span.bytes, permissions: 0o644)
    }

    /// How many bytes a blob has. `notFound` if there is none.
    public func byteCount(of digest: Digest) throws(ContentError) -> UInt64 {
        do throws(Errno) {
            return UInt64(try directory(of: digest).status(try PathBytes(digest.hex)).byteCount)
        } catch {
            throw Self.error(error, digest)
        }
    }

    /// Whether there is such a blob.
    public func contains(_ digest: Digest) throws(ContentError) -> Bool {
        do throws(Errno) { return try isThere(digest) } catch { throw Self.error(error, digest) }
    }

    /// Whether there is such a blob. If so, it stays for as long as the lease lasts.
    public func contains(_ digest: Digest, for lease: Lease) throws(ContentError) -> Bool {
        lease.hold(.blob(digest))
        return try contains(digest)
    }

    func isThere(_ digest: Digest) throws(Errno) -> Bool {
        try removing.withLock { _ throws(Errno) in try directory(of: digest).contains(try PathBytes(digest.hex)) }
    }

    /// Makes sure, before anything comes, that the file system that the blobs are on has a place for it: for whoever this program runs as.
    ///
    /// - Parameters:
    ///   - what: what is to come, for people: "the archive".
    ///   - byteCount: how many bytes it takes, at least.
    /// - Throws: `noSpace`, `storage`.
    public func requireSpace(for what: String, byteCount: UInt64) throws(ContentError) {
        let free: UInt64
        do throws(Errno) { free = try root.availableByteCount() } catch { throw .storage("cannot ask how much space is left", error) }
        guard byteCount <= free else { throw .noSpace(for: what, needing: byteCount, at: path, having: free) }
    }

    /// Opens a blob for reading, from its beginning. `notFound` if there is none.
    public func open(_ digest: Digest) throws(ContentError) -> OwnedDescriptor {
        do throws(Errno) { return try directory(of: digest).openForReading(try PathBytes(digest.hex)) } catch {
            throw Self.error(error, digest)
        }
    }

    /// Reads a small blob whole and compares it with its digest: what the disk gives back is checked like what a stranger sends.
    ///
    /// - Parameter limit: the most bytes; `tooLarge` for more.
    public func read(_ digest: Digest, limit: Int) throws(ContentError) -> [UInt8] {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try directory(of: digest).readFile(try PathBytes(digest.hex), limit: limit) } catch {
            if error == .EFBIG { throw ContentError(.tooLarge, "blob \(digest) has more than \(limit) bytes", digest: digest) }
            throw Self.error(error, digest)
        }
        let found = Digest(of: bytes, digest.algorithm)
        guard found == digest else {
            throw ContentError(.digestMismatch, "blob \(digest) is damaged: its bytes have the digest \(found)", digest: digest)
        }
        return bytes
    }

    /// A place for bytes that come. Nothing is visible until it is committed; dropped uncommitted, nothing is left.
    ///
    /// - Parameters:
    ///   - algorithm: that of the digest that it is named by.
    ///   - lease: holds the blob from before it has its name.
    public func makeIngest(_ algorithm: Digest.Algorithm, for lease: Lease) throws(ContentError) -> Ingest {
        try Ingest(self, in: ingests, algorithm, for: lease)
    }

    /// The same, for bytes that are named by SHA-256.
    public func makeIngest(for lease: Lease) throws(ContentError) -> Ingest { try makeIngest(.sha256, for: lease) }

    /// Keeps bytes that are there already. Keeping them again does nothing.
    ///
    /// - Parameter lease: holds the blob from before it has its name.
    public func add(_ bytes: [UInt8], _ algorithm: Digest.Algorithm = .sha256, for lease: Lease) throws(ContentError) -> Digest {
        var ingest = try makeIngest(algorithm, for: lease)
        try unsafe ingest.write(bytes.span.bytes)
        return try ingest.commit(expecting: nil).digest
    }

    /// Removes a blob, unless a lease holds it. One that is not there is removed already.
    ///
    /// - Parameter isWanted: asked in the same moment in which the blob goes: whether anything else keeps it. It must not ask this store.
    public func remove(_ digest: Digest, unless isWanted: () -> Bool = { false }) throws(ContentError) {
        do throws(Errno) {
            try removing.withLock { _ throws(Errno) in
                if !leases.areHolding(.blob(digest)), !isWanted() { try directory(of: digest).removeFile(try PathBytes(digest.hex)) }
            }
        } catch {
            if error == .ENOENT { return }
            throw .storage("cannot remove blob \(digest)", error, digest)
        }
    }

    /// The digests of all blobs. Files whose names are no digests are left out and left alone.
    public func all() throws(ContentError) -> Set<Digest> {
        var found: Set<Digest> = []
        do throws(Errno) {
            for algorithm in Digest.Algorithm.allCases {
                for entry in try blobs.openDirectory(try PathBytes(algorithm.rawValue)).entries() {
                    if let digest = try? Digest(parsing: "\(algorithm.rawValue):\(entry.name)") { found.insert(digest) }  // not one of ours
                }
            }
        } catch {
            throw .storage("cannot list the blobs", error)
        }
        return found
    }

    /// Writes the layout's `index.json`, which is derived: it names what other tools are to find.
    public func writeIndex(_ index: Index) throws(ContentError) {
        let bytes = try Self.encoded(index)
        do throws(Errno) { try unsafe root.replaceFile("index.json", with: bytes.span.bytes, permissions: 0o644) } catch {
            throw .storage("cannot write index.json", error)
        }
    }

    static func encoded(_ index: Index) throws(ContentError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Text and numbers encode: why they did not is nothing that a caller could act on.
        guard let data = try? encoder.encode(index) else { throw ContentError(.storage, "the index cannot be encoded") }
        return Array(data)
    }

    func directory(of digest: Digest) throws(Errno) -> Directory { try directory(of: digest.algorithm) }

    func directory(of algorithm: Digest.Algorithm) throws(Errno) -> Directory {
        try blobs.openDirectory(try PathBytes(algorithm.rawValue))
    }

    private static func error(_ error: Errno, _ digest: Digest) -> ContentError {
        error == .ENOENT
            ? ContentError(.notFound, "there is no blob \(digest)", digest: digest) : .storage("cannot read blob \(digest)", error, digest)
    }
}

/// Bytes on their way into the store.
public struct Ingest: ~Copyable, Sendable {
    private let store: ContentStore
    private let lease: Lease
    private let pending: PendingFile
    private let file: OwnedDescriptor
    private var hasher: DigestHasher
    /// How many bytes have been written, with those that were there already.
    public private(set) var byteCount: UInt64 = 0
    /// The disk works while bytes come, instead of when they have come.
    private var writtenBackByteCount: UInt64 = 0
    private static let writebackByteCount: UInt64 = 8 << 20

    fileprivate init(
        _ store: ContentStore, in directory: borrowing Directory, _ algorithm: Digest.Algorithm, for lease: Lease
    ) throws(ContentError) {
        do throws(Errno) { try self.init(store, try PendingFile(in: directory, store.pendingNames), algorithm, lease) } catch {
            throw .storage("cannot take content in", error)
        }
    }

    private init(_ store: ContentStore, _ pending: PendingFile, _ algorithm: Digest.Algorithm, _ lease: Lease) throws(Errno) {
        file = try pending.create()
        (self.store, self.pending, self.lease) = (store, pending, lease)
        hasher = DigestHasher(algorithm)
    }

    /// Goes on with what is there of a blob, whose hash is made again of its bytes.
    init(_ store: ContentStore, continuing pending: PendingFile, _ blob: Descriptor, for lease: Lease) throws(Errno) {
        let opened = try pending.openOrCreate(limit: blob.byteCount)
        var (hash, count, buffer) = (DigestHasher(blob.digest.algorithm), UInt64(0), [UInt8](repeating: 0, count: 1 << 20))
        while true {
            let read = try opened.read(intoArray: &buffer)
            if read == 0 { break }
            unsafe buffer.withUnsafeBytes { unsafe hash.update(UnsafeRawBufferPointer(rebasing: $0[..<read])) }
            count += UInt64(read)
        }
        file = opened
        (self.store, self.pending, self.lease) = (store, pending, lease)
        (hasher, byteCount) = (hash, count)
        writtenBackByteCount = byteCount
    }

    /// Adds bytes.
    public mutating func write(_ bytes: borrowing RawSpan) throws(ContentError) {
        unsafe bytes.withUnsafeBytes { unsafe hasher.update($0) }
        byteCount += UInt64(bytes.byteCount)
        do throws(Errno) {
            try SystemCallSeam.passWrite()
            try file.writeAll(bytes)
        } catch {
            throw .storage("cannot write content", error)
        }
        if byteCount - writtenBackByteCount >= Self.writebackByteCount {
            file.beginWriteback(from: writtenBackByteCount, byteCount: byteCount - writtenBackByteCount)
            writtenBackByteCount = byteCount
        }
    }

    /// Opens what has been written so far, and what will be, for reading from its beginning.
    public borrowing func openForReading() throws(ContentError) -> OwnedDescriptor {
        do throws(Errno) { return try pending.open() } catch { throw .storage("cannot read content that comes", error) }
    }

    /// Throws away what has come: also what would be kept for the next who wants it.
    public consuming func discard() { pending.discard() }

    /// Ends the writing. What came can be read; it becomes a blob when that is committed.
    public consuming func seal() -> PendingBlob { PendingBlob(store, pending, lease, digest: hasher.digest(), byteCount: byteCount) }

    /// Makes the bytes a blob: compared, synced, named, and the name synced. A blob that is there already stays as it is.
    ///
    /// - Parameter expected: the digest that the bytes must have; `nil` for whatever they have.
    public consuming func commit(expecting expected: Digest?) throws(ContentError) -> (digest: Digest, byteCount: UInt64) {
        let blob = seal()
        if let expected, expected != blob.digest {
            throw ContentError(
                .digestMismatch, "expected content with the digest \(expected), and what came has \(blob.digest)", digest: expected)
        }
        try blob.commit()
        return (blob.digest, blob.byteCount)
    }
}
