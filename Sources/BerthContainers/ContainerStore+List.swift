internal import BerthNetworking
internal import BerthOCI
internal import Synchronization

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
    /// Lists containers, the newest first. Waits for nothing.
    ///
    /// - Throws: `invalid` for a filter that does not exist, or a value that cannot be one; `notFound` for a container that a filter names.
    public func list(_ query: ContainerQuery = ContainerQuery()) throws(ContainerError) -> [ContainerOverview] {
        let filter = try ContainerFilter(query, in: self)
        var found: [ContainerOverview] = []
        let (objects, isLinked) = newestFirst()
        let linkNames = isLinked ? linkNames() : [:]
        for object in objects {
            var overview = overview(of: object)
            if isLinked { overview.linkNames = linkNames[object.id] ?? [] }
            guard filter.matches(overview) else { continue }
            found.append(overview)
            if found.count == query.limit { break }
        }
        return found
    }

    /// All of them, and whether any is linked to another.
    private func newestFirst() -> ([ContainerObject], isLinked: Bool) {
        var isLinked = false
        let dated = objects().map { object in
            let createdAt = object.state.withLock { state in
                if !state.document.configuration.networking.links.isEmpty { isLinked = true }
                return state.document.createdAt
            }
            return (object: object, createdAt: createdAt)
        }
        return (dated.sorted { $0.createdAt > $1.createdAt }.map(\.object), isLinked)
    }
}

/// Docker's filters of `ps`, as far as what they ask about exists.
private struct ContainerFilter {
    private var tests: [(ContainerOverview) -> Bool] = []
    func matches(_ container: ContainerOverview) -> Bool { tests.allSatisfy { $0(container) } }

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
    private static func test(ports: [String: [String]]) throws(ContainerError) -> (ContainerOverview) -> Bool {
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
        -> (ContainerOverview) -> Bool
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
                    container.image == text || container.imageID.description == text || container.imageID.hex.hasPrefix(text)
                        || (try? ImageReference(parsing: container.image)) == (try? ImageReference(parsing: text))
                }
            }
        case "before", "since":
            var tests: [(ContainerOverview) -> Bool] = []
            for text in values {
                let other = try store.object(text).document.createdAt
                tests.append { key == "before" ? $0.createdAt < other : $0.createdAt > other }
            }
            return { container in tests.allSatisfy { $0(container) } }
        case "network":
            return { container in
                values.contains { text in
                    container.places.contains { endpoint in
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
            return { wanted.contains($0.health ?? .none) }
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
