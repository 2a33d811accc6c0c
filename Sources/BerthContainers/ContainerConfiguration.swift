public import BerthNetworking
public import BerthOCI

/// What a container is to be: everything that its maker says, before the image's own words and the engine's defaults are added.
///
/// A value of Docker's meaning: `nil` or empty says "as the image says", and where the image says nothing, the documented default holds.
/// As JSON, a field that is absent has its default, so that what older engines wrote can be read. A value says nothing about whether it can
/// be honoured: ``ContainerStore/create(_:)`` checks it.
public struct ContainerConfiguration: Sendable, Hashable {
    /// The name, without Docker's leading slash. Default `nil`: the engine makes one up.
    public var name: String?
    /// The image: a reference, an id, or a unique prefix of one.
    public var image: String
    /// The command, or the arguments of the entry point. Default `nil`: the image's, unless ``entrypoint`` is given.
    public var command: [String]?
    /// What stands before the command. Default `nil`: the image's. An empty list removes the image's; one empty word, or any other entry point,
    /// removes the image's command too.
    public var entrypoint: [String]?
    /// `NAME=value`, laid over the image's environment; a `NAME` alone removes it. Default: nothing.
    public var environment: [String]
    /// Where the command starts: an absolute path. Default `nil`: the image's, else `/`.
    public var workingDirectory: String?
    /// `user`, `user:group`, by name or number. Default `nil`: the image's, else root.
    public var user: String?
    /// The name in the container's UTS namespace. Default `nil`: the first twelve digits of the container's id; the host's with the host's network.
    public var hostname: String?
    /// The NIS domain name there. Default `nil`: none.
    public var domainName: String?
    /// Laid over the image's labels. Default: nothing.
    public var labels: [String: String]
    /// Whether the command gets a terminal (Docker's `Tty`). Default `false`.
    public var terminal: Bool
    /// Whether standard input is open to clients that attach (Docker's `OpenStdin`). Default `false`: `/dev/null`.
    public var openStandardInput: Bool
    /// Whether standard input ends for good when the first client that gave some has ended its own (Docker's `StdinOnce`). Default `false`.
    public var standardInputOnce: Bool
    /// Whether the client that creates it means to give standard input. Only reported. Default `false`.
    public var attachesStandardInput: Bool
    /// Whether that client means to read standard output. Only reported. Default `false`.
    public var attachesStandardOutput: Bool
    /// Whether that client means to read standard error. Only reported. Default `false`.
    public var attachesStandardError: Bool
    /// What a stop sends first: a name with or without `SIG`, or a number. Default `nil`: the image's, else `SIGTERM`.
    public var stopSignal: String?
    /// How long a stop waits before it kills, in seconds; -1 is for ever. Default `nil`: 10.
    public var stopTimeoutSeconds: Int?
    /// How it is checked whether it does well. Default `nil`: as the image says. A test of `NONE` is no check.
    public var healthcheck: ImageConfiguration.Healthcheck?
    /// What is done when it does not. Default ``UnhealthyAction/none``.
    public var unhealthyAction: UnhealthyAction
    /// Whether it is started again when it has ended. Default ``RestartPolicy/no``.
    public var restart: RestartPolicy
    /// Directories and files of the host's. Default: none.
    public var bindMounts: [BindMount]
    /// Volumes, memory, images, and directories of the host's with more said of them than ``bindMounts`` can. Default: none.
    public var mounts: [Mount]
    /// Places at which there are to be volumes without a name, unless something else is there; beside those that the image names. Default: none.
    public var volumes: Set<String>
    /// Containers whose volumes and directories it has too, by name or id, each perhaps with `:ro`. Default: none.
    public var volumesFrom: [String]
    /// The driver of volumes that are made for it without more being said. Default `nil`: the local one.
    public var volumeDriver: String?
    /// The network. Default ``NetworkMode/default``.
    public var network: NetworkMode
    /// Its places in networks. What the mode names is the first of them, said or not; with the modes `host` and `none` there can be no other, with
    /// `container` none at all. Default: none more than the mode names.
    public var endpoints: [EndpointConfiguration]
    /// Its ports and names. Default: nothing said.
    public var networking: NetworkingConfiguration
    /// Capabilities on top of Docker's default set, with or without `CAP_`; `ALL` is all. Default: none.
    public var addedCapabilities: [String]
    /// Capabilities less than that. Default: none.
    public var droppedCapabilities: [String]
    /// Whether the container has all capabilities, all devices, no filter of system calls, and nothing masked. Default `false`.
    public var privileged: Bool
    /// Whether set-id programs lose their power in it. Default `nil`: as the engine's ``ContainerDefaults`` say.
    public var noNewPrivileges: Bool?
    /// The filter of system calls. Default ``SeccompSetting/default``.
    public var seccomp: SeccompSetting
    /// Whose its namespaces are. Default: its own.
    public var namespaces = NamespaceConfiguration()
    /// Groups that its process is in beside its user's, by name or number. Default: none.
    public var addedGroups: [String] = []
    /// Kernel parameters of its own namespaces, as `net.core.somaxconn`. Default: those that let everybody open low ports and ping, with a network of its own.
    public var kernelParameters: [String: String] = [:]
    /// How willingly the kernel kills it when memory is short: -1000 (never) ... 1000. Default 0.
    public var outOfMemoryScore = 0
    /// Whether process 1 is a program of the engine's that has the command as its child, hands signals on to it and reaps what is left to it. Where it
    /// shares others' processes there is none. Default `nil`: as the engine's ``ContainerDefaults`` say.
    public var runsInit: Bool?
    /// Devices of the host's. Default: none but those that everybody has.
    public var devices: [DeviceMapping] = []
    /// Rules of access to devices, as `c 1:3 rwm`, beside those of its devices. Default: none.
    public var deviceRules: [String] = []
    /// Devices that somebody else describes. Default: none.
    public var deviceRequests: [DeviceRequest] = []
    /// What of `/proc` and `/sys` is hidden. Default `nil`: what Docker hides.
    public var maskedPaths: [String]?
    /// What of them is read-only. Default `nil`: what Docker makes so.
    public var readOnlyPaths: [String]?
    /// Whether it can make and change control groups below its own. Default `false`.
    public var hasWritableControlGroups = false
    /// Below which control group its own is, as a path from the hierarchies' roots. Default `nil`: as the engine's ``ContainerDefaults`` say.
    public var controlGroupParent: String?
    /// Notes for other programs, which the engine keeps. Default: none.
    public var annotations: [String: String] = [:]
    /// What it says to security modules, as `apparmor=PROFILE` and `label=disable`. Where the kernel has no such module it is only reported. Default: none.
    public var securityModuleOptions: [String] = []
    /// By which of its names the one runtime that there is was asked for. Only reported. Default `nil`: by none.
    public var runtimeName: String?
    /// The word in which the one isolation that Linux has was asked for. Only reported. Default `nil`: in none.
    public var isolation: String?
    /// Whether the root file system is read-only to it. Default `false`.
    public var readOnlyRoot: Bool
    /// Limits of its cgroups. Default: none.
    public var resources: Resources
    /// Limits of setrlimit(2), before those of the engine's ``ContainerDefaults``. Default: those alone.
    public var resourceLimits: [ResourceLimit]
    /// Where its output is kept. Default ``LogDriver/default``; of a container that was made, it says which that was.
    public var logDriver: LogDriver
    /// How it is kept there, as Docker's options of the driver say it: `max-size`, `max-file`, `compress`, `labels`, `labels-regex`, `env`, `env-regex`, `tag`.
    /// Default: nothing said, which is at most five files of 20 MB.
    public var logOptions: [String: String]
    /// Whether it is removed when it ends (Docker's `AutoRemove`). Default `false`.
    public var removesItself: Bool
    /// The size of `/dev/shm`, in bytes. Default `nil`: as the engine's ``ContainerDefaults`` say; of a container that was made, it says how much that was.
    public var sharedMemoryByteCount: UInt64?
    /// The terminal's rows when the command starts. Default `nil`: whatever the first client that resizes says.
    public var initialTerminalRows: UInt16?
    /// The terminal's columns when the command starts. Default `nil`, likewise.
    public var initialTerminalColumns: UInt16?

