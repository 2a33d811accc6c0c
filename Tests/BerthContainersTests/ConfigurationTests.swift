import BerthNetlink
import BerthOCI
import Foundation
import Testing

@testable import BerthContainers

private func configuration(_ change: (inout ContainerConfiguration) -> Void = { _ in }) -> ContainerConfiguration {
    var configuration = ContainerConfiguration(image: "x")
    change(&configuration)
    return configuration
}
private func image(_ change: (inout ImageConfiguration.Execution) -> Void = { _ in }) -> ImageConfiguration.Execution {
    var image = ImageConfiguration.Execution()
    change(&image)
    return image
}

@Suite("What the maker says is laid over what the image says, by Docker's rules")
struct MergingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var entrypoint: [String]?
        var command: [String]?
        var expected: [String]
        var testDescription: String { "entry point \(entrypoint.map { "\($0)" } ?? "-"), command \(command.map { "\($0)" } ?? "-")" }
    }

    @Test(
        "Entry point and command, of an image that has both",
        arguments: [
            Case(entrypoint: nil, command: nil, expected: ["E", "e", "C", "c"]),
            Case(entrypoint: nil, command: ["x"], expected: ["E", "e", "x"]),
            Case(entrypoint: nil, command: [], expected: ["E", "e", "C", "c"]), Case(entrypoint: ["y"], command: nil, expected: ["y"]),
            Case(entrypoint: ["y"], command: ["x"], expected: ["y", "x"]), Case(entrypoint: [""], command: nil, expected: []),
            Case(entrypoint: [""], command: ["x"], expected: ["x"]), Case(entrypoint: [], command: nil, expected: ["C", "c"]),
            Case(entrypoint: [], command: ["x"], expected: ["x"]), Case(entrypoint: ["y"], command: [], expected: ["y"]),
        ])
    func arguments(one: Case) {
        let configuration = configuration { ($0.entrypoint, $0.command) = (one.entrypoint, one.command) }
        #expect(configuration.arguments(image: image { ($0.entrypoint, $0.command) = (["E", "e"], ["C", "c"]) }) == one.expected)
    }

    @Test("An image that has one of them, or none")
    func sparseImages() {
        #expect(configuration().arguments(image: image()) == [])
        #expect(configuration().arguments(image: image { $0.command = ["C"] }) == ["C"])
        #expect(configuration().arguments(image: image { $0.entrypoint = ["E"] }) == ["E"])
        #expect(configuration { $0.command = ["x"] }.arguments(image: image { $0.entrypoint = ["E"] }) == ["E", "x"])
    }

    @Test("The environment: the maker's, then what the image has beside it; of two of one name in an image the first")
    func environment() {
        let merged = configuration { $0.environment = ["B=2", "C", "D="] }.mergedEnvironment(
            image: image { $0.environment = ["A=1", "B=1", "C=1", "D=1", "A=2", "E=a=b"] })
        #expect(merged == ["B=2", "C", "D=", "A=1", "E=a=b"])
    }

    @Test("A name without a value removes a variable, wherever it comes from; one of the same name stands where the first stood")
    func overlay() {
        #expect(Environment.overlay(["B=2", "A", "C=3", "N"], on: ["A=1", "B=1"]) == ["B=2", "C=3"])
        #expect(Environment.overlay(["X==", "X=y"], on: []) == ["X=y"])
        #expect(SpecificationInput.withHome(["A=1"], "/root") == ["A=1", "HOME=/root"])
        #expect(SpecificationInput.withHome(["HOME=", "A=1"], "/root") == ["HOME=", "A=1"])
    }

    @Test("The working directory: nothing and the empty text say what the image says")
    func directory() {
        #expect(configuration().directory(image: image()) == "/")
        #expect(configuration().directory(image: image { $0.workingDirectory = "" }) == "/")
        #expect(configuration().directory(image: image { $0.workingDirectory = "/i" }) == "/i")
        #expect(configuration { $0.workingDirectory = "" }.directory(image: image { $0.workingDirectory = "/i" }) == "/i")
        #expect(configuration { $0.workingDirectory = "/m" }.directory(image: image { $0.workingDirectory = "/i" }) == "/m")
    }

    @Test("Labels: the maker's win")
    func labels() {
        let merged = configuration { $0.labels = ["a": "2", "b": "2"] }.mergedLabels(image: image { $0.labels = ["a": "1", "c": "1"] })
        #expect(merged == ["a": "2", "b": "2", "c": "1"])
    }

    @Test("Capabilities: names in any case, with or without CAP_; ALL; what is dropped, and what is not known")
    func capabilities() throws {
        let standard = CapabilityNames.standard
        #expect(Set(try configuration().capabilities().names) == Set(standard))
        let more = try configuration {
            ($0.addedCapabilities, $0.droppedCapabilities) = (["net_admin", "CAP_CHOWN"], ["cap_kill", "Mknod"])
        }.capabilities().names
        #expect(Set(more) == Set(standard).union(["CAP_NET_ADMIN"]).subtracting(["CAP_KILL", "CAP_MKNOD"]))
        #expect(more.count == Set(more).count)
        #expect(
            try configuration { ($0.addedCapabilities, $0.droppedCapabilities) = (["KILL"], ["ALL"]) }.capabilities().names == ["CAP_KILL"])
        let allBut = try configuration { ($0.addedCapabilities, $0.droppedCapabilities) = (["all"], ["CHOWN"]) }.capabilities().names
        #expect(!allBut.contains("CAP_CHOWN"))
        #expect { _ = try configuration { $0.addedCapabilities = ["FLY"] }.capabilities() } throws: { "\($0)".contains("\"CAP_FLY\"") }
        #expect { _ = try configuration { $0.droppedCapabilities = ["FLY"] }.capabilities() } throws: { "\($0)".contains("CapDrop") }
    }
}

