import Berth
import BerthLinux
import Foundation
import Testing

@testable import BerthContainers

/// Whole, where the kernel has AppArmor: the emulated guest.
@Suite("AppArmor, by containers", .kernelTier, .serialized, .timeLimit(.minutes(5)))
struct AppArmorEngineTests {
    /// By what it is confined, as it sees that itself.
    private static let confinement = "cat /proc/self/attr/apparmor/current"
    /// A right, and nothing else in its way.
    private static func able(_ configuration: inout ContainerConfiguration) {
        configuration.addedCapabilities = ["SYS_ADMIN", "NET_ADMIN"]
        configuration.seccomp = .unconfined
        (configuration.maskedPaths, configuration.readOnlyPaths) = ([], [])
    }

    /// Where it is not there, that is what is seen, and what a container says of it does nothing.
    private func isThere(_ test: TestEngine) async throws -> Bool {
        if AppArmor.isEnabled { return true }
        #expect(ProcessInfo.processInfo.environment["BERTH_HAS_MODULE"] != "apparmor")
        let told = try await test.run(["sh", "-c", "\(Self.confinement) 2>&1; echo runs"]) {
            $0.securityModuleOptions = ["apparmor=missing"]
        }
        #expect(told.output.hasSuffix("runs\n") && !told.output.contains("missing"), "\(told)")
        var configuration = ContainerConfiguration(image: "busybox")
        (configuration.command, configuration.securityModuleOptions) = (["true"], ["apparmor=missing"])
        #expect(try await test.engine.containers.create(configuration).details().appArmorProfile == nil)
        return false
    }

    @Test func eachContainerHasTheProfileThatItIsToHave() async throws {
        let test = try await TestEngine()
        guard try await isThere(test) else { return try await test.remove() }
        let changes: [(said: String, expected: String, change: (inout ContainerConfiguration) -> Void)] = [
            ("nothing", "berth-default (enforce)", { _ in }),
            ("another user", "berth-default (enforce)", { $0.user = "1000" }),
            ("process 1 of the engine's", "berth-default (enforce)", { $0.runsInit = true }),
            ("no new privileges", "berth-default (enforce)", { $0.noNewPrivileges = true }),
            ("unconfined", "unconfined", { $0.securityModuleOptions = ["apparmor=unconfined"] }),
            ("privileged", "unconfined", { $0.privileged = true }),
            (
                "privileged, and confined", "berth-default (enforce)",
                {
                    $0.privileged = true
                    $0.securityModuleOptions = ["apparmor=berth-default"]
                }
            ),
        ]
        for (said, expected, change) in changes {
            let told = try await test.run(["sh", "-c", Self.confinement], change)
            #expect(told.output == expected + "\n", "\(said): \(told)")
        }
        try await test.remove()
    }

    @Test func theDefaultProfileForbidsWhatRightsWouldAllow() async throws {
        let test = try await TestEngine()
        guard try await isThere(test) else { return try await test.remove() }
        // What is done, and whether a confined one can.
        let deeds: [(deed: String, isAllowed: Bool)] = [
            ("mount -t tmpfs tmpfs /mnt", false), ("mount -o remount,rw /sys", false),
            ("echo 1 > /proc/sys/net/ipv4/ip_forward", false), ("echo 0 > /proc/sys/kernel/sysrq", false),
            ("echo 5 > /proc/sys/kernel/shm_rmid_forced; echo 1 > /proc/sys/kernel/shm_rmid_forced", true),
            (": > /proc/sysrq-trigger", false), ("echo 5 > /proc/self/oom_score_adj", true),
            ("sleep 1000 & kill $!; wait $!; [ $? = 143 ]", true),
        ]
        let script = "mkdir -p /mnt; " + deeds.map { "(\($0.deed)) >/dev/null 2>&1; echo $?; " }.joined()
        for isConfined in [true, false] {
            let told = try await test.run(["sh", "-c", script]) {
                Self.able(&$0)
                if !isConfined { $0.securityModuleOptions = ["apparmor=unconfined"] }
            }
            let codes = told.output.split(separator: "\n")
            #expect(codes.count == deeds.count, "\(told)")
            for (deed, code) in zip(deeds, codes) {
                #expect((code == "0") == (deed.isAllowed || !isConfined), "\(deed.deed), confined: \(isConfined): \(told)")
            }
        }
        try await test.remove()
    }

    @Test func executionsAreConfinedAsTheirContainerIs() async throws {
        let test = try await TestEngine()
        guard try await isThere(test) else { return try await test.remove() }
        for (said, expected) in [("", "berth-default (enforce)"), ("unconfined", "unconfined")] {
            var configuration = ContainerConfiguration(image: "busybox")
            (configuration.command, configuration.network) = (["sleep", "1000"], .none)
            configuration.securityModuleOptions = ["apparmor=\(said)"]
            let container = try await test.engine.containers.create(configuration)
            try await container.start()
            #expect(try await container.details().appArmorProfile == (said.isEmpty ? "berth-default" : said))
            for isPrivileged in [false, true] {
                var asked = ExecutionConfiguration(command: ["grep", "-qFx", expected, "/proc/self/attr/apparmor/current"])
                asked.privileged = isPrivileged
                let execution = try await container.makeExecution(asked)
                _ = try await execution.start()
                #expect(try await execution.wait() == 0, "\(said), privileged: \(isPrivileged)")
            }
            try await container.stop(timeoutSeconds: 0)
        }
        try await test.remove()
    }

    @Test func aProfileThatIsNotLoadedIsNamed() async throws {
        let test = try await TestEngine()
        guard try await isThere(test) else { return try await test.remove() }
        let refusal = await #expect(throws: ContainerError.self) {
            _ = try await test.run(["true"]) { $0.securityModuleOptions = ["apparmor=missing"] }
        }
        #expect(refusal?.code == .invalid && "\(refusal!)".contains("AppArmor profile 'missing' is not loaded"), "\(refusal!)")
        try await test.remove()
    }
}

@Suite(.kernelTier) struct AppArmorPolicyTests {
    /// What the engine hands to the kernel is what AppArmor's own compiler makes of the text that it shows.
    @Test func thePolicyIsThatOfTheText() throws {
        let programs = try #require(
            ProcessInfo.processInfo.environment["BERTH_HOST_PROGRAMS"],
            "BERTH_HOST_PROGRAMS names no folder that Tests/host-programs has made: Tests/run --tier kernel makes one")
        let scratch = try Scratch()
        try scratch.shell(
            """
            cat >profile <<'PROFILE'
            \(AppArmor.defaultProfileText)
            PROFILE
            root='\(programs)/root'
            features=$root/etc/apparmor.d/abi/3.0
            $root/sbin/apparmor_parser --config-file /dev/null --base $root/etc/apparmor.d -I $root/etc/apparmor.d -QK --policy-features $features \\
                --kernel-features $features -o policy profile
            base64 -w 0 policy >text
            """)
        let compiled = try String(contentsOfFile: scratch.path + "/text", encoding: .utf8)
        #expect(compiled == AppArmor.defaultPolicy)
    }
}
