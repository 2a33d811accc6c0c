internal import BerthArchive
public import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthRuntime
internal import BerthSnapshots
internal import BerthTar
internal import Synchronization

extension Container {
    /// Looks at a path in it, whether or not it runs.
    ///
    /// What is mounted in it is seen, but for what the kernel shows in `/proc`, `/sys` and `/dev`. No link leads out of it.
    /// - Throws: `notFound` for a path that leads to nothing; `invalid`, `conflict`, `storage`, `busy`.
    public func status(ofPath path: String) async throws(ContainerError) -> PathStatus {
        try await store.pathStatus(path, of: store.object(id))
    }

    /// Finds files of it to be copied out: one file, or a directory with everything in it.
    ///
    /// - Parameter path: Docker's rules: with `/` at its end a directory, also through a link; with `/.` what a directory has, under the name `.`.
    /// - Throws: as ``status(ofPath:)``.
    public func archive(of path: String) async throws(ContainerError) -> ContainerArchive {
        try await store.archive(of: path, in: store.object(id))
    }

    /// Unpacks an archive, compressed or not, into a directory of it, whether or not it runs.
    ///
    /// - Parameter path: the directory, also through links.
    /// - Throws: `notFound` if there is no such directory, `invalid` for an archive that is none and for what is no directory, `forbidden` where it can only be
    ///   read; `storage`. What was unpacked by then stays.
    ///
    /// - Parameter archive: read to its end, and closed.
    public func unpack(_ archive: consuming OwnedDescriptor, into path: String, _ options: CopyInOptions = CopyInOptions())
        async throws(ContainerError)
    {
        try await unpacking(archive, into: path, options)()
    }

    /// The same, as work that takes the archive with it.
    public func unpacking(_ archive: consuming OwnedDescriptor, into path: String, _ options: CopyInOptions = CopyInOptions())
        -> @Sendable () async throws(ContainerError) -> Void
    {
        let held = ArchiveEnd(archive)
        return { () async throws(ContainerError) in try await store.unpack(held, into: path, of: store.object(id), options) }
    }
}

extension ContainerStore {
    func pathStatus(_ text: String, of object: ContainerObject) async throws(ContainerError) -> PathStatus {
        let path = try CopyPath(parsing: text)
        return try await withTree(of: object, for: .reading) { (tree) throws(ContainerError) in
            try Self.looking(at: text, in: object) { () throws(Errno) in try Self.find(path, in: tree.root).status }
        }
    }

    func archive(of text: String, in object: ContainerObject) async throws(ContainerError) -> ContainerArchive {
        let path = try CopyPath(parsing: text)
        let archive = try await withTree(of: object, for: .reading) { (tree) throws(ContainerError) in
            let found = try Self.looking(at: text, in: object) { () throws(Errno) in try Self.find(path, in: tree.root) }
            let (status, name) = (found.status, found.name)
            return ContainerArchive(ContainerArchive.Held(tree, found.directory, name, base: path.base), status, object.copyLane)
        }
        publish("archive-path", object)
        return archive
    }

    func unpack(_ archive: ArchiveEnd, into text: String, of object: ContainerObject, _ options: CopyInOptions)
        async throws(ContainerError)
    {
        // Whoever writes it is told when it is not wanted any more.
        defer { archive.close() }
        let path = try CopyPath(parsing: text)
        let document = object.document
        try await withTree(of: object, for: .writing) { (tree) throws(ContainerError) in
            let place = try Self.looking(at: text, in: object) { () throws(Errno) in
                // Links in the way are resolved once; what is opened is what is written into.
                try Self.destination(path, in: tree.root)
            }
            guard place.isDirectory else { throw ContainerError(.invalid, "extraction point is not a directory") }
            try Self.requireWritable(place.directory, place.names, document, in: object)
            var rules = CopyRules()
            rules.replacesOtherKinds = options.replacesOtherKinds
            rules.displayName = CopyPath.text(place.names)
            do throws(Errno) {
                rules.links = CopyLinks(in: try tree.root.duplicate(), at: try CopyPath.joined(place.names))
            } catch { throw .storage("cannot open the root of container \(object.shortID)", error) }
            if options.ownedByContainerUser {
                let user = document.configuration.user.flatMap { $0.isEmpty ? nil : $0 } ?? document.imageExecution.user ?? ""
                if !user.isEmpty {
                    let resolved = try UserResolver.resolve(user, in: tree.root)
                    rules.owner = .user(userID: resolved.userID, groupID: resolved.groupID)
                }
            }
            try Self.extract(archive, into: place.directory, rules)
        }
        publish("extract-to-dir", object)
    }