@Suite("Networks, as text")
struct NetworkModeTests {
    @Test(
        "Docker's words",
        arguments: [
            ("", .default), ("default", .default), ("none", .none), ("host", .host), ("container:web", .container("web")),
            ("container:", .container("")), ("bridge", .named("bridge")),
            ("Host", .named("Host")), ("mine", .named("mine")),
        ] as [(String, NetworkMode)])
    func words(text: String, mode: NetworkMode) throws {
        #expect(NetworkMode(parsing: text) == mode)
        #expect(NetworkMode(parsing: mode.description) == mode)
        #expect(try JSONDecoder().decode([NetworkMode].self, from: JSONEncoder().encode([mode])) == [mode])
    }
}

@Suite("Configurations as documents")
struct ConfigurationDocumentTests {
    @Test("What is absent has its default: a document of an older engine can be read")
    func defaults() throws {
        #expect(try JSONDecoder().decode(ContainerConfiguration.self, from: Data(#"{"image":"x"}"#.utf8)) == configuration())
        #expect(try JSONDecoder().decode(ContainerConfiguration.self, from: Data(#"{"image":"x","resources":{}}"#.utf8)) == configuration())
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(ContainerConfiguration.self, from: Data("{}".utf8)) }
    }

    @Test("Everything that can be said is read back")
    func roundTrip() throws {
        let full = configuration { one in
            (one.name, one.command, one.entrypoint, one.environment) = ("n", ["c"], [], ["A=1"])
            (one.workingDirectory, one.user, one.hostname, one.domainName) = ("/w", "u", "h", "d")
            (one.labels, one.terminal, one.openStandardInput, one.standardInputOnce) = (["a": "b"], true, true, true)
            (one.attachesStandardInput, one.attachesStandardOutput, one.attachesStandardError) = (true, true, true)
            (one.stopSignal, one.stopTimeoutSeconds) = ("INT", -1)
            one.bindMounts = BindMount.Propagation.allCases.map {
                BindMount(source: "/a", target: "/\($0)", readOnly: true, propagation: $0, createsSource: false)
            }
            one.mounts = [.bind, .volume, .tmpfs, .image].map { Mount($0, source: "s", target: "/t") }
            (one.mounts[1].subpath, one.mounts[1].copiesUp, one.mounts[1].volumeOptions) = ("p", false, ["a": "b"])
            (one.mounts[0].recursion, one.mounts[0].propagation, one.mounts[0].notation) = (
                .writable, .slave, .volume(options: "z", text: "t")
            )
            (one.mounts[2].options, one.mounts[2].notation) = (["size=1"], .tmpfs(options: "size=1"))
            (one.volumes, one.volumesFrom, one.volumeDriver) = (["/v"], ["c:ro"], "local")
            (one.network, one.addedCapabilities, one.droppedCapabilities) = (.container("c"), ["ALL"], ["KILL"])
            (one.privileged, one.noNewPrivileges, one.readOnlyRoot, one.removesItself) = (true, true, true, true)
            (one.seccomp, one.logDriver, one.sharedMemoryByteCount) = (.profile("{}"), .none, 1)
            one.logOptions = ["max-size": "1m"]
            (one.initialTerminalRows, one.initialTerminalColumns) = (24, 80)
            (one.namespaces.ipc, one.namespaces.pid, one.namespaces.uts) = (.shareable, .container("p"), .host)
            (one.namespaces.user, one.namespaces.cgroup) = (.host, .private)
            (one.addedGroups, one.kernelParameters, one.outOfMemoryScore, one.runsInit) = (["g"], ["net.a": "1"], -3, false)
            one.devices = [DeviceMapping(source: "/dev/a", target: "/dev/b", permissions: "r")]
            (one.deviceRules, one.maskedPaths, one.readOnlyPaths) = (["c 1:3 r"], [], ["/proc/sys"])
            one.deviceRequests = [DeviceRequest(driver: "cdi", count: 1, deviceIDs: ["a"], capabilities: [["b"]], options: ["c": "d"])]
            (one.hasWritableControlGroups, one.controlGroupParent, one.annotations) = (true, "/p", ["n": "v"])
            one.securityModuleOptions = ["label=disable"]
            (one.resources.swappiness, one.resources.realTimePeriod, one.resources.realTimeRuntime) = (5, 6, 7)
            one.resources.block.weight = 10
            one.resources.block.readBytes = [BlockLimits.Device(path: "/dev/a", value: 1)]
            one.resourceLimits = [ResourceLimit(name: "nofile", soft: 1, hard: -1)]
            (one.resources.memoryByteCount, one.resources.memorySwapByteCount, one.resources.memoryReservationByteCount) = (1, 2, 3)
            (one.resources.cpuShares, one.resources.cpuQuota, one.resources.cpuPeriod, one.resources.nanoCPUs) = (4, 5, 6, 7)
            (one.resources.cpusetCPUs, one.resources.cpusetMems, one.resources.pidsLimit, one.resources.oomKillDisabled) = (
                "0", "0", 8, true
            )
        }
        #expect(try JSONDecoder().decode(ContainerConfiguration.self, from: JSONEncoder().encode(full)) == full)
        for seccomp in [SeccompSetting.default, .builtin, .unconfined] {
            let one = configuration { $0.seccomp = seccomp }
            #expect(try JSONDecoder().decode(ContainerConfiguration.self, from: JSONEncoder().encode(one)) == one)
        }
    }

    @Test("What a container says counts; of the rest some is kept from its making, and some is in force from start to start")
    func engineDefaults() throws {
        var defaults = ContainerDefaults()
        (defaults.ipc, defaults.cgroup, defaults.sharedMemoryByteCount, defaults.controlGroupParent) = (.shareable, .host, 1, "/p")
        defaults.resourceLimits = [ResourceLimit(name: "nofile", soft: 1, hard: 2), ResourceLimit(name: "nproc", soft: 3, hard: 4)]
        (defaults.runsInit, defaults.noNewPrivileges, defaults.seccomp) = (true, true, .unconfined)
        (defaults.nameServers, defaults.nameSearch, defaults.nameOptions) = ([try #require(IPAddress("192.0.2.1"))], ["d"], ["o"])
        try defaults.check()
        var silent = configuration { _ in }
        defaults.complete(&silent)
        #expect(silent.namespaces.ipc == .shareable && silent.namespaces.cgroup == .host && silent.controlGroupParent == "/p")
        #expect(silent.sharedMemoryByteCount == 1 && silent.resourceLimits.isEmpty && silent.runsInit == nil)
        let started = defaults.inForce(silent)
        #expect(started.resourceLimits == defaults.resourceLimits && started.runsInit == true && started.noNewPrivileges == true)
        #expect(started.seccomp == .unconfined && started.networking.nameServers == defaults.nameServers)
        #expect(started.networking.nameSearch == ["d"] && started.networking.nameOptions == ["o"])
        var said = configuration { one in
            (one.namespaces.ipc, one.namespaces.cgroup, one.sharedMemoryByteCount, one.controlGroupParent) = (.private, .private, 9, "/q")
            one.resourceLimits = [ResourceLimit(name: "nofile", soft: 7, hard: 8)]
            (one.runsInit, one.noNewPrivileges, one.seccomp) = (false, false, .builtin)
            (one.networking.nameSearch, one.networking.nameOptions) = (["e"], ["p"])
        }
        said.networking.nameServers = [try #require(IPAddress("192.0.2.2"))]
        let before = said
        LogDefaults().complete(&said)
        var completed = said
        defaults.complete(&completed)
        #expect(completed == said)
        var expected = before
        expected.resourceLimits.append(defaults.resourceLimits[1])
        #expect(defaults.inForce(before) == expected)
    }

    @Test("Defaults that no container could have are refused")
    func defaultsOfNone() throws {
        for (words, change) in [
            ("IPC mode \"host\" is not supported as default value", { $0.ipc = .host }),
            ("default cgroup namespace mode (shareable) is invalid", { $0.cgroup = .shareable }),
            ("some shared memory", { $0.sharedMemoryByteCount = 0 }), ("invalid cgroup parent", { $0.controlGroupParent = "a/../b" }),
            ("invalid ulimit type: nope", { $0.resourceLimits = [ResourceLimit(name: "nope", soft: 1, hard: 1)] }),
            ("Decoding seccomp profile failed", { $0.seccomp = .profile("x") }),
        ] as [(String, (inout ContainerDefaults) -> Void)] {
            var defaults = ContainerDefaults()
            change(&defaults)
            let changed = defaults
            let error = #expect(throws: ContainerError.self) { try changed.check() }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
    }

    /// Written when none of them did anything.
    @Test func whatOlderEnginesKeptForSecurityModulesCounts() throws {
        let text = #"{"image":"x","unusedSecurityOptions":["label=disable","apparmor=p"]}"#
        let found = try JSONDecoder().decode(ContainerConfiguration.self, from: Data(text.utf8))
        #expect(found.securityModuleOptions == ["label=disable", "apparmor=p"] && found.effectiveAppArmorProfile == "p")
        #expect(configuration().effectiveAppArmorProfile == AppArmor.defaultProfile)
        #expect(configuration { $0.privileged = true }.effectiveAppArmorProfile == AppArmor.unconfined)
        #expect(configuration { $0.securityModuleOptions = ["apparmor="] }.effectiveAppArmorProfile == AppArmor.defaultProfile)
    }

    @Test(
        "What is of the wrong kind is an error",
        arguments: [
            #"{"image":1}"#, #"{"image":"x","network":1}"#, #"{"image":"x","seccomp":{"kind":"open"}}"#,
            #"{"image":"x","seccomp":{"kind":"profile"}}"#,
            #"{"image":"x","bindMounts":[{"source":"/a","target":"/b","readOnly":false,"propagation":"sideways","createsSource":true}]}"#,
            #"{"image":"x","logDriver":"gelf"}"#,
            #"{"image":"x","namespaces":{"pid":"odd"}}"#,
            #"{"image":"x","initialTerminalRows":65536}"#, #"{"image":"x","environment":"A=1"}"#,
        ])
    func damaged(text: String) {
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(ContainerConfiguration.self, from: Data(text.utf8)) }
    }
}
