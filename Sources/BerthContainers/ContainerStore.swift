internal import BerthContent
public import BerthImages
public import BerthLayers
internal import BerthLinux
public import BerthNetworking
public import BerthOCI
public import BerthReactor
public import BerthRuntime
public import BerthSnapshots
public import BerthState
public import BerthVolumes
internal import Synchronization

/// The containers of an engine: made, found, listed; each is a ``Container``.
///
/// One document a container is all that is kept of it; names and what is running are found out again at every start.
public final class ContainerStore: Sendable {
    /// What a store works with.
    public struct Services: Sendable {
        /// The engine's root directory.
        public var root: String
        /// Where it keeps what a reboot may take.
        public var execRoot: String
        /// Starts processes.
        public var runtime: Runtime
        /// Mounts layers.
        public var snapshots: any Snapshotter
        /// Attaches to networks.
        public var sandboxes: SandboxStore
        /// Waits.
        public var reactor: Reactor
        /// Told of everything that happens.
        public var events: EventHub
        /// What containers are made of, and become.
        public var images: ImageStore
        /// Reads their layers.
        public var layers: LayerStore
        /// What they have that outlives them.
        public var volumes: VolumeStore
        /// What containers get that say nothing of it.
        public var defaults: ContainerDefaults
        /// Whether containers get labels of SELinux's.
        public var usesSELinux: Bool

        /// All of them.
        public init(
            root: String, execRoot: String, runtime: Runtime, snapshots: any Snapshotter, sandboxes: SandboxStore, reactor: Reactor,
            events: EventHub, images: ImageStore, layers: LayerStore, volumes: VolumeStore,
            defaults: ContainerDefaults = ContainerDefaults(),
            usesSELinux: Bool = false
        ) {
            (self.root, self.execRoot, self.runtime, self.snapshots) = (root, execRoot, runtime, snapshots)
            (self.sandboxes, self.reactor, self.events, self.images) = (sandboxes, reactor, events, images)
            (self.layers, self.volumes, self.defaults, self.usesSELinux) = (layers, volumes, defaults, usesSELinux)
        }
    }

    struct Index {
        var containers: [String: ContainerObject] = [:]
        /// Names in use, also those of containers that are just being made.
        var names: [String: String] = [:]
        var executions: [String: Execution] = [:]
        /// Containers that are gone, and whose files are on their way.
        var erasing: [String: Promise<Void>] = [:]
        /// Documents that could not be read: they keep their claims.
        var setAside: [String: String] = [:]
    }

    let services: Services
    let documents: ContainerDocuments
    let index = Mutex(Index())
    let networkTurns = NetworkTurns()
    let memoryClaims = MemoryClaims()
    let isPruning = Atomic<Bool>(false)
    /// By shared sandboxes.
    let keepers = Mutex<[String: Keeper]>([:])
    /// For what concerns more than one container: directories and layers come and go here.
    let lane: Lane
    let levels = LevelsInTheMaking()
    /// Holds all layers while a document is set aside: which ones that container lies on is not known.
    private let claim: Lease

    /// Opens the store and reads every document; nothing is known yet of what runs: ``recover()`` finds that out. Blocks.
    ///
    /// - Throws: `storage` if the directory cannot be had; `invalid` for defaults that cannot be. What is wrong with one container is that container's.
    public init(_ services: Services) throws(ContainerError) {
        try services.defaults.check()
        self.services = services
        lane = Lane(named: "the containers' store", waitingLimit: Lane.sharedWaitingLimit)
        claim = services.images.leases.begin()
        do throws(StateError) {
            documents = try ContainerDocuments(root: services.root, execRoot: services.execRoot)
            let loaded = try documents.load()
            index.withLock { index in
                for (id, document) in loaded.found where RandomID.isValid(id) {
                    let lease = services.images.leases.begin()
                    if let layer = document.topLayer { lease.hold(layer) }
                    services.runtime.setControlGroupParent(document.configuration.controlGroupParent, of: id)
                    holdMounts(of: document, id, lease)
                    index.containers[id] = ContainerObject(
                        id: id, document: document, lifecycle: Lifecycle(), lane: Self.lane(of: id), lease: lease)
                    index.names[document.name] = id
                }
                for aside in loaded.setAside { index.setAside[aside.id] = aside.reason }
            }
            if !loaded.setAside.isEmpty { claim.hold(.everyLayer) }
            for aside in loaded.setAside { services.volumes.holdAll(for: aside.id) }
        } catch {
            throw ContainerError(.storage, error.description, underlying: error.underlying)
        }
    }

