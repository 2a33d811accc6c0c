internal import BerthClient
internal import BerthOCI

/// `--platform` of calls that take it as JSON.
enum PlatformQuery {
    /// The query's item; none where none is asked for.
    ///
    /// - Parameter version: the first version of the API that has it.
    static func items(_ text: String?, _ daemon: Daemon, since version: String = "1.48") throws -> [(String, String)] {
        try items(text.map { [$0] } ?? [], as: "platform", daemon, since: version)
    }

    /// The query's item for an endpoint of our own.
    static func ofOurOwn(_ text: String?) throws -> [(String, String)] {
        try text.map { [("platform", try json($0))] } ?? []
    }

    private static func json(_ text: String) throws(Failure) -> String {
        guard let platform = Platform(parsing: text) else { throw Failure("invalid platform: \(text)") }
        var members: [(String, JSONTree?)] = [("architecture", .string(platform.architecture)), ("os", .string(platform.os))]
        if let variant = platform.variant { members.append(("variant", .string(variant))) }
        return JSONTree.object(members).json()
    }

    static func items(_ texts: [String], as name: String, _ daemon: Daemon, since version: String) throws -> [(String, String)] {
        guard !texts.isEmpty else { return [] }
        let platforms = try texts.map { text throws(Failure) in try json(text) }
        guard !Daemon.isOlder(try daemon.version(), than: version) else {
            throw Failure("\"--platform\" requires API version \(version), but the Docker daemon API version is \(try daemon.version())")
        }
        return platforms.map { (name, $0) }
    }
}
