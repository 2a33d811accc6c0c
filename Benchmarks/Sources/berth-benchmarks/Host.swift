internal import Glibc

/// What can be seen of the engines from outside: their processes, and what they have not yet cleaned up.
enum Host {
    /// The processes of an engine's network, which nobody but the engine has: containers have their own.
    static func processes(in network: Network) -> [Int32] {
        Files.names(in: "/proc").compactMap { Int32($0) }.filter { Files.link("/proc/\($0)/ns/net") == network.link && !isZombie($0) }
    }

    private static func isZombie(_ process: Int32) -> Bool {
        Files.text("/proc/\(process)/stat")?.split(separator: ")").last?.hasPrefix(" Z") ?? true
    }

    /// Who started a process; 0 for nobody that is there.
    static func parent(of process: Int32) -> Int32 {
        let fields = Files.text("/proc/\(process)/stat")?.split(separator: ")").last?.split(separator: " ") ?? []
        return fields.count > 1 ? Int32(fields[1]) ?? 0 : 0
    }

    /// The first word of a process's command line, without its folder.
    static func name(of process: Int32) -> String {
        let first = (Files.text("/proc/\(process)/cmdline") ?? "").split(separator: "\0").first ?? ""
        return String(first.split(separator: "/").last ?? "").split(separator: " ").first.map(String.init) ?? ""
    }

    /// A process's proportional share of memory in bytes; 0 once it has ended.
    static func memory(of process: Int32) -> Double {
        for line in (Files.text("/proc/\(process)/smaps_rollup") ?? "").split(separator: "\n") where line.hasPrefix("Pss:") {
            return (Double(line.split(separator: " ").dropFirst().first ?? "") ?? 0) * 1024
        }
        return 0
    }

    /// Processor time of a process and of its children that have ended; 0 once it has ended itself.
    static func processorSeconds(of process: Int32) -> Double {
        let fields = Files.text("/proc/\(process)/stat")?.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 14 else { return 0 }
        return fields[11...14].reduce(0) { $0 + (Double($1) ?? 0) } / Double(sysconf(CInt(_SC_CLK_TCK)))
    }

    /// What an engine may still be clearing away: processes, mounts, cgroups.
    struct Pending: Equatable {
        var processes: Int
        var mounts: Int
        var cgroups: Int

        static func now(_ network: Network) -> Pending {
            Pending(
                processes: Host.processes(in: network).count, mounts: (Files.text("/proc/self/mountinfo") ?? "").count { $0 == "\n" },
                cgroups: Files.directoryCount(below: "/sys/fs/cgroup"))
        }

        func isAtMost(_ other: Pending) -> Bool {
            processes <= other.processes && mounts <= other.mounts && cgroups <= other.cgroups
        }
    }

    /// Waits until no more is pending than before.
    ///
    /// - Returns: what is left after three seconds, in words; `nil` for nothing.
    static func settle(_ network: Network, to before: Pending) -> String? {
        let limit = Clock.seconds() + 3
        while true {
            let now = Pending.now(network)
            if now.isAtMost(before) { return nil }
            guard Clock.seconds() < limit else {
                return [
                    (now.processes - before.processes, "processes"), (now.mounts - before.mounts, "mounts"),
                    (now.cgroups - before.cgroups, "cgroups"),
                ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
            }
            usleep(1000)
        }
    }

    /// Asks for `/_ping` on a Unix socket until it is answered.
    static func awaitPing(_ socketPath: String, limit: Double, isAlive: () -> Bool) throws(Trouble) {
        let end = Clock.seconds() + limit
        while !pings(socketPath) {
            guard isAlive() else { throw Trouble("the daemon ended before it answered at \(socketPath)") }
            guard Clock.seconds() < end else { throw Trouble("no answer at \(socketPath) within \(limit) s") }
            usleep(200)
        }
    }

    /// Waits until somebody listens at a port of the loopback of a network.
    static func awaitPort(_ port: UInt16, in network: Network, limit: Double) throws(Trouble) {
        let end = Clock.seconds() + limit
        while try !network.inside({ () throws(Trouble) in listens(port) }) {
            guard Clock.seconds() < end else { throw Trouble("nobody listens at port \(port) within \(limit) s") }
            usleep(2000)
        }
    }

    /// Waits until nothing has been in flight on any disk for a third of a second, at most so many seconds.
    static func awaitQuietDisks(limit: Double) {
        let end = Clock.seconds() + limit
        var quietCount = 0
        while quietCount < 30, Clock.seconds() < end {
            // Documentation/admin-guide/iostats: the ninth figure behind a name is how many are in progress.
            let isQuiet = (Files.text("/proc/diskstats") ?? "").split(separator: "\n").allSatisfy { line in
                let fields = line.split(separator: " ")
                return fields.count < 12 || fields[11] == "0"
            }
            quietCount = isQuiet ? quietCount + 1 : 0
            usleep(10_000)
        }
    }

    private static func listens(_ port: UInt16) -> Bool {
        let raw = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(raw) }
        var name = sockaddr_in()
        (name.sin_family, name.sin_port) = (sa_family_t(AF_INET), port.bigEndian)
        name.sin_addr.s_addr = unsafe inet_addr("127.0.0.1")
        return unsafe withUnsafePointer(to: &name) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe connect(raw, $0, 16) }
        } == 0
    }

    private static func pings(_ path: String) -> Bool {
        // Until it is there, everything that fails is that it is not there yet.
        (try? UnixConnection(to: path).get("/_ping")) != nil
    }

    /// What the figures were taken on.
    static func machine() -> Machine {
        var names = utsname()
        unsafe uname(&names)
        let kernel = unsafe withUnsafePointer(to: &names.release) {
            unsafe $0.withMemoryRebound(to: CChar.self, capacity: 65) { unsafe String(cString: $0) }
        }
        let processor =
            (Files.text("/proc/cpuinfo") ?? "").split(separator: "\n").first { $0.hasPrefix("model name") }
            .map { $0.split(separator: ":").last.map { String($0).trimmed } ?? "" } ?? "unknown"
        let unified = Files.exists("/sys/fs/cgroup/cgroup.controllers")
        return Machine(
            processor: processor, cores: Int(sysconf(CInt(_SC_NPROCESSORS_ONLN))), kernel: kernel, cgroups: unified ? "v2" : "v1")
    }
}

/// What the figures were taken on.
struct Machine: Codable {
    var processor: String
    var cores: Int
    var kernel: String
    var cgroups: String
}
