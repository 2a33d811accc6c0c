internal import Glibc

/// Something that is measured: an engine with a command line, or a bare runtime.
final class Engine {
    enum Kind {
        /// Docker's grammar, over a daemon.
        case daemon(command: [String], socket: String)
        /// Docker's grammar, without a daemon.
        case daemonless
        /// An OCI runtime: bundles, and no images.
        case runtime
    }

    let name: String
    let kind: Kind
    /// The command line up to where the command stands.
    let client: [String]
    let place: Surroundings
    let network: Network
    /// Everything that it stores and starts is below this.
    let folder: String
    private(set) var version = ""
    private var daemon: pid_t = 0

    static let image = "bench:1"

    private init(name: String, kind: Kind, client: [String], environment: [String] = [], network: Network, folder: String) {
        (self.name, self.kind, self.client, self.folder) = (name, kind, client, folder)
        self.network = network
        place = Surroundings(environment: environment, network: network)
    }

    // MARK: Which there are

    /// Berth, from the folder of a build.
    static func berth(_ bin: String, in folder: String, _ network: Network) -> Engine {
        let socket = "\(folder)/api.sock"
        return Engine(
            name: "berth",
            kind: .daemon(
                command: [
                    "\(bin)/berthd", "--root", "\(folder)/root", "--exec-root", "\(folder)/run", "--pidfile", "\(folder)/pid", "-H",
                    "unix://\(socket)",
                ], socket: socket),
            client: ["\(bin)/berth", "-H", "unix://\(socket)"], network: network, folder: folder)
    }

    /// What is installed of that name; `nil` where it is not.
    static func installed(_ name: String, in folder: String, _ network: Network) throws(Trouble) -> Engine? {
        switch name {
        case "docker":
            // Debian's, even where PATH has another client.
            guard let daemon = Files.program("dockerd"), Files.exists("/usr/bin/docker") else { return nil }
            let socket = "\(folder)/api.sock"
            return Engine(
                name: name,
                kind: .daemon(
                    command: [
                        daemon, "--data-root", "\(folder)/root", "--exec-root", "\(folder)/run", "-p", "\(folder)/pid", "-H",
                        "unix://\(socket)",
                    ], socket: socket),
                client: ["/usr/bin/docker", "-H", "unix://\(socket)"], environment: ["DOCKER_CONFIG=\(folder)"], network: network,
                folder: folder)
        case "podman":
            guard let program = Files.program("podman") else { return nil }
            // Podman raises limits further than a process without CAP_SYS_RESOURCE may.
            var (files, processes) = (rlimit(), rlimit())
            unsafe getrlimit(__rlimit_resource_t(7), &files)
            unsafe getrlimit(__rlimit_resource_t(6), &processes)
            let (most, count) = (min(files.rlim_max, 1 << 20), min(processes.rlim_max, 32_768))
            try Files.write(
                Array("[containers]\ndefault_ulimits = [\"nofile=\(most):\(most)\",\"nproc=\(count):\(count)\"]\n".utf8),
                to: "\(folder)/containers.conf")
            return Engine(
                name: name, kind: .daemonless,
                client: [program, "--root", "\(folder)/root", "--runroot", "\(folder)/run", "--runtime", "crun"],
                environment: ["CONTAINERS_CONF=\(folder)/containers.conf"], network: network, folder: folder)
        case "crun", "runc":
            guard let program = Files.program(name) else { return nil }
            return Engine(name: name, kind: .runtime, client: [program, "--root", "\(folder)/run"], network: network, folder: folder)
        default:
            throw Trouble("there is no engine \"\(name)\": there are berth, docker, podman, crun and runc")
        }
    }

    var isRuntime: Bool { if case .runtime = kind { true } else { false } }
    var hasDaemon: Bool { socket != nil }
    /// Where its daemon is spoken to, if it has one.
    var socket: String? { if case .daemon(_, let socket) = kind { socket } else { nil } }

    // MARK: Its life

