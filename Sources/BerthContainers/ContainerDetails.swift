public import BerthNetworking
public import BerthOCI
internal import BerthSnapshots
internal import Synchronization

/// All that is known of a container at one moment.
public struct ContainerDetails: Sendable, Hashable {
    /// 64 hexadecimal digits.
    public var id: String
    /// Its name.
    public var name: String
    /// When it was made.
    public var createdAt: Timestamp
    /// What its maker said. The network of `--network container:` is by id.
    public var configuration: ContainerConfiguration
    /// Its limits of setrlimit(2): its own, and of others those of the engine's ``ContainerDefaults`` of now.
    public var resourceLimits: [ResourceLimit]
    /// The image's id.
    public var imageID: Digest
    /// What the image said when the container was made.
    public var image: ImageConfiguration.Execution
    /// What it is in.
    public var status: ContainerStatus
    /// Its process's id in the engine's namespace, while it runs.
    public var processID: Int32?
    /// When the last run began.
    public var startedAt: Timestamp?
    /// How it does; `nil` if it is not checked, or has not run.
    public var health: Health?
    /// How it is checked, by its maker's words over its image's; `nil` if nobody says anything of it.
    public var healthcheck: ImageConfiguration.Healthcheck?
    /// How often it was started again by its policy since somebody has started it.
    public var restartCount: Int
    /// How the last run, or the last attempt at one, ended; while it runs, how the one before did.
    public var lastExit: ExitStatus?
    /// The name in its UTS namespace.
    public var hostname: String
    /// The domain of that, if it has one.
    public var domainName: String?
    /// The containers that it is linked to in the default network, as `/name:/its own name/alias`; without those that are gone.
    public var links: [String]
    /// The command with its arguments, the entry point first.
    public var arguments: [String]
    /// The environment without what the engine adds.
    public var environment: [String]
    /// The image's labels and the maker's.
    public var labels: [String: String]
    /// The directory of `hosts`, `hostname`, `resolv.conf` and the log.
    public var directory: String
    /// The log, if it keeps one.
    public var logPath: String?
    /// The profile of AppArmor's that confines it, or is to (``AppArmor``); `nil` where this kernel has none.
    public var appArmorProfile: String?
    /// Its contexts of SELinux's (``SELinux``); `nil` where it was made without.
    public var securityLabels: SecurityLabels?
    /// Which snapshotter keeps its layer.
    public var snapshotter: String
    /// Its places in networks, while it runs, in the order of its interfaces.
    public var endpoints: [Endpoint]
    /// The ids of the networks that it has or is to have places in, by name; without those that are gone.
    public var networkIDs: [String: String]
    /// Further processes that can be asked about.
    public var executionIDs: [String]
    /// What it has at places of its file system.
    public var mounts: [ContainerMount]
}

extension ContainerDetails {
    /// The ports that it can be spoken to at, published or not, by its maker's words and its image's; none while it is in no network.
    public var openPorts: Set<Port> { endpoints.isEmpty ? [] : configuration.exposedPorts(image: image) }
}

extension ContainerStore {
    func details(of object: ContainerObject) -> ContainerDetails {
        let (document, lifecycle, executions, backOff, health) = object.state.withLock {
            ($0.document, $0.lifecycle, $0.executions, $0.backOff, $0.health)
        }
        let configuration = document.configuration
        let directory = "\(services.root)/containers/\(object.id)"
        return ContainerDetails(
            id: object.id, name: document.name, createdAt: document.createdAt, configuration: configuration,
            resourceLimits: services.defaults.inForce(configuration).resourceLimits, imageID: document.imageID,
            image: document.imageExecution, status: lifecycle.status, processID: lifecycle.processID, startedAt: lifecycle.startedAt,
            health: health, healthcheck: HealthPlan.merged(configuration.healthcheck, image: document.imageExecution.healthcheck),
            restartCount: backOff.count, lastExit: lifecycle.lastExit, hostname: hostname(of: document, object.id),
            domainName: domainName(of: document),
            links: links(of: document),
            arguments: configuration.arguments(image: document.imageExecution),
            environment: configuration.mergedEnvironment(image: document.imageExecution),
            labels: configuration.mergedLabels(image: document.imageExecution), directory: directory,
            logPath: configuration.logDriver == .jsonFile ? "\(directory)/\(object.id)-json.log" : nil,
            appArmorProfile: AppArmor.isEnabled ? configuration.effectiveAppArmorProfile : nil, securityLabels: document.securityLabels,
            snapshotter: document.snapshotter,
            endpoints: endpoints(of: object.id), networkIDs: networkIDs(of: configuration.endpoints), executionIDs: executions,
            mounts: shown(document.placedMounts))
    }

    private func domainName(of document: ContainerDocument) -> String? {
        // It is gone.
        guard let owner = document.sandboxOwner, let object = try? object(owner) else { return document.configuration.domainName }
        return domainName(of: object.document)
    }

    private func links(of document: ContainerDocument) -> [String] {
        document.configuration.networking.links.compactMap { text in
            let (target, alias) = EndpointConfiguration.parts(ofLink: text)
            guard let other = try? linked(target) else { return nil }  // it is gone
            return "/\(other.name):/\(document.name)/\(alias)"
        }
    }

    /// All containers, in no order. Waits for nothing.
    public func all() -> [ContainerDetails] { objects().map { details(of: $0) } }

    /// The containers of an image, which keep it from being removed.
    public func uses(ofImage id: Digest) -> [ContainerDetails] { objects().map { details(of: $0) }.filter { $0.imageID == id } }
}
