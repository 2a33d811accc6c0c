/// A directory or file of the host's that appears in a container.
public struct BindMount: Sendable, Hashable, Codable {
    /// How mounts made below it travel between the two: mount_namespaces(7).
    public enum Propagation: String, Sendable, Hashable, Codable, CaseIterable {
        /// Not at all, for the mounts below as well: Docker's default.
        case rprivate
        /// Not at all.
        case `private`
        /// From the host into the container, for the mounts below as well.
        case rslave
        /// From the host into the container.
        case slave
        /// Both ways, for the mounts below as well.
        case rshared
        /// Both ways.
        case shared
    }

    /// An absolute path of the host's.
    public var source: String
    /// An absolute path in the container, resolved beneath its root.
    public var target: String
    /// Whether the container can only read. Default `false`.
    public var readOnly: Bool
    /// Default ``Propagation/rprivate``.
    public var propagation: Propagation
    /// Whether a source that does not exist is made as an empty directory, as Docker's `-v` does; without it, that is an error at create,
    /// as with Docker's `--mount`. Default `true`.
    public var createsSource: Bool

    /// A mount of these.
    public init(source: String, target: String, readOnly: Bool = false, propagation: Propagation = .rprivate, createsSource: Bool = true) {
        (self.source, self.target, self.readOnly) = (source, target, readOnly)
        (self.propagation, self.createsSource) = (propagation, createsSource)
    }
}

/// Which network a container is in.
///
/// As text, and so as JSON, it is what Docker's `NetworkMode` is: `default`, `none`, `host`, `container:NAME`, or a network's name.
public enum NetworkMode: Sendable, Hashable, CustomStringConvertible {
    /// What the engine's default network is.
    case `default`
    /// A network namespace of its own with only the loopback interface.
    case none
    /// The host's network namespace.
    case host
    /// Another container's, by its name or id.
    case container(String)
    /// A network by its name or id.
    case named(String)

    /// Parses Docker's text. The empty string is the default.
    public init(parsing text: some StringProtocol) {
        switch text {
        case "", "default": self = .default
        case "none": self = .none
        case "host": self = .host
        default: self = text.hasPrefix("container:") ? .container(String(text.dropFirst("container:".count))) : .named(String(text))
        }
    }

    /// Docker's text.
    public var description: String {
        switch self {
        case .default: "default"
        case .none: "none"
        case .host: "host"
        case .container(let name): "container:\(name)"
        case .named(let name): name
        }
    }
}

extension NetworkMode: Codable {
    /// Decodes Docker's text.
    public init(from decoder: any Decoder) throws {
        self.init(parsing: try decoder.singleValueContainer().decode(String.self))
    }

    /// Encodes Docker's text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Limits of a container's cgroups. `nil` is no limit of this kind.
public struct Resources: Sendable, Hashable, Codable {
    /// Memory, in bytes.
    public var memoryByteCount: Int64?
    /// Memory and swap together, in bytes; -1 is as much swap as there is. Default `nil`: twice the memory, where that is limited.
    public var memorySwapByteCount: Int64?
    /// Down to where it is pressed when the host's memory is short, in bytes.
    public var memoryReservationByteCount: Int64?
    /// The weight among those who compete for processors: 2 ... 262,144, usually 1,024.
    public var cpuShares: UInt64?
    /// Microseconds of processor time in each period.
    public var cpuQuota: Int64?
    /// The period's length in microseconds.
    public var cpuPeriod: UInt64?
    /// Processors in billionths; excludes ``cpuQuota`` and ``cpuPeriod``.
    public var nanoCPUs: Int64?
    /// Which processors, as `0-3,7`.
    public var cpusetCPUs: String?
    /// Which memory nodes, as `0,1`.
    public var cpusetMems: String?
    /// Processes and threads; -1 and 0 are no limit.
    public var pidsLimit: Int64?
    /// Whether processes wait for memory instead of being killed (cgroup v1 alone has it). Default `false`.
    public var oomKillDisabled: Bool
    /// How willingly memory goes to swap: 0 ... 100 (cgroup v1 alone has it). Default `nil`: as the host has it.
    public var swappiness: Int64?
    /// Microseconds of real-time scheduling in each period of that.
    public var realTimeRuntime: Int64?
    /// That period's length in microseconds.
    public var realTimePeriod: Int64?
    /// Block devices. Default: no limits.
    public var block = BlockLimits()

    /// No limits.
    public init() {
        (memoryByteCount, memorySwapByteCount, memoryReservationByteCount) = (nil, nil, nil)
        (cpuShares, cpuQuota, cpuPeriod, nanoCPUs, cpusetCPUs, cpusetMems, pidsLimit) = (nil, nil, nil, nil, nil, nil, nil)
        oomKillDisabled = false
    }

