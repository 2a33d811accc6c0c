import BerthLinux
import Foundation
import Testing

/// A directory of a test's own on the disk, gone with this value, and other tools run in it.
final class Scratch {
    let path: String
    private var mounts: [String] = []

    init() throws {
        path = "/var/tmp/berth-test-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        for mount in mounts.reversed() { unsafe umount2(mount, Int32(MNT_DETACH)) }
        // Not FileManager: names may be no text. What cannot be removed lies in the temporary directory.
        _ = try? Self.run("/bin/rm", ["-rf", path])
    }

    /// Runs a script in the directory and gives its output; a failure is the test's.
    @discardableResult
    func shell(_ script: String) throws -> String {
        let (output, code) = try Self.run("/bin/bash", ["-euo", "pipefail", "-c", "cd '\(path)'; \(script)"])
        try #require(code == 0, "\(script): \(output)")
        return output
    }

    static func run(_ program: String, _ arguments: [String]) throws -> (output: String, code: Int32) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"]
        let output = Foundation.Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (String(decoding: data, as: UTF8.self), process.terminationStatus)
    }

    /// A file system of its own in a directory below, in the tier's mount namespace.
    func mount(_ type: String, at name: String, options: String = "") throws -> String {
        let target = "\(path)/\(name)"
        try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
        let code = unsafe options.withCString { unsafe Glibc.mount(type, target, type, 0, $0) }
        let error = Errno.current
        try #require(code == 0, "mount \(type): \(error)")
        mounts.append(target)
        return target
    }

    /// Every file below a directory with its metadata, as Python sees it; with holes, or without telling them from zeros.
    func listing(_ directory: String, isDense: Bool = false) throws -> [String] {
        let tool = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Oracle/tree.py"
        let whole = directory.hasPrefix("/") ? directory : "\(path)/\(directory)"
        return try shell("/usr/bin/python3 '\(tool)' \(isDense ? "dense" : "list") '\(whole)'").split(separator: "\n").map(String.init)
    }

    func makeRandomTree(seed: Int, _ name: String, isPlain: Bool = false) throws {
        let tool = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Oracle/tree.py"
        try shell("/usr/bin/python3 '\(tool)' \(isPlain ? "plain" : "random") \(seed) '\(path)/\(name)'")
    }
}

/// Compares two listings line by line, so that a failure shows what differs and not all there is.
func expectSame(_ ours: [String], _ theirs: [String], _ note: String = "", sourceLocation: SourceLocation = #_sourceLocation) {
    let (missing, extra) = (Set(theirs).subtracting(ours).sorted(), Set(ours).subtracting(theirs).sorted())
    #expect(
        missing.isEmpty && extra.isEmpty && ours.count == theirs.count,
        "\(note) missing \(missing.count): \(missing.prefix(3).map { $0.suffix(300) }) extra \(extra.count): \(extra.prefix(3).map { $0.suffix(300) })",
        sourceLocation: sourceLocation)
}
