internal import BerthImages
internal import BerthLinux
internal import BerthNetlink
internal import BerthNetworking
internal import BerthOCI

extension ContainerStore {
    /// What is wrong is said when a container is made, not when it is started.
    ///
    /// - Returns: the container whose sandbox it shares.
    func check(_ configuration: inout ContainerConfiguration, _ execution: ImageConfiguration.Execution) throws(ContainerError) -> String? {
        // That there is no program of an empty name shows when it is looked for.
        guard !configuration.arguments(image: execution).isEmpty else { throw ContainerError(.invalid, "No command specified") }
        let directory = configuration.workingDirectory ?? ""
        guard directory.isEmpty || directory.hasPrefix("/") else {
            throw ContainerError(.invalid, "the working directory '\(directory)' is invalid, it needs to be an absolute path")
        }
        if !directory.isEmpty { configuration.workingDirectory = PathText.clean(directory) }
        if let name = configuration.hostname, !name.isEmpty { try Self.checkHostname(name) }
        if let signal = configuration.stopSignal, !signal.isEmpty { _ = try SignalNumber(parsing: signal) }
        for variable in configuration.environment where Environment.name(variable).isEmpty {
            throw ContainerError(.invalid, "invalid environment variable: \(variable)")
        }
        try checkHost(&configuration)
        try checkLife(configuration)
        _ = try configuration.capabilities()
        _ = try configuration.resources.specification(hostProcessorCount: Self.processorCount)
        for limit in configuration.resourceLimits { try limit.check() }
        services.defaults.complete(&configuration)
        _ = try configuration.logSettings()
        try checkSeccomp(configuration.seccomp)
        do throws(ContainerError) {
            try checkNames(configuration)
            return try sandboxOwner(of: &configuration)
        } catch {
            // That the image is not there is all that a maker's 404 means to Docker's clients: they pull it, and try again.
            throw error.code == .notFound ? ContainerError(.invalid, error.description) : error
        }
    }

    private static func checkHostname(_ name: String) throws(ContainerError) {
        let isValid =
            name.utf8.count <= 63
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
        guard isValid else { throw ContainerError(.invalid, "invalid hostname: \(name)") }
    }

    /// Whether ports, names and links can be what is said of them.
    private func checkNames(_ configuration: ContainerConfiguration) throws(ContainerError) {
        let (networking, mode) = (configuration.networking, configuration.network)
        guard networking.publishedPorts.allSatisfy({ $0.port.number != 0 }) else {
            throw ContainerError(.invalid, "invalid containerPort: 0: ports are 1 to 65535")
        }
        do throws(NetworkError) {
            // With any address for the host's: which it is shows when it is started.
            for text in networking.extraHosts { _ = try HostsFile.added(text, gateway: [IPAddress(.v4, 0)]) }
        } catch { throw ContainerError(error) }
        guard !networking.links.isEmpty else { return }
        if case .container = mode {
            throw ContainerError(
                .invalid, "conflicting options: container type network can't be used with links. This would result in undefined behavior")
        }
        if mode == .host {
            throw .hostCannotBeLinked
        }
        // Elsewhere whom they mean shows when it is asked for. Without a network they do nothing, as with Docker.
        guard mode == .none || mode.networkName == PredefinedNetwork.bridge.rawValue else { return }
        for link in networking.links {
            let target = EndpointConfiguration.parts(ofLink: link).target
            let other: ContainerObject
            do throws(ContainerError) { other = try linked(target) } catch {
                throw ContainerError(.invalid, "could not get container for \(target): \(error.description)")
            }
            guard other.document.configuration.network != .host else { throw .hostCannotBeLinked }
        }
    }

    /// The container that a link means: of one that shares another's sandbox, that other.
    func linked(_ target: String) throws(ContainerError) -> ContainerObject {
        var found = try object(target)
        while let owner = found.document.sandboxOwner { found = try object(owner) }
        return found
    }

