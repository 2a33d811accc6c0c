import BerthLinux
import Testing

@testable import BerthLaunch

@Suite struct PlanBytesTests {
    static let every: [LaunchStep] = [
        .writeFile(path: "/a", contents: "0"), .hostDirectory("/b"), .deviceProgram(cgroup: "/c", program: [1, 0, 2]),
        .copyWhereEmpty(from: "/d", to: "/e"),
        .enterNamespace(path: "/f", .network), .enterProcess([.mount, .uts]), .unshare(.cgroup), .loopbackUp, .propagation(flags: 7),
        .attachRoot,
        .mount(type: "proc", source: "proc", target: "/proc", flags: 14, data: "x=y"),
        .bind(source: "/s", target: "/t", recursive: true, attributes: 1, propagation: 2),
        .bind(source: "/s", target: "/t", recursive: true, attributes: 1, propagation: 2, attributesBelow: true),
        .bind(source: "/s", target: "/t", recursive: true, attributes: 0, propagation: 2, isPeer: true),
        .bindBeneath(
            source: "/s", path: "a/b", target: "/t", recursive: false, attributes: 1, propagation: 0, attributesBelow: true),
        .directory(path: "/g", permissions: 0o755, userID: 1, groupID: 2),
        .device(path: "/h", mode: 0o020666, major: 1, minor: 3, userID: 4, groupID: 5), .symbolicLink(target: "t", path: "/i"), .mask("/j"),
        .readOnly("/k"),
        .pivotRoot, .rootReadOnly, .hostname("n"), .domainname("d"), .keyring("_ses"), .resourceLimit(resource: 7, soft: 1, hard: .max),
        .makeTerminal(rows: 1, columns: 2, bindsConsole: true), .standardStreams(ownerUserID: 1000), .bounding(CapabilitySet(rawValue: 3)),
        .groups([1, 2, 3]),
        .user(userID: 1, groupID: 2),
        .capabilities(
            effective: CapabilitySet(rawValue: 1), permitted: CapabilitySet(), inheritable: CapabilitySet(), ambient: CapabilitySet()),
        .noNewPrivileges, .seccomp(program: [0, 0, 0], flags: 1), .workingDirectory("/w"), .umask(0o22), .oomScore(-500),
        .initFile, .bindFrom(namespace: "/n", source: "/dev/shm", target: "/t", attributes: 14),
        .becomeInit(arguments: ["/sbin/docker-init", "--", "a"], environment: ["A=b"]), .attachRootAt("/r"), .hook(hook),
        .confinement(named: "p", file: "/proc/self/attr/apparmor/exec", contents: "exec p"), .label(path: "/m", "u:r:t"),
    ]
    static let hook = LaunchHook(
        name: "n", path: "/p", arguments: ["a"], environment: ["b"], stateBeforeProcess: "{", stateAfterProcess: "}", milliseconds: 1,
        isOutside: true)
    static let program = LaunchStep.execute(arguments: ["/bin/sh", ""], environment: ["A=b"], searchPath: "/bin")

    static var whole: LaunchPlan {
        LaunchPlan(
            preparation: [.hostDirectory("/cg")], namespaces: [.mount, .pid], cgroup: "/cg", steps: every + [program], streams: .terminal,
            entersProcesses: true)
    }

    @Test func theBytesAreThese() {
        let plan = LaunchPlan(
            namespaces: .pid, steps: [.hostname("ab"), .execute(arguments: ["x"], environment: [], searchPath: "")], streams: .pipes)
        let expected: [UInt8] =
            [1, 0, 2, 0]  // version, streams, flags
            + [0, 0, 0, 0x20, 0, 0, 0, 0]  // namespaces
            + [0, 0, 0, 0, 0, 0, 0, 0] + [0]  // no cgroup
            + [0, 0, 0, 0, 0, 0, 0, 0] + [0]  // no preparation
            + [62, 0, 0, 0, 0, 0, 0, 0]  // steps
            + [25, 0, 0, 0, 11, 0, 0, 0] + [2, 0, 0, 0, 0, 0, 0, 0] + [0x61, 0x62, 0]
            + [38, 0, 0, 0, 35, 0, 0, 0] + [1, 0, 0, 0, 0, 0, 0, 0] + [1, 0, 0, 0, 0, 0, 0, 0, 0x78, 0] + [0, 0, 0, 0, 0, 0, 0, 0] + [
                0, 0, 0, 0, 0, 0, 0, 0, 0,
            ]
            + [0]
        #expect(plan.encoded() == expected)
    }