    private static func lane(of id: String) -> Lane { Lane(named: "container \(id.prefix(12))") }

    // MARK: Finding

    /// Finds a container by its id, its name, `OWNER/ALIAS` where another is linked to it, or a prefix of its id that only it has.
    ///
    /// - Throws: `notFound`; `invalid` where more than one id begins so.
    public func find(_ text: String) throws(ContainerError) -> Container {
        Container(try object(text), in: self)
    }

    func object(_ text: String) throws(ContainerError) -> ContainerObject {
        if let linked = object(linkName: text) { return linked }
        return try object(ownName: text)
    }

    func object(ownName text: String) throws(ContainerError) -> ContainerObject {
        let name = text.hasPrefix("/") ? String(text.dropFirst()) : text
        let (found, reason): (ContainerObject?, ContainerError?) = index.withLock { index in
            if let exact = index.containers[text] { return (exact, nil) }
            if let id = index.names[name], let object = index.containers[id] { return (object, nil) }
            if let reason = index.setAside[text] {
                return (nil, ContainerError(.conflict, "container \(text) is unreadable: its document was set aside: \(reason)"))
            }
            guard !text.isEmpty else { return (nil, nil) }
            let matches = index.containers.keys.filter { $0.hasPrefix(text) }
            guard matches.count < 2 else {
                return (nil, ContainerError(.invalid, "multiple IDs found with provided prefix: \(text)"))
            }
            return (matches.first.flatMap { index.containers[$0] }, nil)
        }
        if let reason { throw reason }
        guard let found else { throw .noSuchContainer(text) }
        return found
    }

    /// All containers, the newest first.
    func objects() -> [ContainerObject] { index.withLock { Array($0.containers.values) } }

    /// What an execution is called by.
    ///
    /// - Throws: `notFound`.
    public func execution(_ id: String) throws(ContainerError) -> Execution {
        guard let execution = index.withLock({ $0.executions[id] }) else {
            throw ContainerError(.notFound, "No such exec instance: \(id)")
        }
        return execution
    }

    /// Containers whose documents could not be read, and why. They keep their ids, layers and directories.
    public var unreadable: [String: String] { index.withLock { $0.setAside } }

    // MARK: Making

    /// Makes a container. It exists, whole, when this returns; on failure nothing of it is left. Its networks must be there when it starts, not before.
    ///
    /// - Parameter platform: for which platform the image must be: of an index, the best for that one. `nil`: ``ImageStore/find(_:platform:)`` says which.
    /// - Throws: `invalid` for what makes no sense, `imageNotFound`, `conflict` for a name in use, `unsupported` for what does not exist here, `storage`.
    public func create(_ configuration: ContainerConfiguration, platform: Platform? = nil) async throws(ContainerError) -> Container {
        let lease = services.images.leases.begin()
        do throws(ContainerError) {
            return try await withLabels(for: configuration) { (labels) throws(ContainerError) in
                try await create(configuration, labels, platform, lease)
            }
        } catch {
            await services.images.end(lease)
            throw error
        }
    }

