internal import BerthLinux
internal import BerthOCI
public import BerthReactor
public import BerthState
internal import BerthNetlink
internal import Synchronization

/// The networks of an engine: made, found, listed, removed.
///
/// One document a network, `networks/<id>.json`, is all that is kept of it. The three that every engine has are made with its root; the addresses of the
/// default one are chosen when it is first used.
public final class NetworkStore: Sendable {
    struct Index {
        var networks: [String: NetworkObject] = [:]
        /// Names in use, also those of networks that are just being made.
        var names: [String: String] = [:]
        /// Subnets of networks that are just being made.
        var pending: [String: [Subnet]] = [:]
        /// Documents that could not be read: they keep their ids.
        var setAside: [String: String] = [:]
    }

    /// The engine's drivers.
    public let drivers: NetworkDrivers
    /// Where ports are published for which nobody names an address.
    public let publishDefault: PublishDefault
    /// What `host-gateway` stands for.
    public let hostGateway: HostGateway
    let index = Mutex(Index())
    let host: HostNetwork
    let bridges: BridgeDriver
    let engineID: String
    private let documents: DocumentStore<NetworkDocument>
    private let events: EventHub
    private let choice: SubnetChoice
    /// What is not said of networks.
    public let defaults: NetworkDefaults
    private let lane = Lane(named: "the networks' store", waitingLimit: Lane.sharedWaitingLimit)
    let firewallLane = Lane(named: "the host's firewall", waitingLimit: Lane.sharedWaitingLimit)

    /// Opens the store and reads every document. Nothing is made on the host. Blocks.
    ///
    /// - Parameters:
    ///   - root: the engine's root directory.
    ///   - execRoot: what does not outlive the host's next start is kept there.
    ///   - engineID: the engine's id: what is made on the host carries it.
    ///   - reactor: waits.
    ///   - events: told of everything that happens.
    ///   - drivers: further drivers. Of two with one name the later one counts, and these come after those that every engine has.
    ///   - protection: how the firewall's table is kept from others.
    ///   - publishDefault: where ports are published for which nobody names an address.
    ///   - hostGateway: what `host-gateway` stands for.
    ///   - defaults: what is not said of networks.
    /// - Throws: `storage`, `system`; what ``NetworkDefaults/check()`` throws. What is wrong with one network is that network's.
    public init(
        root: String, execRoot: String, engineID: String, reactor: Reactor, events: EventHub, drivers: [any NetworkDriver] = [],
        protection: Firewall.Protection = .owned, publishDefault: PublishDefault = .everywhere,
        hostGateway: HostGateway = .defaultNetwork, defaults: NetworkDefaults = NetworkDefaults()
    ) throws(NetworkError) {
        try defaults.check()
        self.defaults = defaults
        (self.engineID, self.events, self.publishDefault, self.hostGateway) = (engineID, events, publishDefault, hostGateway)
        let host = try HostNetwork()
        self.host = host
        bridges = try BridgeDriver(engineID: engineID, host: host, reactor: reactor, execRoot: execRoot, protection: protection) {
            message in
            events.publish(Event(type: "daemon", action: "warning", actorID: engineID, attributes: ["message": message]))
        }
        let parents = LanParents(engineID: engineID, host: host)
        let lan = LanKind.allCases.map { LanDriver($0, engineID: engineID, host: host, parents: parents) }
        self.drivers = NetworkDrivers([PredefinedDriver.null, PredefinedDriver.host, bridges] + lan + drivers)
        let identifier = UInt64(engineID.prefix(10), radix: 16) ?? 0  // an engine's id is hexadecimal
        choice = SubnetChoice(defaults.addressPools + [SubnetChoice.uniqueLocal(identifier: identifier)])
        let loaded: (found: [(id: String, document: NetworkDocument)], setAside: [DocumentStore<NetworkDocument>.SetAside])
        do throws(StateError) {
            documents = try DocumentStore(directory: root + "/networks")
            loaded = try documents.load()
        } catch { throw NetworkError(error) }
        for (id, document) in loaded.found where RandomID.isValid(id) { take(id, document) }
        for aside in loaded.setAside { index.withLock { $0.setAside[aside.id] = aside.reason } }
        for predefined in PredefinedNetwork.allCases { try addIfMissing(predefined) }
    }