    /// Starts its daemon, if it has one, and waits for its answer.
    ///
    /// - Returns: how many seconds that took.
    @discardableResult
    func start() throws(Trouble) -> Double {
        guard case .daemon(let command, let socket) = kind else { return 0 }
        let log = unsafe open("\(folder)/daemon.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer { close(log) }
        let began = Clock.seconds()
        let child = try Command.spawn(command, in: place, out: log, err: log)
        daemon = child
        do {
            try Host.awaitPing(socket, limit: 60) {
                var status: CInt = 0
                return unsafe waitpid(child, &status, WNOHANG) == 0
            }
        } catch {
            throw Trouble("\(error):\n\((Files.text("\(folder)/daemon.log") ?? "").suffix(1500))")
        }
        return Clock.seconds() - began
    }

    /// Ends its daemon.
    func stop() {
        guard daemon > 0 else { return }
        kill(daemon, SIGTERM)
        _ = Command.wait(daemon)
        daemon = 0
    }

    /// Learns its version and gives it the image.
    func prepare(tar: String) throws(Trouble) {
        switch kind {
        case .daemon: version = try self("version", "--format", "{{.Server.Version}}").output
        case .daemonless, .runtime:
            version =
                try Command.succeed([client[0], "--version"]).output.split(separator: "\n").first
                .flatMap { $0.split(separator: " ").last.map(String.init) } ?? ""
        }
        if !isRuntime { try self("import", tar, Self.image) }
    }

    // MARK: Its commands

    /// Runs a command that must succeed.
    @discardableResult
    func callAsFunction(_ words: String..., output: Command.Sink = .kept) throws(Trouble) -> Outcome {
        try Command.succeed(client + words, in: place, output: output)
    }

    /// Runs a command that may fail.
    func run(command: [String]) throws(Trouble) -> Outcome { try Command.run(client + command, in: place) }

    /// Whether its command line has a command.
    func has(_ word: String) throws(Trouble) -> Bool { try run(command: [word, "--help"]).status == 0 }

    /// The flags of a container in every measurement.
    let flags = ["--network", "none"]

    /// `run` with these flags.
    @discardableResult
    func run(_ more: [String], _ command: [String], output: Command.Sink = .kept) throws(Trouble) -> Outcome {
        try Command.succeed(client + ["run"] + flags + more + [Self.image] + command, in: place, output: output)
    }

    /// Ends and removes a container.
    func remove(_ container: String) throws(Trouble) {
        try Command.succeed(client + ["rm", "-f"] + (name == "podman" ? ["-t", "0"] : []) + [container], in: place)
    }

    /// Shows that what is timed is a whole container: limits and namespaces are in force, the filter of system calls is on.
    func prove() throws(Trouble) {
        try run(["-d", "--name", "proof", "-m", "64m", "--pids-limit", "50"], ["sleep", "1000"])
        let process = try self("inspect", "--format", "{{.State.Pid}}", "proof").output
        for space in ["pid", "mnt", "uts", "ipc", "net"] {
            guard let own = Files.link("/proc/self/ns/\(space)"), let other = Files.link("/proc/\(process)/ns/\(space)"), own != other
            else {
                throw Trouble("\(name)'s container has not a \(space) namespace of its own")
            }
        }
        let status = Files.text("/proc/\(process)/status") ?? ""
        guard status.contains("Seccomp:\t2") else { throw Trouble("\(name)'s container has no filter of system calls") }
        var limits: Set<String> = []
        for line in (Files.text("/proc/\(process)/cgroup") ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else { continue }
            let folder = parts[1].isEmpty ? "/sys/fs/cgroup\(parts[2])" : "/sys/fs/cgroup/\(parts[1])\(parts[2])"
            for file in ["memory.limit_in_bytes", "memory.max", "pids.max"] {
                if let text = Files.text("\(folder)/\(file)")?.trimmed { limits.insert("\(file)=\(text)") }
            }
        }
        guard !limits.isDisjoint(with: ["memory.limit_in_bytes=67108864", "memory.max=67108864"]), limits.contains("pids.max=50") else {
            throw Trouble("\(name)'s container is not limited: \(limits.sorted())")
        }
        try remove("proof")
    }

    /// Its daemon and a command of its, if there is one, with what these have started; nothing for an engine without a daemon and no command.
    func ownProcesses(with command: Int32 = 0) -> Set<Int32> {
        var found = Set([daemon, command].filter { $0 > 0 })
        if found.isEmpty { return [] }
        let parents = Host.processes(in: network).map { ($0, Host.parent(of: $0)) }
        var isGrowing = true
        while isGrowing {
            let more = parents.filter { found.contains($0.1) && !found.contains($0.0) }.map(\.0)
            found.formUnion(more)
            isGrowing = !more.isEmpty
        }
        return found
    }
}
