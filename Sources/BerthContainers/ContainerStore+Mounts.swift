internal import BerthContent
internal import BerthImages
internal import BerthLayers
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthSnapshots
internal import BerthState
internal import BerthVolumes
internal import Synchronization

// Volumes and other mounts of containers.
//
// A container's document names its volumes, also those that nobody has named, before they are made: so what a kill leaves of a creation belongs to a container that
// is there, and its next start makes what is missing.
extension ContainerStore {
    // MARK: Deciding

    /// What a container of this configuration has, and where: what others have whose volumes it takes, then what its maker says, then what the image names.
    ///
    /// - Parameters:
    ///   - lease: gets the layers of the images that are mounted.
    ///   - former: what the container was before: what it has of what is still wanted, it keeps.
    /// - Throws: `invalid`, in Docker's words.
    func mounts(
        of configuration: ContainerConfiguration, _ image: ImageConfiguration.Execution, _ lease: Lease,
        keeping former: ContainerDocument? = nil
    ) throws(ContainerError) -> [ContainerMount] {
        let kept = KeptMounts(of: former, for: configuration)
        var placed = kept.unsaid
        for text in kept.hasOthersVolumes ? [] : configuration.volumesFrom {
            let from = try VolumesFrom(parsing: text)
            let other: ContainerObject
            do throws(ContainerError) { other = try object(from.container) } catch {
                // That the image is not there is all that a maker's 404 means to Docker's clients.
                throw error.code == .notFound ? ContainerError(.invalid, error.description) : error
            }
            for mount in other.document.placedMounts { placed[mount.target] = mount.shared(readOnly: from.readOnly) }
        }
        var targets: Set<String> = []
        for mount in configuration.saidMounts {
            try mount.check()
            let target = PathText.clean(mount.target)
            guard targets.insert(target).inserted else { throw ContainerError(.invalid, "Duplicate mount point: \(mount.target)") }
            if let same = kept.said[mount] {
                placed[target] = same
            } else {
                placed[target] = try named(ContainerMount(mount), configuration, lease)
            }
        }
        for path in configuration.volumes.union(image.volumes).sorted() {
            let target = PathText.clean(path)
            guard target != "/" else { throw ContainerError(.invalid, "invalid specification: destination can't be '/'") }
            guard path.hasPrefix("/") else {
                throw ContainerError(.invalid, "invalid volume specification: '\(path)'")
            }
            guard placed[target] == nil else { continue }
            var mount = ContainerMount(.volume, at: target)
            mount.copiesUp = true
            placed[target] = try named(mount, configuration, lease)
        }
        return placed.values.sorted { $0.target < $1.target }
    }

    private func named(
        _ mount: ContainerMount, _ configuration: ContainerConfiguration, _ lease: Lease
    ) throws(ContainerError) -> ContainerMount {
        var mount = mount
        switch mount.kind {
        case .volume:
            if mount.volume == nil { (mount.volume, mount.isAnonymous) = (RandomID.make(), true) }
            mount.driver = mount.driver.flatMap { $0.isEmpty ? nil : $0 } ?? configuration.volumeDriver ?? VolumeConfiguration.localDriver
        case .image:
            do throws(ImageError) {
                mount.imageLayer = try services.images.find(mount.source, platform: nil, layersFor: lease).topLayer
            } catch { throw ContainerError(.invalid, error.description) }
        case .bind, .tmpfs: break
        }
        return mount
    }

    /// Whether the sources that are not made are there. Blocks.
    static func checkSources(_ mounts: [ContainerMount]) throws(ContainerError) {
        for mount in mounts where mount.kind == .bind && mount.createsSource != true && !HostFile.exists(mount.source) {
            throw ContainerError(.invalid, "invalid mount config for type \"bind\": bind source path does not exist: \(mount.source)")
        }
    }

    // MARK: Holding

    /// Nobody removes a container's volumes, nor the layers of what it mounts.
    func holdMounts(of document: ContainerDocument, _ id: String, _ lease: Lease?) {
        for name in document.volumeNames { services.volumes.hold(name, by: id) }
        for layer in (document.mounts ?? []).compactMap(\.imageLayer) { lease?.hold(layer) }
    }

    func releaseMounts(of document: ContainerDocument, _ id: String) {
        for name in document.volumeNames { services.volumes.release(name, by: id) }
    }

    // MARK: Making

    /// Makes the volumes that are not there, and puts what the image has at their places into those that hold nothing.
    func makeVolumes(of document: ContainerDocument, _ id: String, in lane: Lane) async throws(ContainerError) {
        let volumes = services.volumes
        for mount in document.mounts ?? [] where mount.kind == .volume {
            guard let name = mount.volume else { continue }
            do throws(VolumeError) {
                _ = try await volumes.create(mount.configuration(of: name), for: id)
            } catch { throw ContainerError(error) }
            guard mount.copiesUp == true else { continue }
            try await lane.run { () throws(ContainerError) in try self.fill(name, mount, document) }
        }
    }

