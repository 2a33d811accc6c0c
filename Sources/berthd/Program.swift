internal import ArgumentParser
internal import Berth
internal import BerthDaemon
internal import BerthLinux
internal import Glibc
internal import Logging

/// The daemon: an engine, served by Docker's Engine API. The flags are dockerd's.
@main struct Program: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "berthd", abstract: "Serve containers on this machine by Docker's Engine API.",
        discussion: """
            Examples:
              berthd                               at unix:///run/berth/berth.sock
              berthd -H unix:///run/docker.sock    where Docker's clients look
              berthd --root /srv/b                 a second engine beside the first

            Containers run on when the daemon ends, however it ends; the next one on
            the same root finds them again.
            """,
        version: "berthd version \(Engine.version)", subcommands: [RegistryCommands.self])

    @Option(name: [.customShort("H"), .long], help: "Where to listen: unix:///PATH or tcp://HOST:PORT. May be given several times.")
    var host: [String] = []
    @Option(
        name: [.customLong("data-root"), .customLong("root"), .customShort("g")],
        help: "Where everything is kept that outlives a reboot. (default: \(EngineConfiguration.defaultRoot))")
    var root: String?
    @Option(help: "Where sockets are kept, and what is true until the next reboot. (default: /run/berth, or /run/berth-ID of another root)")
    var execRoot: String?
    @Option(name: [.customShort("p"), .long], help: "A file for the daemon's process id.")
    var pidfile: String?
    @Option(
        name: [.customShort("G"), .long], help: "Whose members may use the Unix sockets. (default: docker where that exists, else root)")
    var group: String?
    @Option(help: "Where berth-monitor is. (default: beside this program, else on PATH)")
    var monitor: String?
    @Option(
        help:
            "What is done where a chain of the host's firewall drops containers' packets: explain or cooperate. (default: as chosen last)",
        transform: Program.choice)
    var firewall: FirewallSetting.Mode?
    @Option(
        help: "How the engine's own firewall table is kept from others: owned or watched. (default: as chosen last)",
        transform: Program.choice)
    var firewallProtect: Firewall.Protection?
    @Option(
        help: "Where ports are published for which nobody names an address: everywhere or loopback. (default: everywhere)",
        transform: Program.choice)
    var publishDefault = PublishDefault.everywhere
    @Option(
        name: .customLong("host-gateway-ip"),
        help: "What host-gateway stands for in --add-host: an address of each version at most. (default: the default network's gateway)",
        transform: Program.address)
    var hostGateway: [IPAddress] = []
    @OptionGroup var logs: LogFlags
    @OptionGroup var defaults: DefaultFlags
    @OptionGroup var networks: NetworkFlags
    @OptionGroup var registries: RegistryFlags
    @OptionGroup var served: ImagesRegistryFlags
    @Option(
        help: "A file with dockerd's keys for these flags, as JSON. (default: /etc/berth/daemon.json, where that is there)")
    var configFile: String?
    @Flag(
        name: .customLong("selinux-enabled"),
        help: "Give containers labels of SELinux's, by which the host's policy confines them.")
    var usesSELinux = false
    @Option(name: [.customShort("l"), .long], help: "How much is logged: debug, info, warn, error or fatal. (default: info)")
    var logLevel: String?
    @Flag(name: [.customShort("D"), .long], help: "Log what is asked, and say that this is being debugged.")
    var debug = false
    @Option(
        help:
            "TCP without TLS lets anybody who reaches it be root: --tls=false says that this is meant. TLS itself does not exist here yet.")
    var tls: Bool?

    func run() throws {
        let file = try ConfigurationFile.read(configFile)
        let level = try Self.level(try file.one("log-level", logLevel, file.logLevel) ?? "info")
        let isDebugging = try file.one("debug", debug ? true : nil, file.isDebugging) ?? false
        let addresses = try addresses(file.one("hosts", host, file.hosts) ?? ["unix://"])
        let hostGateway = try HostGateway(hostGateway)
        let registry = try registries.configuration(file, environment: Self.environment)
        let usesSELinux = try file.one("selinux-enabled", usesSELinux ? true : nil, file.usesSELinux) ?? false
        let (group, pidFile) = (try file.one("group", group, file.group), try file.one("pidfile", pidfile, file.pidFile))
        var configuration = EngineConfiguration(
            root: try file.one("data-root", root, file.root) ?? EngineConfiguration.defaultRoot,
            execRoot: try file.one("exec-root", execRoot, file.execRoot), monitor: monitor.map { .program($0) } ?? .automatic,
            firewall: firewall, firewallProtection: firewallProtect, publishDefault: publishDefault, hostGateway: hostGateway,
            usesSELinux: usesSELinux, registry: registry)
        configuration.networkDefaults = try networks.defaults(file)
        configuration.containerDefaults = try defaults.defaults(file, logs: try logs.defaults(file))
        configuration.labels = try defaults.labels(file)
        guard geteuid() == 0 else { throw Refusal("berthd needs to be started as root: it makes namespaces, mounts and control groups.") }
        Heap.limitArenas(to: Self.arenaCount)
        // Before any other thread exists, so that all of them leave the signals to this one.
        let signals = try SignalQueue([SIGTERM, SIGINT, SIGHUP])
        _ = signal(SIGPIPE, SIG_IGN)
        // Each sandbox with names of its own takes four, and each container some more. Containers get what this process was given.
        let log = Self.log(isDebugging ? .debug : level)
        do throws(Errno) { try DescriptorLimit.raise() } catch { log.warning("the limit of open files could not be raised: \(error)") }
        if usesSELinux, !SELinux.isRunning { log.warning("containers get no labels of SELinux's: this kernel does not run it") }
        let serving = try served.server(log: log)
        let service = Service(
            engine: configuration,
            daemon: { Daemon.Configuration(addresses: try addresses($0), group: group, isDebugging: isDebugging) }, registry: serving,
            pidFile: pidFile, log: log)
        Task {
            do {
                try await service.run()
                Glibc.exit(0)
            } catch {
                service.log.critical("\(error)")
                Glibc.exit(1)
            }
        }
        while true {
            var waiting = signals.descriptor.withRawDescriptor { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            _ = unsafe poll(&waiting, 1, -1)
            while let number = signals.next() {
                // Nothing is read again by a hang-up: there is no configuration that could have changed.
                if number != SIGHUP { service.stop() }
            }
        }
    }

    /// Where to listen, once the engine's exec-root is known: `unix://` alone, and no address at all, are the socket below it.
    private func addresses(_ texts: [String]) throws -> @Sendable (Engine) throws -> [ListenAddress] {
        for text in texts {
            guard case .tcp = try ListenAddress(parsing: text, defaultSocket: "/") else { continue }
            guard tls == false else {
                throw Refusal(
                    "'\(text)' would let anybody who reaches it be root on this machine, and TLS does not exist here yet: listen on a Unix socket, or say --tls=false if this is meant."
                )
            }
        }
        return { engine in try texts.map { try ListenAddress(parsing: $0, defaultSocket: "\(engine.execRoot)/berth.sock") } }
    }

    /// The environment that this program was started in, where proxies are named, and Docker's configuration.
    static var environment: [String: String] {
        ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "DOCKER_CONFIG", "HOME", "PATH"].reduce(into: [:]
        ) { found, name in
            if let value = unsafe getenv(name) { found[name] = unsafe String(cString: value) }
        }
    }

    /// Pulls are as fast with two as with as many as there could be, and the memory that stays afterwards is a third.
    static let arenaCount: Int32 = 2

    /// One of the values of a flag that has few.
    private static func choice<Value: RawRepresentable<String> & CaseIterable>(_ text: String) throws -> Value {
        if let value = Value(rawValue: text) { return value }
        throw ValidationError("'\(text)' is none of \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
    }

    private static func address(_ text: String) throws -> IPAddress {
        guard let address = IPAddress(text) else { throw ValidationError("'\(text)' is no IP address") }
        return address
    }

    private static func level(_ text: String) throws -> Logger.Level {
        let levels: [String: Logger.Level] = [
            "debug": .debug, "info": .info, "warn": .warning, "warning": .warning, "error": .error, "fatal": .critical,
        ]
        guard let level = levels[text] else { throw ValidationError("unable to parse logging level: \(text)") }
        return level
    }

    private static func log(_ level: Logger.Level) -> Logger {
        var log = Logger(label: "berthd", factory: { StreamLogHandler.standardError(label: $0) })
        log.logLevel = level
        return log
    }
}

/// Why the daemon does not start, in a sentence.
struct Refusal: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
