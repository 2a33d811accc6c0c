/// A request to make a network (`POST /networks/create`).
public struct NetworkCreateRequest: Sendable, Hashable {
    /// Its name.
    public var name = ""
    /// What makes it; empty is the engine's choice.
    public var driver = ""
    /// How far it reaches; empty is the driver's choice.
    public var scope = ""
    /// Whether its containers get IPv4 addresses; `nil` is the engine's choice.
    public var enablesIPv4: Bool?
    /// Whether its containers get IPv6 addresses; `nil` is the engine's choice.
    public var enablesIPv6: Bool?
    /// Where its addresses come from; `nil` is nothing said.
    public var addressing: NetworkAddressing?
    /// Whether nothing outside is to be reached from it.
    public var isInternal = false
    /// Whether containers by hand may be in it, where services are.
    public var isAttachable = false
    /// Whether it is to lead a swarm's published ports.
    public var isIngress = false
    /// Whether it is only a configuration for others.
    public var isConfigurationOnly = false
    /// The network whose configuration it is to have; empty for its own.
    public var configuredFrom = ""
    /// What its driver is told.
    public var options: [String: String] = [:]
    /// Names and values.
    public var labels: [String: String] = [:]

    /// Parses a request's body, as a version of the API means it.
    ///
    /// - Throws: `invalid`, `unsupported`.
    public init(parsing body: [UInt8], version: APIVersion = .newest) throws(RequestError) {
        var fields = try RequestFields.parse(body)
        name = try fields.string("Name")
        driver = try fields.string("Driver")
        scope = try fields.string("Scope")
        enablesIPv4 = try fields.optionalBool("EnableIPv4")
        // The switch came with 1.48; what older clients send under its name is passed over.
        if version < APIVersion(1, 48) { enablesIPv4 = nil }
        enablesIPv6 = try fields.optionalBool("EnableIPv6")
        if fields.has("IPAM") {
            var addressing = try fields.fields("IPAM")
            self.addressing = try NetworkAddressing(reading: &addressing)
        }
        isInternal = try fields.bool("Internal")
        isAttachable = try fields.bool("Attachable")
        isIngress = try fields.bool("Ingress")
        isConfigurationOnly = try fields.bool("ConfigOnly")
        var from = try fields.fields("ConfigFrom")
        configuredFrom = try from.string("Network")
        try from.refuseUnread()
        options = try fields.stringMap("Options")
        labels = try fields.stringMap("Labels")
        // A name that is there already is refused, whatever the client says of it.
        _ = fields.value("CheckDuplicate")
        try fields.refuseUnread()
    }
}

/// The answer to it.
public struct NetworkCreateResponse: JSONWritable, Hashable {
    /// 64 hexadecimal digits.
    public var id: String
    /// What the client should know; empty for nothing.
    public var warning: String

    /// An answer of these.
    public init(id: String, warning: String = "") { (self.id, self.warning) = (id, warning) }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Id", id)
            writer.member("Warning", warning)
        }
    }
}

/// A request to put a container into a network (`POST /networks/{id}/connect`).
public struct NetworkConnectRequest: Sendable, Hashable {
    /// The container's name or id.
    public var container = ""
    /// Its place there.
    public var endpoint: EndpointSettings

    /// Parses a request's body, as a version of the API means it.
    ///
    /// - Throws: `invalid`, `unsupported`.
    public init(parsing body: [UInt8], version: APIVersion = .newest) throws(RequestError) {
        var fields = try RequestFields.parse(body)
        container = try fields.string("Container")
        var settings = try fields.fields("EndpointConfig")
        endpoint = try EndpointSettings(reading: &settings)
        if version < APIVersion(1, 48) { endpoint.gatewayPriority = 0 }
        if version < APIVersion(1, 44) { endpoint.macAddress = "" }
        try fields.refuseUnread()
    }
}

/// A request to take a container out of a network (`POST /networks/{id}/disconnect`).
public struct NetworkDisconnectRequest: Sendable, Hashable {
    /// The container's name or id.
    public var container = ""
    /// Whether also from what is not known of any more.
    public var isForced = false

    /// Parses a request's body.
    ///
    /// - Throws: `invalid`, `unsupported`.
    public init(parsing body: [UInt8]) throws(RequestError) {
        var fields = try RequestFields.parse(body)
        container = try fields.string("Container")
        isForced = try fields.bool("Force")
        try fields.refuseUnread()
    }
}

/// What a pruning of networks has done (`POST /networks/prune`).
public struct NetworkPruneReport: JSONWritable, Hashable {
    /// The names of those that are gone.
    public var names: [String]

    /// These.
    public init(names: [String]) { self.names = names }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { $0.member("NetworksDeleted", names.isEmpty ? nil : names) }
    }
}