    private static func extract(_ archive: ArchiveEnd, into directory: borrowing Directory, _ rules: CopyRules) throws(ContainerError) {
        let target: Directory
        do throws(Errno) { target = try directory.duplicate() } catch { throw .storage("cannot open the directory", error) }
        guard let source = archive.take() else { throw ContainerError(.conflict, "the archive has been read already") }
        do throws(TarError) {
            let reader = TarReader(Decompressor(source))
            try TreeExtractor(copyingInto: target, rules).extractAll(reader)
            try reader.drain()
        } catch {
            switch error.code {
            case .truncated, .corrupt, .tooLarge, .unsupported, .escapes: throw ContainerError(.invalid, error.description)
            case .source(.cancelled): throw .cancelled
            default: throw ContainerError(.storage, error.description, underlying: error.underlying)
            }
        }
    }

    // MARK: Finding

    private struct Found: ~Copyable {
        var status: PathStatus
        /// The directory itself, or the one that the file is in.
        var directory: Directory
        /// The file's name, which is not followed; `nil` for a directory.
        var name: PathBytes?
    }

    /// Finds what is meant: a directory is opened, anything else is a name in an open directory.
    private static func find(_ path: CopyPath, in root: borrowing Directory) throws(Errno) -> Found {
        guard path.ending == .name, let name = path.names.last else {
            let directory = try root.openDirectoryInRoot(try CopyPath.joined(path.names))
            return Found(status: PathStatus(path.base, try directory.status("")), directory: directory, name: nil)
        }
        let parent = try root.openDirectoryInRoot(try CopyPath.joined(path.parent))
        let status = try parent.status(name)
        switch status.kind {
        case .directory:
            let directory = try parent.openDirectory(name)
            return Found(status: PathStatus(path.base, status), directory: directory, name: nil)
        case .symbolicLink:
            let target = CopyPath.text(try CopyPath.followed(path.names, in: root))
            return Found(status: PathStatus(path.base, status, linkTarget: target), directory: parent, name: name)
        default: return Found(status: PathStatus(path.base, status), directory: parent, name: name)
        }
    }

    private struct Destination: ~Copyable {
        var directory: Directory
        var isDirectory: Bool
        /// Where it is, without links.
        var names: [PathBytes]
    }

    private static func destination(_ path: CopyPath, in root: borrowing Directory) throws(Errno) -> Destination {
        let joined = try CopyPath.joined(path.names)
        guard try root.statusInRoot(joined).kind == .directory else {
            return Destination(directory: try root.duplicate(), isDirectory: false, names: [])
        }
        let names = try CopyPath.followed(path.names, in: root)
        return Destination(directory: try root.openDirectoryInRoot(joined), isDirectory: true, names: names)
    }

    /// Docker's words for what cannot be found, or looked at.
    private static func looking<Value: ~Copyable>(
        at path: String, in object: ContainerObject, _ body: () throws(Errno) -> Value
    ) throws(ContainerError) -> Value {
        do throws(Errno) { return try body() } catch {
            if error == .ENOENT { throw ContainerError(.notFound, "Could not find the file \(path) in container \(object.name)") }
            throw ContainerError(.storage, "lstat \(path): \(error.lowercaseReason)", underlying: error)
        }
    }

