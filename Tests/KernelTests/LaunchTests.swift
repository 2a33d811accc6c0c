import BerthLaunch
import BerthLinux
import Foundation
import Testing

@Suite(.kernelTier, .serialized, .timeLimit(.minutes(1)))
struct LaunchTests {
    let container: BusyboxContainer
    init() throws { container = try BusyboxContainer() }

    @Test func namespacesAreTheContainersOwn() throws {
        let found = try container.run(
            "/bin/sh", "-c", "for n in mnt uts ipc pid net cgroup; do readlink /proc/self/ns/$n; done; echo $$; hostname; ip -o link")
        let lines = found.output.split(separator: "\n").map(String.init)
        for (index, name) in ["mnt", "uts", "ipc", "pid", "net", "cgroup"].enumerated() {
            #expect(lines[index].hasPrefix(name + ":["))
            #expect(try lines[index] != FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(name)"))
        }
        #expect(lines[6...].prefix(2) == ["1", "berth-test"])
        #expect(lines.count == 9 && lines[8].contains("lo: <LOOPBACK,UP,LOWER_UP>"), "only the loopback interface, and up")
        #expect(found.code == 0)
    }

    @Test func exitCodesAndSignalsArrive() throws {
        #expect(try container.run("/bin/sh", "-c", "echo out; echo err >&2; exit 42") == ("out\n", "err\n", 42))
        container.namespaces.remove(.pid)
        #expect(try container.run("/bin/sh", "-c", "kill -9 $$").code == 137)
    }

    @Test func noDescriptorAboveTwoIsOpen() throws {
        let leak = unsafe open("/", O_RDONLY)  // not close-on-exec: what a careless parent would have open
        defer { close(leak) }
        #expect(try container.run("/bin/sh", "-c", "ls /proc/1/fd; :").output == "0\n1\n2\n")
    }

    @Test func aDescriptorOfTheHostIsNoWorkingDirectory() throws {
        let host = unsafe open("/", O_RDONLY)
        defer { close(host) }
        for number in 3...host {
            container.workingDirectory = "/proc/self/fd/\(number)"
            let failure = #expect(throws: LaunchFailure.self) { _ = try finish(try container.start()) }
            #expect(failure?.stage == .workingDirectory)
        }
    }

    @Test func aDescriptorOfTheHostIsNoProgram() throws {
        let host = unsafe open("/bin/busybox", O_RDONLY)
        defer { close(host) }
        let failure = #expect(throws: LaunchFailure.self) { _ = try container.run("/proc/self/fd/\(host)", "true") }
        #expect(failure?.stage == .program)
        let directory = unsafe open("/bin", O_RDONLY)
        defer { close(directory) }
        container.searchPath = "/proc/self/fd/\(directory)"
        #expect(#expect(throws: LaunchFailure.self) { _ = try container.run("busybox", "true") }?.stage == .program)
    }

    @Test(arguments: [
        ("/bin/missing", ENOENT), ("missing", ENOENT), ("/etc/plain", EACCES), ("plain", EACCES), ("/etc", EACCES), ("/etc/empty", ENOEXEC),
        ("/etc/no-interpreter", ENOENT), ("/bin/true/x", ENOTDIR),
    ])
    func whatCannotBeExecutedSaysWhy(_ program: String, _ cause: Int32) throws {
        try container.put("/etc/plain", "x")
        try container.put("/etc/empty", "", permissions: 0o755)
        try container.put("/etc/no-interpreter", "#!/nowhere\n", permissions: 0o755)
        container.searchPath = "/bin:/etc"
        let failure = #expect(throws: LaunchFailure.self) { _ = try container.run(program) }
        #expect(failure?.stage == .program && failure?.errnoValue == cause)
        #expect(failure?.reason.contains("'\(program)'") ?? false, "\(failure?.reason ?? "")")
    }

    @Test func theSearchPathIsLookedUpInsideAndInOrder() throws {
        try container.put("/usr/local/bin/cat", "#!/bin/sh\necho mine\n", permissions: 0o755)
        #expect(try container.run("cat").output == "mine\n")
        try container.put("/usr/local/bin/cat", "not executable")
        #expect(try container.run("cat", "/proc/self/comm").output == "cat\n", "one that cannot be executed is passed over")
    }

    @Test func aMissingWorkingDirectoryIsNamed() throws {
        container.workingDirectory = "/not/there"
        let failure = #expect(throws: LaunchFailure.self) { _ = try container.run() }
        #expect(failure?.stage == .workingDirectory && failure?.errnoValue == ENOENT && failure?.reason.contains("'/not/there'") ?? false)
    }

    @Test func aFailedStepIsNamedAndLeavesNoProcess() throws {
        container.beforePivot = [.bind(source: "/no/such/source", target: "/data", recursive: true, attributes: 0, propagation: 0)]
        let failure = #expect(throws: LaunchFailure.self) { _ = try container.run() }
        #expect(failure?.stage == .preparation && failure?.reason.contains("bind '/no/such/source'") ?? false, "\(failure?.reason ?? "")")
        for hierarchy in container.hierarchies {
            #expect(try String(contentsOfFile: "\(hierarchy)/\(container.name)/tasks", encoding: .utf8) == "")
        }
    }

