internal import BerthNetlink
internal import BerthState
internal import Synchronization

extension SandboxRequest {
    /// The names by which the others of a network find the sandbox: its container's, what else it is called there, and its id's first twelve digits.
    fileprivate func names(in configuration: EndpointConfiguration) -> [String] {
        var names: [String] = []
        for further in [name] + configuration.aliases + [String(id.prefix(12)), naming.hostname]
        where !further.isEmpty && !names.contains(further) {
            names.append(further)
        }
        return names
    }
}

extension Network.Part {
    /// Where packets to everywhere else go first.
    fileprivate func hop(_ traits: NetworkTraits) -> IPAddress? {
        switch traits.defaultRoute {
        case .none: nil
        case .gateway: gateway
        case .interface: IPAddress(subnet.version, 0)
        }
    }
}

extension NetworkObject {
    /// Takes addresses and names for a place in the network. Nothing is made.
    ///
    /// - Throws: `invalid`, `conflict` for addresses that cannot be had; `notFound` if the network has just been removed.
    func reserve(
        _ configuration: EndpointConfiguration, _ request: SandboxRequest, _ names: inout InterfaceNames
    ) throws(NetworkError) -> Endpoint {
        let id = RandomID.make()
        let interface = names.take(driver.traits(of: network.configuration).interfacePrefix)
        return try state.withLock { (state) throws(NetworkError) in
            try state.requireNotRemoved()
            if state.network.isDefault, configuration.ipv4 != nil || configuration.ipv6 != nil {
                throw NetworkError(.invalid, "user specified IP address is supported on user defined networks only")
            }
            var plan = state.plan
            let former = request.former.first { $0.networkID == self.id }
            let ipv4 = try Self.address(.v4, configuration.ipv4, former?.ipv4?.address, &plan)
            let ipv6 = try Self.address(.v6, configuration.ipv6, former?.ipv6?.address, &plan)
            let (part4, part6) = (state.network.part(.v4), state.network.part(.v6))
            let traits = driver.traits(of: state.network.configuration)
            let hardwareAddress =
                configuration.hardwareAddress ?? ipv4.map(HardwareAddress.following) ?? former?.hardwareAddress ?? .random()
            let endpoint = Endpoint(
                id: id, sandboxID: request.id, sandboxName: request.name, networkID: self.id, networkName: state.network.name,
                interface: interface, hostInterface: traits.hasHostInterfaces ? "veth\(id.prefix(11))" : "",
                hardwareAddress: traits.hasHardwareAddresses ? hardwareAddress : nil,
                ipv4: part4.flatMap { part in ipv4.flatMap { IPPrefix($0, length: part.subnet.prefixLength) } },
                ipv6: part6.flatMap { part in ipv6.flatMap { IPPrefix($0, length: part.subnet.prefixLength) } },
                gateway4: part4?.hop(traits), gateway6: part6?.hop(traits),
                gatewayPriority: configuration.gatewayPriority, configuration: configuration, names: request.names(in: configuration))
            state.plan = plan
            state.endpoints[id] = endpoint
            return endpoint
        }
    }

    /// A place in the network, by what the kernel says of its interface.
    ///
    /// - Parameters:
    ///   - request: what its container asks for.
    ///   - ports: what is published, of whomever.
    /// - Returns: `nil` if it is none in this network.
    func endpoint(at place: KernelPlace, of request: SandboxRequest, _ ports: [LeftPort]) -> Endpoint? {
        let network = network
        guard place.networkID == nil || place.networkID == id else { return nil }
        let (part4, part6) = (network.part(.v4), network.part(.v6))
        let own = [part4, part6].map { part in place.prefixes.first { part?.subnet.contains($0.address) ?? false } }
        guard own.contains(where: { $0 != nil }) else { return nil }
        let traits = driver.traits(of: network.configuration)
        var configuration = EndpointConfiguration(network: network.name)
        if case .endpoints(let wanted) = request.wish, let asked = wanted.first(where: { $0.network == network.name }) {
            configuration = asked
        }
        var endpoint = Endpoint(
            id: place.endpointID, sandboxID: place.sandboxID, sandboxName: request.name, networkID: id, networkName: network.name,
            interface: place.link.name, hostInterface: place.hostInterface,
            hardwareAddress: traits.hasHardwareAddresses ? place.link.hardwareAddress : nil, ipv4: own[0], ipv6: own[1],
            gateway4: part4?.hop(traits), gateway6: part6?.hop(traits), gatewayPriority: configuration.gatewayPriority,
            configuration: configuration, names: request.names(in: configuration))
        endpoint.ports = ports.filter { endpoint.addresses.contains($0.containerAddress) }.map { port in
            PublishedPort(
                networkID: id, sandboxID: place.sandboxID, transport: port.transport, hostAddress: port.hostAddress,
                hostPort: port.hostPort,
                containerAddress: port.containerAddress, containerPort: port.containerPort)
        }
        return endpoint
    }

    private static func address(
        _ version: IPAddress.Version, _ asked: IPAddress?, _ former: IPAddress?, _ plan: inout AddressPlan
    ) throws(NetworkError) -> IPAddress? {
        guard let asked else {
            // Somebody else may have it by now.
            if let former, (try? plan.take(former)) != nil { return former }
            return try plan.takeNext(version)
        }
        guard asked.version == version else { throw NetworkError(.invalid, "invalid IPv\(version.rawValue) address: \(asked)") }
        try plan.request(asked)
        return asked
    }

    /// Has the driver attach it; once more if what the network has on the host has been damaged meanwhile.
    func attach(_ endpoint: Endpoint, to namespace: SandboxNamespace) throws(NetworkError) {
        let network = network
        do throws(NetworkError) { try driver.attach(endpoint, of: network, to: namespace) } catch {
            guard error.code == .system else { throw error }
            try makeAgain()
            try driver.attach(endpoint, of: network, to: namespace)
        }
    }

    /// Takes up a place that an earlier engine has given.
    ///
    /// - Returns: whether its addresses are still its own.
    func adopt(_ endpoint: Endpoint) -> Bool {
        state.withLock { state in
            var plan = state.plan
            for address in endpoint.addresses {
                do throws(NetworkError) { try plan.take(address) } catch { return false }
            }
            state.plan = plan
            state.endpoints[endpoint.id] = endpoint
            return true
        }
    }

    /// Gives its addresses back.
    func giveUp(_ endpoint: Endpoint) {
        state.withLock { state in
            guard state.endpoints.removeValue(forKey: endpoint.id) != nil else { return }
            for address in endpoint.addresses { state.plan.giveBack(address) }
        }
    }
}
