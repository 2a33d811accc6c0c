import BerthContainers
import BerthLaunch
import BerthLinux
import Foundation
import Testing

/// Every defence in the plan of a default container is taken out once: what process 1 reports must change.
///
/// This is how we know that the report sees each of them, so that one that is lost by mistake is noticed.
@Suite(.kernelTier, .serialized, .timeLimit(.minutes(3)))
struct DefenceTests {
    /// One defence less.
    struct Removal {
        var name: String
        var plan: LaunchPlan
    }

    static func removals(of plan: LaunchPlan) -> [Removal] {
        var found: [Removal] = []
        func add(_ name: String, _ change: (inout LaunchPlan) -> Void) {
            var changed = plan
            change(&changed)
            if changed != plan { found.append(Removal(name: name, plan: changed)) }
        }
        for (kind, name) in [
            (NamespaceKinds.uts, "uts"), (.ipc, "ipc"), (.pid, "pid"), (.network, "network"),
        ] as [(NamespaceKinds, String)] {
            add("namespace \(name)") {
                $0.namespaces.remove(kind)
                // Without one of its own it would name the machine that the test runs on.
                if kind == .uts { $0.steps.removeAll { if case .hostname = $0 { true } else { false } } }
            }
        }
        for (index, step) in plan.steps.enumerated() {
            func without(_ name: String) { add(name) { $0.steps.remove(at: index) } }
            func with(_ name: String, _ replacement: LaunchStep) { add(name) { $0.steps[index] = replacement } }
            switch step {
            case .writeFile(let path, _): without("writing \(path)")
            case .unshare: without("namespace cgroup")
            case .loopbackUp: without("the loopback interface")
            case .mount(let type, let source, let target, let flags, let data):
                // What a later step says anew is that step's.
                let isSaidAnew = plan.steps[(index + 1)...].contains {
                    if case .mount(_, _, let place, let later, _) = $0, place == target { later & 32 != 0 } else { false }
                }
                for (bit, word) in [(1, "ro"), (2, "nosuid"), (4, "nodev"), (8, "noexec")] as [(UInt64, String)]
                where flags & bit != 0 && !isSaidAnew {
                    with("\(word) of \(target)", .mount(type: type, source: source, target: target, flags: flags & ~bit, data: data))
                }
                without("the mount at \(target)")
            case .device(let path, _, let major, let minor, let user, let group):
                without("the device \(path)")
                with("the mode of \(path)", .device(path: path, mode: 0o020600, major: major, minor: minor, userID: user, groupID: group))
            case .symbolicLink(_, let path): without("the link \(path)")
            // What this kernel does not have cannot be missed.
            case .mask(let path) where FileManager.default.fileExists(atPath: path): without("masking \(path)")
            case .readOnly(let path) where FileManager.default.fileExists(atPath: path): without("read-only \(path)")
            case .pivotRoot: without("the change of the root")
            case .rootReadOnly: without("the read-only root")
            case .hostname: without("the host name")
            case .bounding: without("the bounding set")
            case .groups: with("the groups", .groups([0, 1, 2]))
            case .capabilities(let effective, let permitted, _, let ambient):
                // The permitted and the effective set follow from the bounding one when root executes a program.
                with(
                    "the inheritable set",
                    .capabilities(effective: effective, permitted: permitted, inheritable: permitted, ambient: ambient))
            case .noNewPrivileges: without("no-new-privileges")
            case .seccomp: without("the filter of system calls")
            case .umask: with("the umask", .umask(0))
            case .standardStreams, .workingDirectory, .propagation, .attachRoot, .execute, .keyring, .user, .directory, .oomScore, .mask,
                .readOnly, .bind, .bindBeneath, .resourceLimit, .makeTerminal, .domainname, .enterNamespace, .enterProcess, .hostDirectory,
                .copyWhereEmpty, .deviceProgram, .initFile, .becomeInit, .bindFrom, .attachRootAt, .hook, .confinement, .label:
                break
            }
        }
        for (index, step) in plan.preparation.enumerated() {
            switch step {
            case .writeFile(let path, let contents):
                add("\(contents) in \((path as NSString).lastPathComponent)") { $0.preparation.remove(at: index) }
            case .deviceProgram: add("the device program") { $0.preparation.remove(at: index) }
            default: break
            }
        }
        return found
    }

    @Test func eachDefenceThatIsTakenOutIsSeen() throws {
        let script = try ConfinementReport.script()
        // What does not depend on the control groups has been seen on a machine with others, faster than in a guest.
        let isGuest = try CgroupLayout.detect().version == 2
        let container = try ConfinedPlan(running: ["sh", "-c", script, "sh", isGuest ? "short" : "all"]) {
            $0.resources.memoryByteCount = 64 << 20
            $0.resources.pidsLimit = 50
            $0.resources.cpuShares = 512
            $0.resources.cpuQuota = 200_000  // nothing that slows the report down
            $0.resources.memoryReservationByteCount = 32 << 20
        }
        let whole = ConfinementReport(try container.perform(container.plan))
        try #require(whole["status"].count > 10, "\(whole)")
        // Two runs of one plan say the same: a difference is the defence's, not chance.
        try #require(ConfinementReport(try container.perform(container.plan)).differences(from: whole) == [])
        let removals = Self.removals(of: container.plan).filter { removal in
            !isGuest || ["cgroup", "device program"].contains { removal.name.contains($0) }
        }
        #expect(removals.count > (isGuest ? 6 : 60), "\(removals.map(\.name))")
        for removal in removals {
            let found = ConfinementReport(try container.perform(removal.plan))
            #expect(!found.differences(from: whole).isEmpty, "nothing is seen of \(removal.name)")
        }
    }

    @Test func noNewPrivilegesAndTheReadOnlyRootAreSeen() throws {
        let script = "exec 2>&1; grep -E '^(NoNewPrivs|Seccomp):' /proc/1/status; touch /x"
        let container = try ConfinedPlan(running: ["sh", "-c", script]) {
            $0.noNewPrivileges = true
            $0.readOnlyRoot = true
        }
        let whole = try container.perform(container.plan)
        #expect(whole == "NoNewPrivs:\t1\nSeccomp:\t2\ntouch: /x: Read-only file system\n")
        let removals = Self.removals(of: container.plan).filter { ["no-new-privileges", "the read-only root"].contains($0.name) }
        #expect(removals.count == 2)
        for removal in removals { #expect(try container.perform(removal.plan) != whole, "\(removal.name)") }
    }

    @Test func theSessionKeyringIsTheContainersOwn() throws {
        // keyctl(2) is refused by the filter; without it the keyring can be looked at.
        let container = try ConfinedPlan(running: ["probe", "keyring"]) { $0.seccomp = .unconfined }
        let own = try container.perform(container.plan)
        #expect(own.hasPrefix("keyring;0;0;3f1b0000;_ses.container\n"), "\(own)")
        var without = container.plan
        without.steps.removeAll { if case .keyring = $0 { true } else { false } }
        #expect(try container.perform(without) != own)
    }

    @Test func theUserAndTheScoreArrive() throws {
        let container = try ConfinedPlan(running: ["sh", "-c", "id -u; id -g; cat /proc/self/oom_score_adj"])
        var plan = container.plan
        #expect(try container.perform(plan) == "0\n0\n0\n")
        for (index, step) in plan.steps.enumerated() {
            if case .user = step { plan.steps[index] = .user(userID: 1000, groupID: 1001) }
            if case .oomScore = step { plan.steps[index] = .oomScore(500) }
        }
        #expect(try container.perform(plan) == "1000\n1001\n500\n")
    }
}
