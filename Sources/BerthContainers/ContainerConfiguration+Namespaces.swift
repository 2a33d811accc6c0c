/// Whose one of a container's namespaces is.
///
/// As text, and so as JSON, it is what Docker's modes are: empty, `private`, `shareable`, `none`, `host`, `container:NAME`.
public enum NamespaceMode: Sendable, Hashable, CustomStringConvertible {
    /// As the engine has it: its own.
    case `default`
    /// Its own.
    case `private`
    /// Its own, and others may join it. Of `ipc` alone: also without this word others may join the others.
    case shareable
    /// Its own, and nothing that belongs to it is mounted. Of `ipc` alone: there is no `/dev/shm`.
    case none
    /// The host's.
    case host
    /// Another container's, by its name or id.
    case container(String)

    /// Parses Docker's text; `nil` for anything else.
    public init?(parsing text: some StringProtocol) {
        switch text {
        case "": self = .default
        case "private": self = .private
        case "shareable": self = .shareable
        case "none": self = .none
        case "host": self = .host
        default:
            guard text.hasPrefix("container:"), text.utf8.count > "container:".utf8.count else { return nil }
            self = .container(String(text.dropFirst("container:".count)))
        }
    }

    /// Docker's text.
    public var description: String {
        switch self {
        case .default: ""
        case .private: "private"
        case .shareable: "shareable"
        case .none: "none"
        case .host: "host"
        case .container(let name): "container:\(name)"
        }
    }

    /// The container whose it is.
    var owner: String? { if case .container(let name) = self { name } else { nil } }
    /// Whether it is made with the container.
    var isOwn: Bool { self != .host && owner == nil }
}

extension NamespaceMode: Codable {
    /// Decodes Docker's text.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let mode = Self(parsing: text) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is no namespace mode"))
        }
        self = mode
    }

    /// Encodes Docker's text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Whose a container's namespaces are, but for the network's and the mounts'.
public struct NamespaceConfiguration: Sendable, Hashable, Codable {
    /// Shared memory, semaphores and message queues: `default`, `private`, `shareable`, `none`, `host`, `container`. With another's comes its `/dev/shm`.
    public var ipc = NamespaceMode.default
    /// Processes: `default`, `host`, `container`.
    public var pid = NamespaceMode.default
    /// Host name and domain name: `default`, `host`, `container`. Docker does not have the last of them.
    public var uts = NamespaceMode.default
    /// Users: `default` and `host`, which are the same here.
    public var user = NamespaceMode.default
    /// Control groups: `default`, `private`, `host`.
    public var cgroup = NamespaceMode.default

    /// Its own.
    public init() {}

    private enum CodingKeys: String, CodingKey { case ipc, pid, uts, user, cgroup }

    /// Decodes; what is absent has its default.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func mode(_ key: CodingKeys) throws -> NamespaceMode { try values.decodeIfPresent(NamespaceMode.self, forKey: key) ?? .default }
        (ipc, pid, uts) = (try mode(.ipc), try mode(.pid), try mode(.uts))
        (user, cgroup) = (try mode(.user), try mode(.cgroup))
    }
}

extension NamespaceConfiguration {
    /// Whether each is a mode that its kind has. Docker's words.
    func check() throws(ContainerError) {
        func require(_ isValid: Bool, _ kind: String, _ mode: NamespaceMode) throws(ContainerError) {
            guard isValid else { throw ContainerError(.invalid, "invalid \(kind) mode: \(mode)") }
        }
        try require(pid == .default || pid == .host || pid.owner != nil, "PID", pid)
        try require(uts == .default || uts == .host || uts.owner != nil, "UTS", uts)
        try require(user == .default || user == .host, "user namespace", user)
        try require([.default, .private, .host].contains(cgroup), "cgroup namespace", cgroup)
    }

    /// The containers that it names.
    var owners: [String] { [ipc, pid, uts].compactMap(\.owner) }
}