    private func fill(_ name: String, _ mount: ContainerMount, _ document: ContainerDocument) throws(ContainerError) {
        let volumes = services.volumes
        do throws(VolumeError) {
            let part = mount.subpath ?? ""
            guard let layer = document.topLayer, try volumes.canBeFilled(name, part: part) else { return }
            let directory: Directory
            do throws(Errno) {
                directory = try imageFiles(of: layer).openDirectory(try PathBytes(String(mount.target.dropFirst())), .inRoot)
            } catch {
                if error == .ENOENT { return }
                guard error == .ENOTDIR else { throw .storageError("cannot look at the image's '\(mount.target)'", error) }
                guard mount.isAnonymous == true else { return }
                throw VolumeError(.invalid, "cannot mount volume over existing file, file exists \(mount.target)")
            }
            try volumes.fill(name, part: part, from: directory)
        } catch { throw ContainerError(error) }
    }

    /// The files of an image, to be read.
    private func imageFiles(of layer: LayerName) throws(Errno) -> Directory {
        let paths: [String]
        do throws(SnapshotError) { paths = try layerDirectories(from: layer) } catch { throw error.underlying ?? .EIO }
        let base = services.snapshots.path
        return try DetachedMount.reading(base: base, layers: paths.map { String($0.dropFirst(base.count + 1)) })
    }

    /// The directories of a layer and of those below it, absolute, the uppermost first.
    private func layerDirectories(from top: LayerName) throws(SnapshotError) -> [String] {
        let snapshots = services.snapshots
        guard snapshots.keepsLayersApart else { return [try snapshots.directory(of: top)] }
        let known = snapshots.layers()
        var paths: [String] = []
        var next: LayerName? = top
        while let layer = next {
            paths.append(try snapshots.directory(of: layer))
            next = known[layer]?.parent
        }
        return paths
    }

    // MARK: Starting

    /// Where what a container mounts is. What a kill has kept from being made is made now.
    func mountSources(_ object: ContainerObject, _ document: ContainerDocument) async throws(ContainerError) -> MountSources {
        var sources = MountSources()
        guard let mounts = document.mounts else { return sources }
        let volumes = services.volumes
        if mounts.contains(where: { $0.kind == .bind && $0.propagation?.isPrivate == false }) {
            try await object.lane.run { () throws(ContainerError) in try Self.checkPropagation(of: mounts) }
        }
        let hasRun = object.state.withLock { $0.lifecycle.lastExit?.startedAt != nil }
        if !hasRun || document.volumeNames.contains(where: { (try? volumes.find($0)) == nil }) {
            try await makeVolumes(of: document, object.id, in: object.lane)
        }
        for mount in mounts {
            if let name = mount.volume {
                do throws(VolumeError) {
                    let source = try volumes.source(of: name)
                    sources.volumes[name] = try await object.lane.run { () throws(VolumeError) in try source.resolved() }
                } catch { throw ContainerError(error) }
                try await checkSource(sources.volumes[name], of: name, object)
                sources.memories[mount.target] = try await mountedMemory(of: mount, among: mounts, sources.volumes[name], object)
            }
            guard mount.kind == .image else { continue }
            guard let layer = mount.imageLayer else {
                throw ContainerError(.invalid, "the image \(mount.source) cannot be mounted at \(mount.target): it has no layers")
            }
            sources.images[mount.target] = try await object.lane.run { () throws(ContainerError) in
                do throws(SnapshotError) { return try self.layerDirectories(from: layer).map(self.shortened) } catch {
                    throw Self.storage("cannot mount the image \(mount.source)", error)
                }
            }
        }
        return sources
    }

    /// A layer's directory by the short name that overlay2 has for it: many of them are to fit into one mount.
    private func shortened(_ path: String) -> String {
        guard path.hasSuffix("/diff"), let link = try? HostFile.read(path.dropLast("diff".count) + "link", limit: 256) else { return path }
        return "\(services.snapshots.path)/l/\(String(decoding: link.filter { $0 != 10 }, as: UTF8.self))"
    }

    /// Mounts travel only from, and to, a mount of the host's that lets them. Blocks.
    private static func checkPropagation(of mounts: [ContainerMount]) throws(ContainerError) {
        let table: [UInt8]
        do throws(Errno) { table = try HostFile.read("/proc/self/mountinfo", limit: 16 << 20) } catch {
            throw .storage("cannot read the host's mounts", error)
        }
        let places = String(decoding: table, as: UTF8.self).split(separator: "\n").compactMap(HostMount.init)
        for mount in mounts where mount.kind == .bind {
            guard let propagation = mount.propagation, !propagation.isPrivate else { continue }
            // Of several at one place the last is on top.
            guard let place = places.last(where: { $0.holds(mount.source) && !places.contains(where: $0.isCovered(by: mount.source)) }),
                !(propagation.isShared ? place.isShared : place.isShared || place.isSlave)
            else { continue }
            throw ContainerError(
                .runtime,
                "path \(mount.source) is mounted on \(place.path) but it is not a \(propagation.isShared ? "shared" : "shared or slave") mount"
            )
        }
    }

