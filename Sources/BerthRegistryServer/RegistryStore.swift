internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthState
internal import Synchronization

/// What a registry keeps, in a directory of its own: blobs, each once, and for each repository a document that says what it shows.
///
/// A repository shows the blobs and manifests that were pushed or mounted to it, and nothing else, whatever others have. What a client was told to be
/// there is on the disk; killed at any moment, the store is whole when it is opened again, and uploads go on where they stopped. One process has it at
/// a time.
public final class RegistryStore: Sendable {
    /// How a store is kept.
    public struct Configuration: Sendable {
        /// How many bytes may be kept. Default: any number.
        public var quota: RegistryQuota
        /// The most uploads at a time; a further one is told to come back. Default 1024.
        public var uploadLimit: Int
        /// How long an upload that nobody goes on with is kept. Default: a day.
        public var uploadAge: Duration
        /// How long a blob or manifest that nothing names stays at least after a client was told of it. Default: an hour.
        public var grace: Duration
        /// Whether a manifest is taken whose blobs or manifests are not all in its repository. Default `false`. What it is attached to need not be there.
        public var takesSparseManifests: Bool

        /// These.
        public init(
            quota: RegistryQuota = RegistryQuota(), uploadLimit: Int = 1024, uploadAge: Duration = .seconds(86400),
            grace: Duration = .seconds(3600), takesSparseManifests: Bool = false
        ) {
            (self.quota, self.uploadLimit, self.uploadAge, self.grace) = (quota, uploadLimit, uploadAge, grace)
            self.takesSparseManifests = takesSparseManifests
        }
    }

    /// What cannot be read and was left as it is, with the reason. While there is any, no blob is collected.
    public let unreadable: [(file: String, reason: String)]

    let configuration: Configuration
    let content: ContentStore
    let uploadsDirectory: Directory
    let uploadDocuments: DocumentStore<UploadRecord>
    private let documents: DocumentStore<RepositoryRecord>
    /// The documents of repositories that cannot be read keep their names.
    private let claimed: Set<String>
    private let lock: OwnedDescriptor
    let grace: Grace
    /// Where documents are written, and where bytes are.
    let documentLane = Lane(named: "the registry's documents", waitingLimit: Lane.sharedWaitingLimit)
    let blobLane = Lane(named: "the registry's blobs", waitingLimit: Lane.sharedWaitingLimit)
    /// Two changes of one repository are one after the other, by the hash of its name.
    private let turns = (0..<64).map { _ in RepositoryTurn() }
    struct State {
        var repositories: [RepositoryPath: RepositoryRecord] = [:]
        var usage = Usage()
        var uploads: [String: Upload] = [:]
        /// How many uploads are being made and are not among those yet.
        var comingUploadCount = 0
    }
    let state: Mutex<State>

    /// Opens a store, making what is missing.
    ///
    /// - Parameter path: the absolute path of a directory that is the registry's alone.
    /// - Throws: `inUse` where another has it, also two seconds later; `storage`.
    public static func open(directory path: String, _ configuration: Configuration = Configuration()) async throws(RegistryServerError)
        -> RegistryStore
    {
        try await open(directory: path, configuration, now: { .now })
    }

    static func open(
        directory path: String, _ configuration: Configuration, now: @escaping @Sendable () -> ContinuousClock.Instant
    ) async throws(RegistryServerError) -> RegistryStore {
        try await Lane(named: "the registry at '\(path)'").run { () throws(RegistryServerError) in
            do { return try RegistryStore(path, configuration, now) } catch let error as RegistryServerError { throw error } catch {
                throw RegistryServerError(.storage, "cannot open the registry at '\(path)': \(error)")
            }
        }
    }

    private init(_ path: String, _ configuration: Configuration, _ now: @escaping @Sendable () -> ContinuousClock.Instant) throws {
        self.configuration = configuration
        let root = try Directory.open("/").makeDirectories(try PathBytes(path), permissions: 0o700)
        lock = try root.openForAppending("lock", permissions: 0o600)
        guard try Self.take(lock) else {
            throw RegistryServerError(.inUse, "another registry serves '\(path)': stop it, or name another directory")
        }
        content = try ContentStore(directory: "\(path)/content")
        grace = Grace(content.leases, period: configuration.grace, now: now)
        documents = try DocumentStore(directory: "\(path)/repositories")
        uploadDocuments = try DocumentStore(directory: "\(path)/uploads", layout: .directories(fileName: "upload.json"))
        uploadsDirectory = try root.openDirectory("uploads")
        let (found, setAside) = try documents.load()
        var state = State()
        var unreadable = setAside.map { (file: "repositories/\($0.fileName)", reason: $0.reason) }
        for (id, document) in found {
            guard let path = RepositoryPath(document.name), Self.id(of: path) == id else {
                unreadable.append((file: "repositories/\(id).json", reason: "it is no document of a repository of that name"))
                continue
            }
            state.usage.replace(nil, by: document, of: path)
            state.repositories[path] = document
        }
        claimed = Set(setAside.map(\.id))
        state.uploads = try Self.uploads(in: uploadsDirectory, uploadDocuments)
        for upload in state.uploads.values { state.usage.add(upload: Int64(upload.file.byteCount), to: upload.repository) }
        self.unreadable = unreadable
        self.state = Mutex(state)
        // Whoever was told of something before a restart relies on it after it.
        for digest in try content.all() { grace.touch(digest) }
        try writeIndex()
    }

