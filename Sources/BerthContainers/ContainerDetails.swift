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
    public var openPorts: Set<Port> {
        endpoints.isEmpty ? [] : configuration.networking.exposedPorts.union(image.exposedPorts.compactMap { Port($0) })
    }
}

/// What of containers is to be listed.
public struct ContainerQuery: Sendable, Hashable {
    /// Whether those that do not run are wanted as well. A filter on the status implies it.
    public var includesAll = false
    /// The most of them: the newest. `nil` is all.
    public var limit: Int?
    /// Docker's filters: of one key any value may match, of several keys all must.
    public var filters: [String: [String]] = [:]

    /// Those that run.
    public init() {}
    /// These.
    public init(includesAll: Bool, limit: Int? = nil, filters: [String: [String]] = [:]) {
        (self.includesAll, self.limit, self.filters) = (includesAll, limit, filters)
    }
}

extension ContainerStore {
    func details(of object: ContainerObject) -> ContainerDetails {
        let (document, lifecycle, executions, backOff, health) = object.state.withLock {
            ($0.document, $0.lifecycle, $0.executions, $0.backOff, $0.health)
        }
        let configuration = document.configuration
        let directory = "\(services.root)/containers/\(object.id)"
        return ContainerDetails(
            id: object.id, name: document.name, createdAt: document.createdAt, configuration: configuration, imageID: document.imageID,
            image: document.imageExecution, status: lifecycle.status, processID: lifecycle.processID, startedAt: lifecycle.startedAt,
            health: health, healthcheck: HealthPlan.merged(configuration.healthcheck, image: document.imageExecution.healthcheck),
            restartCount: backOff.count, lastExit: lifecycle.lastExit, hostname: hostname(of: document, object.id),
            domainName: domainName(of: document),
            links: links(of: document),
            arguments: configuration.arguments(image: document.imageExecution),
            environment: configuration.mergedEnvironment(image: document.imageExecution),
            labels: configuration.mergedLabels(image: document.imageExecution), directory: directory,
            logPath: configuration.logDriver == .jsonFile ? "\(directory)/\(object.id)-json.log" : nil, snapshotter: document.snapshotter,
            // What others have kept of it is theirs, until it runs again.
            endpoints: services.sandboxes.isAttached(object.id) ? services.sandboxes.endpoints(of: object.id) : [],
            networkIDs: networkIDs(of: configuration), executionIDs: executions, mounts: shownMounts(of: document))
    }

    private func networkIDs(of configuration: ContainerConfiguration) -> [String: String] {
        var ids: [String: String] = [:]
        for endpoint in configuration.endpoints { ids[endpoint.network] = services.sandboxes.networks.id(named: endpoint.network) }
        return ids
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

    /// Lists containers, the newest first. Waits for nothing.
    ///
    /// - Throws: `invalid` for a filter that does not exist, or a value that cannot be one; `notFound` for a container that a filter names.
    public func list(_ query: ContainerQuery = ContainerQuery()) throws(ContainerError) -> [ContainerDetails] {
        let filter = try ContainerFilter(query, in: self)
        let all = objects().map { details(of: $0) }.sorted { $0.createdAt > $1.createdAt }
        let found = all.filter { filter.matches($0) }
        return query.limit.map { $0 > 0 ? Array(found.prefix($0)) : found } ?? found
    }

    /// The containers of an image, which keep it from being removed.
    public func uses(ofImage id: Digest) -> [ContainerDetails] { objects().map { details(of: $0) }.filter { $0.imageID == id } }
}

/// Docker's filters of `ps`, as far as what they ask about exists.
private struct ContainerFilter {
    private var tests: [(ContainerDetails) -> Bool] = []
    func matches(_ container: ContainerDetails) -> Bool { tests.allSatisfy { $0(container) } }

    init(_ query: ContainerQuery, in store: ContainerStore) throws(ContainerError) {
        let namesStatus = query.filters["status"] != nil || query.filters["exited"] != nil
        // Docker lists what does not run as soon as a number is asked for, too.
        if !query.includesAll && !namesStatus && (query.limit ?? 0) <= 0 { tests.append { $0.status.isActive } }
        for (key, values) in query.filters where !Self.portKeys.contains(key) { tests.append(try Self.test(key, values, in: store)) }
        let ports = query.filters.filter { Self.portKeys.contains($0.key) }
        if !ports.isEmpty { tests.append(try Self.test(ports: ports)) }
    }

    private static let portKeys: Set = ["publish", "expose"]

    /// By ports: of the two keys either may match, and both do on what is published.
    private static func test(ports: [String: [String]]) throws(ContainerError) -> (ContainerDetails) -> Bool {
        let published = try ports["publish"]?.map { text throws(ContainerError) in try PortFilter(text, of: "publish") } ?? []
        let exposed = try ports["expose"]?.map { text throws(ContainerError) in try PortFilter(text, of: "expose") } ?? []
        return { container in
            let all = container.endpoints.flatMap(\.ports)
            return all.contains { port in published.contains { $0.matches(Port(port.hostPort, port.transport)) } }
                || container.openPorts.union(all.map { Port($0.containerPort, $0.transport) }).contains { port in
                    exposed.contains { $0.matches(port) }
                }
        }
    }

