public import BerthOCI
internal import BerthContent
internal import BerthImages
internal import BerthLayers
internal import BerthLinux
internal import BerthNetworking
internal import BerthReactor
internal import BerthRuntime
internal import BerthSnapshots
internal import BerthState
internal import Synchronization

/// What became of a container that was edited, or what would become of it.
public struct ContainerEdited: Sendable, Hashable {
    /// Whether it runs, and is stopped and started again for it.
    public var isRestarted: Bool
    /// Whether it is of another image, so that what it has written beside its volumes goes.
    public var hasNewLayer: Bool

    /// This.
    public init(isRestarted: Bool, hasNewLayer: Bool) { (self.isRestarted, self.hasNewLayer) = (isRestarted, hasNewLayer) }
}

extension Container {
    /// Makes it otherwise than it was made, also in what ``update(_:)`` cannot change.
    ///
    /// Its process is replaced; the container is the same: its id and name, its log, all its volumes, those without a name too, and what it has written stay, and
    /// so do its addresses, unless somebody takes one in the moment in which it is not there. Of another image it has nothing more of what it has written beside its
    /// volumes. A volume stays at its place although the new image does not name that, and one that is not wanted any more is only let go of.
    ///
    /// Everything is checked while it still runs. Then it is stopped as ``stop(signal:timeoutSeconds:)`` does it, and started; one that does not run is not. If it
    /// cannot be started it is as it was, and runs again. Whatever is killed meanwhile, it is the one or the other afterwards, and whole. An edit that has begun
    /// comes to its end also when the task that asked for it is cancelled.
    ///
    /// - Parameters:
    ///   - image: the image that it is of from now on, looked for even if it is called as before. `nil`: the very one that it has.
    ///   - platform: for which platform that must be, as ``ContainerStore/create(_:platform:)`` has it.
    ///   - onlyTrying: whether it is only found out if it can be done, and nothing changes.
    ///   - change: what is to be otherwise. It keeps its name, whatever is said of that: ``rename(to:)``.
    /// - Throws: as ``ContainerStore/create(_:platform:)`` and ``start()``; `conflict` while it is edited or removed already, and for networks that others share with it.
    public func edit(
        image: String? = nil, platform: Platform? = nil, onlyTrying: Bool = false,
        _ change: @escaping @Sendable (inout ContainerConfiguration) -> Void = { _ in }
    ) async throws(ContainerError) -> ContainerEdited {
        let edit = ContainerEdit(image: image, platform: platform, change: change)
        return try await store.edit(store.object(id), edit, onlyTrying: onlyTrying)
    }
}

struct ContainerEdit: Sendable {
    let image: String?
    let platform: Platform?
    let change: @Sendable (inout ContainerConfiguration) -> Void
}

// A container's document is what it is: an edit is one change of that, while nothing runs and nothing can be started.
extension ContainerStore {
    func edit(_ object: ContainerObject, _ edit: ContainerEdit, onlyTrying: Bool) async throws(ContainerError) -> ContainerEdited {
        try object.requireKnown()
        let isFirst = object.state.withLock { state in
            guard state.edit == .none else { return false }
            state.edit = .planned
            return true
        }
        guard isFirst else { throw ContainerError(.conflict, "container \(object.id) is being edited already") }
        defer { object.state.withLock { $0.edit = .none } }
        let lease = services.images.leases.begin()
        do throws(ContainerError) {
            let planned = try plan(edit, of: object, lease)
            let mounts = planned.mounts ?? []
            // As when it is made: sources that do not answer hold up nobody else.
            try await object.lane.run { () throws(ContainerError) in try Self.checkSources(mounts) }
            if onlyTrying {
                await services.images.end(lease)
                let hasNewLayer = planned.layerID != object.document.layerID
                return ContainerEdited(isRestarted: object.state.withLock { $0.lifecycle.isActive }, hasNewLayer: hasNewLayer)
            }
            let outcome = await Task.detached { () async -> Result<ContainerEdited, ContainerError> in
                do throws(ContainerError) { return .success(try await self.carryOut(edit, of: object, lease)) } catch {
                    return .failure(error)
                }
            }.value
            return try outcome.get()
        } catch {
            await services.images.end(lease)
            throw error
        }
    }

    // MARK: Deciding

