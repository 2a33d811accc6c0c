public import BerthImages
public import BerthLayers
internal import BerthLinux
public import BerthOCI
internal import BerthReactor
internal import BerthRuntime
internal import BerthSnapshots
public import BerthState
public import BerthTar
internal import Synchronization

/// How an image is made of a container.
public struct CommitOptions: Sendable, Hashable {
    /// Its name. Default `nil`: none.
    public var reference: ImageReference?
    /// Who made it. Default: nobody.
    public var author = ""
    /// What about. Default: nothing.
    public var message = ""
    /// Dockerfile instructions, as `docker commit --change` takes them. Default: none.
    public var changes: [String] = []
    /// Whether the container's processes stand still while it is read. Default: yes.
    public var pauses = true
    /// What it says of how to run it, before the changes; what is empty in it is as the container does. Default `nil`: all is.
    public var execution: ImageConfiguration.Execution?

    /// An image without a name.
    public init(as reference: ImageReference? = nil) { self.reference = reference }
}

extension Container {
    /// Makes an image of what it has changed. It may run: then its processes stand still meanwhile, unless that is not wanted.
    ///
    /// Whatever happens to the job or the engine, the processes go on afterwards: a later engine lets them go on where this one was killed.
    /// - Throws: at once `invalid` for a name with a digest and for changes that are none, `conflict` while it is being removed, `imageNotFound` if its image is
    ///   gone. The job's value throws `invalid` for a file that no layer can have, `storage`.
    public func commit(_ options: CommitOptions = CommitOptions()) throws(ContainerError) -> Job<ImageRecord> {
        try store.commit(store.object(id), options)
    }

    /// What it has changed, as `docker diff` tells it and in its order.
    ///
    /// - Throws: `notFound`, `storage`.
    public func changes() async throws(ContainerError) -> [TreeChange] { try await store.changes(store.object(id)) }

    /// Writes its whole root as a tar: running or not, without what is mounted in it. It is not paused: a file that changes meanwhile is as it was
    /// at some moment.
    ///
    /// - Throws: `notFound`, `storage`, `cancelled` where the sink says so. What was written is no archive then.
    public func export(to sink: any ByteSink & Sendable) async throws(ContainerError) { try await store.export(store.object(id), to: sink) }
}

extension ContainerStore {
    /// What the engine makes in containers' roots, where the image does not have it, to mount something over.
    static let mountPoints = MountPoints(
        directories: ["dev", "etc", "proc", "sys"], files: ["etc/hosts", "etc/hostname", "etc/resolv.conf"])

    func changes(_ object: ContainerObject) async throws(ContainerError) -> [TreeChange] {
        let layers = services.layers
        return try await whileThere(object) { () async throws(ContainerError) in
            try await object.lane.run { () throws(ContainerError) in
                do throws(LayerError) {
                    return try layers.changes(
                        of: object.document.layer(of: object.id), on: object.document.topLayer, leavingOut: Self.mountPoints)
                } catch { throw ContainerError(error) }
            }
        }
    }

    func export(_ object: ContainerObject, to sink: any ByteSink & Sendable) async throws(ContainerError) {
        let layers = services.layers
        try await object.lane.run { () throws(ContainerError) in
            let tree: MountedTree?
            do throws(RuntimeError) {
                tree = try object.state.withLock(\.process)?.openTree(for: .reading, rootAlone: true)
            } catch {
                // Of one that has just ended the layer is nobody else's.
                guard error.code == .notRunning else { throw ContainerError(error) }
                tree = nil
            }
            do throws(LayerError) {
                guard let tree else { return try layers.writeRoot(of: object.document.layer(of: object.id), to: sink) }
                let root: Directory
                do throws(Errno) { root = try tree.root.duplicate() } catch {
                    throw LayerError(.storage, "cannot read the container's root: \(error)", underlying: error)
                }
                try layers.writeRoot(root, to: sink)
            } catch { throw ContainerError(error) }
        }
        publish("export", object)
    }