    private func take(_ id: String, _ document: NetworkDocument) {
        do throws(NetworkError) {
            let (network, plan) = try document.network(id: id)
            let object = NetworkObject(network, plan, try drivers.driver(named: document.driver))
            index.withLock { index in
                index.networks[id] = object
                index.names[network.name] = id
            }
        } catch {
            // It stays where it is: another engine may have the driver that is missing here.
            index.withLock { $0.setAside[id] = error.description }
        }
    }

    private func addIfMissing(_ predefined: PredefinedNetwork) throws(NetworkError) {
        let id = predefined.id(ofEngine: engineID)
        guard index.withLock({ $0.networks[id] == nil && $0.setAside[id] == nil }) else { return }
        var configuration = predefined == .bridge ? defaults.bridge : NetworkConfiguration(name: predefined.rawValue)
        configuration.driver = predefined.driver
        let network = Network(id: id, createdAt: .now, configuration: configuration, parts: [])
        let object = NetworkObject(network, try AddressPlan(restoring: [], said: []), try drivers.driver(named: predefined.driver))
        // Lost with the machine's power, it is made again: it needs to be whole, and not to last.
        do throws(StateError) { try documents.write(NetworkDocument(network), id: id, durability: .contents) } catch {
            throw NetworkError(error)
        }
        index.withLock { index in
            index.networks[id] = object
            index.names[network.name] = id
        }
    }

    /// Lets go of what is held of the kernel's. What was made stays, for containers run on.
    public func close() { bridges.close() }

    // MARK: Finding

    /// Finds a network by its id, its name, or a prefix of its id that only it has.
    ///
    /// - Throws: `notFound`; `invalid` where more than one id begins so; `conflict` for one whose document was set aside.
    public func find(_ text: String) throws(NetworkError) -> Network { try object(text).network }

    func object(_ text: String) throws(NetworkError) -> NetworkObject {
        let (found, reason): (NetworkObject?, NetworkError?) = index.withLock { index in
            if let exact = index.networks[text] { return (exact, nil) }
            if let id = index.names[text], let object = index.networks[id] { return (object, nil) }
            if let reason = index.setAside[text] {
                return (nil, NetworkError(.conflict, "network \(text) is unreadable: its document was set aside: \(reason)"))
            }
            guard !text.isEmpty else { return (nil, nil) }
            let matches = index.networks.keys.filter { $0.hasPrefix(text) }
            guard matches.count < 2 else {
                return (nil, NetworkError(.invalid, "network \(text) is ambiguous (\(matches.count) matches found on ID prefix)"))
            }
            return (matches.first.flatMap { index.networks[$0] }, nil)
        }
        if let reason { throw reason }
        guard let found else { throw NetworkError(.notFound, "network \(text) not found") }
        return found
    }

    /// The id of the network of a name, if there is one. Waits for nothing.
    public func id(named name: String) -> String? { index.withLock { $0.names[name] } }

    /// All networks, by name. Waits for nothing.
    public func all() -> [Network] { objects().map(\.network).sorted { $0.name < $1.name } }

    func objects() -> [NetworkObject] { index.withLock { Array($0.networks.values) } }

    /// Who is in a network now.
    public func endpoints(of id: String) -> [Endpoint] {
        guard let object = index.withLock({ $0.networks[id] }) else { return [] }
        return object.state.withLock { Array($0.endpoints.values) }
    }

    /// Networks whose documents could not be read, and why. They keep their ids.
    public var unreadable: [String: String] { index.withLock { $0.setAside } }

    /// Whether a sandbox can have these places, as far as that can be said before it takes them.
    ///
    /// - Parameter others: places that it has already, or is to have.
    /// - Throws: `notFound`, `invalid`, `forbidden` for what is only a configuration for others.
    public func check(_ endpoints: [EndpointConfiguration], beside others: [EndpointConfiguration] = []) throws(NetworkError) {
        for endpoint in endpoints { try object(endpoint.network).checkIsNetwork() }
        for endpoint in endpoints + others {
            let object = try object(endpoint.network)
            guard endpoints.count + others.count > 1 else { continue }
            guard object.driver.hasNamespaces else {
                throw NetworkError(.invalid, "cannot connect container to host network - container must be created in host network mode")
            }
            guard !object.driver.addressVersions.isEmpty else {
                throw NetworkError(
                    .invalid, "container cannot be connected to multiple networks with one of the networks in private (none) mode")
            }
        }
        for endpoint in endpoints {
            let object = try object(endpoint.network)
            let mistakes = endpoint.mistakes(in: object.network)
            guard mistakes.isEmpty else { throw .invalid("endpoint settings", mistakes) }
            guard object.driver.hasNamespaces || endpoint.hardwareAddress == nil else {
                throw NetworkError(.invalid, "conflicting options: mac-address and the network mode")
            }
            // What is nobody's business but the driver's is kept for it; Docker's own would have to do something.
            if let option = endpoint.driverOptions.keys.sorted().first(where: { $0.hasPrefix("com.docker.network.") }) {
                throw NetworkError(.unsupported, "not supported here: the option '\(option)' of a place in a network")
            }
        }
    }

