public import BerthArchive
public import BerthRuntime

/// What an engine is opened with.
public struct EngineConfiguration: Sendable {
    /// Where everything is kept that outlives a reboot: an absolute path, made where it is missing. Default `/var/lib/berth`.
    public var root: String
    /// Where sockets are kept, and what is true until the next reboot. Default `nil`: `/run/berth` for the default root, `/run/berth-<engine id>`
    /// for any other.
    public var execRoot: String?
    /// Where the monitor comes from. Default ``MonitorLocation/automatic``.
    public var monitor: MonitorLocation
    /// How much an archive may become when it is unpacked.
    public var archiveLimits: ArchiveLimits

    /// The default root.
    public static var defaultRoot: String { "/var/lib/berth" }

    /// These.
    public init(
        root: String = EngineConfiguration.defaultRoot, execRoot: String? = nil, monitor: MonitorLocation = .automatic,
        archiveLimits: ArchiveLimits = ArchiveLimits()
    ) {
        (self.root, self.execRoot, self.monitor, self.archiveLimits) = (root, execRoot, monitor, archiveLimits)
    }
}