    /// What its document is to say.
    ///
    /// - Parameter lease: gets the layers that it then lies on.
    private func plan(_ edit: ContainerEdit, of object: ContainerObject, _ lease: Lease) throws(ContainerError) -> ContainerDocument {
        let former = object.document
        var (document, configuration) = (former, former.configuration)
        edit.change(&configuration)
        configuration.name = former.name
        if let image = edit.image { configuration.image = image }
        for mount in configuration.mounts { try mount.check() }
        if edit.image != nil || edit.platform != nil || configuration.image != former.configuration.image {
            let image: ImageRecord
            do throws(ImageError) {
                image = try services.images.find(configuration.image, platform: edit.platform, layersFor: lease)
            } catch { throw ContainerError(error.code == .notFound ? .imageNotFound : .invalid, error.description) }
            (document.imageExecution, document.topLayer) = (image.configuration.execution, image.topLayer)
            if image.id != former.imageID {
                // It carries the container's id: whose it is shows also where the document cannot be read.
                (document.imageID, document.layerID) = (image.id, "\(object.id)-\(RandomID.make().prefix(8))")
            }
        } else if let layer = former.topLayer {
            lease.hold(layer)
        }
        document.snapshotter = services.snapshots.name
        document.sandboxOwner = try check(&configuration, document.imageExecution)
        // What runs is not stopped for what could not be started.
        for endpoint in configuration.endpoints where !former.configuration.endpoints.contains(where: { $0.network == endpoint.network }) {
            do throws(NetworkError) { _ = try services.sandboxes.networks.find(endpoint.network) } catch { throw ContainerError(error) }
        }
        guard configuration.arguments(image: document.imageExecution).first?.isEmpty == false else {
            throw ContainerError(.invalid, "No command specified")
        }
        if !configuration.meetsOthers(as: former.configuration),
            services.sandboxes.members(of: object.id).contains(where: { $0 != object.id })
        {
            throw ContainerError(
                .conflict,
                "other containers are in the network of container \(object.id), which cannot change while they are: stop them first")
        }
        let mounts = try mounts(of: configuration, document.imageExecution, lease, keeping: former)
        document.mounts = mounts.isEmpty ? nil : mounts
        document.startFailure = nil
        document.securityLabels = try securityLabels(of: former, for: configuration)
        if configuration.restart.kind == .no { document.restartMemory = nil }
        document.configuration = configuration
        return document
    }

    // MARK: Doing

    private func carryOut(_ edit: ContainerEdit, of object: ContainerObject, _ lease: Lease) async throws(ContainerError) -> ContainerEdited
    {
        let endpoints = services.sandboxes.endpoints(of: object.id)
        let wasActive = object.state.withLock { state in
            (state.edit, state.formerEndpoints) = (.underWay, endpoints)
            return state.lifecycle.isActive
        }
        defer { object.state.withLock { $0.formerEndpoints = [] } }
        let isActive = try await claimRest(object)
        // What has ended by itself in between was to run.
        let hasRun = wasActive || isActive
        let former = object.document
        let planned: ContainerDocument
        do throws(ContainerError) {
            // What was changed until nothing could be any more is in it.
            planned = try plan(edit, of: object, lease)
            try await replace(former, by: planned, of: object, lease)
        } catch {
            if hasRun { await comeBack(object) } else { withdrawStart(object) }
            throw error
        }
        if hasRun {
            do throws(ContainerError) { try await begin(object) } catch {
                try await takeBack(planned, for: former, of: object, after: error)
                throw ContainerError(
                    error.code, "\(error.description); container \(object.shortID) is as it was before", underlying: error.underlying)
            }
        } else {
            withdrawStart(object)
        }
        await letGo(of: former, for: planned, object, removingVolumes: false)
        let formerLease = object.state.withLock { state in
            defer { state.lease = lease }
            return state.lease
        }
        await services.images.end(formerLease)
        publish("edit", object)
        return ContainerEdited(isRestarted: hasRun, hasNewLayer: planned.layerID != former.layerID)
    }

    /// Has it rest, and be started by nobody else.
    ///
    /// - Returns: whether it was running, or about to.
    private func claimRest(_ object: ContainerObject) async throws(ContainerError) -> Bool {
        var hasRun = false
        while true {
            let (isActive, decision, pending) = object.state.withLock {
                ($0.lifecycle.isActive, $0.lifecycle.startRequested(), $0.startEnd)
            }
            hasRun = hasRun || isActive
            switch decision {
            case .start:
                object.state.withLock { ($0.backOff, $0.isStopping) = (RestartBackOff(), false) }
                return hasRun
            case .alreadyRunning, .isPaused:
                do throws(ContainerError) {
                    try await stop(object, signal: nil, timeoutSeconds: nil, isLasting: false)
                } catch {
                    // It has just ended.
                    guard error.code == .notModified else { throw error }
                }
            case .alreadyStarting:
                guard await pending.value() != nil else { throw .cancelled }
            case .beingRemoved: throw ContainerError(.conflict, "container \(object.id) is being removed: it cannot be edited")
            }
        }
    }