    private enum CodingKeys: String, CodingKey {
        case memoryByteCount, memorySwapByteCount, memoryReservationByteCount, cpuShares, cpuQuota, cpuPeriod, nanoCPUs
        case cpusetCPUs, cpusetMems, pidsLimit, oomKillDisabled, swappiness, realTimeRuntime, realTimePeriod, block
    }

    /// Decodes; what is absent has its default.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        memoryByteCount = try values.decodeIfPresent(Int64.self, forKey: .memoryByteCount)
        memorySwapByteCount = try values.decodeIfPresent(Int64.self, forKey: .memorySwapByteCount)
        memoryReservationByteCount = try values.decodeIfPresent(Int64.self, forKey: .memoryReservationByteCount)
        cpuShares = try values.decodeIfPresent(UInt64.self, forKey: .cpuShares)
        cpuQuota = try values.decodeIfPresent(Int64.self, forKey: .cpuQuota)
        cpuPeriod = try values.decodeIfPresent(UInt64.self, forKey: .cpuPeriod)
        nanoCPUs = try values.decodeIfPresent(Int64.self, forKey: .nanoCPUs)
        cpusetCPUs = try values.decodeIfPresent(String.self, forKey: .cpusetCPUs)
        cpusetMems = try values.decodeIfPresent(String.self, forKey: .cpusetMems)
        pidsLimit = try values.decodeIfPresent(Int64.self, forKey: .pidsLimit)
        oomKillDisabled = try values.decodeIfPresent(Bool.self, forKey: .oomKillDisabled) ?? false
        swappiness = try values.decodeIfPresent(Int64.self, forKey: .swappiness)
        realTimeRuntime = try values.decodeIfPresent(Int64.self, forKey: .realTimeRuntime)
        realTimePeriod = try values.decodeIfPresent(Int64.self, forKey: .realTimePeriod)
        block = try values.decodeIfPresent(BlockLimits.self, forKey: .block) ?? BlockLimits()
    }
}

/// One limit of setrlimit(2), by Docker's name for it.
public struct ResourceLimit: Sendable, Hashable, Codable {
    /// As `nofile`: the name of setrlimit(2) in small letters without `RLIMIT_`.
    public var name: String
    /// What applies; -1 is no limit.
    public var soft: Int64
    /// Up to where the process may raise it; -1 is no limit.
    public var hard: Int64

    /// A limit of these.
    public init(name: String, soft: Int64, hard: Int64) {
        (self.name, self.soft, self.hard) = (name, soft, hard)
    }
}

/// Which system calls a container may make.
public enum SeccompSetting: Sendable, Hashable {
    /// As the engine's ``ContainerDefaults`` say, which is the built-in profile where they say nothing.
    case `default`
    /// Docker's default profile.
    case builtin
    /// Any.
    case unconfined
    /// A profile: the JSON text that Docker's `--security-opt seccomp=FILE` takes.
    case profile(String)
}

extension SeccompSetting: Codable {
    private enum Kind: String, Codable { case `default`, builtin, unconfined, profile }
    private enum CodingKeys: String, CodingKey { case kind, profile }

    /// Decodes `{"kind": "default" | "builtin" | "unconfined" | "profile", "profile": text}`.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self =
            switch try values.decode(Kind.self, forKey: .kind) {
            case .default: .default
            case .builtin: .builtin
            case .unconfined: .unconfined
            case .profile: .profile(try values.decode(String.self, forKey: .profile))
            }
    }

    /// Encodes the same.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .default: try values.encode(Kind.default, forKey: .kind)
        case .builtin: try values.encode(Kind.builtin, forKey: .kind)
        case .unconfined: try values.encode(Kind.unconfined, forKey: .kind)
        case .profile(let text):
            try values.encode(Kind.profile, forKey: .kind)
            try values.encode(text, forKey: .profile)
        }
    }
}

/// Where a container's output is kept.
public enum LogDriver: String, Sendable, Hashable, Codable, CaseIterable {
    /// As the engine's ``LogDefaults`` say.
    case `default` = ""
    /// In a file of JSON lines, as Docker's `json-file` has them.
    case jsonFile = "json-file"
    /// In files that are the engine's own business: as ``jsonFile``, compressed when they are full, without labels and the like.
    case local
    /// To syslog, of this host or of another.
    case syslog
    /// To systemd's journal.
    case journald
    /// To fluentd, by its forward protocol.
    case fluentd
    /// Nowhere: only clients that are attached see it.
    case none

    /// Whether another program is told. What it is told is kept here too, unless that is not wanted.
    var hasReceiver: Bool { [.syslog, .journald, .fluentd].contains(self) }

    /// What can be named, in order.
    public static var names: [String] { allCases.filter { $0 != .default }.map(\.rawValue).sorted() }
}

extension ContainerConfiguration {
    /// What its log's options say.
    func logSettings() throws(ContainerError) -> LogSettings { try LogSettings(logDriver, logOptions) }

    /// Whether there is something to be read again.
    var keepsLogFile: Bool { (try? logSettings().keepsFile) ?? false }  // what was made has settings that make sense
}