    /// A container of this image, everything else by default.
    public init(image: String) {
        self.image = image
        (name, command, entrypoint, workingDirectory, user, hostname, domainName) = (nil, nil, nil, nil, nil, nil, nil)
        (stopSignal, stopTimeoutSeconds, initialTerminalRows, initialTerminalColumns) = (nil, nil, nil, nil)
        (environment, addedCapabilities, droppedCapabilities) = ([], [], [])
        (bindMounts, endpoints, resourceLimits, labels) = ([], [], [], [:])
        (mounts, volumes, volumesFrom, volumeDriver) = ([], [], [], nil)
        (terminal, openStandardInput, standardInputOnce) = (false, false, false)
        (attachesStandardInput, attachesStandardOutput, attachesStandardError) = (false, false, false)
        (privileged, readOnlyRoot, removesItself) = (false, false, false)
        (noNewPrivileges, sharedMemoryByteCount) = (nil, nil)
        (network, seccomp, logDriver, resources) = (.default, .default, .default, Resources())
        (networking, restart) = (NetworkingConfiguration(), .no)
        (healthcheck, unhealthyAction) = (nil, .none)
        logOptions = [:]
    }
}

extension ContainerConfiguration: Codable {
    private enum CodingKeys: String, CodingKey {
        case name, image, command, entrypoint, environment, workingDirectory, user, hostname, domainName, labels
        case terminal, openStandardInput, standardInputOnce, attachesStandardInput, attachesStandardOutput, attachesStandardError
        case stopSignal, stopTimeoutSeconds, bindMounts, network, endpoints, networking, addedCapabilities, droppedCapabilities, privileged,
            noNewPrivileges
        case namespaces, addedGroups, kernelParameters, outOfMemoryScore, runsInit, devices, deviceRules, deviceRequests, maskedPaths,
            readOnlyPaths
        case hasWritableControlGroups, controlGroupParent, annotations, runtimeName, isolation
        // As it was called before any of them did something.
        case securityModuleOptions = "unusedSecurityOptions"
        case seccomp, readOnlyRoot, resources, resourceLimits, logDriver, logOptions, removesItself, sharedMemoryByteCount
        case initialTerminalRows, initialTerminalColumns, restart, healthcheck, unhealthyAction
        case mounts, volumes, volumesFrom, volumeDriver
    }