    private func checkSource(_ source: VolumeSource?, of name: String, _ object: ContainerObject) async throws(ContainerError) {
        switch source {
        case .bind(let path, let options):
            try await object.lane.run { () throws(ContainerError) in
                guard HostFile.exists(path) else {
                    throw ContainerError(
                        .storage,
                        "error while mounting volume '\(self.services.volumes.path)/\(name)/_data': failed to mount local volume: mount \(path):\(self.services.volumes.path)/\(name)/_data, options: \(options.joined(separator: ",")): no such file or directory"
                    )
                }
            }
        case .directory, .fileSystem, nil: break
        }
    }

    // MARK: Ending

    /// Tells what a container's volumes are told when it starts and ends.
    func publishMounts(_ action: String, of document: ContainerDocument, _ object: ContainerObject) {
        for mount in document.mounts ?? [] {
            guard let name = mount.volume, let volume = try? services.volumes.find(name) else { continue }  // it is gone, and tells nothing
            var facts = ["container": object.id]
            if action == "mount" {
                facts.merge([
                    "destination": mount.target, "propagation": mount.propagation?.rawValue ?? "",
                    "read/write": mount.readOnly ? "false" : "true",
                ]) { $1 }
            }
            services.volumes.publish(action, volume, facts)
        }
    }

    /// Removes the volumes that nobody has named and no other container has. What cannot be removed now is told of, and stays.
    func removeAnonymousVolumes(of object: ContainerObject) async {
        await removeAnonymousVolumes(of: object.document, object.id) { self.warn(object, $0) }
    }

    func removeAnonymousVolumes(of document: ContainerDocument, _ id: String, _ warn: (String) -> Void) async {
        for mount in document.mounts ?? [] where mount.isAnonymous == true {
            guard let name = mount.volume else { continue }
            services.volumes.release(name, by: id)
            do throws(VolumeError) { try await services.volumes.remove(name, force: true) } catch {
                if error.code != .inUse { warn(error.description) }
            }
        }
    }

    /// Takes back what there is of a container that could not be made.
    func forgetMounts(of document: ContainerDocument, _ id: String) async {
        try? await lane.run { () throws(ContainerError) in
            try? self.documents.remove(document, id: id)  // the directory goes as well, and without it the document
            self.discard(id)
        }
        await removeAnonymousVolumes(of: document, id) { _ in }  // unused, a pruning takes it
        releaseMounts(of: document, id)
    }

    /// As it is shown, with the directories of the volumes.
    func shown(_ mounts: [ContainerMount]) -> [ContainerMount] {
        mounts.map { mount in
            guard let name = mount.volume else { return mount }
            var mount = mount
            mount.source = "\(services.volumes.path)/\(name)/_data"
            return mount
        }
    }
}

/// A line of the host's own list of mounts.
private struct HostMount {
    let path: Substring
    let isShared: Bool
    let isSlave: Bool

    init?(_ line: Substring) {
        let fields = line.split(separator: " ")
        guard fields.count > 6 else { return nil }
        path = fields[4]
        let optional = fields[6...].prefix { $0 != "-" }
        (isShared, isSlave) = (optional.contains { $0.hasPrefix("shared:") }, optional.contains { $0.hasPrefix("master:") })
    }

    func holds(_ source: String) -> Bool { path == "/" || source == path || source.hasPrefix(path + "/") }

    /// Whether another that holds the source lies deeper.
    func isCovered(by source: String) -> (HostMount) -> Bool {
        { other in other.path.utf8.count > path.utf8.count && other.holds(source) }
    }
}

extension BindMount.Propagation {
    fileprivate var isPrivate: Bool { self == .private || self == .rprivate }
    fileprivate var isShared: Bool { self == .shared || self == .rshared }
}

extension ContainerMount {
    /// What another container has of it by `--volumes-from`.
    fileprivate func shared(readOnly: Bool) -> ContainerMount {
        var mount = self
        mount.readOnly = self.readOnly || readOnly
        (mount.mode, mount.copiesUp) = ("", nil)
        return mount
    }

    fileprivate func configuration(of name: String) -> VolumeConfiguration {
        var labels = volumeLabels
        if isAnonymous == true { labels = (labels ?? [:]).merging([Volume.anonymousLabel: ""]) { own, _ in own } }
        return VolumeConfiguration(
            name: name, driver: driver ?? VolumeConfiguration.localDriver, options: volumeOptions, labels: labels)
    }
}

extension ContainerError {
    init(_ error: VolumeError) {
        let code: Code =
            switch error.code {
            // To Docker's clients a maker's 404 means that the image is not there.
            case .notFound, .invalid: .invalid
            case .conflict, .inUse: .conflict
            case .busy: .busy
            default: .storage
            }
        self.init(code, error.description, underlying: error.underlying)
    }
}

extension VolumeError {
    fileprivate static func storageError(_ what: String, _ error: Errno) -> VolumeError {
        VolumeError(.storage, "\(what): \(error)", underlying: error)
    }
}
