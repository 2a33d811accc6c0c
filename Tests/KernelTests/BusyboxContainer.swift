import BerthLaunch
import BerthLinux
import Foundation

/// A root file system of busybox alone, and the plan of a container of Docker's kind in it, which tests change.
final class BusyboxContainer {
    let folder: String
    let name: String
    /// The v1 hierarchies' mount points, and the unified one's.
    let hierarchies: [String]
    let unified: String?

    var upper: String { folder + "/upper" }
    var lower: String { folder + "/lower" }

    // What tests change before they run something.
    var arguments: [String] = ["/bin/true"]
    var environment = ["PATH=/usr/local/bin:/bin", "HOME=/root"]
    var searchPath = "/usr/local/bin:/bin"
    var workingDirectory = "/"
    var userID: UInt32 = 0
    var groupID: UInt32 = 0
    var groups: [UInt32] = []
    var capabilities = CapabilitySet(rawValue: 0xa804_25fb)  // Docker's default
    var streams = LaunchPlan.StandardStreams.pipesWithoutInput
    var namespaces: NamespaceKinds = [.mount, .uts, .ipc, .pid, .network]
    var preparation: [LaunchStep] = []
    /// After the mounts, before the root is changed.
    var beforePivot: [LaunchStep] = []
    /// After the root was changed.
    var afterPivot: [LaunchStep] = []
    /// Loaded before capabilities go, or after with no-new-privileges.
    var filter: [UInt8]?
    var noNewPrivileges = false
    var hostname = "berth-test"