    private static func test(_ key: String, _ values: [String], in store: ContainerStore) throws(ContainerError)
        -> (ContainerDetails) -> Bool
    {
        switch key {
        case "id": return { container in values.contains { container.id.hasPrefix($0) } }
        case "name":
            // A leading slash is Docker's; what is left is a regular expression there, of which what people write are parts and anchors.
            return { container in values.contains { matchesName(container.name, $0) } }
        case "label":
            return { container in
                values.allSatisfy { text in
                    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    guard let value = container.labels[String(parts[0])] else { return false }
                    return parts.count == 1 || value == parts[1]
                }
            }
        case "status":
            let wanted = try values.map { text throws(ContainerError) in
                guard let status = ContainerStatus(rawValue: text) else {
                    throw ContainerError(.invalid, "invalid filter 'status=\(text)'")
                }
                return status
            }
            return { wanted.contains($0.status) }
        case "exited":
            let codes = try values.map { text throws(ContainerError) in
                guard let code = Int32(text) else { throw ContainerError(.invalid, "invalid filter 'exited=\(text)'") }
                return code
            }
            return { container in
                container.status == .exited && container.lastExit.map { codes.contains($0.code) } == true
            }
        case "ancestor":
            return { container in
                values.contains { text in
                    container.configuration.image == text || container.imageID.description == text || container.imageID.hex.hasPrefix(text)
                        || (try? ImageReference(parsing: container.configuration.image)) == (try? ImageReference(parsing: text))
                }
            }
        case "before", "since":
            var tests: [(ContainerDetails) -> Bool] = []
            for text in values {
                let other = try store.object(text).document.createdAt
                tests.append { key == "before" ? $0.createdAt < other : $0.createdAt > other }
            }
            return { container in tests.allSatisfy { $0(container) } }
        case "network":
            return { container in
                values.contains { text in
                    container.configuration.endpoints.contains { endpoint in
                        endpoint.network == text || container.networkIDs[endpoint.network]?.hasPrefix(text) == true
                    }
                }
            }
        case "health":
            let wanted = try values.map { text throws(ContainerError) in
                guard let status = HealthStatus(rawValue: text.lowercased()) else {
                    throw ContainerError(.invalid, "Unrecognised filter value for health: \(text)")
                }
                return status
            }
            return { wanted.contains($0.health?.status ?? .none) }
        // There are no tasks of a swarm's here.
        case "is-task":
            let wanted = try values.map { text throws(ContainerError) in
                guard ["true", "1", "false", "0"].contains(text.lowercased()) else {
                    throw ContainerError(.invalid, "invalid filter 'is-task=\(text)'")
                }
                return text == "1" || text.lowercased() == "true"
            }
            return { _ in wanted.contains(false) }
        // It belongs to other systems: what is asked is answered as on any Linux.
        case "isolation": return { _ in values.contains { $0.isEmpty || $0.lowercased() == "default" } }
        case "volume":
            return { container in
                container.mounts.contains { mount in
                    values.contains { $0 == mount.volume ?? mount.source || $0 == mount.target }
                }
            }
        default: throw ContainerError(.invalid, "invalid filter '\(key)'")
        }
    }

    private static func matchesName(_ name: String, _ pattern: String) -> Bool {
        var pattern = Substring(pattern)
        let isFromStart = pattern.hasPrefix("^")
        if isFromStart { pattern = pattern.dropFirst() }
        let isToEnd = pattern.hasSuffix("$")
        if isToEnd { pattern = pattern.dropLast() }
        if pattern.hasPrefix("/") { pattern = pattern.dropFirst() }
        switch (isFromStart, isToEnd) {
        case (true, true): return name == pattern
        case (true, false): return name.hasPrefix(pattern)
        case (false, true): return name.hasSuffix(pattern)
        case (false, false): return pattern.isEmpty || name.contains(pattern)
        }
    }
}

/// Ports as a filter names them: `80`, `80/udp`, `8000-8080/tcp`.
private struct PortFilter {
    private let numbers: ClosedRange<UInt16>
    private let transport: PublishedPort.Transport

    init(_ text: String, of key: String) throws(ContainerError) {
        guard !text.contains(":") else { throw ContainerError(.invalid, "filter for '\(key)' should not contain ':': \(text)") }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let bounds = parts[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map { Port($0)?.number }
        guard let first = bounds[0], let last = bounds.count == 2 ? bounds[1] : first, first <= last,
            let transport = parts.count == 2 ? PublishedPort.Transport(rawValue: parts[1].lowercased()) : .tcp
        else { throw ContainerError(.invalid, "error while looking up for \(key) \(text): it must be as 80, 8000-8080 or 53/udp") }
        (numbers, self.transport) = (first...last, transport)
    }

    func matches(_ port: Port) -> Bool { port.transport == transport && numbers.contains(port.number) }
}