    /// Waits for one that is ending: its last connection may hold on to it for a moment after it was closed.
    private static func take(_ lock: borrowing OwnedDescriptor) throws(Errno) -> Bool {
        for _ in 0..<(Self.lockMilliseconds / 20) {
            if try lock.lockExclusively() { return true }
            HostFile.pause(milliseconds: 20)
        }
        return try lock.lockExclusively()
    }
    private static let lockMilliseconds = 2000

    private static func id(of path: RepositoryPath) -> String { Digest(of: Array(path.description.utf8)).hex }

    // MARK: what is there

    func record(of path: RepositoryPath) -> RepositoryRecord? { state.withLock { $0.repositories[path] } }

    /// Does something with a repository's record and lets nothing be collected meanwhile: what is touched in it stays for a while.
    func look<Result>(at path: RepositoryPath, _ body: (RepositoryRecord?) -> Result) -> Result {
        state.withLock { body($0.repositories[path]) }
    }

    var paths: [RepositoryPath] { state.withLock { Array($0.repositories.keys) }.sorted() }

    // MARK: changes

    /// Changes what a repository shows: decided on what is there, written, and only then seen. An empty repository is none.
    func change(
        _ path: RepositoryPath, _ body: @escaping @Sendable (inout RepositoryRecord) throws(RegistryFailure) -> Void
    ) async throws(RegistryFailure) {
        try await documentLane.run { [self] () throws(RegistryFailure) in
            try turn(of: path).wait.withLock { _ throws(RegistryFailure) in
                let old = record(of: path)
                var new = old ?? RepositoryRecord(name: path.description)
                try body(&new)
                if let old, new == old { return }
                try write(new, path)
                publish(new, path)
            }
        }
    }

    func turn(of path: RepositoryPath) -> RepositoryTurn { turns[Int(UInt(bitPattern: path.hashValue) % UInt(turns.count))] }

    func publish(_ record: RepositoryRecord, _ path: RepositoryPath) {
        state.withLock { state in
            let new = record.isEmpty ? nil : record
            state.usage.replace(state.repositories[path], by: new, of: path)
            state.repositories[path] = new
        }
    }

    func write(_ record: RepositoryRecord, _ path: RepositoryPath) throws(RegistryFailure) {
        let id = Self.id(of: path)
        guard !claimed.contains(id) else {
            throw RegistryFailure(
                500, .unknown, "the document of the repository '\(path)' cannot be read, and was set aside: the registry's log says why")
        }
        do throws(StateError) {
            if record.isEmpty { try documents.remove(id: id) } else { try documents.write(record, id: id) }
        } catch { throw RegistryFailure(error) }
    }

    /// Refuses what goes beyond the quota.
    func admit(_ byteCount: UInt64, to path: RepositoryPath, sharing digest: Digest? = nil) throws(RegistryFailure) {
        let quota = configuration.quota
        try state.withLock { state throws(RegistryFailure) in
            try state.usage.admit(byteCount, to: path, quota, isShared: digest.map { state.usage.isLinked($0) } ?? false)
        }
    }

    // MARK: the layout

    /// Writes the layout's `index.json`, by which other tools find what is here: as it is now; it is not written with every push.
    func writeIndex() throws(ContentError) {
        let repositories = state.withLock { $0.repositories }
        var descriptors: [Descriptor] = []
        for (path, record) in repositories.sorted(by: { $0.key < $1.key }) {
            for (tag, digest) in record.tags.sorted(by: { $0.key < $1.key }) {
                guard let manifest = record.manifests[digest] else { continue }
                descriptors.append(
                    Descriptor(
                        mediaType: manifest.mediaType, digest: digest, byteCount: manifest.byteCount,
                        annotations: ["org.opencontainers.image.ref.name": "\(path):\(tag)"]))
            }
        }
        try content.writeIndex(Index(manifests: descriptors))
    }
}

/// Held by whoever changes a repository.
final class RepositoryTurn: Sendable {
    let wait = Mutex(())
}
