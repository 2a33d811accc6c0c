internal import BerthClient
internal import BerthCommandLine
internal import BerthLinux

/// What a daemon is told to make a container of.
struct CreateRequest {
    /// Which of the container's streams the client means to take.
    var attachesInput: Bool
    var attachesOutput: Bool
    var attachesErrors: Bool
    private let flags: ContainerFlags
    private let image: String
    private let command: [String]
    private let names: NetworkNames
    private let hostRequest: HostRequest

    init(_ flags: ContainerFlags, image: String, command: [String]) throws {
        (self.flags, self.image, self.command) = (flags, image, command)
        names = try NetworkNames(flags)
        hostRequest = try HostRequest(flags.host, securityOptions: flags.securityOpt)
        let streams = try flags.attach.map { text throws(Failure) in
            let name = text.lowercased()
            guard ["stdin", "stdout", "stderr"].contains(name) else {
                throw Failure(
                    "invalid argument \"\(text)\" for \"-a, --attach\" flag: valid streams are STDIN, STDOUT and STDERR", status: 125)
            }
            return name
        }
        attachesInput = streams.contains("stdin") || flags.interactive
        attachesOutput = streams.isEmpty || streams.contains("stdout")
        attachesErrors = streams.isEmpty || streams.contains("stderr")
        guard !flags.rm || flags.restart.isEmpty || flags.restart == "no" else {
            throw Failure("Conflicting options: --restart and --rm", status: 125)
        }
        switch flags.pull {
        case "missing", "never", "always": break
        default: throw Failure("invalid pull option: '\(flags.pull)': must be one of \"always\", \"missing\" or \"never\"", status: 125)
        }
    }

    /// The request's body, as a daemon takes it.
    ///
    /// - Parameter environment: what becomes of the environment that the flags ask for.
    func body(
        terminalSize: TerminalSize?, _ daemon: Daemon, environment: ([String]) throws -> [String] = { $0 }
    ) throws -> JSONTree {
        let entrypoint: JSONTree? = flags.entrypoint.map { .texts([$0]) }
        let volumes = try Volumes(flags.volume)
        let networking = try Networking(flags, names, daemon)
        let config: [(String, JSONTree?)] = [
            ("Hostname", .string(flags.hostname ?? "")), ("Domainname", .string(flags.domainname ?? "")),
            ("User", .string(flags.user ?? "")), ("AttachStdin", .bool(attachesInput)), ("AttachStdout", .bool(attachesOutput)),
            ("AttachStderr", .bool(attachesErrors)), ("ExposedPorts", networking.exposedPorts), ("Tty", .bool(flags.tty)),
            ("OpenStdin", .bool(flags.interactive)),
            ("StdinOnce", .bool(flags.interactive && attachesInput)),
            ("Env", .texts(try environment(EnvironmentList.entries(files: flags.envFile, flags: flags.env)))),
            ("Cmd", command.isEmpty ? .null : .texts(command)), ("Image", .string(image)),
            ("Volumes", .object(volumes.anonymous.map { ($0, .object([JSONTree.Member]())) })),
            ("WorkingDir", .string(flags.workdir ?? "")),
            ("Entrypoint", entrypoint ?? .null), ("MacAddress", networking.macAddress),
            ("Labels", try EnvironmentList.labels(files: flags.labelFile, flags: flags.label)),
            ("StopSignal", flags.stopSignal.map(JSONTree.string)), ("StopTimeout", flags.stopTimeout.map(JSONTree.integer)),
            ("Healthcheck", try HealthFlags.request(flags)),
        ]
        let host = try hostConfiguration(binds: volumes.binds, networking.portBindings, terminalSize)
        let network: [(String, JSONTree?)] = [("EndpointsConfig", networking.endpoints)]
        return .object(config + [("HostConfig", host), ("NetworkingConfig", .object(network))])
    }

    /// `--log-opt NAME=VALUE`; the last of a name counts.
    private func logOptions() throws -> [JSONTree.Member] {
        var options: [JSONTree.Member] = []
        for text in flags.logOpt {
            let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            options.removeAll { $0.name == pair[0] }
            options.append(JSONTree.Member(String(pair[0]), .string(pair.count == 2 ? String(pair[1]) : "")))
        }
        if flags.logDriver == "none", !options.isEmpty { throw Failure("invalid logging opts for driver none", status: 125) }
        return options
    }