    /// Decodes; what is absent has its default. Only `image` must be there.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func read<Value: Decodable>(_ key: CodingKeys, into value: inout Value) throws {
            if let found = try values.decodeIfPresent(Value.self, forKey: key) { value = found }
        }
        func read<Value: Decodable>(_ key: CodingKeys, into value: inout Value?) throws {
            value = try values.decodeIfPresent(Value.self, forKey: key)
        }
        self.init(image: try values.decode(String.self, forKey: .image))
        try read(.name, into: &name)
        try read(.command, into: &command)
        try read(.entrypoint, into: &entrypoint)
        try read(.environment, into: &environment)
        try read(.workingDirectory, into: &workingDirectory)
        try read(.user, into: &user)
        try read(.hostname, into: &hostname)
        try read(.domainName, into: &domainName)
        try read(.labels, into: &labels)
        try read(.terminal, into: &terminal)
        try read(.openStandardInput, into: &openStandardInput)
        try read(.standardInputOnce, into: &standardInputOnce)
        try read(.attachesStandardInput, into: &attachesStandardInput)
        try read(.attachesStandardOutput, into: &attachesStandardOutput)
        try read(.attachesStandardError, into: &attachesStandardError)
        try read(.stopSignal, into: &stopSignal)
        try read(.stopTimeoutSeconds, into: &stopTimeoutSeconds)
        try read(.bindMounts, into: &bindMounts)
        try read(.mounts, into: &mounts)
        try read(.volumes, into: &volumes)
        try read(.volumesFrom, into: &volumesFrom)
        try read(.volumeDriver, into: &volumeDriver)
        try read(.network, into: &network)
        try read(.endpoints, into: &endpoints)
        try read(.networking, into: &networking)
        try read(.addedCapabilities, into: &addedCapabilities)
        try read(.droppedCapabilities, into: &droppedCapabilities)
        try read(.privileged, into: &privileged)
        try read(.noNewPrivileges, into: &noNewPrivileges)
        try read(.seccomp, into: &seccomp)
        try read(.namespaces, into: &namespaces)
        try read(.addedGroups, into: &addedGroups)
        try read(.kernelParameters, into: &kernelParameters)
        try read(.outOfMemoryScore, into: &outOfMemoryScore)
        try read(.runsInit, into: &runsInit)
        try read(.devices, into: &devices)
        try read(.deviceRules, into: &deviceRules)
        try read(.deviceRequests, into: &deviceRequests)
        try read(.maskedPaths, into: &maskedPaths)
        try read(.readOnlyPaths, into: &readOnlyPaths)
        try read(.hasWritableControlGroups, into: &hasWritableControlGroups)
        try read(.controlGroupParent, into: &controlGroupParent)
        try read(.annotations, into: &annotations)
        try read(.securityModuleOptions, into: &securityModuleOptions)
        try read(.runtimeName, into: &runtimeName)
        try read(.isolation, into: &isolation)
        try read(.readOnlyRoot, into: &readOnlyRoot)
        try read(.resources, into: &resources)
        try read(.resourceLimits, into: &resourceLimits)
        try read(.logDriver, into: &logDriver)
        try read(.logOptions, into: &logOptions)
        try read(.removesItself, into: &removesItself)
        try read(.sharedMemoryByteCount, into: &sharedMemoryByteCount)
        try read(.initialTerminalRows, into: &initialTerminalRows)
        try read(.initialTerminalColumns, into: &initialTerminalColumns)
        try read(.restart, into: &restart)
        try read(.healthcheck, into: &healthcheck)
        try read(.unhealthyAction, into: &unhealthyAction)
    }
}
