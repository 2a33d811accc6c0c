import BerthLaunch
import BerthLinux
import BerthOCI
import BerthRuntime
import Testing

/// A specification's plan, compiled without privileges: what has to come before what.
@Suite("A specification is compiled to a plan")
struct CompileTests {
    static func specification(_ change: (inout RuntimeSpec) -> Void = { _ in }) -> RuntimeSpec {
        var spec = RuntimeSpec()
        spec.process = RuntimeSpec.Process(args: ["true"], cwd: "/")
        spec.process?.oomScoreAdj = 5
        spec.hostname = "name"
        var linux = RuntimeSpec.Linux()
        linux.namespaces = ["mount", "pid", "uts", "ipc", "network", "cgroup"].map { RuntimeSpec.Namespace(type: $0) }
        linux.sysctl = ["net.ipv4.ping_group_range": "0 1"]
        linux.maskedPaths = ["/proc/keys"]
        linux.readonlyPaths = ["/proc/sys"]
        linux.devices = [RuntimeSpec.Device(path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 0o666)]
        spec.linux = linux
        spec.mounts = [.init(destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid"])]
        change(&spec)
        return spec
    }

    static let cgroups = CgroupLayout(
        version1: [.init(controllers: ["memory"], mountPoint: "/cg/memory"), .init(controllers: ["pids"], mountPoint: "/cg/pids")],
        unified: nil, unifiedControllers: [])

    static func compile(_ spec: RuntimeSpec, hasKernelCore: Bool = false, filter: [UInt8]? = nil) throws -> LaunchPlan {
        try LaunchPlan.compile(
            LaunchInput(
                specification: spec, id: "id", cgroups: cgroups, cgroupPath: "parent/id", cgroupParent: "parent", hasInput: false,
                hasKernelCore: hasKernelCore, hardLimits: [:], filter: filter))
    }

    private func index(of step: String, in plan: LaunchPlan) throws -> Int {
        try #require(plan.steps.firstIndex { "\($0)".hasPrefix(step) }, "\(step) in \(plan.steps)")
    }

    @Test("Mounts with what no file system is told: a place below, a view for reading, and the mounts below")
    func mountWords() throws {
        func steps(_ type: String, _ source: String, _ options: [String]) throws -> [LaunchStep] {
            let plan = try Self.compile(
                Self.specification { $0.mounts = [.init(destination: "/m", type: type, source: source, options: options)] })
            return plan.steps.filter {
                switch $0 {
                case .bind(_, "/m", _, _, _, _, _), .bindBeneath(_, _, "/m", _, _, _, _), .mount(_, _, "/m", _, _), .readOnly("/m"): true
                default: false
                }
            }
        }
        #expect(
            try steps("bind", "/s", ["rbind", "rprivate", "rro"]) == [
                .bind(source: "/s", target: "/m", recursive: true, attributes: 1, propagation: 1 << 18, attributesBelow: true)
            ])
        #expect(
            try steps("bind", "/s", ["rbind", "rshared"]) == [
                .bind(source: "/s", target: "/m", recursive: true, attributes: 0, propagation: 1 << 20, isPeer: true)
            ])
        #expect(
            try steps("bind", "/s", ["bind", "ro", "X-berth.beneath=a/b"]) == [
                .bindBeneath(
                    source: "/s", path: "a/b", target: "/m", recursive: false, attributes: 1, propagation: 0, attributesBelow: false)
            ])
        #expect(
            try steps("nfs", ":/x", ["addr=192.0.2.1", "X-berth.ro", "X-berth.beneath=a"]) == [
                .mount(type: "nfs", source: ":/x", target: "/m", flags: 0, data: "addr=192.0.2.1"),
                .bindBeneath(source: "", path: "a", target: "/m", recursive: false, attributes: 0, propagation: 0, attributesBelow: false),
                .readOnly("/m"),
            ])
    }

    @Test("The kernel's settings and the OOM score are written while /proc is the host's")
    func settingsComeFirst() throws {
        let plan = try Self.compile(Self.specification())
        let root = try index(of: "attachRoot", in: plan)
        #expect(try index(of: #"writeFile(path: "/proc/sys/net/ipv4/ping_group_range""#, in: plan) < root)
        #expect(try index(of: "oomScore", in: plan) < root)
        // Nothing is written by name afterwards.
        #expect(!plan.steps[root...].contains { if case .writeFile = $0 { true } else { false } })
        let execution = try LaunchPlan.compileExecution(
            LaunchInput(
                specification: Self.specification(), id: "id", cgroups: Self.cgroups, cgroupPath: "parent/id", cgroupParent: "parent",
                hasInput: false, hasKernelCore: false, hardLimits: [:], filter: nil))
        #expect(try index(of: "oomScore", in: execution) < index(of: "enterProcess", in: execution))
    }

    @Test("What confines the program is said last while /proc is the host's, and what is made for it has its label")
    func confinement() throws {
        let specification = Self.specification {
            $0.process?.apparmorProfile = "p"
            $0.process?.selinuxLabel = "u:r:t:s0:c1,c2"
            $0.linux?.mountLabel = "u:object_r:f:s0:c1,c2"
            for type in ["proc", "sysfs", "devpts", "mqueue", "cgroup"] {
                $0.mounts?.append(.init(destination: "/dev/\(type)", type: type, source: type, options: []))
            }
        }
        let steps: [LaunchStep] = [
            .confinement(named: "p", file: "/proc/self/attr/apparmor/exec", contents: "exec p"),
            .confinement(named: "u:r:t:s0:c1,c2", file: "/proc/self/attr/keycreate", contents: "u:r:t:s0:c1,c2"),
            .confinement(named: "u:r:t:s0:c1,c2", file: "/proc/self/attr/exec", contents: "u:r:t:s0:c1,c2"),
        ]
        let plan = try Self.compile(specification)
        let pivot = try #require(plan.steps.firstIndex(of: LaunchStep.pivotRoot))
        #expect(Array(plan.steps[(pivot - 3)..<pivot]) == steps)
        var labelled: Set<String> = []
        for case .mount(let type, _, _, let flags, let data) in plan.steps where flags & 32 == 0 {
            if data.contains("context=\"u:object_r:f:s0:c1,c2\"") { labelled.insert(type) }
            #expect(data.contains("context=") == ["tmpfs", "devpts"].contains(type), "\(type): \(data)")
        }
        #expect(labelled == ["tmpfs", "devpts"] && plan.steps.contains(LaunchStep.label(path: "/dev/mqueue", "u:object_r:f:s0:c1,c2")))
        let execution = try LaunchPlan.compileExecution(
            LaunchInput(
                specification: specification, id: "id", cgroups: Self.cgroups, cgroupPath: "parent/id", cgroupParent: "parent",
                hasInput: false, hasKernelCore: false, hardLimits: [:], filter: nil))
        let entry = try index(of: "enterProcess", in: execution)
        #expect(Array(execution.steps[(entry - 3)..<entry]) == steps)
        // Nothing of it where nothing is said.
        #expect(!"\(try Self.compile(Self.specification()).steps)".contains("confinement"))
    }

    @Test(
        "Hooks run when the mounts are there and the root is the host's, and right before the program; their root lies where they find it")
    func hooks() throws {
        var wanted = RuntimeSpec.Hooks()
        func hook(_ path: String) -> [RuntimeSpec.Hook] { [RuntimeSpec.Hook(path: path)] }
        (wanted.createContainer, wanted.createRuntime) = (hook("/inside"), hook("/outside"))
        (wanted.prestart, wanted.startContainer) = (hook("/first"), hook("/last"))
        wanted.createContainer?[0].timeout = 7
        var input = LaunchInput(
            specification: Self.specification {
                $0.hooks = wanted
                $0.annotations = ["a": "b"]
            }, id: "id", cgroups: Self.cgroups, cgroupPath: "parent/id", cgroupParent: "parent", hasInput: false, hasKernelCore: false,
            hardLimits: [:], filter: [6, 0, 0, 0, 0, 0, 255, 127])
        input.bundle = "/run/x"
        let plan = try LaunchPlan.compile(input)
        let found = plan.steps.enumerated().compactMap { index, step -> (index: Int, hook: LaunchHook)? in
            if case .hook(let hook) = step { (index, hook) } else { nil }
        }
        #expect(found.map(\.hook.name) == ["prestart /first", "createRuntime /outside", "createContainer /inside", "startContainer /last"])
        #expect(
            found.map(\.hook.isOutside) == [true, true, false, false]
                && found.map(\.hook.milliseconds) == [120_000, 120_000, 7000, 120_000])
        let root = try index(of: "pivotRoot", in: plan)
        #expect(found.map(\.index) == [root - 3, root - 2, root - 1, plan.steps.count - 2])
        #expect(plan.steps.contains(.attachRootAt("/run/x/rootfs")) && !plan.steps.contains(.attachRoot))
        #expect(
            found[0].hook.stateBeforeProcess + "7" + found[0].hook.stateAfterProcess
                == #"{"pid":7,"annotations":{"a":"b"},"bundle":"/run/x","id":"id","ociVersion":"1.2.0","status":"creating"}"#)
        #expect(found[3].hook.stateAfterProcess.contains(#""status":"created""#))
    }

    @Test("Groups are joined before the namespace is made that shows them as roots")
    func groups() throws {
        let plan = try Self.compile(Self.specification())
        let space = try index(of: "unshare", in: plan)
        for hierarchy in ["memory", "pids"] {
            let joining = LaunchStep.writeFile(path: "/cg/\(hierarchy)/parent/id/tasks", contents: "0")
            #expect(try #require(plan.steps.firstIndex(of: joining)) < space)
        }
    }

    @Test("Without no-new-privileges the filter is loaded while there is the right to; with it, last of all", arguments: [false, true])
    func filter(noNewPrivileges: Bool) throws {
        let plan = try Self.compile(
            Self.specification { $0.process?.noNewPrivileges = noNewPrivileges ? true : nil }, filter: [6, 0, 0, 0, 0, 0, 255, 127])
        let filter = try index(of: "seccomp", in: plan)
        if noNewPrivileges {
            #expect(filter == plan.steps.count - 2 && plan.steps[filter - 1] == .noNewPrivileges)
        } else {
            #expect(try filter < index(of: "user", in: plan) && index(of: "bounding", in: plan) < filter)
        }
    }

    @Test("A /dev of the host's gets neither devices nor links")
    func hostDevices() throws {
        let plan = try Self.compile(
            Self.specification { $0.mounts = [.init(destination: "/dev", type: "bind", source: "/dev", options: ["rbind"])] })
        #expect(!plan.steps.contains { if case .device = $0 { true } else if case .symbolicLink = $0 { true } else { false } })
        let usual = try Self.compile(Self.specification())
        #expect(usual.steps.contains { if case .device(let path, _, _, _, _, _) = $0 { path == "/dev/null" } else { false } })
    }

    @Test("/dev/core is there where /proc/kcore is", arguments: [false, true])
    func kernelCore(hasKernelCore: Bool) throws {
        let plan = try Self.compile(Self.specification(), hasKernelCore: hasKernelCore)
        #expect(plan.steps.contains(.symbolicLink(target: "/proc/kcore", path: "/dev/core")) == hasKernelCore)
    }

    @Test("Another's processes are joined by whoever clones, and its other namespaces by the child")
    func joining() throws {
        let plan = try Self.compile(
            Self.specification { spec in
                spec.linux?.namespaces = ["mount", "network"].map { RuntimeSpec.Namespace(type: $0) }
                spec.linux?.namespaces?.append(RuntimeSpec.Namespace(type: "pid", path: "/p"))
                spec.linux?.namespaces?.append(RuntimeSpec.Namespace(type: "ipc", path: "/i"))
                spec.mounts?.append(
                    .init(destination: "/dev/shm", type: "bind", source: "/dev/shm", options: ["bind", "x-berth.namespace=/m", "nosuid"]))
            })
        #expect(plan.preparation.last == .enterNamespace(path: "/p", .pid))
        #expect(!plan.namespaces.contains(.pid) && !plan.namespaces.contains(.uts) && plan.namespaces.contains(.mount))
        #expect(try index(of: "enterNamespace(path: \"/i\"", in: plan) < index(of: "attachRoot", in: plan))
        #expect(plan.steps.contains(.bindFrom(namespace: "/m", source: "/dev/shm", target: "/dev/shm", attributes: 2)))
        // Without a namespace of control groups there is none to be made.
        #expect(!plan.steps.contains { if case .unshare = $0 { true } else { false } })
    }

    @Test("With an init the command is its child: the program is made while it can be, and takes over last of all")
    func initProcess() throws {
        var input = LaunchInput(
            specification: Self.specification(), id: "id", cgroups: Self.cgroups, cgroupPath: "parent/id", cgroupParent: "parent",
            hasInput: false, hasKernelCore: false, hardLimits: [:], filter: [6, 0, 0, 0, 0, 0, 255, 127])
        #expect(!(try LaunchPlan.compile(input).steps.contains(.initFile)))
        input.hasInit = true
        let plan = try LaunchPlan.compile(input)
        #expect(try index(of: "standardStreams", in: plan) + 1 == index(of: "initFile", in: plan))
        #expect(try index(of: "initFile", in: plan) < index(of: "seccomp", in: plan))
        #expect(plan.steps.dropLast().last == .becomeInit(arguments: ["/sbin/docker-init", "--", "true"], environment: []))
    }

    @Test("Block devices: one line for each, in v1's files and in v2's")
    func blockDevices() throws {
        let spec = Self.specification { spec in
            var resources = RuntimeSpec.Resources()
            var block = RuntimeSpec.BlockIO()
            block.weight = 500
            block.weightDevice = [RuntimeSpec.WeightDevice(major: 8, minor: 0, weight: 10)]
            block.throttleReadBpsDevice = [RuntimeSpec.ThrottleDevice(major: 8, minor: 0, rate: 1024)]
            block.throttleWriteIOPSDevice = [RuntimeSpec.ThrottleDevice(major: 8, minor: 16, rate: 7)]
            resources.blockIO = block
            spec.linux?.resources = resources
        }
        func written(_ cgroups: CgroupLayout, _ change: (inout CgroupAbilities) -> Void = { _ in }) throws -> [LaunchStep] {
            var input = LaunchInput(
                specification: spec, id: "id", cgroups: cgroups, cgroupPath: "p/id", cgroupParent: "p", hasInput: false,
                hasKernelCore: false, hardLimits: [:], filter: nil)
            change(&input.abilities)
            return try LaunchPlan.compile(input).preparation.filter { if case .writeFile = $0 { true } else { false } }
        }
        let old = CgroupLayout(version1: [.init(controllers: ["blkio"], mountPoint: "/b")], unified: nil, unifiedControllers: [])
        #expect(
            try written(old) == [
                .writeFile(path: "/b/p/id/blkio.weight", contents: "500"),
                .writeFile(path: "/b/p/id/blkio.weight_device", contents: "8:0 10"),
                .writeFile(path: "/b/p/id/blkio.throttle.read_bps_device", contents: "8:0 1024"),
                .writeFile(path: "/b/p/id/blkio.throttle.write_iops_device", contents: "8:16 7"),
            ])
        let new = CgroupLayout(version1: [], unified: "/u", unifiedControllers: ["io"])
        let limits: [LaunchStep] = [
            .writeFile(path: "/u/p/id/io.max", contents: "8:0 rbps=1024"), .writeFile(path: "/u/p/id/io.max", contents: "8:16 wiops=7"),
        ]
        #expect(
            try written(new) { ($0.blockWeightFile, $0.blockWeightDeviceFile) = ("io.weight", "io.weight") } == [
                .writeFile(path: "/u/p/id/io.weight", contents: "default 4950"), .writeFile(path: "/u/p/id/io.weight", contents: "8:0 1"),
            ] + limits)
        #expect(
            try written(new) { ($0.blockWeightFile, $0.blockWeightDeviceFile) = ("io.bfq.weight", "io.bfq.weight") } == [
                .writeFile(path: "/u/p/id/io.bfq.weight", contents: "default 500"),
                .writeFile(path: "/u/p/id/io.bfq.weight", contents: "8:0 10"),
            ] + limits)
        #expect(try written(new) { ($0.blockWeightFile, $0.blockWeightDeviceFile) = (nil, nil) } == limits)
    }

    @Test("What cannot be is named")
    func errors() {
        for (change, reason) in [
            ({ $0.process = nil }, "no command"), ({ $0.process?.cwd = "relative" }, "absolute path"),
            ({ $0.process?.args = ["a\0b"] }, "NUL"), ({ $0.linux?.namespaces = [] }, "mount namespace"),
            ({ $0.linux?.rootfsPropagation = "odd" }, "'odd'"),
            ({ $0.mounts = [.init(destination: "relative", type: "tmpfs", source: nil, options: nil)] }, "must be absolute"),
            ({ $0.mounts = [.init(destination: "/a", type: "bind", source: "relative", options: nil)] }, "absolute source"),
            ({ $0.linux?.devices = [RuntimeSpec.Device(path: "/dev/x", type: "z", major: 1, minor: 3, fileMode: nil)] }, "'z'"),
            ({ $0.process?.rlimits = [RuntimeSpec.ResourceLimit(type: "RLIMIT_X", soft: 1, hard: 1)] }, "RLIMIT_X"),
            ({ $0.process?.rlimits = [RuntimeSpec.ResourceLimit(type: "RLIMIT_CORE", soft: 2, hard: 1)] }, "soft limit"),
        ] as [((inout RuntimeSpec) -> Void, String)] {
            #expect { _ = try Self.compile(Self.specification(change)) } throws: { "\($0)".contains(reason) }
        }
    }
}