    @Test func rootHasExactlyTheseCapabilities() throws {
        let status = try container.run("/bin/cat", "/proc/self/status").output
        #expect(status.contains("CapInh:\t0000000000000000\n"))
        for set in ["CapPrm", "CapEff", "CapBnd"] { #expect(status.contains("\(set):\t00000000a80425fb\n"), "\(set)") }
        #expect(status.contains("CapAmb:\t0000000000000000\n"))
        #expect(status.contains("NoNewPrivs:\t0\n"))
    }

    @Test func anotherUserHasNumbersGroupsAndNoPower() throws {
        (container.userID, container.groupID, container.groups) = (1000, 1001, [5, 70000])
        let status = try container.run("/bin/cat", "/proc/self/status").output
        #expect(status.contains("Uid:\t1000\t1000\t1000\t1000\n") && status.contains("Gid:\t1001\t1001\t1001\t1001\n"))
        #expect(status.contains("Groups:\t5 70000 \n"))
        for set in ["CapPrm", "CapEff", "CapInh", "CapAmb"] { #expect(status.contains("\(set):\t0000000000000000\n"), "\(set)") }
        #expect(status.contains("CapBnd:\t00000000a80425fb\n"))
        #expect(
            try container.run("/bin/sh", "-c", "echo through the name >/dev/fd/1").output == "through the name\n",
            "its own pipes can be opened anew")
    }

    @Test func groupsOfTheParentAreLeft() throws {
        #expect(try container.run("/bin/cat", "/proc/self/status").output.contains("Groups:\t \n"))
    }

    @Test func signalsAreAsForAnyProgram() throws {
        signal(SIGHUP, SIG_IGN)
        defer { signal(SIGHUP, SIG_DFL) }
        let status = try container.run("/bin/cat", "/proc/self/status").output
        for set in ["SigBlk", "SigIgn"] { #expect(status.contains("\(set):\t0000000000000000\n"), "\(set)") }
    }

    @Test func limitsAreSet() throws {
        #expect(try container.run("/bin/sh", "-c", "ulimit -Sn; ulimit -Hn").output == "512\n1024\n")
    }

    @Test func theSessionKeyringIsItsOwn() throws {
        let keys = try container.run("/bin/cat", "/proc/keys").output
        #expect(keys.contains(" keyring   _ses.\(container.name): "), "\(keys)")
    }

    @Test func itIsInItsGroupInEveryHierarchyAndLimited() throws {
        container.streams = .pipes
        container.arguments = ["/bin/cat"]
        let pids = try #require(container.hierarchies.first { $0.hasSuffix("/pids") } ?? container.unified)
        container.preparation = [.writeFile(path: "\(pids)/\(container.name)/pids.max", contents: "7")]
        var launched = try container.start()
        let groups = try String(contentsOfFile: "/proc/\(launched.process.id)/cgroup", encoding: .utf8)
        let lines = groups.split(separator: "\n")
        #expect(lines.count >= container.hierarchies.count)
        for line in lines { #expect(line.hasSuffix(":/\(container.name)"), "\(line)") }
        #expect(try String(contentsOfFile: "\(pids)/\(container.name)/pids.current", encoding: .utf8) == "1\n")
        launched.input = nil
        #expect(try finish(launched).code == 0)

        container.streams = .pipesWithoutInput
        let inside = try container.run("/bin/sh", "-c", "cat /proc/self/cgroup; for i in 1 2 3 4 5 6 7 8 9; do sleep 9 & done")
        for line in inside.output.split(separator: "\n") {
            #expect(line.hasSuffix(":/"), "its own group is the root that it sees: \(line)")
        }
        #expect(inside.errors.contains("can't fork"))
    }

    @Test func aFilterOfSystemCallsHolds() throws {
        container.filter = FilterForTests.refusingMkdir
        let mkdir =
            "grep_seccomp() { while read k v; do [ $k = Seccomp: ] && echo $v; done </proc/self/status; }; grep_seccomp; mkdir /tmp/x"
        let found = try container.run("/bin/sh", "-c", mkdir)
        #expect(found.output == "2\n" && found.errors.contains("Operation not permitted") && found.code == 1)
        container.noNewPrivileges = true
        container.userID = 1000
        let other = try container.run("/bin/sh", "-c", mkdir)
        #expect(other.output == "2\n" && other.errors.contains("Operation not permitted"))
        #expect(try container.run("/bin/cat", "/proc/self/status").output.contains("NoNewPrivs:\t1\n"))
    }

    @Test(arguments: [4097, 65536 + 1]) func aFilterThatIsTooLongIsRefusedWhole(_ count: Int) throws {
        container.filter = (0..<count).flatMap { _ in FilterForTests.allow }
        let failure = #expect(throws: LaunchFailure.self) { _ = try container.run() }
        #expect(failure?.reason.contains("seccomp") ?? false)
    }
}

/// sock_filter arrays by hand.
enum FilterForTests {
    static func instruction(_ code: UInt16, _ yes: UInt8, _ no: UInt8, _ value: UInt32) -> [UInt8] {
        [UInt8(truncatingIfNeeded: code), UInt8(code >> 8), yes, no] + (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
    }
    static var allow: [UInt8] { instruction(0x06, 0, 0, 0x7fff_0000) }
    static var refusingMkdir: [UInt8] {
        #if arch(x86_64)
            let (plain, at): (UInt32, UInt32) = (83, 258)
        #else
            let (plain, at): (UInt32, UInt32) = (34, 34)
        #endif
        return instruction(0x20, 0, 0, 0) + instruction(0x15, 1, 0, plain) + instruction(0x15, 0, 1, at)
            + instruction(0x06, 0, 0, 0x0005_0001) + allow
    }
}
