/// What an image says of itself: how to run it, and of which layers it is made (OCI image specification, *Image Configuration*).
///
/// The digest of its bytes is the image's id.
public struct ImageConfiguration: Hashable, Sendable {
    /// How a container of the image runs unless its maker says otherwise. Docker's extensions are included.
    public struct Execution: Hashable, Sendable {
        /// `USER`: name or number, optionally with a group behind a colon.
        public var user: String?
        /// `EXPOSE`: `80/tcp` and the like.
        public var exposedPorts: [String]
        /// `ENV`: `NAME=value`, in order.
        public var environment: [String]
        /// `ENTRYPOINT`.
        public var entrypoint: [String]?
        /// `CMD`.
        public var command: [String]?
        /// `VOLUME`: paths.
        public var volumes: [String]
        /// `WORKDIR`.
        public var workingDirectory: String?
        /// `LABEL`.
        public var labels: [String: String]
        /// `STOPSIGNAL`.
        public var stopSignal: String?
        /// `HEALTHCHECK`, as Docker writes it.
        public var healthcheck: Healthcheck?
        /// `ONBUILD`.
        public var onBuild: [String]
        /// `SHELL`.
        public var shell: [String]?
        /// The rest, kept as it came.
        public var unknown: UnknownFields

        /// Nothing said.
        public init() {
            (user, entrypoint, command, workingDirectory, stopSignal, healthcheck, shell) = (nil, nil, nil, nil, nil, nil, nil)
            (exposedPorts, environment, volumes, onBuild) = ([], [], [], [])
            labels = [:]
            unknown = UnknownFields()
        }
    }