    private func hostConfiguration(binds: [String], _ portBindings: JSONTree, _ terminalSize: TerminalSize?) throws -> JSONTree {
        func bytes(_ text: String?) -> JSONTree { .integer(text.flatMap(ValueKind.bytes) ?? 0) }
        let log: [(String, JSONTree?)] = [("Type", .string(flags.logDriver ?? "")), ("Config", .object(try logOptions()))]
        let size = terminalSize.map { [JSONTree.integer($0.rows), .integer($0.columns)] } ?? [.integer(0), .integer(0)]
        let members: [(String, JSONTree?)] = [
            ("Binds", binds.isEmpty ? .null : .texts(binds)), ("ContainerIDFile", .string(flags.cidfile ?? "")),
            ("LogConfig", .object(log)), ("NetworkMode", .string(names.networks.mode)), ("PortBindings", portBindings),
            ("RestartPolicy", try RestartFlag.policy(flags.restart)),
            ("AutoRemove", .bool(flags.rm)), ("ConsoleSize", .array(size)),
            ("CapAdd", flags.capAdd.isEmpty ? .null : .texts(flags.capAdd)),
            ("CapDrop", flags.capDrop.isEmpty ? .null : .texts(flags.capDrop)), ("Dns", .texts(names.servers)),
            ("DnsOptions", .texts(flags.dnsOption)), ("DnsSearch", .texts(names.searchDomains)),
            ("ExtraHosts", names.extraHosts.isEmpty ? .null : .texts(names.extraHosts)),
            ("Links", names.networks.links.isEmpty ? .null : .texts(names.networks.links)), ("Privileged", .bool(flags.privileged)),
            ("PublishAllPorts", .bool(flags.publishAll)),
            ("ReadonlyRootfs", .bool(flags.readOnly)), ("SecurityOpt", try securityOptions()), ("ShmSize", bytes(flags.shmSize)),
            ("CpuShares", .integer(flags.cpuShares ?? 0)), ("Memory", bytes(flags.memory)),
            ("NanoCpus", .integer(flags.cpus.flatMap(ValueKind.billionths) ?? 0)), ("CpuPeriod", .integer(flags.cpuPeriod ?? 0)),
            ("CpuQuota", .integer(flags.cpuQuota ?? 0)), ("CpusetCpus", .string(flags.cpusetCpus ?? "")),
            ("CpusetMems", .string(flags.cpusetMems ?? "")), ("MemoryReservation", bytes(flags.memoryReservation)),
            ("MemorySwap", bytes(flags.memorySwap)), ("OomKillDisable", .bool(flags.oomKillDisable)),
            ("PidsLimit", .integer(flags.pidsLimit ?? 0)),
            ("Ulimits", flags.ulimit.isEmpty ? .null : .array(try flags.ulimit.map(Self.limit))),
            ("Mounts", flags.mount.isEmpty ? nil : .array(try flags.mount.map(Self.mount))),
            ("Tmpfs", flags.tmpfs.isEmpty ? nil : MountFlags.temporary(flags.tmpfs)),
            ("VolumesFrom", flags.volumesFrom.isEmpty ? nil : .texts(flags.volumesFrom)),
            ("VolumeDriver", .string(flags.volumeDriver ?? "")),
        ]
        return .object(members + (try hostRequest.members()))
    }

