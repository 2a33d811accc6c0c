public import BerthNetworking
public import BerthOCI
internal import Synchronization

/// What a list shows of a container, at one moment. It is quicker to gather than ``ContainerDetails``: lists are asked for often, and of all containers.
public struct ContainerOverview: Sendable, Hashable {
    /// 64 hexadecimal digits.
    public var id: String
    /// Its name.
    public var name: String
    /// Further names, `OWNER/ALIAS`: of those that are linked to it in the default network. Told in lists alone.
    public var linkNames: [String] = []
    /// Words for tools and people.
    public var annotations: [String: String]
    /// When it was made.
    public var createdAt: Timestamp
    /// The image, as its maker named it.
    public var image: String
    /// The image's id.
    public var imageID: Digest
    /// The command with its arguments, the entry point first.
    public var arguments: [String]
    /// The image's labels and the maker's.
    public var labels: [String: String]
    /// What it is in.
    public var status: ContainerStatus
    /// Its process's id in the engine's namespace, while it runs.
    public var processID: Int32?
    /// When the last run began.
    public var startedAt: Timestamp?
    /// How the last run, or the last attempt at one, ended; while it runs, how the one before did.
    public var lastExit: ExitStatus?
    /// How it does; `nil` if it is not checked, or has not run.
    public var health: HealthStatus?
    /// Its network, as its maker said. That of `--network container:` is by id.
    public var network: NetworkMode
    /// The places in networks that its maker wants for it.
    public var places: [EndpointConfiguration]
    /// Those that it has, while it runs, in the order of its interfaces.
    public var endpoints: [Endpoint] = []
    /// The ids of the networks that it has or is to have places in, by name; without those that are gone.
    public var networkIDs: [String: String] = [:]
    /// What it has at places of its file system.
    public var mounts: [ContainerMount]
    private var exposedPorts: Set<Port>

    fileprivate init(id: String, _ state: borrowing ContainerObject.State) {
        self.id = id
        (name, createdAt) = (state.document.name, state.document.createdAt)
        (image, imageID) = (state.document.configuration.image, state.document.imageID)
        arguments = state.document.configuration.arguments(image: state.document.imageExecution)
        labels = state.document.configuration.mergedLabels(image: state.document.imageExecution)
        (status, processID) = (state.lifecycle.status, state.lifecycle.processID)
        (startedAt, lastExit) = (state.lifecycle.startedAt, state.lifecycle.lastExit)
        health = state.health?.status
        annotations = state.document.configuration.annotations
        (network, places) = (state.document.configuration.network, state.document.configuration.endpoints)
        mounts = state.document.placedMounts
        exposedPorts = state.document.configuration.exposedPorts(image: state.document.imageExecution)
    }

    /// The ports that it can be spoken to at, published or not, by its maker's words and its image's; none while it is in no network.
    public var openPorts: Set<Port> { endpoints.isEmpty ? [] : exposedPorts }
}

extension ContainerStore {
    func overview(of object: ContainerObject) -> ContainerOverview {
        var overview = object.state.withLock { ContainerOverview(id: object.id, $0) }
        overview.endpoints = endpoints(of: object.id)
        overview.networkIDs = networkIDs(of: overview.places)
        overview.mounts = shown(overview.mounts)
        return overview
    }

    /// Its places in networks while it runs: what others have kept of it is theirs, until it runs again.
    func endpoints(of id: String) -> [Endpoint] { services.sandboxes.isAttached(id) ? services.sandboxes.endpoints(of: id) : [] }

    func networkIDs(of places: [EndpointConfiguration]) -> [String: String] {
        var ids: [String: String] = [:]
        for place in places { ids[place.network] = services.sandboxes.networks.id(named: place.network) }
        return ids
    }
}

extension ContainerConfiguration {
    /// The ports that it can be spoken to at, by its maker's words and its image's.
    func exposedPorts(image: ImageConfiguration.Execution) -> Set<Port> {
        networking.exposedPorts.union(image.exposedPorts.compactMap { Port($0) })
    }
}