    // MARK: Making

    /// Makes a network. It exists, whole, when this returns; on failure nothing of it is left.
    ///
    /// - Throws: `conflict` for a name, subnet or bridge that is in use, `forbidden` for the predefined ones, `invalid`, `unsupported`, `notFound` for a driver
    ///   that does not exist, `storage`, `system`, `busy`.
    public func create(_ configuration: NetworkConfiguration) async throws(NetworkError) -> Network {
        let network = try await lane.run { [self] () throws(NetworkError) in try make(configuration) }
        publish("create", network)
        return network
    }

    private func make(_ asked: NetworkConfiguration) throws(NetworkError) -> Network {
        try Self.checkName(asked.name)
        try asked.checkOrigin()
        let origin = try asked.configuredFrom.map { name throws(NetworkError) in try holdConfiguration(name) }
        defer { origin?.state.withLock { $0.pendingCount -= 1 } }
        var configuration = origin.map { asked.configured(by: $0.network.configuration) } ?? asked
        if configuration.isConfigurationOnly { configuration.driver = PredefinedNetwork.none.driver }
        let driver = try checkedDriver(of: configuration)
        let id = RandomID.make()
        try reserve(configuration.name, for: id)
        do throws(NetworkError) {
            let plan = try plan(configuration, for: id)
            let network = Network(id: id, createdAt: .now, configuration: configuration, parts: plan.networkParts)
            let object = NetworkObject(network, plan, driver)
            try object.makeOnce()
            do throws(StateError) { try documents.write(NetworkDocument(network), id: id) } catch {
                try? driver.remove(network)  // what went wrong first is told; what stays is found at the next start
                throw NetworkError(error)
            }
            index.withLock { index in
                index.networks[id] = object
                index.pending[id] = nil
            }
            return network
        } catch {
            index.withLock { index in
                index.names[configuration.name] = nil
                index.pending[id] = nil
            }
            throw error
        }
    }