    private func create(
        _ configuration: ContainerConfiguration, _ labels: SecurityLabels?, _ platform: Platform?, _ lease: Lease
    ) async throws(ContainerError) -> Container {
        // As dockerd does, before the image is looked for.
        for mount in configuration.mounts { try mount.check() }
        let image: ImageRecord
        do throws(ImageError) { image = try services.images.find(configuration.image, platform: platform, layersFor: lease) } catch {
            throw ContainerError(error.code == .notFound ? .imageNotFound : .invalid, error.description)
        }
        var configuration = configuration
        let owner = try check(&configuration, image.configuration.execution)
        let id = RandomID.make()
        // Sources may lie on a file system that does not answer: only this container waits for it.
        let (own, mounts) = (Self.lane(of: id), try mounts(of: configuration, image.configuration.execution, lease))
        if mounts.contains(where: { $0.kind == .bind && $0.createsSource != true }) {
            try await own.run { () throws(ContainerError) in try Self.checkSources(mounts) }
        }
        let name = try reserveName(configuration.name, for: id)
        configuration.name = name
        var document = ContainerDocument(
            name: name, createdAt: .now, configuration: configuration, imageID: image.id, imageExecution: image.configuration.execution,
            topLayer: image.topLayer, snapshotter: services.snapshots.name, sandboxOwner: owner)
        document.mounts = mounts.isEmpty ? nil : mounts
        document.securityLabels = labels
        do throws(ContainerError) {
            let document = document
            holdMounts(of: document, id, nil)
            try await lane.run { () throws(ContainerError) in try self.make(id, document, on: image.topLayer) }
            if document.mounts != nil { try await makeVolumes(of: document, id, in: own) }
        } catch {
            if document.mounts != nil { await forgetMounts(of: document, id) }
            index.withLock { $0.names[name] = nil }
            throw error
        }
        let object = ContainerObject(
            id: id, document: document, lifecycle: Lifecycle(), lane: own, lease: lease)
        services.runtime.setControlGroupParent(configuration.controlGroupParent, of: id)
        index.withLock { $0.containers[id] = object }
        publish("create", object)
        return Container(object, in: self)
    }

    /// Makes a container of an image, which may have no name: as ``create(_:platform:)`` does it.
    ///
    /// - Parameter change: what is to be other than the image says, and than the defaults are.
    public func create(_ image: ImageRecord, _ change: (inout ContainerConfiguration) -> Void = { _ in }) async throws(ContainerError)
        -> Container
    {
        var configuration = ContainerConfiguration(image: image.references.first?.familiar ?? image.id.description)
        change(&configuration)
        return try await create(configuration)
    }

    /// Takes a name, or makes one up, before anything is made.
    private func reserveName(_ asked: String?, for id: String) throws(ContainerError) -> String {
        if let asked, !asked.isEmpty {
            let name = try ContainerName.checked(asked)
            let holder = index.withLock { index -> String? in
                if let holder = index.names[name] { return holder }
                index.names[name] = id
                return nil
            }
            guard let holder else { return name }
            throw ContainerError(
                .conflict,
                "Conflict. The container name \"/\(name)\" is already in use by container \"\(holder)\". You have to remove (or rename) that container to be able to reuse that name."
            )
        }
        let taken = index.withLock { index -> String? in
            var random = SystemRandomNumberGenerator()
            for attempt in 0...64 {
                let name = attempt < 64 ? ContainerName.suggestion(attempt, using: &random) : String(id.prefix(12))
                guard index.names[name] == nil else { continue }
                index.names[name] = id
                return name
            }
            return nil
        }
        guard let taken else { throw ContainerError(.conflict, "no free name was found for the container: give it one") }
        return taken
    }

    /// The steps of making: the document comes last, for it is what makes a container exist.
    private func make(_ id: String, _ document: ContainerDocument, on layer: LayerName?) throws(ContainerError) {
        do {
            _ = try services.snapshots.makeWritable(
                id, on: layer, durability: ContainerDocuments.lasts(document) ? .synchronized : .none)
            let directory = try Directory.open(services.root + "/containers")
            let name = try PathBytes(id)
            try directory.makeDirectory(name, permissions: 0o710)
            try writeFiles(document, id, in: try directory.openDirectory(name))
            try documents.create(document, id: id)
        } catch {
            discard(id)
            throw Self.storage("cannot make container \(id.prefix(12))", error)
        }
    }