    /// Whether the networks are there, and whose sandbox is shared. A name is made an id: names change hands.
    private func sandboxOwner(of configuration: inout ContainerConfiguration) throws(ContainerError) -> String? {
        guard case .container(let text) = configuration.network else {
            try checkEndpoints(&configuration)
            return nil
        }
        guard configuration.endpoints.isEmpty else {
            throw ContainerError(.invalid, "conflicting options: cannot attach both user-defined and non-user-defined network-modes")
        }
        guard !text.isEmpty else {
            throw ContainerError(.invalid, "invalid network mode: invalid container format container:<name|id>")
        }
        guard configuration.hostname?.isEmpty ?? true else {
            throw ContainerError(.invalid, "conflicting options: hostname and the network mode")
        }
        let networking = configuration.networking
        for (isSaid, what) in [
            (!networking.nameServers.isEmpty, "dns and the network mode"),
            (!networking.extraHosts.isEmpty, "custom host-to-IP mapping and the network mode"),
            (!networking.publishedPorts.isEmpty || networking.publishesAllPorts, "port publishing and the container type network mode"),
            (!networking.exposedPorts.isEmpty, "port exposing and the container type network mode"),
        ] where isSaid { throw ContainerError(.invalid, "conflicting options: \(what)") }
        let owner: ContainerObject
        do throws(ContainerError) { owner = try object(text) } catch {
            throw ContainerError(error.code, "joining network namespace of container: \(error.description)")
        }
        configuration.network = .container(owner.id)
        return owner.id
    }

    /// What the network mode names comes first, whether or not more was said of it.
    private func checkEndpoints(_ configuration: inout ContainerConfiguration) throws(ContainerError) {
        do throws(NetworkError) {
            let networks = services.sandboxes.networks
            // One that is not there yet may be when the container starts.
            func known(_ name: String) throws(NetworkError) -> Network? {
                do { return try networks.find(name) } catch {
                    guard error.code == .notFound else { throw error }
                    return nil
                }
            }
            let first = try known(configuration.network.networkName)
            let firstName = first?.name ?? configuration.network.networkName
            var endpoints: [EndpointConfiguration] = []
            var missing: Set<String> = []
            for var endpoint in configuration.endpoints {
                if let network = try known(endpoint.network) { endpoint.network = network.name } else { missing.insert(endpoint.network) }
                guard !endpoints.contains(where: { $0.network == endpoint.network }) else {
                    throw NetworkError(.invalid, "network \(endpoint.network) is named twice")
                }
                if endpoint.network == firstName { endpoints.insert(endpoint, at: 0) } else { endpoints.append(endpoint) }
            }
            if first == nil { missing.insert(firstName) }
            if endpoints.first?.network != firstName { endpoints.insert(EndpointConfiguration(network: firstName), at: 0) }
            try networks.check(endpoints.filter { !missing.contains($0.network) })
            if first?.isPredefined != true && !configuration.networking.links.isEmpty {
                // Links of networks of one's own are a place's; most clients say them there as well.
                if endpoints[0].links.isEmpty { endpoints[0].links = configuration.networking.links }
                configuration.networking.links = []
            }
            configuration.endpoints = endpoints
        } catch { throw ContainerError(error) }
    }

    static var processorCount: Int { HostFile.processorCount() }
}

extension NetworkMode {
    /// The network that it names first. A container's sandbox is in none of its own.
    public var networkName: String {
        switch self {
        case .default: "bridge"
        case .none: "none"
        case .host: "host"
        case .container: "none"
        case .named(let name): name
        }
    }

    /// Whether its namespace is another's, which it has no say in.
    var isShared: Bool {
        switch self {
        case .host, .container: true
        case .default, .none, .named: false
        }
    }
}

extension ContainerError {
    fileprivate static let hostCannotBeLinked = ContainerError(
        .invalid, "conflicting options: host type networking can't be used with links. This would result in undefined behavior")

    init(_ error: NetworkError) {
        let code: Code =
            switch error.code {
            case .notFound: .notFound
            case .invalid: .invalid
            case .unsupported: .unsupported
            case .conflict: .conflict
            case .forbidden: .forbidden
            case .storage: .storage
            case .busy: .busy
            default: .network
            }
        self.init(code, error.description)
    }
}
