internal import BerthArchive
public import BerthContainers
internal import BerthContent
public import BerthImages
internal import BerthLayers
internal import BerthLinux
public import BerthNetworking
public import BerthOCI
public import BerthRegistry
internal import BerthReactor
internal import BerthRuntime
internal import BerthSnapshots
public import BerthState
public import BerthVolumes
internal import FoundationEssentials
internal import Synchronization

/// The composition of everything: images, containers, events and jobs over one root directory.
///
/// One engine has a root at a time; engines on different roots live side by side and never touch each other's objects. What runs goes on when an
/// engine is closed or killed, and the next one on the same root finds it again.
public final class Engine: Sendable {
    /// The images.
    public let images: ImageStore
    /// The containers.
    public let containers: ContainerStore
    /// The volumes.
    public let volumes: VolumeStore
    /// The networks.
    public let networks: NetworkStore
    /// What happens.
    public let events: EventHub
    /// Long work, running and just ended.
    public let jobs: JobRegistry
    /// The way to registries.
    public let registry: Registry
    /// Twelve hexadecimal digits, made once with the root.
    public let id: String
    /// The directory that everything is kept in.
    public let root: String
    /// The directory of what a reboot ends.
    public let execRoot: String
    /// What keeps the layers: `overlay2` or `vfs`.
    public var snapshotterName: String { snapshots.name }
    /// Why layers are not kept by overlay2, where they are not.
    public let snapshotterObstacle: String?
    let labels: [String]

    /// The version of this package.
    public static let version = "0.1.0"

    let runtime: Runtime
    let sandboxes: SandboxStore
    let snapshots: any Snapshotter
    let chosenFirewall: Mutex<FirewallSetting>
    private let reactor: Reactor
    private let locks: Mutex<[RootDirectory]>

    /// Opens an engine: takes the root, reads what it knows, finds what runs, and removes what kills have left half done.
    ///
    /// - Throws: `inUse` if another engine has the root, `storage`, `newer`, `runtime`. Nothing is held then.
    public static func open(_ configuration: EngineConfiguration = EngineConfiguration()) async throws(EngineError) -> Engine {
        let reactor: Reactor
        do throws(Errno) { reactor = try Reactor.start() } catch {
            throw EngineError(.runtime, "cannot start the engine's thread: \(error)", underlying: error)
        }
        // Opening reads and writes files: not on a thread that others wait for.
        let opened: Result<Engine, EngineError>
        do throws(OpeningFailure) {
            opened = .success(
                try await Lane(named: "opening").run { () throws(OpeningFailure) in
                    do throws(EngineError) { return try Engine(configuration, reactor) } catch { throw OpeningFailure(error: error) }
                })
        } catch { opened = .failure(error.error) }
        let engine = try opened.get()
        do throws(ContainerError) { try await engine.containers.recover() } catch { throw EngineError(.storage, error.description) }
        await engine.beginCooperation()
        do throws(ImageError) { try await engine.images.collect() } catch {
            throw EngineError(.storage, error.description, underlying: error.underlying)
        }
        return engine
    }

    private struct OpeningFailure: LaneRefusable {
        let error: EngineError
        static func busy(lane: String, waitingCount: Int) -> OpeningFailure {
            OpeningFailure(error: EngineError(.runtime, "\(lane) is busy: \(waitingCount) calls wait already"))
        }
    }

    private init(_ configuration: EngineConfiguration, _ reactor: Reactor) throws(EngineError) {
        let rootDirectory = try RootDirectory(configuration.root, permissions: 0o711)
        let document = try Self.document(in: configuration.root)
        let execRoot =
            configuration.execRoot ?? (configuration.root == EngineConfiguration.defaultRoot ? "/run/berth" : "/run/berth-\(document.id)")
        locks = Mutex([rootDirectory, try RootDirectory(execRoot, permissions: 0o711)])
        (self.reactor, id, root, self.execRoot) = (reactor, document.id, configuration.root, execRoot)
        (snapshotterObstacle, labels) = (document.obstacle, configuration.labels)
        var firewall = try FirewallDocument.read(in: configuration.root) ?? FirewallSetting()
        firewall.mode = configuration.firewall ?? firewall.mode
        firewall.protection = configuration.firewallProtection ?? firewall.protection
        chosenFirewall = Mutex(firewall)
        (events, jobs, registry) = (EventHub(), JobRegistry(), Registry(configuration.registry))
        do {
            let content = try ContentStore(directory: configuration.root + "/content")
            snapshots = try Snapshotters.open(document.snapshotter, in: configuration.root)
            let layers = LayerStore(content: content, snapshots: snapshots, limits: configuration.archiveLimits)
            let images = try ImageStore(
                .init(
                    root: configuration.root, content: content, layers: layers, snapshots: snapshots, events: events, jobs: jobs,
                    places: RegistryPlaces(registry: registry)))
            runtime = try Runtime(
                configuration: RuntimeConfiguration(engineID: document.id, execRoot: execRoot, monitor: configuration.monitor),
                reactor: reactor)
            self.images = images
            networks = try NetworkStore(
                root: configuration.root, execRoot: execRoot, engineID: document.id, reactor: reactor, events: events,
                protection: firewall.protection, publishDefault: configuration.publishDefault, hostGateway: configuration.hostGateway,
                defaults: configuration.networkDefaults)
            sandboxes = try SandboxStore(networks: networks, execRoot: execRoot, reactor: reactor)
            volumes = try VolumeStore(root: configuration.root, events: events)
            containers = try ContainerStore(
                .init(
                    root: configuration.root, execRoot: execRoot, runtime: runtime, snapshots: snapshots, sandboxes: sandboxes,
                    reactor: reactor, events: events, images: images, layers: layers, volumes: volumes,
                    defaults: configuration.containerDefaults, usesSELinux: configuration.usesSELinux && SELinux.isRunning))
        } catch {
            throw EngineError(
                error is RuntimeError ? .runtime : .storage, "cannot open the engine at '\(configuration.root)': \(error)")
        }
    }

