public import BerthContainers
public import BerthArchive
public import BerthNetworking
public import BerthRegistry
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
    /// What is done where a chain of other people's drops containers' packets. Default `nil`: what was chosen last (``Engine/setFirewall(_:)``), and at first
    /// ``FirewallSetting/Mode/explain``.
    public var firewall: FirewallSetting.Mode?
    /// How the engine's own firewall table is kept from others. Default `nil`: as was chosen last, and at first ``Firewall/Protection/owned``.
    public var firewallProtection: Firewall.Protection?
    /// Where ports are published for which nobody names an address. Default ``PublishDefault/everywhere``.
    public var publishDefault: PublishDefault
    /// What `host-gateway` stands for in `--add-host`. Default ``HostGateway/defaultNetwork``.
    public var hostGateway: HostGateway
    /// What networks are of which nobody says it. Default: what Docker's are.
    public var networkDefaults: NetworkDefaults
    /// What containers get that say nothing of it. Default: what Docker gives them.
    public var containerDefaults: ContainerDefaults
    /// What the engine's owner says of it, `name=value` each: ``EngineInformation/labels``. Default: nothing.
    public var labels: [String]
    /// Whether containers get labels of SELinux's, by which the host's policy confines them (``SELinux``). Where the kernel does not run it, none have any.
    /// Default `false`, as dockerd's.
    public var usesSELinux: Bool

    /// How registries are reached. Default: directly, without mirrors.
    public var registry: RegistryConfiguration

    /// The default root.
    public static var defaultRoot: String { "/var/lib/berth" }

    /// These.
    public init(
        root: String = EngineConfiguration.defaultRoot, execRoot: String? = nil, monitor: MonitorLocation = .automatic,
        archiveLimits: ArchiveLimits = ArchiveLimits(), firewall: FirewallSetting.Mode? = nil,
        firewallProtection: Firewall.Protection? = nil, publishDefault: PublishDefault = .everywhere,
        hostGateway: HostGateway = .defaultNetwork, networkDefaults: NetworkDefaults = NetworkDefaults(),
        containerDefaults: ContainerDefaults = ContainerDefaults(), labels: [String] = [],
        usesSELinux: Bool = false, registry: RegistryConfiguration = RegistryConfiguration()
    ) {
        (self.registry, self.containerDefaults, self.labels, self.usesSELinux) = (registry, containerDefaults, labels, usesSELinux)
        (self.firewall, self.firewallProtection, self.publishDefault) = (firewall, firewallProtection, publishDefault)
        (self.hostGateway, self.networkDefaults) = (hostGateway, networkDefaults)
        (self.root, self.execRoot, self.monitor, self.archiveLimits) = (root, execRoot, monitor, archiveLimits)
    }
}