    /// - Throws: `forbidden`, in Docker's words.
    private static func requireWritable(
        _ directory: borrowing Directory, _ names: [PathBytes], _ document: ContainerDocument, in object: ContainerObject
    ) throws(ContainerError) {
        let path = CopyPath.text(names)
        let isMounted = document.placedMounts.contains { mount in
            mount.kind != .tmpfs && (path == mount.target || path.hasPrefix(mount.target + "/"))
        }
        let isReadOnly: Bool
        do throws(Errno) { isReadOnly = try directory.descriptor.isOnReadOnlyMount() } catch {
            throw .storage("cannot look at '\(path)' of container \(object.shortID)", error)
        }
        if isMounted { if isReadOnly { throw ContainerError(.forbidden, "mounted volume is marked read-only") } else { return } }
        // A tmpfs in a container that runs is there to be written.
        let isRunning = object.state.withLock { $0.process != nil }
        guard isReadOnly || (document.configuration.readOnlyRoot && !isRunning) else { return }
        throw ContainerError(.forbidden, "container rootfs is marked read-only")
    }

    // MARK: The tree

    /// Lends the container's root with what is mounted in it to work that may block.
    private func withTree<Value: Sendable>(
        of object: ContainerObject, for purpose: MountedTree.Purpose,
        _ body: @escaping @Sendable (consuming MountedTree) throws(ContainerError) -> Value
    ) async throws(ContainerError) -> Value {
        try await whileThere(object) { () async throws(ContainerError) in try await openTree(of: object, for: purpose, body) }
    }

    private func openTree<Value: Sendable>(
        of object: ContainerObject, for purpose: MountedTree.Purpose,
        _ body: @escaping @Sendable (consuming MountedTree) throws(ContainerError) -> Value
    ) async throws(ContainerError) -> Value {
        while true {
            switch try await beginCopy(object, for: purpose) {
            case .running(let process, let end):
                if let outcome = try await copy(of: object, process, for: purpose, body) { return outcome }
                // It has just ended; when that is known, its layer can be mounted.
                guard await end.value() != nil else { throw .cancelled }
            case .stopped:
                defer { object.copyHold.end() }
                return try await object.copyLane.run { () throws(ContainerError) in
                    try body(try self.stoppedTree(of: object, for: purpose))
                }
            }
        }
    }

    /// - Returns: `nil` if it has just ended.
    private func copy<Value: Sendable>(
        of object: ContainerObject, _ process: RuntimeContainer, for purpose: MountedTree.Purpose,
        _ body: @escaping @Sendable (consuming MountedTree) throws(ContainerError) -> Value
    ) async throws(ContainerError) -> Value? {
        defer { if purpose == .writing { object.copyHold.end() } }
        return try await object.copyLane.run { () throws(ContainerError) -> Value? in
            let tree: MountedTree
            do throws(RuntimeError) { tree = try process.openTree(for: purpose) } catch {
                if error.code == .notRunning { return nil }
                throw ContainerError(error)
            }
            return try body(tree)
        }
    }

    private enum CopyBase {
        /// Where it is written into, it cannot be started anew until the hold is given back: its layer would be mounted twice.
        case running(RuntimeContainer, end: Promise<ExitStatus>)
        /// It cannot be started until the hold is given back.
        case stopped
    }

    private func beginCopy(_ object: ContainerObject, for purpose: MountedTree.Purpose) async throws(ContainerError) -> CopyBase {
        try object.requireKnown()
        while true {
            let (base, wait) = try object.state.withLock { state throws(ContainerError) -> (CopyBase?, Promise<Void>?) in
                switch state.lifecycle.phase {
                case .starting: return (nil, state.startEnd)
                case .removing, .removed:
                    throw ContainerError(.conflict, "container \(object.id) is being removed: nothing can be copied")
                case .idle, .running, .paused, .restarting: break
                }
                guard let process = state.process else { return (object.copyHold.beginAlone() ? .stopped : nil, object.copyHold.pending) }
                let isHeld = purpose == .reading || object.copyHold.beginThroughProcess()
                return (isHeld ? .running(process, end: state.end) : nil, object.copyHold.pending)
            }
            if let base { return base }
            // If there is nothing to be waited for, whoever held it has let go of it since.
            if let wait { guard await wait.value() != nil else { throw .cancelled } }
        }
    }

