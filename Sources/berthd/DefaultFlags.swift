internal import ArgumentParser
internal import Berth
internal import BerthLinux

/// What containers get that say nothing of it. The flags are dockerd's, and so are the keys of the configuration file.
struct DefaultFlags: ParsableArguments {
    @Option(help: ArgumentHelp("A limit of setrlimit(2): NAME=SOFT[:HARD]. May be given several times.", valueName: "limit"))
    var defaultUlimit: [String] = []
    @Option(help: ArgumentHelp("The size of /dev/shm, such as 128m. (default: 64m)", valueName: "size"))
    var defaultShmSize: String?
    @Option(help: ArgumentHelp("Whose the IPC namespace is: private or shareable. (default: private)", valueName: "mode"))
    var defaultIpcMode: String?
    @Option(help: ArgumentHelp("Whose the control group namespace is: private or host. (default: private)", valueName: "mode"))
    var defaultCgroupnsMode: String?
    @Option(help: ArgumentHelp("Below which control group containers' own are. (default: the daemon's)", valueName: "path"))
    var cgroupParent: String?
    @Flag(name: .customLong("init"), help: "Run an init in containers that forwards signals and reaps processes.") var runsInit = false
    @Flag(help: "Take their power from set-id programs.") var noNewPrivileges = false
    @Option(
        help: ArgumentHelp("The filter of system calls: a profile's file, builtin or unconfined. (default: builtin)", valueName: "profile"))
    var seccompProfile: String?
    @Option(
        help: ArgumentHelp("Whom containers ask for names. May be given several times. (default: whom the host asks)", valueName: "address")
    )
    var dns: [String] = []
    @Option(
        help: ArgumentHelp("A domain in which they look names up. May be given several times. (default: the host's)", valueName: "domain"))
    var dnsSearch: [String] = []
    @Option(help: ArgumentHelp("An option of resolv.conf. May be given several times. (default: the host's)", valueName: "option"))
    var dnsOpt: [String] = []
    @Option(
        help: ArgumentHelp(
            "Where devices are described (CDI). May be given several times. (default: /etc/cdi and /var/run/cdi)", valueName: "directory"))
    var cdiSpecDir: [String] = []
    @Option(help: ArgumentHelp("What 'info' says of this daemon: NAME=VALUE. May be given several times.", valueName: "label"))
    var label: [String] = []

    /// What is meant, with what the configuration file says. As with dockerd, what both say is a conflict.
    func defaults(_ file: ConfigurationFile, logs: LogDefaults) throws -> ContainerDefaults {
        var result = ContainerDefaults()
        result.logs = logs
        result.resourceLimits = try file.one("default-ulimits", defaultUlimit.map(Self.limit), file.defaultUlimits?.limits) ?? []
        if let size = try file.one("default-shm-size", defaultShmSize, file.defaultShmSize?.text) {
            do throws(ContainerError) { result.sharedMemoryByteCount = try OptionText.memorySize(size) } catch {
                throw Refusal("invalid default-shm-size: \(error.description)")
            }
        }
        result.ipc = try Self.mode(file.one("default-ipc-mode", defaultIpcMode, file.defaultIPCMode), "default IPC mode setting")
        result.cgroup = try Self.mode(
            file.one("default-cgroupns-mode", defaultCgroupnsMode, file.defaultCgroupnsMode), "default cgroup namespace mode")
        result.controlGroupParent = try file.one("cgroup-parent", cgroupParent, file.cgroupParent)
        result.runsInit = try file.one("init", runsInit ? true : nil, file.runsInit) ?? false
        result.noNewPrivileges = try file.one("no-new-privileges", noNewPrivileges ? true : nil, file.noNewPrivileges) ?? false
        result.seccomp = try Self.filter(file.one("seccomp-profile", seccompProfile, file.seccompProfile) ?? "builtin")
        result.nameServers = try (file.one("dns", dns, file.nameServers) ?? []).map(Self.address)
        result.nameSearch = try file.one("dns-search", dnsSearch, file.nameSearch) ?? []
        result.nameOptions = try file.one("dns-opts", dnsOpt, file.nameOptions) ?? []
        if let directories = try file.one("cdi-spec-dirs", cdiSpecDir, file.deviceDirectories) {
            for directory in directories where !directory.hasPrefix("/") {
                throw Refusal("invalid cdi-spec-dir '\(directory)': it must be an absolute path")
            }
            result.deviceDirectories = directories
        }
        do throws(ContainerError) { try result.check() } catch { throw Refusal("unable to configure the daemon: \(error.description)") }
        return result
    }

    /// What `info` says, likewise.
    func labels(_ file: ConfigurationFile) throws -> [String] {
        let all = try file.one("labels", label, file.labels) ?? []
        for text in all where text.firstIndex(of: "=").map({ $0 != text.startIndex }) != true {
            throw Refusal("bad attribute format: \(text): it must be NAME=VALUE")
        }
        return all
    }

    private static func mode(_ text: String?, _ what: String) throws -> NamespaceMode {
        guard let text, !text.isEmpty else { return .private }
        guard let mode = NamespaceMode(parsing: text) else { throw Refusal("\(what) (\(text)) is invalid") }
        return mode
    }

    /// `nofile=1024:2048`.
    private static func limit(_ text: String) throws -> ResourceLimit {
        let wrong = Refusal("invalid --default-ulimit '\(text)': it must be NAME=SOFT[:HARD]")
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { throw wrong }
        let values = parts[1].split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) }
        guard (1...2).contains(values.count), let soft = values[0], let hard = values[values.count - 1] else { throw wrong }
        return ResourceLimit(name: String(parts[0]), soft: soft, hard: hard)
    }

    private static func filter(_ text: String) throws -> SeccompSetting {
        switch text {
        case "builtin", "": return .default
        case "unconfined": return .unconfined
        default:
            do throws(Errno) { return .profile(String(decoding: try HostFile.read(text, limit: 1 << 20), as: UTF8.self)) } catch {
                throw Refusal("opening seccomp profile (\(text)) failed: \(error)")
            }
        }
    }

    private static func address(_ text: String) throws -> IPAddress {
        guard let address = IPAddress(text) else { throw Refusal("invalid dns '\(text)': it is no IP address") }
        return address
    }
}
