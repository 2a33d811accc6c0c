internal import BerthOCI

/// A request to make a container (`POST /containers/create`).
public struct ContainerCreateRequest: Sendable, Hashable {
    /// What runs in it.
    public var config: ContainerConfig
    /// How it meets its host.
    public var host: HostConfig
    /// Its places in networks, by their names or ids.
    public var endpoints: [String: EndpointSettings]
    /// What the client should know of how its words are understood.
    public var warnings: [String] = []
    /// Whether there is nothing in it but how the container meets its host and its networks.
    public private(set) var saysNothingOfConfig = false

    /// A request of these.
    public init(config: ContainerConfig, host: HostConfig = HostConfig(), endpoints: [String: EndpointSettings] = [:]) {
        (self.config, self.host, self.endpoints) = (config, host, endpoints)
    }

    /// Parses a request's body, as a version of the API means it.
    ///
    /// - Throws: `invalid` for what is malformed, `unsupported` for everything that it asks for and that does not exist here.
    public init(parsing body: [UInt8], version: APIVersion = .newest) throws(RequestError) {
        var fields = try RequestFields.parse(body)
        saysNothingOfConfig = !fields.names.contains { !["hostconfig", "networkingconfig"].contains($0.lowercased()) }
        config = try ContainerConfig(reading: &fields)
        var hostFields = try fields.fields("HostConfig")
        host = try HostConfig(reading: &hostFields)
        // docker-py says it here.
        let runtime = try fields.string("Runtime")
        try HostOptions.checkRuntime(runtime)
        if host.options.runtime.isEmpty { host.options.runtime = runtime }
        var networking = try fields.fields("NetworkingConfig")
        endpoints = [:]
        for (name, var settings) in try networking.fieldsMap("EndpointsConfig") {
            endpoints[name] = try EndpointSettings(reading: &settings)
        }
        let unread = fields.unread + hostFields.unread + networking.unread
        guard unread.isEmpty else {
            throw RequestError(.unsupported, "not supported here: \(unread.sorted().joined(separator: ", ")) (leave out what sets it)")
        }
        if host.options.limitsKernelMemory {
            warnings.append(
                "Your kernel does not support kernel memory limit capabilities or the cgroup is not mounted. Limitation discarded.")
        }
        try adapt(to: version)
    }

    /// Older versions knew one network at a time, no priorities, and a hardware address of the whole container; before that, other things were so unless it was
    /// said.
    private mutating func adapt(to version: APIVersion) throws(RequestError) {
        if version < APIVersion(1, 40), host.options.ipcMode.isEmpty { host.options.ipcMode = "shareable" }
        if version < APIVersion(1, 42) { host.consoleSize = (0, 0) }
        if version < APIVersion(1, 43) { host.options.annotations = [:] }
        if version < APIVersion(1, 48) { for name in endpoints.keys { endpoints[name]?.gatewayPriority = 0 } }
        if version < APIVersion(1, 44) {
            guard endpoints.count <= 1 else {
                let names = endpoints.keys.sorted().joined(separator: ", ")
                throw RequestError(.invalid, "Container cannot be created with multiple network endpoints: \(names)")
            }
            for name in endpoints.keys { endpoints[name]?.macAddress = "" }
        }
        guard !config.macAddress.isEmpty else { return }
        let mode = host.networkMode.isEmpty ? "default" : host.networkMode
        let isDefault = mode == "default" || mode == "bridge"
        if isDefault || NetworkName.isUserDefined(mode) {
            try setMacAddress(ofNetwork: isDefault ? ["default", "bridge"] : [mode], knowsOneOnly: version < APIVersion(1, 44))
        } else if version < APIVersion(1, 44) {
            throw RequestError(.invalid, "conflicting options: mac-address and the network mode")
        }
        if version >= APIVersion(1, 44) {
            warnings.append(
                "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.")
        }
    }

    /// - Parameter names: what the container's own network may be called.
    private mutating func setMacAddress(ofNetwork names: [String], knowsOneOnly: Bool) throws(RequestError) {
        let found = names.first { endpoints[$0] != nil }
        guard let name = endpoints.isEmpty ? names[0] : knowsOneOnly ? endpoints.keys.first : found else {
            throw RequestError(
                .invalid,
                "unable to migrate container-wide MAC address to a specific network: HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks"
            )
        }
        var endpoint = endpoints[name] ?? EndpointSettings()
        guard endpoint.macAddress.isEmpty || endpoint.macAddress.lowercased() == config.macAddress.lowercased() else {
            throw RequestError(
                .invalid,
                "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty")
        }
        endpoint.macAddress = config.macAddress
        endpoints[name] = endpoint
    }
}

extension RequestFields {
    /// Parses a body that must be an object.
    ///
    /// - Throws: `invalid` in Docker's words.
    public static func parse(_ body: [UInt8]) throws(RequestError) -> RequestFields {
        guard !body.isEmpty else { throw RequestError(.invalid, "invalid JSON: got EOF while reading request body") }
        let value: JSONValue
        do throws(JSONText.ParseError) { value = try JSONText.parse(body) } catch {
            throw RequestError(.invalid, "invalid JSON: \(error)")
        }
        return try RequestFields(value)
    }
}

/// The answer to it.
public struct ContainerCreateResponse: JSONWritable, Hashable {
    /// 64 hexadecimal digits.
    public var id: String
    /// What the client should know.
    public var warnings: [String]

    /// An answer of these.
    public init(id: String, warnings: [String] = []) { (self.id, self.warnings) = (id, warnings) }

    /// Writes the answer.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Id", id)
            writer.member("Warnings", warnings)
        }
    }
}