    /// Removes what there is of a container that does not exist (any more). What cannot be removed now is found by the next start of the engine.
    func discard(_ id: String) {
        try? services.snapshots.remove(WritableLayer(id: id))
        if let name = try? PathBytes(id) { try? Directory.open(services.root + "/containers").removeTree(name) }
    }

    private func writeFiles(_ document: ContainerDocument, _ id: String, in directory: borrowing Directory) throws(Errno) {
        guard document.sandboxOwner == nil else { return }
        for (name, contents) in files(document, id) {
            let file = try directory.createFile(try PathBytes(name), permissions: 0o644)
            try unsafe file.writeAll(contents.span.bytes)
        }
    }

    private func files(_ document: ContainerDocument, _ id: String) -> [(name: String, contents: [UInt8])] {
        let configuration = document.configuration
        let isHost = configuration.network == .host
        let hostname = hostname(of: document, id)
        let hosts = ContainerFiles.hosts(
            hostname: hostname, domainName: configuration.domainName,
            hostFile: isHost ? Self.hostFile("/etc/hosts") : nil)
        let resolver = ContainerFiles.resolverConfiguration(hostFile: Self.hostFile("/etc/resolv.conf"), sharesHostNetwork: isHost)
        return [("hosts", hosts), ("hostname", ContainerFiles.hostname(hostname)), ("resolv.conf", resolver)]
    }

    /// These files are not synced when they are made: what a loss of power has emptied, or taken, is written again, in place.
    func restoreFiles(_ document: ContainerDocument, _ id: String) throws(ContainerError) {
        guard document.sandboxOwner == nil else { return }
        do throws(Errno) {
            let directory = try Directory.open("\(services.root)/containers/\(id)")
            var lost: [String] = []
            for name in ContainerFiles.names where try Self.isLost(try PathBytes(name), in: directory) { lost.append(name) }
            if lost.isEmpty { return }
            for (name, contents) in files(document, id) where lost.contains(name) {
                try unsafe directory.openForAppending(try PathBytes(name), permissions: 0o644).writeAll(contents.span.bytes)
            }
        } catch {
            throw .storage("cannot restore the files of container \(id.prefix(12))", error)
        }
    }

    private static func isLost(_ name: PathBytes, in directory: borrowing Directory) throws(Errno) -> Bool {
        guard try directory.contains(name) else { return true }
        return try directory.status(name).byteCount == 0
    }

    /// A file of the host's that may be missing.
    private static func hostFile(_ path: String) -> [UInt8] { (try? HostFile.read(path, limit: 1 << 20)) ?? [] }

    func hostname(of document: ContainerDocument, _ id: String) -> String {
        if let name = document.configuration.hostname, !name.isEmpty { return name }
        if let owner = document.configuration.namespaces.uts.owner, let object = try? object(owner) {  // one that is gone has no name
            return self.hostname(of: object.document, owner)
        }
        if document.configuration.network == .host || document.configuration.namespaces.uts == .host,
            let name = try? HostFile.read("/proc/sys/kernel/hostname", limit: 256)
        {
            return String(decoding: name, as: UTF8.self).split(separator: "\n").first.map(String.init) ?? String(id.prefix(12))
        }
        if let owner = document.sandboxOwner {
            if let object = try? object(owner) { return hostname(of: object.document, owner) }
            // That one is removed, and the sandbox may still be there.
            if let name = services.sandboxes.hostname(of: id) { return name }
        }
        return String(id.prefix(12))
    }

    static func storage(_ what: String, _ error: any Error) -> ContainerError {
        switch error {
        case let error as Errno: .storage(what, error)
        case let error as SnapshotError: ContainerError(.storage, "\(what): \(error.description)", underlying: error.underlying)
        case let error as StateError: ContainerError(.storage, "\(what): \(error.description)", underlying: error.underlying)
        case let error as ContainerError: error
        default: ContainerError(.storage, "\(what): \(error)")
        }
    }

    func publish(_ action: String, _ object: ContainerObject, _ more: [String: String] = [:]) {
        services.events.publish(Event(type: "container", action: action, actorID: object.id, attributes: object.attributes(more)))
    }
}
