import BerthLaunch
import BerthLinux
import BerthNetworking
import BerthOCI
import Foundation
import Testing

@testable import BerthContainers
@testable import BerthRuntime

/// The program of `Tests/Confinement/probe.c`, built once for this process.
enum Probe {
    static let program: String = {
        let path = NSTemporaryDirectory() + "/berth-probe-\(getpid())"
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/gcc")
        compiler.arguments = ["-O1", "-Wall", "-Wextra", "-Werror", "-static", "-o", path, ConfinementReport.folder + "/probe.c"]
        do { try compiler.run() } catch { fatalError("gcc cannot be run: \(error)") }
        compiler.waitUntilExit()
        precondition(compiler.terminationStatus == 0, "the probe does not compile")
        return path
    }()
}

/// The plan of a container as the engine makes it, compiled from a configuration, which tests then change and perform themselves.
final class ConfinedPlan {
    let folder: String
    let parent: String
    let cgroups: CgroupLayout
    var plan: LaunchPlan

    /// - Parameter change: of a default configuration without a network.
    init(running command: [String], _ change: (inout ContainerConfiguration) -> Void = { _ in }) throws {
        let name = "berth-plan-\(UUID().uuidString.prefix(8))"
        let folder = NSTemporaryDirectory() + "/" + name
        self.folder = folder
        parent = name
        for part in ["upper", "work"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
        }
        _ = try TestEngine.archive(in: folder, adding: ["/bin/probe": Probe.program])
        for file in ContainerFiles.names { try "confined\n".write(toFile: "\(folder)/\(file)", atomically: false, encoding: .utf8) }
        cgroups = try CgroupLayout.detect()
        try cgroups.makeParent(parent)

        var configuration = ContainerConfiguration(image: "busybox")
        configuration.command = command
        configuration.network = .none
        change(&configuration)
        let profile: SeccompProfile? = configuration.seccomp == .unconfined || configuration.privileged ? nil : .standard
        let release = try String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)
        let input = SpecificationInput(
            id: "container", configuration: configuration, image: ImageConfiguration.Execution(), hostname: "confined", network: .new,
            files: ContainerFiles.names.map { ("/etc/\($0)", "\(folder)/\($0)") }, hostDevices: [],
            seccomp: try profile?.resolved(capabilities: configuration.capabilities().names, kernel: release))
        let specification = try input.specification(runningAs: .root)
        plan = try LaunchPlan.compile(
            LaunchInput(
                specification: specification, id: "container", cgroups: cgroups, cgroupPath: parent + "/container", cgroupParent: parent,
                hasInput: false, hasKernelCore: false, hardLimits: [:], filter: try FilterCache().filter(for: specification.linux?.seccomp))
        )
    }

    deinit {
        // What is left of a failed test lies in the temporary directory and in groups that carry the test's name.
        try? cgroups.remove(parent)
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Performs a plan to the end: what it printed, or why it could not be started.
    func perform(_ plan: LaunchPlan) throws -> String {
        let root = try DetachedMount.overlay(base: folder, lowers: ["tree"], upper: "upper", work: "work")
        let launched: LaunchedProcess
        do {
            launched = try PlanPerformer.perform(
                try EncodedPlan(checking: plan.encoded()), root: try root.descriptor.duplicate(), target: nil)
        } catch let failure as LaunchFailure {
            return "not started: \(failure.reason)"
        }
        let found = try finish(launched)
        try emptied()
        // A container that could not make something leaves the same root as one that could, for the next.
        for part in ["upper", "work"] {
            try FileManager.default.removeItem(atPath: "\(folder)/\(part)")
            try FileManager.default.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
        }
        return found.output + found.errors
    }

    /// The groups that the last run left are removed: the next makes them anew, with the kernel's own limits.
    private func emptied() throws {
        for _ in 0..<1000 {
            do { return try cgroups.remove(parent + "/container") } catch { guard error == .EBUSY else { throw error } }
            usleep(1000)  // the kernel empties a group a moment after the process was reaped, and tells nobody
        }
        throw Errno.EBUSY
    }
}