    /// Docker's health check. Times are nanoseconds; 0 or `nil` is inherited.
    public struct Healthcheck: Hashable, Sendable {
        /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`.
        public var test: [String]?
        /// Between two checks.
        public var interval: Int64?
        /// For one check.
        public var timeout: Int64?
        /// During which failures do not count.
        public var startPeriod: Int64?
        /// Between two checks of that time.
        public var startInterval: Int64?
        /// Failures in a row that mean unhealthy.
        public var retries: Int?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// A check of this test; all else inherited.
        public init(test: [String]?) { self.test = test }
    }

    /// One step of an image's making.
    public struct HistoryEntry: Hashable, Sendable {
        /// When; `nil` also for Go's zero time, which some builders write for "never".
        public var created: Timestamp?
        /// The command.
        public var createdBy: String?
        /// Who.
        public var author: String?
        /// Words of who made it.
        public var comment: String?
        /// Whether the step made no layer.
        public var emptyLayer: Bool?
        /// The rest, kept as it came.
        public var unknown = UnknownFields()

        /// A step of these.
        public init(created: Timestamp?, createdBy: String?, author: String? = nil, comment: String? = nil, emptyLayer: Bool? = nil) {
            (self.created, self.createdBy, self.author, self.comment, self.emptyLayer) = (created, createdBy, author, comment, emptyLayer)
        }
    }

    /// What it runs on.
    public var platform: Platform
    /// When it was made; `nil` also for Go's zero time, which some builders write for "never".
    public var created: Timestamp?
    /// Who made it.
    public var author: String?
    /// How to run it.
    public var execution: Execution
    /// The digests of the layers' uncompressed tars, the lowest first.
    public var diffIDs: [Digest]
    /// How it was made.
    public var history: [HistoryEntry]
    /// The rest, kept as it came.
    public var unknown: UnknownFields

    /// A configuration of these.
    public init(platform: Platform, created: Timestamp?, execution: Execution, diffIDs: [Digest], history: [HistoryEntry]) {
        (self.platform, self.created, self.execution, self.diffIDs, self.history) = (platform, created, execution, diffIDs, history)
        author = nil
        unknown = UnknownFields()
    }
}

extension ImageConfiguration.Execution: Codable {
    private enum CodingKeys: String, CodingKey, CaseIterable {
        case user = "User"
        case exposedPorts = "ExposedPorts"
        case environment = "Env"
        case entrypoint = "Entrypoint"
        case command = "Cmd"
        case volumes = "Volumes"
        case workingDirectory = "WorkingDir"
        case labels = "Labels"
        case stopSignal = "StopSignal"
        case healthcheck = "Healthcheck"
        case onBuild = "OnBuild"
        case shell = "Shell"
    }
    private struct Nothing: Codable {}

    /// Decodes; absent and `null` are the same.
    public init(from decoder: any Decoder) throws {
        self.init()
        let container = try decoder.container(keyedBy: CodingKeys.self)
        user = try container.decodeIfPresent(String.self, forKey: .user)
        exposedPorts = try container.decodeIfPresent([String: Nothing].self, forKey: .exposedPorts)?.keys.sorted() ?? []
        environment = try container.decodeIfPresent([String].self, forKey: .environment) ?? []
        entrypoint = try container.decodeIfPresent([String].self, forKey: .entrypoint)
        command = try container.decodeIfPresent([String].self, forKey: .command)
        volumes = try container.decodeIfPresent([String: Nothing].self, forKey: .volumes)?.keys.sorted() ?? []
        workingDirectory = try container.decodeIfPresent(String.self, forKey: .workingDirectory)
        labels = try container.decodeIfPresent([String: String].self, forKey: .labels) ?? [:]
        stopSignal = try container.decodeIfPresent(String.self, forKey: .stopSignal)
        healthcheck = try container.decodeIfPresent(ImageConfiguration.Healthcheck.self, forKey: .healthcheck)
        onBuild = try container.decodeIfPresent([String].self, forKey: .onBuild) ?? []
        shell = try container.decodeIfPresent([String].self, forKey: .shell)
        unknown = try UnknownFields(from: decoder, except: CodingKeys.self)
    }

    /// Encodes; what is empty is left out.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        func set(_ names: [String]) -> [String: Nothing]? {
            names.isEmpty ? nil : Dictionary(names.map { ($0, Nothing()) }) { first, _ in first }
        }
        try container.encodeIfPresent(user, forKey: .user)
        try container.encodeIfPresent(set(exposedPorts), forKey: .exposedPorts)
        try container.encodeIfPresent(environment.isEmpty ? nil : environment, forKey: .environment)
        try container.encodeIfPresent(entrypoint, forKey: .entrypoint)
        try container.encodeIfPresent(command, forKey: .command)
        try container.encodeIfPresent(set(volumes), forKey: .volumes)
        try container.encodeIfPresent(workingDirectory, forKey: .workingDirectory)
        try container.encodeIfPresent(labels.isEmpty ? nil : labels, forKey: .labels)
        try container.encodeIfPresent(stopSignal, forKey: .stopSignal)
        try container.encodeIfPresent(healthcheck, forKey: .healthcheck)
        try container.encodeIfPresent(onBuild.isEmpty ? nil : onBuild, forKey: .onBuild)
        try container.encodeIfPresent(shell, forKey: .shell)
        try unknown.encode(to: encoder)
    }
}

extension ImageConfiguration: Codable {
    private enum CodingKeys: String, CodingKey, CaseIterable {
        case architecture, os, variant, created, author, config, rootfs, history
        case osVersion = "os.version"
        case osFeatures = "os.features"
    }
    private struct RootFileSystem: Codable {
        var type: String
        /// Those who write images without layers may say that there is nothing.
        var diffIDs: [Digest]?
        private enum CodingKeys: String, CodingKey {
            case type
            case diffIDs = "diff_ids"
        }
    }

    /// Decodes; fields that we do not know are kept.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        platform = Platform(
            os: try container.decode(String.self, forKey: .os), architecture: try container.decode(String.self, forKey: .architecture),
            variant: try container.decodeIfPresent(String.self, forKey: .variant))
        platform.osVersion = try container.decodeIfPresent(String.self, forKey: .osVersion)
        platform.osFeatures = try container.decodeIfPresent([String].self, forKey: .osFeatures)
        created = try container.decodeIfPresent(OptionalTimestamp.self, forKey: .created)?.value
        author = try container.decodeIfPresent(String.self, forKey: .author)
        execution = try container.decodeIfPresent(Execution.self, forKey: .config) ?? Execution()
        let rootfs = try container.decode(RootFileSystem.self, forKey: .rootfs)
        guard rootfs.type == "layers" else {
            throw DecodingError.dataCorruptedError(
                forKey: .rootfs, in: container, debugDescription: "rootfs.type is '\(rootfs.type)': only 'layers' is known")
        }
        diffIDs = rootfs.diffIDs ?? []
        history = try container.decodeIfPresent([HistoryEntry].self, forKey: .history) ?? []
        unknown = try UnknownFields(from: decoder, except: CodingKeys.self)
    }

    /// Encodes, with the fields that we did not know.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(platform.architecture, forKey: .architecture)
        try container.encode(platform.os, forKey: .os)
        try container.encodeIfPresent(platform.variant, forKey: .variant)
        try container.encodeIfPresent(platform.osVersion, forKey: .osVersion)
        try container.encodeIfPresent(platform.osFeatures, forKey: .osFeatures)
        try container.encodeIfPresent(created, forKey: .created)
        try container.encodeIfPresent(author, forKey: .author)
        try container.encode(execution, forKey: .config)
        try container.encode(RootFileSystem(type: "layers", diffIDs: diffIDs), forKey: .rootfs)
        try container.encodeIfPresent(history.isEmpty ? nil : history, forKey: .history)
        try unknown.encode(to: encoder)
    }
}

extension ImageConfiguration.Healthcheck: Codable, OpenObject {
    static var blank: Self { Self(test: nil) }
    static var members: [Member<Self>] {
        [
            .optional("Test", \.test), .optional("Interval", \.interval), .optional("Timeout", \.timeout),
            .optional("StartPeriod", \.startPeriod), .optional("StartInterval", \.startInterval), .optional("Retries", \.retries),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension ImageConfiguration.HistoryEntry: Codable, OpenObject {
    private var createdOrNever: OptionalTimestamp? {
        get { created.map { OptionalTimestamp(value: $0) } }
        set { created = newValue?.value }
    }

    static var blank: Self { Self(created: nil, createdBy: nil) }
    static var members: [Member<Self>] {
        [
            .optional("created", \.createdOrNever), .optional("created_by", \.createdBy), .optional("author", \.author),
            .optional("comment", \.comment), .optional("empty_layer", \.emptyLayer),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

/// A time, or Go's zero time, which stands for none: documents of builders that want the same bytes every time have it.
private struct OptionalTimestamp: Codable {
    var value: Timestamp?

    init(value: Timestamp?) { self.value = value }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        value = try container.decode(String.self) == "0001-01-01T00:00:00Z" ? nil : try container.decode(Timestamp.self)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }
}
