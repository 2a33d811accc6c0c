import BerthOCI
import Foundation
import Testing

private let a = "sha256:" + String(repeating: "a", count: 64)

private func encode(_ value: some Encodable) throws -> [UInt8] { Array(try JSONEncoder().encode(value)) }

@Suite("What is written for others is what the OCI's schemas allow")
struct OCISchemaTests {
    private let layer: Descriptor
    private let configuration: Descriptor

    init() throws {
        layer = Descriptor(mediaType: .layerGzip, digest: try Digest(parsing: a), byteCount: 1, annotations: ["k": "v"])
        configuration = Descriptor(mediaType: .configuration, digest: try Digest(parsing: a), byteCount: 2)
    }

    @Test("A manifest")
    func manifest() throws {
        let manifest = Manifest(configuration: configuration, layers: [layer, layer], annotations: ["a": "b"])
        try expectAllowed(encode(manifest), by: .image("image-manifest-schema.json"))
    }

    @Test("An index")
    func index() throws {
        var named = Descriptor(mediaType: .manifest, digest: try Digest(parsing: a), byteCount: 3, platform: .host)
        named.platform?.osFeatures = ["x"]
        let index = Index(
            manifests: [named, Descriptor(mediaType: .manifest, digest: named.digest, byteCount: 0)], annotations: ["a": "b"])
        try expectAllowed(encode(index), by: .image("image-index-schema.json"))
    }

    @Test("A configuration with nothing, and one with everything")
    func configurations() throws {
        let bare = ImageConfiguration(platform: .host, created: nil, execution: .init(), diffIDs: [try Digest(parsing: a)], history: [])
        try expectAllowed(encode(bare), by: .image("config-schema.json"))

        var execution = ImageConfiguration.Execution()
        (execution.user, execution.workingDirectory, execution.stopSignal) = ("u", "/w", "SIGTERM")
        (execution.exposedPorts, execution.volumes, execution.environment) = (["80/tcp"], ["/data"], ["A=1"])
        (execution.entrypoint, execution.command, execution.shell, execution.onBuild) = (["/e"], ["c"], ["/bin/sh"], ["RUN x"])
        execution.labels = ["l": "1"]
        var full = ImageConfiguration(
            platform: Platform(os: "linux", architecture: "arm64", variant: "v8"), created: .now, execution: execution,
            diffIDs: [try Digest(parsing: a)],
            history: [
                .init(created: .now, createdBy: "x", author: "y", comment: "z", emptyLayer: true), .init(created: nil, createdBy: nil),
            ])
        full.author = "me"
        try expectAllowed(encode(full), by: .image("config-schema.json"))
    }

    @Test("A runtime specification with everything that there is")
    func specification() throws {
        var specification = RuntimeSpec()
        specification.root = .init(path: "rootfs", readonly: true)
        (specification.hostname, specification.domainname, specification.annotations) = ("h", "d", ["a": "b"])
        var process = RuntimeSpec.Process(args: ["a"])
        (process.terminal, process.consoleSize, process.env) = (true, .init(height: 24, width: 80), ["A=1"])
        process.user = .init(uid: 1, gid: 2, additionalGids: [3])
        process.user.umask = 0o22
        process.capabilities = .init()
        process.capabilities?.bounding = ["CAP_KILL"]
        process.capabilities?.ambient = []
        process.rlimits = [.init(type: "RLIMIT_NOFILE", soft: 1, hard: .max)]
        (process.noNewPrivileges, process.oomScoreAdj) = (true, -5)
        specification.process = process
        specification.mounts = [.init(destination: "/proc", type: "proc", source: "proc", options: ["nosuid"])]
        var linux = RuntimeSpec.Linux()
        linux.namespaces = [.init(type: "pid"), .init(type: "network", path: "/proc/1/ns/net")]
        linux.devices = [.init(path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 0o666)]
        (linux.cgroupsPath, linux.rootfsPropagation, linux.sysctl) = ("/b/c", "slave", ["net.ipv4.ip_unprivileged_port_start": "0"])
        (linux.maskedPaths, linux.readonlyPaths) = (["/proc/kcore"], ["/proc/sys"])
        var resources = RuntimeSpec.Resources()
        resources.devices = [
            .init(allow: false, type: "a", access: "rwm"), .init(allow: true, type: "c", major: 1, minor: -1, access: "m"),
        ]
        var (memory, cpu) = (RuntimeSpec.Memory(), RuntimeSpec.CPU())
        (memory.limit, memory.reservation, memory.swap, memory.swappiness, memory.disableOOMKiller) = (1, 2, -1, 0, false)
        (cpu.shares, cpu.quota, cpu.period, cpu.cpus, cpu.mems) = (2, 1000, 100_000, "0", "0")
        (resources.memory, resources.cpu) = (memory, cpu)
        resources.pids = .init(limit: 10)
        linux.resources = resources
        var seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 1)
        (seccomp.architectures, seccomp.flags) = (["SCMP_ARCH_X86_64"], ["SECCOMP_FILTER_FLAG_LOG"])
        seccomp.syscalls = [
            .init(
                names: ["clone"], action: "SCMP_ACT_ALLOW", errnoRet: 1,
                args: [.init(index: 0, value: 1, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ")])
        ]
        linux.seccomp = seccomp
        specification.linux = linux
        try expectAllowed(encode(specification), by: .runtime)
    }

    @Test("The check can fail: what the schemas do not allow is found")
    func checkFails() throws {
        #expect(try !problems(of: Array(#"{"schemaVersion":2,"layers":[]}"#.utf8), by: .image("image-manifest-schema.json")).isEmpty)
        #expect(try !problems(of: Array(#"{"ociVersion":"1.2.0","linux":{"namespaces":[{"type":"moon"}]}}"#.utf8), by: .runtime).isEmpty)
        #expect(try !problems(of: Array(#"{"Status":"asleep"}"#.utf8), by: .engine("ContainerState")).isEmpty)
        #expect(try !problems(of: Array(#"{"Statis":"running"}"#.utf8), by: .engine("ContainerState")).isEmpty)
        try expectAllowed(Array(#"{"Statis":"running"}"#.utf8), by: .engine("ContainerState", beside: ["Statis"]))
        #expect(try !problems(of: Array(#"{"HostConfig":{"Memry":1}}"#.utf8), by: .engine("ContainerInspectResponse")).isEmpty)
    }
}