    /// Puts the root of a container together that does not run. Blocks.
    private func stoppedTree(of object: ContainerObject, for purpose: MountedTree.Purpose) throws(ContainerError) -> MountedTree {
        let plan: MountPlan
        do throws(SnapshotError) { plan = try services.snapshots.mounts(of: object.document.layer(of: object.id)) } catch {
            throw ContainerError(.storage, error.description, underlying: error.underlying)
        }
        let place = "\(services.root)/containers/\(object.id)"
        let seen = try SeenMounts(of: object.document, volumes: services.volumes)
        defer { withExtendedLifetime(seen) {} }
        let mounts = seen.mounts
        var isPrepared = false
        while true {
            do throws(MountedTree.Failure) {
                return try MountedTree.make(plan.base(for: purpose), mounts: mounts, at: place, for: purpose)
            } catch {
                guard error.lacksTarget, !isPrepared else {
                    let what = error.mount.map { "mount '\($0.source)' at '\($0.target)' of" } ?? "mount the root of"
                    throw .storage("cannot \(what) container \(object.shortID)", error.errno)
                }
            }
            // A container that has not run yet lacks what its first start makes.
            try makeTargets(mounts, plan, place, object)
            isPrepared = true
        }
    }

    private func makeTargets(
        _ mounts: [MountedTree.Mount], _ plan: MountPlan, _ place: String, _ object: ContainerObject
    ) throws(ContainerError) {
        for (index, mount) in mounts.enumerated() {
            let reason: Errno
            do {
                let isDirectory = try HostFile.open(mount.source).status().kind == .directory
                let tree = try MountedTree.make(plan.base(for: .writing), mounts: Array(mounts[..<index]), at: place, for: .writing)
                try Self.makeTarget(mount.target, isDirectory: isDirectory, in: tree.root)
                continue
            } catch let error as MountedTree.Failure { reason = error.errno } catch let error as Errno { reason = error } catch {
                reason = .EIO
            }
            throw .storage("cannot make '\(mount.target)' in container \(object.shortID), where '\(mount.source)' is mounted", reason)
        }
    }

    private static func makeTarget(_ path: String, isDirectory: Bool, in root: borrowing Directory) throws(Errno) {
        // A start makes what is missing also where a link leads to.
        let names = try CopyPath.followed(try PathBytes(path).components, in: root)
        for end in names.indices {
            let way = try CopyPath.joined(names[...end])
            do throws(Errno) {
                _ = try root.statusInRoot(way)
                continue
            } catch { guard error == .ENOENT else { throw error } }
            let parent = try root.openDirectoryInRoot(try CopyPath.joined(names[..<end]))
            if isDirectory || end < names.count - 1 {
                try parent.makeDirectory(names[end])
            } else {
                _ = try parent.createFile(names[end])
            }
        }
    }
}

/// An archive on its way to where it is read.
final class ArchiveEnd: Sendable {
    private let descriptor: Mutex<OwnedDescriptor?>
    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = Mutex(consume descriptor) }

    func take() -> DescriptorSource? {
        guard let taken = descriptor.withLock({ $0.take() }) else { return nil }
        return DescriptorSource(taken)
    }

    func close() { descriptor.withLock { $0 = nil } }
}

extension MountPlan {
    fileprivate func base(for purpose: MountedTree.Purpose) -> MountedTree.Base {
        switch (self, purpose) {
        case (.directory(let path), _): return .directory(path)
        case (.overlay(let base, let lowers, let upper, let work), .writing):
            return .overlay(base: base, lowers: lowers, upper: upper, work: work)
        case (.overlay(let base, let lowers, let upper, _), .reading):
            // One alone is no overlay.
            return lowers.isEmpty ? .directory("\(base)/\(upper)") : .overlay(base: base, lowers: [upper] + lowers, upper: nil, work: nil)
        }
    }
}