    /// Lets go of the root: what runs goes on, and the next engine finds it. Nothing may be asked of this one any more. Closing again does nothing.
    public func close() async {
        registry.close()
        await containers.close()
        await sandboxes.close()
        await runtime.close(in: Lane(named: "closing"))
        locks.withLock { $0 = [] }
    }

    /// Reads `engine.json`, or makes it with the root.
    private static func document(in root: String) throws(EngineError) -> EngineDocument {
        do {
            let directory = try Directory.open(root)
            if try directory.contains("engine.json") {
                return try decoded(try directory.readFile("engine.json", limit: 64 << 10), in: root).get()
            }
            let obstacle = Overlay2.obstacle(at: root)
            let document = EngineDocument(
                id: String(RandomEngineID.make()), snapshotter: obstacle == nil ? "overlay2" : "vfs", obstacle: obstacle)
            guard let data = try? JSONEncoder().encode(document) else { throw Errno.EINVAL }  // text and numbers encode
            try unsafe directory.replaceFile("engine.json", with: Array(data).span.bytes)
            return document
        } catch let error as EngineError {
            throw error
        } catch {
            throw EngineError(.storage, "cannot read or write '\(root)/engine.json': \(error)", underlying: error as? Errno)
        }
    }

    private static func decoded(_ bytes: [UInt8], in root: String) -> Result<EngineDocument, EngineError> {
        guard let found = try? JSONDecoder().decode(EngineDocument.self, from: Data(bytes)) else {
            return .failure(
                EngineError(
                    .storage, "'\(root)/engine.json' is damaged: it says what this root's resources are called, which cannot be guessed"))
        }
        guard found.version <= EngineDocument.currentVersion else {
            return .failure(EngineError(.newer, "a later version of Berth has written '\(root)': this one cannot read it"))
        }
        return .success(found)
    }

    /// The containers that are made of an image, for those who want to remove it.
    public func uses(ofImage id: BerthOCI.Digest) -> [ImageUse] {
        containers.uses(ofImage: id).map { ImageUse(containerID: $0.id, isRunning: $0.status.isActive) }
    }

    /// Checks everything that is kept of images, of containers' layers and of volumes, and repairs what can be:
    /// ``ImageStore/check(repairing:further:uses:)``, ``VolumeStore/check(repairing:)``.
    public func check(repairing repairs: Bool = false) -> Job<StoreReport> {
        images.check(repairing: repairs) { [volumes] repairs throws(ImageError) in
            do throws(VolumeError) { return try await volumes.check(repairing: repairs).map { StoreFinding($0) } } catch {
                throw ImageError(error.code == .busy ? .busy : .storage, error.description, underlying: error.underlying)
            }
        } uses: { [containers] in
            containers.storeUse()
        }
    }

    /// Removes an image or one of its names, minding the containers: ``ImageStore/remove(_:platform:force:uses:)``.
    public func removeImage(_ text: String, platform: Platform? = nil, force: Bool = false) async throws(ImageError) -> [ImageRemoval] {
        try await images.remove(text, platform: platform, force: force, uses: { self.uses(ofImage: $0) })
    }

    /// Removes images that no container is made of: ``ImageStore/prune(_:uses:)``.
    public func pruneImages(_ query: ImagePruning = ImagePruning()) async throws(ImageError) -> ImagesPruned {
        try await images.prune(query, uses: { self.uses(ofImage: $0) })
    }
}

extension StoreFinding {
    fileprivate init(_ fault: VolumeFault) {
        self.init(
            fault.isUnreadable ? .unreadableVolume : .damagedVolume, fault.name, fault.problem,
            meaning: fault.isUnreadable
                ? "no container can have it, its name is taken, and nobody removes its files"
                : "containers that have it cannot be started, or the next engine does not find it as it is",
            remedy: fault.remedy)
        outcome =
            switch fault.outcome {
            case .found: .found
            case .repaired: .repaired
            case .failed: .failed
            }
    }
}

enum RandomEngineID {
    static func make() -> Substring {
        var random = SystemRandomNumberGenerator()
        let word: UInt64 = random.next()
        return (String(repeating: "0", count: 16) + String(word, radix: 16)).suffix(12)
    }
}
