import Berth
import BerthLinux
import Foundation
import Testing

/// An engine on a root of its own, with an image of busybox.
final class TestEngine {
    let folder: String
    let engine: Engine

    static func archive(in folder: String) throws -> String {
        let tree = folder + "/tree"
        for part in ["bin", "etc", "tmp", "root", "proc"] {
            try FileManager.default.createDirectory(atPath: "\(tree)/\(part)", withIntermediateDirectories: true)
        }
        try FileManager.default.copyItem(atPath: "/bin/busybox", toPath: tree + "/bin/busybox")
        for tool in ["sh", "cat", "true", "false", "sleep", "echo", "ls", "id", "grep", "seq", "head", "stat", "hostname", "dd", "kill", "env", "pwd", "tty", "stty", "wc", "mount", "touch", "rm", "readlink"] {
            try FileManager.default.createSymbolicLink(atPath: "\(tree)/bin/\(tool)", withDestinationPath: "busybox")
        }
        try "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1001:user:/home/user:/bin/sh\n".write(toFile: tree + "/etc/passwd", atomically: false, encoding: .utf8)
        try "root:x:0:\nusers:x:1001:\nextra:x:1002:user\n".write(toFile: tree + "/etc/group", atomically: false, encoding: .utf8)
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/bin/tar")
        tar.arguments = ["-C", tree, "--numeric-owner", "--owner=0", "--group=0", "-cf", folder + "/busybox.tar", "."]
        try tar.run()
        tar.waitUntilExit()
        try #require(tar.terminationStatus == 0)
        return folder + "/busybox.tar"
    }

    init() async throws {
        folder = "/var/tmp/berth-engine-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        engine = try await Engine.open(EngineConfiguration(root: folder + "/root", execRoot: folder + "/run"))
        let archive = try HostFile.open(try Self.archive(in: folder))
        _ = try await engine.images.importRootFileSystem(from: archive, as: try ImageReference(parsing: "busybox")).value
    }

    func remove() async throws {
        for container in try engine.containers.list(ContainerQuery(includesAll: true)) {
            try await engine.containers.find(container.id).remove(force: true)
        }
        try FileManager.default.removeItem(atPath: folder)
    }

    func run(_ command: [String], _ change: (inout ContainerConfiguration) -> Void = { _ in }) async throws -> (output: String, errors: String, code: Int32) {
        var configuration = ContainerConfiguration(image: "busybox")
        configuration.command = command
        configuration.network = .none
        change(&configuration)
        let container = try await engine.containers.create(configuration)
        let attachment = try await container.attach()
        let waiter = try container.waiter(.nextExit)
        try await container.start()
        var (output, errors): ([UInt8], [UInt8]) = ([], [])
        while let chunk = try await attachment.read() {
            switch chunk {
            case .output(let bytes): output += bytes
            case .errors(let bytes): errors += bytes
            }
        }
        let exit = try await waiter.value()
        try await container.remove()
        return (String(decoding: output, as: UTF8.self), String(decoding: errors, as: UTF8.self), exit.code)
    }
}

@Suite(.kernelTier, .serialized)
struct EngineTests {
    @Test func aContainerRunsAndSaysWhatItDid() async throws {
        let test = try await TestEngine()
        let result = try await test.run(["sh", "-c", "echo out; echo err >&2; exit 7"])
        #expect(result.output == "out\n")
        #expect(result.errors == "err\n")
        #expect(result.code == 7)
        try await test.remove()
    }
}