    init() throws {
        name = "berth-test-\(UUID().uuidString.prefix(8))"
        folder = NSTemporaryDirectory() + "/" + name
        let files = FileManager.default
        for part in ["lower/bin", "lower/etc", "lower/tmp", "lower/root", "upper", "work"] {
            try files.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
        }
        try files.copyItem(atPath: "/bin/busybox", toPath: folder + "/lower/bin/busybox")
        for tool in [
            "sh", "cat", "true", "ls", "id", "readlink", "tty", "stty", "mkdir", "touch", "pwd", "sleep", "hostname", "ip", "stat",
            "mkfifo", "rm", "mount",
        ] {
            try files.createSymbolicLink(atPath: "\(folder)/lower/bin/\(tool)", withDestinationPath: "busybox")
        }
        var hierarchies: [String] = []
        var unified: String?
        for line in try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8).split(separator: "\n") {
            let fields = line.split(separator: " ").map(String.init)
            guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 1 else { continue }
            if fields[dash + 1] == "cgroup" { hierarchies.append(fields[4]) }
            if fields[dash + 1] == "cgroup2" { unified = fields[4] }
        }
        (self.hierarchies, self.unified) = (hierarchies, unified)
    }

    deinit {
        for hierarchy in hierarchies + (unified.map { [$0] } ?? []) { unsafe rmdir("\(hierarchy)/\(name)") }
        try? FileManager.default.removeItem(atPath: folder)  // what is left of a test lies in the temporary directory
    }

    /// A file of the image.
    func put(_ path: String, _ text: String, permissions: Int = 0o644) throws {
        let whole = lower + path
        try FileManager.default.createDirectory(atPath: (whole as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: whole, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: whole)
    }

    func link(_ path: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: lower + path, withDestinationPath: target)
    }

    var plan: LaunchPlan {
        let directories = hierarchies.map { "\($0)/\(name)" }
        var prepared = (directories + (unified.map { ["\($0)/\(name)"] } ?? [])).map { LaunchStep.hostDirectory($0) }
        if let cpuset = hierarchies.first(where: { $0.hasSuffix("cpuset") }) {
            for file in ["cpuset.cpus", "cpuset.mems"] {
                prepared.append(.copyWhereEmpty(from: "\(cpuset)/\(file)", to: "\(cpuset)/\(name)/\(file)"))
            }
        }
        var steps = directories.map { LaunchStep.writeFile(path: "\($0)/tasks", contents: "0") }
        steps += [.unshare(.cgroup)]
        if namespaces.contains(.network) { steps.append(.loopbackUp) }
        steps += [
            .propagation(flags: 16384 | 1 << 18), .attachRoot,
            .mount(type: "proc", source: "proc", target: "/proc", flags: 14, data: ""),
            .mount(type: "tmpfs", source: "tmpfs", target: "/dev", flags: 2 | 1 << 24, data: "mode=755,size=65536k"),
            .mount(type: "devpts", source: "devpts", target: "/dev/pts", flags: 10, data: "newinstance,ptmxmode=0666,mode=0620,gid=5"),
            .mount(type: "sysfs", source: "sysfs", target: "/sys", flags: 15, data: ""),
            .mount(type: "mqueue", source: "mqueue", target: "/dev/mqueue", flags: 14, data: ""),
            .mount(type: "tmpfs", source: "shm", target: "/dev/shm", flags: 14, data: "mode=1777,size=67108864"),
        ]
        for (path, major, minor) in [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)]
            as [(String, UInt32, UInt32)]
        {
            steps.append(.device(path: "/dev/\(path)", mode: 0o020666, major: major, minor: minor, userID: 0, groupID: 0))
        }
        steps += [.symbolicLink(target: "/proc/self/fd", path: "/dev/fd"), .symbolicLink(target: "pts/ptmx", path: "/dev/ptmx")]
        steps += beforePivot
        if streams == .terminal { steps.append(.makeTerminal(rows: 30, columns: 100, bindsConsole: true)) }
        steps += [.pivotRoot, .hostname(hostname)] + afterPivot + become
        return LaunchPlan(
            preparation: prepared + preparation, namespaces: namespaces, cgroup: unified.map { "\($0)/\(name)" }, steps: steps,
            streams: streams)
    }

    /// A further process in the container.
    var executionPlan: LaunchPlan {
        var steps = hierarchies.map { LaunchStep.writeFile(path: "\($0)/\(name)/tasks", contents: "0") }
        steps.append(.enterProcess([.mount, .uts, .ipc, .network, .cgroup]))
        if streams == .terminal { steps.append(.makeTerminal(rows: 30, columns: 100, bindsConsole: false)) }
        return LaunchPlan(
            namespaces: [], cgroup: unified.map { "\($0)/\(name)" }, steps: steps + become, streams: streams, entersProcesses: true)
    }

    private var become: [LaunchStep] {
        var steps: [LaunchStep] = [
            .keyring("_ses.\(name)"), .resourceLimit(resource: 7, soft: 512, hard: 1024), .standardStreams(ownerUserID: userID),
            .bounding(capabilities),
        ]
        if let filter, !noNewPrivileges { steps.append(.seccomp(program: filter, flags: 0)) }
        steps += [
            .groups(groups), .user(userID: userID, groupID: groupID),
            .capabilities(effective: capabilities, permitted: capabilities, inheritable: CapabilitySet(), ambient: CapabilitySet()),
            .workingDirectory(workingDirectory), .umask(0o022),
        ]
        if noNewPrivileges { steps.append(.noNewPrivileges) }
        if let filter, noNewPrivileges { steps.append(.seccomp(program: filter, flags: 0)) }
        return steps + [.execute(arguments: arguments, environment: environment, searchPath: searchPath)]
    }

    func start() throws -> LaunchedProcess {
        let root = try DetachedMount.overlay(base: folder, lowers: ["lower"], upper: "upper", work: "work")
        return try PlanPerformer.perform(try EncodedPlan(checking: plan.encoded()), root: try root.descriptor.duplicate(), target: nil)
    }

    func execute(in container: borrowing ProcessHandle) throws -> LaunchedProcess {
        try PlanPerformer.perform(
            try EncodedPlan(checking: executionPlan.encoded()), root: nil, target: try container.descriptor.duplicate())
    }

    /// Runs to the end: what it wrote and its exit code, 128 and more for signals.
    func run(_ arguments: String...) throws -> (output: String, errors: String, code: Int32) {
        if !arguments.isEmpty { self.arguments = arguments }
        return try finish(try start())
    }
}

func finish(_ launched: consuming LaunchedProcess) throws -> (output: String, errors: String, code: Int32) {
    // The outputs of these tests are smaller than a pipe: one after the other cannot wait for ever.
    let output = launched.output == nil ? [] : try launched.output!.readToEnd(limit: 1 << 20)
    let errors = launched.errors == nil ? [] : try launched.errors!.readToEnd(limit: 1 << 20)
    return (String(decoding: output, as: UTF8.self), String(decoding: errors, as: UTF8.self), waitFor(launched.takeProcess()))
}

func waitFor(_ process: consuming ProcessHandle) -> Int32 {
    var status: Int32 = 0
    while unsafe waitpid(process.id, &status, 0) < 0 && errno == EINTR {}
    return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
}
