internal import BerthOCI

/// A request to make a container (`POST /containers/create`).
public struct ContainerCreateRequest: Sendable, Hashable {
    /// What runs in it.
    public var config: ContainerConfig
    /// How it meets its host.
    public var host: HostConfig
    /// The networks that it names settings for; without settings, for settings are refused.
    public var networks: [String]

    /// A request of these.
    public init(config: ContainerConfig, host: HostConfig = HostConfig(), networks: [String] = []) {
        (self.config, self.host, self.networks) = (config, host, networks)
    }

    /// Parses a request's body.
    ///
    /// - Throws: `invalid` for what is malformed, `unsupported` for everything that it asks for and that does not exist here.
    public init(parsing body: [UInt8]) throws(RequestError) {
        var fields = try RequestFields.parse(body)
        config = try ContainerConfig(reading: &fields)
        var hostFields = try fields.fields("HostConfig")
        host = try HostConfig(reading: &hostFields)
        var networking = try fields.fields("NetworkingConfig")
        let endpoints = try networking.fieldsMap("EndpointsConfig")
        networks = endpoints.keys.sorted()
        let unread = fields.unread + hostFields.unread + networking.unread + endpoints.values.flatMap(\.unread)
        guard unread.isEmpty else {
            throw RequestError(.unsupported, "not supported here: \(unread.sorted().joined(separator: ", ")) (leave out what sets it)")
        }
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
