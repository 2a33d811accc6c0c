import Berth
import BerthLinux
import Foundation
import Testing

@testable import BerthContainers

/// Whole, where the kernel runs SELinux: an emulated guest, with a policy that allows everything. Which labels there are is what is looked at.
@Suite("SELinux, by containers", .kernelTier, .serialized, .timeLimit(.minutes(5)))
struct SELinuxEngineTests {
    private static let own = "tr -d '\\0' </proc/self/attr/current"

    /// Where it does not run, an engine that is to use it gives no labels.
    private func isThere(_ test: TestEngine) async throws -> Bool {
        #expect(test.engine.containers.usesSELinux == SELinux.isRunning)
        if SELinux.isRunning { return true }
        #expect(ProcessInfo.processInfo.environment["BERTH_HAS_MODULE"] != "selinux")
        let container = try await test.engine.containers.create(configuration(["label=type:other_t"]))
        #expect(try await container.details().securityLabels == nil)
        try await container.start()
        return false
    }

    private func configuration(_ options: [String]) -> ContainerConfiguration {
        var configuration = ContainerConfiguration(image: "busybox")
        (configuration.command, configuration.network) = (["sleep", "100000"], .none)
        configuration.securityModuleOptions = options
        return configuration
    }

    /// What a container that runs says.
    private func said(by container: Container, _ script: String) async throws -> String {
        var asked = ExecutionConfiguration(command: ["sh", "-c", script])
        asked.attachesOutput = true
        let execution = try await container.makeExecution(asked)
        let streams = try await execution.start()
        var output: [UInt8] = []
        while let chunk = try await streams.read() {
            if case .output(let bytes) = chunk { output += bytes }
        }
        #expect(try await execution.wait() == 0, "\(script)")
        return String(decoding: output, as: UTF8.self)
    }