    private static func checkName(_ name: String) throws(NetworkError) {
        guard PredefinedNetwork(rawValue: name) == nil, name != "default" else {
            throw NetworkError(.forbidden, "operation is not permitted on predefined \(name) network ")
        }
        // A name and an option could not be told apart otherwise, nor a name and a path. Docker has names with spaces inside.
        guard name.utf8.first.map({ $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: ".") && $0 != 32 }) == true, name.utf8.last != 32,
            name.utf8.count <= 255,
            name.utf8.allSatisfy({ $0 >= 32 && $0 < 127 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: ",") })
        else {
            throw NetworkError(
                .invalid,
                "invalid network name \"\(name)\": it must be 1 to 255 letters, digits and signs without slashes, colons, commas, and spaces at its ends"
            )
        }
    }

    private func checkedDriver(of configuration: NetworkConfiguration) throws(NetworkError) -> any NetworkDriver {
        let driver = try drivers.driver(named: configuration.driver)
        if configuration.isConfigurationOnly { return driver }
        guard configuration.enablesIPv4 || configuration.enablesIPv6 || driver.addressVersions.isEmpty else {
            throw NetworkError(.invalid, "IPv4 or IPv6 must be enabled")
        }
        try driver.check(configuration)
        return driver
    }

    /// Keeps a network that is a configuration for others from being removed, until its `pendingCount` is lowered again.
    private func holdConfiguration(_ name: String) throws(NetworkError) -> NetworkObject {
        let object = index.withLock { index in index.names[name].flatMap { index.networks[$0] } }
        let isHeld = object?.state.withLock { state in
            guard state.network.configuration.isConfigurationOnly, !state.isRemoved else { return false }
            state.pendingCount += 1
            return true
        }
        guard let object, isHeld == true else { throw NetworkError(.notFound, "configuration network \"\(name)\" does not exist") }
        return object
    }

    private func reserve(_ name: String, for id: String) throws(NetworkError) {
        let isFree = index.withLock { index in
            guard index.names[name] == nil else { return false }
            index.names[name] = id
            return true
        }
        guard isFree else { throw NetworkError(.conflict, "network with name \(name) already exists") }
    }

    /// Chooses the subnets, and keeps them from others that choose meanwhile.
    private func plan(_ configuration: NetworkConfiguration, for id: String) throws(NetworkError) -> AddressPlan {
        if configuration.isConfigurationOnly {
            // Whether it could be is asked now; which addresses it is those networks' to have.
            _ = try AddressPlan(configuration.subnets, versions: [], from: choice, networks: [], routes: [])
            return try AddressPlan(restoring: [], said: [])
        }
        let routes = try host.routes()
        return try index.withLock { (index) throws(NetworkError) in
            let others = index.networks.values.filter { $0.id != id }.flatMap { $0.network.parts.map(\.subnet) }
            let plan = try AddressPlan(
                configuration.subnets, versions: configuration.versions, from: choice,
                networks: others + index.pending.filter { $0.key != id }.values.flatMap(\.self), routes: routes)
            index.pending[id] = plan.parts.map(\.pool.subnet)
            return plan
        }
    }

    /// Has a network made before its first sandbox comes. The default one gets addresses then, and others if a route of the host's leads to its own by now.
    func prepare(_ object: NetworkObject) throws(NetworkError) {
        try object.makeOnce { [self] (object) throws(NetworkError) in
            guard object.network.isDefault else { return }
            try adaptDefault(object)
            let network = object.network
            if !network.parts.isEmpty { guard try isTaken(network) else { return } }
            try chooseAddresses(object)
        }
    }

    /// Chooses the default network's addresses where nobody has used it yet, so that whoever looks at it sees what its first sandbox will find. Nothing is made
    /// on the host. Where none can be chosen now it has none still. Repeating is fine.
    public func prepareToShow() async {
        // One that was set aside says so itself.
        guard let object = try? object(PredefinedNetwork.bridge.rawValue) else { return }
        guard object.network.parts.isEmpty || object.network.configuration != defaults.bridge else { return }
        do throws(NetworkError) {
            try await lane.run { [self] () throws(NetworkError) in
                try object.unlessMade { (object) throws(NetworkError) in
                    try adaptDefault(object)
                    if object.network.parts.isEmpty { try chooseAddresses(object) }
                }
            }
        } catch {
            // Its first sandbox will be told.
        }
    }

    /// The default network becomes what the engine is told that it is, if nobody is in it: with what was there of it on the host taken away, it has no addresses.
    private func adaptDefault(_ object: NetworkObject) throws(NetworkError) {
        let network = object.network
        guard network.configuration != defaults.bridge else { return }
        guard endpoints(of: network.id).isEmpty else {
            let isTold = object.state.withLock { state in
                defer { state.hasToldOfDifference = true }
                return state.hasToldOfDifference
            }
            guard !isTold else { return }
            let message =
                "the default network stays as it was, for containers are in it: what the engine is told of it counts when it opens and nobody is"
            return events.publish(Event(type: "daemon", action: "warning", actorID: network.id, attributes: ["message": message]))
        }
        try object.driver.remove(network)
        let adapted = Network(id: network.id, createdAt: network.createdAt, configuration: defaults.bridge, parts: [])
        do throws(StateError) { try documents.write(NetworkDocument(adapted), id: network.id) } catch { throw NetworkError(error) }
        let plan = try AddressPlan(restoring: [], said: [])
        object.state.withLock { ($0.network, $0.plan) = (adapted, plan) }
    }

    private func chooseAddresses(_ object: NetworkObject) throws(NetworkError) {
        let network = object.network
        let plan = try plan(network.configuration, for: network.id)
        defer { index.withLock { $0.pending[network.id] = nil } }
        let chosen = Network(id: network.id, createdAt: network.createdAt, configuration: network.configuration, parts: plan.networkParts)
        do throws(StateError) { try documents.write(NetworkDocument(chosen), id: network.id) } catch { throw NetworkError(error) }
        object.state.withLock { ($0.network, $0.plan) = (chosen, plan) }
    }

    /// Whether somebody else's route leads to where the default network's sandboxes would be. With a bridge of its own it is its own route.
    private func isTaken(_ network: Network) throws(NetworkError) -> Bool {
        guard endpoints(of: network.id).isEmpty else { return false }
        let alias = InterfaceAlias.network(network.id).text(engineID: engineID)
        do throws(NetlinkError) {
            let isThere = try host.ask { (socket) throws(NetlinkError) in try socket.links().contains { $0.alias == alias } }
            guard !isThere else { return false }
        } catch { throw NetworkError(error) }
        let routes = try host.routes()
        return network.parts.contains { part in routes.contains(where: part.subnet.overlaps) }
    }

    // MARK: Removing

    /// Removes a network. When this returns its name and its addresses are free.
    ///
    /// - Throws: `notFound`, `forbidden` for the predefined ones and for one that somebody is in (they are named), `storage`, `system`, `busy`.
    public func remove(_ text: String) async throws(NetworkError) {
        let object = try object(text)
        let network = object.network
        guard !network.isPredefined else {
            throw NetworkError(.forbidden, "\(network.name) is a pre-defined network and cannot be removed")
        }
        try await lane.run { [self] () throws(NetworkError) in try erase(object) }
        // Docker tells nothing of the end of what was no network.
        if !network.configuration.isConfigurationOnly { publish("destroy", network) }
    }

    private func erase(_ object: NetworkObject) throws(NetworkError) {
        let users = try object.state.withLock { (state) throws(NetworkError) -> [Endpoint] in
            try state.requireNotRemoved()
            if state.endpoints.isEmpty && state.pendingCount == 0 { state.isRemoved = true }
            return state.endpoints.values.sorted { $0.sandboxID < $1.sandboxID }
        }
        let network = object.network
        if network.configuration.isConfigurationOnly { try checkUnused(object) }
        guard object.state.withLock({ $0.isRemoved }) else {
            let names = users.map { "name:\"\($0.userName)\" id:\"\($0.userID.prefix(12))\"" }.joined(separator: ", ")
            throw NetworkError(.forbidden, "error while removing network: network \(network.name) has active endpoints (\(names))")
        }
        do throws(NetworkError) {
            // Without its document it does not exist: what is left from here on belongs to nobody.
            do throws(StateError) { try documents.remove(id: object.id) } catch { throw NetworkError(error) }
            try object.unmake()
        } catch {
            object.state.withLock { $0.isRemoved = false }
            throw error
        }
        index.withLock { index in
            index.networks[object.id] = nil
            if index.names[network.name] == object.id { index.names[network.name] = nil }
        }
    }

    /// Whether no network has its configuration from this one.
    private func checkUnused(_ object: NetworkObject) throws(NetworkError) {
        let name = object.network.name
        // Who is about to be made of it holds it; who has been made of it is found.
        let isUsed = index.withLock { $0.networks.values.contains { $0.network.configuration.configuredFrom == name } }
        let isHeld = object.state.withLock { state in
            let isHeld = !state.isRemoved
            if isUsed { state.isRemoved = false }
            return isHeld
        }
        guard !isUsed && !isHeld else {
            throw NetworkError(.forbidden, "error while removing network: configuration network \"\(name)\" is in use")
        }
    }

    /// Removes networks that nobody is in and for which `isWanted` says no, but for the predefined ones and configurations for others.
    ///
    /// - Returns: their names. One that somebody enters meanwhile stays.
    public func prune(keeping isWanted: @Sendable (Network) -> Bool) async throws(NetworkError) -> [String] {
        var names: [String] = []
        for network in all()
        where !network.isPredefined && !network.configuration.isConfigurationOnly && endpoints(of: network.id).isEmpty && !isWanted(network)
        {
            do throws(NetworkError) { try await remove(network.id) } catch {
                guard error.code == .forbidden || error.code == .notFound else { throw error }
                continue
            }
            names.append(network.name)
        }
        publish("prune", nil, ["reclaimed": "0"])
        return names
    }

    func publish(_ action: String, _ network: Network?, _ more: [String: String] = [:]) {
        var attributes = more
        if let network { attributes.merge(["name": network.name, "type": network.configuration.driver]) { $1 } }
        events.publish(Event(type: "network", action: action, actorID: network?.id ?? "", attributes: attributes))
    }
}