    /// A profile of system calls is read here: the daemon may not see our files.
    private func securityOptions() throws -> JSONTree {
        if hostRequest.securityOptions.isEmpty { return .null }
        return .texts(
            try hostRequest.securityOptions.map { option in
                let parts = option.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "=" || $0 == ":" }
                guard parts.count == 2, parts[0] == "seccomp", parts[1] != "unconfined", parts[1] != "builtin",
                    // The profile itself, as an inspection shows it.
                    !parts[1].hasPrefix("{")
                else { return option }
                let bytes: [UInt8]
                do { bytes = try HostFile.read(String(parts[1]), limit: 4 << 20) } catch {
                    throw Failure("opening seccomp profile (\(parts[1])) failed: \(error)", status: 125)
                }
                guard let profile = try? JSONTree(parsing: bytes) else {  // which byte is wrong does not matter to who wrote none
                    throw Failure("compacting json for seccomp profile (\(parts[1])) failed: it is not JSON", status: 125)
                }
                return "seccomp=\(profile.json())"
            })
    }

    /// `nofile=1024:2048`.
    private static func limit(_ text: String) throws(Failure) -> JSONTree {
        let wrong = Failure("invalid argument \"\(text)\" for \"--ulimit\" flag: invalid ulimit argument: \(text)", status: 125)
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { throw wrong }
        let values = parts[1].split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) }
        guard (1...2).contains(values.count), let soft = values[0], let hard = values[values.count - 1] else { throw wrong }
        guard hard == -1 || (soft != -1 && soft <= hard) else {
            throw Failure(
                "invalid argument \"\(text)\" for \"--ulimit\" flag: ulimit soft limit must be less than or equal to hard limit: \(soft) > \(hard)",
                status: 125)
        }
        let members: [(String, JSONTree?)] = [("Name", .string(String(parts[0]))), ("Hard", .integer(hard)), ("Soft", .integer(soft))]
        return .object(members)
    }

    /// `type=volume,source=data,target=/data,readonly`.
    private static func mount(_ text: String) throws(Failure) -> JSONTree {
        do throws(ValueMistake) {
            // A directory that cannot be told is found out about by the daemon, which is not told it.
            return try MountFlags.mount(text) { (try? Surroundings.absolute($0)) ?? $0 }
        } catch {
            throw Failure("invalid argument \(ValueKind.quoted(text)) for \"--mount\" flag: \(error.description)", status: 125)
        }
    }
}

/// What `-v` says.
private struct Volumes {
    /// `source:target[:options]`.
    var binds: [String] = []
    /// Targets alone.
    var anonymous: [String] = []

    init(_ flags: [String]) throws(Failure) {
        for text in flags {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 1 {
                anonymous.append(text)
            } else if parts[0].hasPrefix(".") {
                binds.append("\(try Surroundings.absolute(String(parts[0]))):\(parts[1])")
            } else {
                binds.append(text)
            }
        }
    }
}

/// Environments and labels, from flags and files.
enum EnvironmentList {
    /// What the files say, then what the flags say. A name alone takes its value from our own environment; where that has none, a flag's
    /// name goes as it is, and a file's is left out.
    static func entries(files: [String], flags: [String]) throws(Failure) -> [String] {
        var result: [String] = []
        for file in files {
            for line in try lines(of: file) {
                let name = line.prefix { $0 != "=" }
                guard !name.contains(where: \.isWhitespace) else {
                    throw Failure("poorly formatted environment: variable '\(name)' contains whitespaces", status: 125)
                }
                guard !name.isEmpty else { throw Failure("poorly formatted environment: no variable name on line '\(line)'", status: 125) }
                if line.contains("=") {
                    result.append(line)
                } else if let value = Surroundings.exactVariable(line) {
                    result.append("\(line)=\(value)")
                }
            }
        }
        for entry in flags {
            guard let first = entry.first, first != "=" else {
                throw Failure("invalid argument \"\(entry)\" for \"-e, --env\" flag: invalid environment variable: \(entry)", status: 125)
            }
            if !entry.contains("="), let value = Surroundings.exactVariable(entry) {
                result.append("\(entry)=\(value)")
            } else {
                result.append(entry)
            }
        }
        return result
    }

    /// Labels: the last of a name counts.
    static func labels(files: [String], flags: [String]) throws(Failure) -> JSONTree {
        var all = flags
        for file in files.reversed() { all = try lines(of: file) + all }
        var values: [String: String] = [:]
        for label in all {
            let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            values[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        return .object(values.sorted { $0.key < $1.key }.map { ($0.key, JSONTree.string($0.value)) })
    }

    private static func lines(of path: String) throws(Failure) -> [String] {
        let bytes: [UInt8]
        do { bytes = try HostFile.read(path, limit: 8 << 20) } catch { throw Failure("open \(path): \(error)", status: 125) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure("env file \(path) contains invalid utf8 bytes", status: 125)
        }
        return text.split(whereSeparator: \.isNewline).map { String($0.drop { $0 == " " || $0 == "\t" }) }
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }
    }
}