    /// The kinds and fields of steps that came later: their numbers are part of the format too.
    @Test func theBytesOfLaterStepsAreThese() {
        func string(_ text: String) -> [UInt8] { [UInt8(text.utf8.count), 0, 0, 0, 0, 0, 0, 0] + text.utf8 + [0] }
        let one: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0]
        #expect(LaunchPlan.encode([.initFile]) == [41, 0, 0, 0, 0, 0, 0, 0])
        #expect(
            LaunchPlan.encode([.becomeInit(arguments: ["a"], environment: ["b"])])
                == [42, 0, 0, 0, 36, 0, 0, 0] + one + string("a") + one + string("b"))
        #expect(
            LaunchPlan.encode([.bindFrom(namespace: "a", source: "b", target: "c", attributes: 1)])
                == [43, 0, 0, 0, 38, 0, 0, 0] + string("a") + string("b") + string("c") + one)
        #expect(LaunchPlan.encode([.attachRootAt("a")]) == [45, 0, 0, 0, 10, 0, 0, 0] + string("a"))
        let words = one + string("n") + string("/p") + one + string("a") + one + string("b") + string("{") + string("}")
        #expect(LaunchPlan.encode([.hook(Self.hook)]) == [46, 0, 0, 0, UInt8(words.count + 8), 0, 0, 0] + words + one)
    }

    @Test func theBytesOfAPlaceBelowAnotherAreThese() {
        let text = { (text: String) -> [UInt8] in [UInt8(text.utf8.count), 0, 0, 0, 0, 0, 0, 0] + text.utf8 + [0] }
        let number = { (value: UInt8) -> [UInt8] in [value, 0, 0, 0, 0, 0, 0, 0] }
        let fields = text("/s") + text("a") + text("/t") + number(3) + number(1) + number(0)
        #expect(
            LaunchPlan.encode([
                .bindBeneath(source: "/s", path: "a", target: "/t", recursive: true, attributes: 1, propagation: 0, attributesBelow: true)
            ]) == [44, 0, 0, 0, UInt8(fields.count), 0, 0, 0] + fields)
    }

    @Test func everyStepPassesTheCheckAndKeepsItsBytes() throws {
        let plan = try EncodedPlan(checking: Self.whole.encoded())
        #expect(plan.streams == .terminal && plan.namespaces == [.mount, .pid] && plan.cgroup == "/cg" && plan.entersProcesses)
        #expect(plan.steps == LaunchPlan.encode(Self.every + [Self.program]))
        #expect(plan.preparation == LaunchPlan.encode([.hostDirectory("/cg")]))
    }

    @Test func everyStepFailsInWords() throws {
        let plan = try EncodedPlan(checking: Self.whole.encoded())
        for index in 0...Self.every.count {
            let failure = plan.failure(at: UInt32(index), errno: .EPERM, inPreparation: false)
            #expect(failure.reason.hasPrefix("cannot ") && failure.reason.hasSuffix("\(Errno.EPERM)"), "\(failure.reason)")
        }
        #expect(plan.failure(at: UInt32(Self.every.count), errno: .ENOENT, inPreparation: false).stage == .program)
        #expect(plan.failure(at: UInt32(Self.every.count), errno: .ENOENT, inPreparation: false).reason.contains("execute '/bin/sh'"))
        #expect(plan.failure(at: 34, errno: .ENOENT, inPreparation: false).stage == .workingDirectory)
        #expect(plan.failure(at: 1000, errno: .ENOENT, inPreparation: false).reason.contains("1000"))
    }

    @Test func aCutPlanIsRefusedWhereverItIsCut() {
        let bytes = Self.whole.encoded()
        for count in 0..<bytes.count { #expect(throws: LaunchPlanError.self) { try EncodedPlan(checking: Array(bytes[..<count])) } }
        #expect(throws: LaunchPlanError.self) { try EncodedPlan(checking: bytes + [0]) }
    }

    /// Whatever a byte becomes, what passes the check can be walked: each step ends where its fields end.
    @Test(arguments: [0x00, 0x01, 0x7f, 0x80, 0xff] as [UInt8]) func aChangedByteNeverLeadsOutOfItsStep(_ value: UInt8) {
        let bytes = Self.whole.encoded()
        var accepted = 0
        for offset in bytes.indices {
            var changed = bytes
            changed[offset] = value
            guard let plan = try? EncodedPlan(checking: changed) else { continue }  // refused: fine
            accepted += 1
            var (at, count) = (0, 0)
            while at < plan.steps.count {
                guard let (_, fields) = try? PlanReader.step(of: plan.steps, at: at) else {
                    Issue.record("a step that was accepted cannot be read at \(at) with byte \(offset) = \(value)")
                    return
                }
                at = fields.end
                count += 1
            }
            #expect(at == plan.steps.count && count == Self.every.count + 1)
        }
        #expect(accepted > 0 && accepted < bytes.count)
    }

    @Test func whatCWouldMisreadIsRefused() {
        func check(_ steps: [LaunchStep]) throws {
            _ = try EncodedPlan(checking: LaunchPlan(namespaces: [], steps: steps, streams: .pipes).encoded())
        }
        #expect(throws: LaunchPlanError.noProgram) { try check([]) }
        #expect(throws: LaunchPlanError.noProgram) { try check([.pivotRoot]) }
        #expect(throws: LaunchPlanError.noProgram) { try check([Self.program, .pivotRoot]) }
        #expect(throws: LaunchPlanError.noProgram) { try check([.execute(arguments: [], environment: [], searchPath: "")]) }
        #expect(throws: LaunchPlanError.noProgram) { try check([.execute(arguments: [""], environment: [], searchPath: "")]) }
        #expect(throws: LaunchPlanError.self) { try check([.mask("/a\0b"), Self.program]) }
        #expect(throws: LaunchPlanError.self) {
            try check([.execute(arguments: Array(repeating: "x", count: 65537), environment: [], searchPath: "")])
        }
        #expect(throws: LaunchPlanError.version(2)) { try EncodedPlan(checking: [2, 0] + Self.whole.encoded()[2...]) }
        #expect(throws: LaunchPlanError.tooLong(byteCount: LaunchPlan.maximumByteCount + 1)) {
            try EncodedPlan(checking: [UInt8](repeating: 0, count: LaunchPlan.maximumByteCount + 1))
        }
    }
}