    /// Makes what the new document names, then writes it. On failure the former is in force, and nothing of the new one is left.
    private func replace(
        _ former: ContainerDocument, by planned: ContainerDocument, of object: ContainerObject, _ lease: Lease
    ) async throws(ContainerError) {
        let (id, snapshots) = (object.id, services.snapshots)
        holdMounts(of: planned, id, lease)
        do throws(ContainerError) {
            if planned.layerID != former.layerID {
                let layer = planned.layer(of: id)
                try await lane.run { () throws(ContainerError) in
                    do throws(SnapshotError) { _ = try snapshots.makeWritable(layer.id, on: planned.topLayer) } catch {
                        throw Self.storage("cannot make a layer for container \(id.prefix(12))", error)
                    }
                }
            }
            try await makeVolumes(of: planned, id, in: object.lane)
            try await adopt(planned, object)
        } catch {
            await letGo(of: planned, for: former, object, removingVolumes: true)
            throw error
        }
    }

    /// From here on it is what this document says, but for its name, which may have changed meanwhile.
    private func adopt(_ document: ContainerDocument, _ object: ContainerObject) async throws(ContainerError) {
        // They are written anew when it starts, and here for one that does not.
        try await object.lane.run { () throws(ContainerError) in try self.removeFiles(of: object.id) }
        try await save(object) { kept in
            let name = kept.name
            kept = document
            (kept.name, kept.configuration.name) = (name, name)
        }
        services.runtime.setControlGroupParent(document.configuration.controlGroupParent, of: object.id)
        try await object.lane.run { () throws(ContainerError) in try self.restoreFiles(document, object.id) }
    }

    /// What it was before, it is again, and runs.
    private func takeBack(
        _ planned: ContainerDocument, for former: ContainerDocument, of object: ContainerObject, after failure: ContainerError
    ) async throws(ContainerError) {
        func both(_ error: ContainerError) -> ContainerError {
            ContainerError(
                error.code, "\(failure.description); and container \(object.shortID) could not be made as it was: \(error.description)",
                underlying: error.underlying)
        }
        do throws(ContainerError) { _ = try await claimRest(object) } catch { throw both(error) }
        do throws(ContainerError) { try await adopt(former, object) } catch {
            withdrawStart(object)
            throw both(error)
        }
        await letGo(of: planned, for: former, object, removingVolumes: true)
        await comeBack(object)
    }

    /// Starts it again after an edit that was not to be.
    private func comeBack(_ object: ContainerObject) async {
        do throws(ContainerError) { try await begin(object) } catch {
            warn(object, "container \(object.shortID) could not be started again: \(error.description)")
        }
    }

    /// Lets go of what one document has and the other has not.
    private func letGo(
        of gone: ContainerDocument, for kept: ContainerDocument, _ object: ContainerObject, removingVolumes: Bool
    ) async {
        if gone.layerID != kept.layerID {
            let (layer, snapshots) = (gone.layer(of: object.id), services.snapshots)
            do throws(ContainerError) {
                try await lane.run { () throws(ContainerError) in
                    do throws(SnapshotError) { try snapshots.remove(layer) } catch { throw Self.storage("cannot remove a layer", error) }
                }
            } catch { warn(object, "\(error.description); the next start of the engine removes what is left") }
        }
        var rest = gone
        rest.mounts = gone.mounts?.filter { mount in mount.volume.map { !kept.volumeNames.contains($0) } ?? false }
        if removingVolumes { await removeAnonymousVolumes(of: rest, object.id) { warn(object, $0) } }
        releaseMounts(of: rest, object.id)
    }

    private func removeFiles(of id: String) throws(ContainerError) {
        do throws(Errno) {
            let directory = try Directory.open("\(services.root)/containers/\(id)")
            for name in ContainerFiles.names {
                do throws(Errno) { try directory.removeFile(try PathBytes(name)) } catch { guard error == .ENOENT else { throw error } }
            }
        } catch { throw .storage("cannot renew the files of container \(id.prefix(12))", error) }
    }
}

extension ContainerConfiguration {
    /// Whether it is to others of its networks what another is.
    fileprivate func meetsOthers(as other: Self) -> Bool {
        network == other.network && endpoints == other.endpoints && networking == other.networking && hostname == other.hostname
            && domainName == other.domainName
    }
}
