/// What a container is in (`ContainerState`).
public struct ContainerState: JSONWritable, Hashable {
    /// In one word.
    public var status = ""
    /// Whether it runs.
    public var isRunning = false
    /// Whether it stands still.
    public var isPaused = false
    /// Whether it is about to be started again.
    public var isRestarting = false
    /// Whether it can only be looked at.
    public var isDead = false
    /// Whether want of memory killed something in it.
    public var outOfMemory = false
    /// Its process's id; 0 without one.
    public var processID: Int32 = 0
    /// How it ended.
    public var exitCode: Int32 = 0
    /// Why it could not be started.
    public var error = ""
    /// When it began, as RFC 3339 text; Go's zero time before.
    public var startedAt = zeroTime
    /// When it ended, likewise.
    public var finishedAt = zeroTime

    /// How it does, if it is checked.
    public var health: HealthState?

    /// Go's zero time: "never".
    public static var zeroTime: String { "0001-01-01T00:00:00Z" }

    /// Nothing known.
    public init() {}

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Status", status)
            writer.member("Running", isRunning)
            writer.member("Paused", isPaused)
            writer.member("Restarting", isRestarting)
            writer.member("OOMKilled", outOfMemory)
            writer.member("Dead", isDead)
            writer.member("Pid", processID)
            writer.member("ExitCode", exitCode)
            writer.member("Error", error)
            writer.member("StartedAt", startedAt)
            writer.member("FinishedAt", finishedAt)
            if let health { writer.member("Health", health) }
        }
    }
}

/// All that is known of a container (`GET /containers/{id}/json`).
public struct ContainerInspect: JSONWritable, Hashable {
    /// 64 hexadecimal digits.
    public var id = ""
    /// When it was made, as RFC 3339 text.
    public var created = ""
    /// The program.
    public var path = ""
    /// Its arguments.
    public var arguments: [String] = []
    /// What it is in.
    public var state = ContainerState()
    /// The image's id.
    public var image = ""
    /// The directory of its files.
    public var directory = ""
    /// The log; empty without one.
    public var logPath = ""
    /// Its name, without the slash that the answer has.
    public var name = ""
    /// How often its policy has started it again.
    public var restartCount = 0
    /// The profile of AppArmor's; empty without.
    public var appArmorProfile = ""
    /// The context of SELinux's of its processes; empty without.
    public var processLabel = ""
    /// The one of its files.
    public var mountLabel = ""
    /// Which snapshotter keeps its layer.
    public var driver = ""
    /// Facts of the snapshotter's about its layer.
    public var driverData: [String: String] = [:]
    /// Further processes; `nil` without any.
    public var executionIDs: [String]?
    /// How it meets its host.
    public var host = HostConfig()
    /// What runs in it.
    public var config = ContainerConfig()
    /// How many bytes it has added or changed; `nil` is not counted.
    public var changedByteCount: UInt64?
    /// How many bytes its root's files have; `nil` is not counted.
    public var rootByteCount: UInt64?
    /// Its mounts.
    public var mounts: [MountPoint] = []
    /// What it has of networks.
    public var network = NetworkSettings()

    /// Nothing known.
    public init() {}

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Id", id)
            writer.member("Created", created)
            writer.member("Path", path)
            writer.member("Args", arguments)
            writer.member("State", state)
            writer.member("Image", image)
            writer.member("ResolvConfPath", directory + "/resolv.conf")
            writer.member("HostnamePath", directory + "/hostname")
            writer.member("HostsPath", directory + "/hosts")
            writer.member("LogPath", logPath)
            writer.member("Name", "/" + name)
            writer.member("RestartCount", restartCount)
            writer.member("Driver", driver)
            writer.member("Platform", "linux")
            writer.member("MountLabel", mountLabel)
            writer.member("ProcessLabel", processLabel)
            writer.member("AppArmorProfile", appArmorProfile)
            writer.member("ExecIDs", executionIDs)
            writer.member("HostConfig", host)
            writer.member("GraphDriver") { writer in
                writer.member("Data", driverData)
                writer.member("Name", driver)
            }
            if let changedByteCount { writer.member("SizeRw", changedByteCount) }
            if let rootByteCount { writer.member("SizeRootFs", rootByteCount) }
            writer.member("Mounts", list: mounts)
            writer.member("Config", config)
            writer.member("NetworkSettings", network)
        }
    }

    /// The JSON text for a client of a version. Before 1.45 the id and the host name are among the aliases in networks of one's own.
    public func json(for version: APIVersion) -> [UInt8] {
        guard version < APIVersion(1, 45) else { return json }
        var result = self
        for name in network.networks.keys where NetworkName.isUserDefined(name) {
            var aliases = network.networks[name]?.aliases ?? []
            for further in [String(id.prefix(12)), config.hostname] where !aliases.contains(further) { aliases.append(further) }
            result.network.networks[name]?.aliases = aliases
        }
        return result.json
    }
}

/// The end of a container (`POST /containers/{id}/wait`).
public struct ContainerWaitResponse: JSONWritable, Hashable {
    /// The exit code.
    public var statusCode: Int32
    /// Why there is none of its own.
    public var error: String?

    /// An end of these.
    public init(statusCode: Int32, error: String? = nil) { (self.statusCode, self.error) = (statusCode, error) }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("StatusCode", statusCode)
            if let error { writer.member("Error") { $0.member("Message", error) } }
        }
    }
}