    func commit(_ object: ContainerObject, _ options: CommitOptions) throws(ContainerError) -> Job<ImageRecord> {
        try object.requireKnown()
        let document = object.document
        switch object.state.withLock({ $0.lifecycle.phase }) {
        case .removing, .removed:
            throw ContainerError(.conflict, "You cannot commit container \(object.id) which is being removed")
        case .idle, .starting, .running, .paused, .restarting: break
        }
        let execution = document.configuration.execution(image: document.imageExecution)
        var commit = ImageCommit(
            of: document.layer(of: object.id), on: document.imageID, leavingOut: Self.mountPoints, execution: execution,
            createdBy: (execution.command ?? []).joined(separator: " "))
        (commit.author, commit.message, commit.changes) = (options.author, options.message, options.changes)
        commit.said = options.execution
        if options.pauses {
            commit.pause = { () throws(ImageError) in try self.freeze(object) }
            commit.resume = { self.unfreeze(object) }
        }
        commit.finished = { record in
            self.publish(
                "commit", object,
                [
                    "comment": options.message, "imageID": record.id.description,
                    "imageRef": options.reference.map { $0.familiar } ?? "",
                ])
        }
        do throws(ImageError) { return try services.images.commit(commit, as: options.reference) } catch {
            throw ContainerError(error.code == .notFound ? .imageNotFound : .invalid, error.description)
        }
    }

    // MARK: Standing still

    private func group(of object: ContainerObject) -> String { services.runtime.controlGroup(of: object.id) }

    /// Freezes its processes, if it runs. Blocks.
    func freeze(_ object: ContainerObject, isKnownToRun: Bool = false) throws(ImageError) {
        try object.freezeCount.withLock { count throws(ImageError) in
            if count == 0, isKnownToRun || object.state.withLock({ $0.process != nil }) {
                do throws(Errno) { try services.runtime.cgroups.freeze(group(of: object)) } catch {
                    // It has ended meanwhile, and stands still for good.
                    guard error == .ENOENT || error == .ENODEV else {
                        throw ImageError(
                            .storage,
                            "cannot pause container \(object.shortID): \(error). Commit it without a pause, or stop it first",
                            underlying: error)
                    }
                }
            }
            count += 1
        }
    }

    func unfreeze(_ object: ContainerObject) {
        object.freezeCount.withLock { count in
            count -= 1
            guard count == 0 else { return }
            do throws(Errno) { try services.runtime.cgroups.thaw(group(of: object)) } catch {
                warn(object, "container \(object.shortID) cannot be resumed: \(error)")
            }
        }
    }

    /// Lets its processes go on: an engine that was killed in the middle of a commit has left them standing still.
    func thaw(_ object: ContainerObject) async throws(RuntimeError) {
        let (cgroups, group) = (services.runtime.cgroups, group(of: object))
        try await object.lane.run { () throws(RuntimeError) in
            do throws(Errno) {
                if try cgroups.isFreezing(group) { try cgroups.thaw(group) }
            } catch {
                // Without a freezer, or a group, nothing is frozen.
                if error != .ENOENT && error != .EOPNOTSUPP {
                    throw RuntimeError(.system, "cannot resume container \(object.shortID): \(error)", underlying: error)
                }
            }
        }
    }
}

extension ContainerConfiguration {
    /// How a container of this runs, as its image would say it: everything but what only builds use.
    func execution(image: ImageConfiguration.Execution) -> ImageConfiguration.Execution {
        var execution = image
        (execution.onBuild, execution.shell) = ([], nil)
        if let entrypoint {
            execution.entrypoint = entrypoint.isEmpty || entrypoint == [""] ? nil : entrypoint
            // An empty list takes the entry point alone away.
            if !entrypoint.isEmpty { execution.command = nil }
        }
        if let command, !command.isEmpty { execution.command = command }
        execution.environment = mergedEnvironment(image: image)
        execution.labels = mergedLabels(image: image)
        if let user, !user.isEmpty { execution.user = user }
        if let workingDirectory, !workingDirectory.isEmpty { execution.workingDirectory = workingDirectory }
        if let stopSignal { execution.stopSignal = stopSignal }
        return execution
    }
}
