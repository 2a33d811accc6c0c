/// A request to change a container's limits (`POST /containers/{id}/update`).
public struct ContainerUpdateRequest: Sendable, Hashable {
    /// What it says of limits and of the restart policy; all else is nothing.
    public var host: HostConfig

    /// Parses a request's body.
    ///
    /// - Throws: `invalid` for what is malformed, `unsupported` for everything that it asks for and that does not exist here.
    public init(parsing body: [UInt8]) throws(RequestError) {
        var fields = try RequestFields.parse(body)
        host = HostConfig()
        try host.readResources(&fields)
        if fields.has("RestartPolicy") { host.restartPolicy = try HostConfig.RestartPolicy(reading: &fields) }
        let unread = fields.unread
        guard unread.isEmpty else {
            throw RequestError(.unsupported, "not supported here: \(unread.joined(separator: ", ")) (leave out what sets it)")
        }
    }
}

/// The answer to it.
public struct ContainerUpdateResponse: JSONWritable, Hashable {
    /// What the client should know.
    public var warnings: [String]

    /// An answer of these.
    public init(warnings: [String] = []) { self.warnings = warnings }

    /// Writes it.
    public func write(to writer: inout JSONWriter) { writer.object { $0.member("Warnings", warnings) } }
}