    /// The label of a file.
    private func label(of path: String) throws -> String {
        let directory = try Directory.open((path as NSString).deletingLastPathComponent)
        let value = try directory.extendedAttribute("security.selinux", of: try PathBytes((path as NSString).lastPathComponent))
        return String(decoding: try #require(value, "\(path)").prefix { $0 != 0 }, as: UTF8.self)
    }

    @Test func eachContainerHasLabelsOfItsOwn() async throws {
        let test = try await TestEngine(usesSELinux: true)
        guard try await isThere(test) else { return try await test.remove() }
        var levels: Set<String> = []
        for _ in 0..<3 {
            let container = try await test.engine.containers.create(configuration([]))
            try await container.start()
            let labels = try #require(try await container.details().securityLabels)
            let (process, file) = (try #require(SecurityContext(labels.process)), try #require(SecurityContext(labels.mount)))
            #expect("\(process)".hasPrefix("system_u:system_r:container_t:s0:c") && file.level == process.level, "\(labels)")
            #expect(levels.insert(process.level).inserted)
            // Its first process, and one beside it.
            let text = try String(
                contentsOfFile: "/proc/\(try #require(try await container.details().processID))/attr/current", encoding: .utf8)
            #expect(text.prefix { $0 != "\0" } == labels.process)
            #expect(try await said(by: container, Self.own) == labels.process)
            let mounts = try await said(by: container, "cat /proc/self/mountinfo").split(separator: "\n").map { $0.split(separator: " ") }
            for place in ["/", "/dev", "/dev/pts", "/dev/shm"] {
                let line = try #require(mounts.last { $0[4] == place })
                #expect(line.joined(separator: " ").contains("context=\"\(labels.mount)\""), "\(line)")
            }
            #expect(try label(of: "/proc/\(try #require(try await container.details().processID))/root/dev/mqueue") == labels.mount)
            for name in ["hosts", "hostname", "resolv.conf"] {
                #expect(try label(of: "\(test.folder)/root/containers/\(container.id)/\(name)") == labels.mount, "\(name)")
            }
        }
        try await test.remove()
    }

    @Test func whatAContainerSaysOfThemCounts() async throws {
        let test = try await TestEngine(usesSELinux: true)
        guard try await isThere(test) else { return try await test.remove() }
        let host = try String(contentsOfFile: "/proc/self/attr/current", encoding: .utf8).prefix { $0 != "\0" }
        for (options, isPrivileged, process, mount) in [
            (["label=level:s0:c5,c7"], false, "system_u:system_r:container_t:s0:c5,c7", "system_u:object_r:container_file_t:s0:c5,c7"),
            (
                ["label=type:other_t", "label=level:s0", "label=filetype:other_file_t"], false, "system_u:system_r:other_t:s0",
                "system_u:object_r:other_file_t:s0"
            ),
            (["label=disable"], false, String(host), "system_u:object_r:container_file_t:s0:c1022,c1023"),
            ([], true, String(host), "system_u:object_r:container_file_t:s0:c1022,c1023"),
        ] {
            var asked = configuration(options)
            asked.privileged = isPrivileged
            let container = try await test.engine.containers.create(asked)
            try await container.start()
            #expect(try await said(by: container, Self.own) == process, "\(options)")
            #expect(try await container.details().securityLabels?.mount == mount, "\(options)")
        }
        for option in ["label=colour:red", "label=type"] {
            let refusal = await #expect(throws: ContainerError.self) {
                _ = try await test.engine.containers.create(configuration([option]))
            }
            #expect(refusal?.code == .invalid && "\(refusal!)".hasPrefix("Bad label option \"\(option.dropFirst(6))\""), "\(refusal!)")
        }
        // Whoever shares another's memory is called as that is.
        let owner = try await test.engine.containers.create(configuration([]))
        try await owner.start()
        var sharing = configuration([])
        sharing.namespaces.ipc = .container(owner.id)
        let sharer = try await test.engine.containers.create(sharing)
        #expect(try await sharer.details().securityLabels == owner.details().securityLabels)
        try await test.remove()
    }

    @Test func whatIsMountedGetsTheLabelThatIsAskedFor() async throws {
        let test = try await TestEngine(usesSELinux: true)
        guard try await isThere(test) else { return try await test.remove() }
        for name in ["shared", "own", "left"] {
            try FileManager.default.createDirectory(atPath: "\(test.folder)/\(name)/below", withIntermediateDirectories: true)
            try Data().write(to: URL(fileURLWithPath: "\(test.folder)/\(name)/below/file"))
        }
        let before = try label(of: "\(test.folder)/left/below/file")
        // What a link leads to is meant.
        try FileManager.default.createSymbolicLink(atPath: "\(test.folder)/link", withDestinationPath: "own")
        var asked = configuration([])
        asked.mounts = [("shared", "z"), ("link", "Z"), ("left", "")].map { name, options in
            var mount = Mount(.bind, source: "\(test.folder)/\(name)", target: "/\(name)")
            mount.notation = .volume(options: options, text: "")
            return mount
        }
        asked.mounts.append(Mount(volume: "kept", at: "/kept"))
        let container = try await test.engine.containers.create(asked)
        try await container.start()
        let labels = try #require(try await container.details().securityLabels)
        for part in ["", "/below", "/below/file"] {
            #expect(try label(of: "\(test.folder)/shared\(part)") == "system_u:object_r:container_file_t:s0")
            #expect(try label(of: "\(test.folder)/own\(part)") == labels.mount)
        }
        #expect(try label(of: "\(test.folder)/left/below/file") == before)
        #expect(try label(of: "\(test.folder)/root/volumes/kept/_data") == "system_u:object_r:container_file_t:s0")
        var hostile = configuration([])
        try FileManager.default.createSymbolicLink(atPath: "\(test.folder)/host", withDestinationPath: "/etc")
        hostile.mounts = [Mount(.bind, source: "\(test.folder)/host", target: "/etc")]
        hostile.mounts[0].notation = .volume(options: "Z", text: "")
        let refusal = await #expect(throws: ContainerError.self) { try await test.engine.containers.create(hostile).start() }
        #expect("\(refusal!)".contains("SELinux relabeling of /etc is not allowed"), "\(refusal!)")
        try await test.remove()
    }
}
