import BerthImages
import BerthLinux
import BerthOCI
import Foundation
import Testing

private let tracedFolder = ProcessInfo.processInfo.environment["BERTH_TRACED_FOLDER"]

@Suite("The seam misses nothing", .crashTier, .serialized)
struct TracedImportTests {
    /// What runs under strace: the same import as the walk's, between two marks.
    @Test("Child", .enabled("only under strace, by the other test") { tracedFolder != nil })
    func child() async throws {
        let folder = try #require(tracedFolder)
        let stores = try await Stores(folder + "/root")
        let (result, calls) = await SystemCallSeam.scripted { () -> Result<ImageRecord, any Error> in
            _ = HostFile.exists("/berth-mark-begin")
            defer { _ = HostFile.exists("/berth-mark-end") }
            do { return .success(try await stores.importArchive(folder + "/every.tar.gz")) } catch { return .failure(error) }
        }
        _ = try result.get()
        try calls.joined(separator: "\n").write(toFile: folder + "/seam", atomically: false, encoding: .utf8)
    }

    @Test("Every durable call that strace sees below the root has passed the seam, in the same order")
    func comparison() throws {
        let every = try EveryEntry()
        let root = every.folder + "/root"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/strace")
        process.arguments =
            [
                "-f", "-y", "-qq", "-s", "4096", "-o", every.folder + "/trace", "-e", "trace=" + Self.traced.joined(separator: ","),
                try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"),
            ] + Self.ownArguments + ["--filter", "TracedImportTests.child"]
        process.environment = ProcessInfo.processInfo.environment.merging(["BERTH_TRACED_FOLDER": every.folder]) { $1 }
        let output = Foundation.Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let said = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(said)")

        let seam = try String(contentsOfFile: every.folder + "/seam", encoding: .utf8).split(separator: "\n").map(String.init)
        let trace = String(decoding: try Data(contentsOf: URL(fileURLWithPath: every.folder + "/trace")), as: UTF8.self)
        let lines = trace.split(separator: "\n")
        let begin = try #require(lines.firstIndex { $0.contains("/berth-mark-begin") })
        let end = try #require(lines.firstIndex { $0.contains("/berth-mark-end") })
        let seen = lines[begin..<end].compactMap { Self.durable(String($0), below: root) }
        #expect(Set(seen.map(\.name)).count >= 14, "strace has seen only \(Set(seen.map(\.name)).sorted())")
        for (index, call) in seen.enumerated() where index >= seam.count || seam[index] != call.name {
            Issue.record("strace saw '\(call.line)', and the seam has \(index < seam.count ? seam[index] : "nothing") there")
            break
        }
        #expect(seam.count == seen.count)
    }

    /// How this very runner was started, but for what it was to run.
    private static var ownArguments: [String] {
        var result: [String] = []
        var arguments = CommandLine.arguments.dropFirst()[...]
        while let argument = arguments.popFirst() {
            if ["--filter", "--skip", "--xunit-output", "--event-stream-output-path"].contains(argument) {
                _ = arguments.popFirst()
            } else {
                result.append(argument)
            }
        }
        return result
    }

    private static let traced = [
        "access", "faccessat", "faccessat2", "open", "openat", "openat2", "creat", "write", "writev", "pwrite64", "pwritev", "pwritev2",
        "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat", "mknod", "mknodat", "unlink",
        "unlinkat", "rmdir", "fsync", "fdatasync", "syncfs", "sync", "chown", "fchown", "lchown", "fchownat", "chmod", "fchmod", "fchmodat",
        "utimensat", "utime", "utimes", "futimesat", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
        "truncate", "ftruncate", "fallocate", "copy_file_range", "sendfile", "splice",
    ]

    /// The seam's word for a line of strace's, if the line is a durable call below the root.
    static func durable(_ line: String, below root: String) -> (name: String, line: String)? {
        // A process id, the call; a call that another thread's interrupted goes on in a line that begins "<... name resumed>".
        let rest = line.drop { $0.isNumber }.drop { $0 == " " }
        guard let parenthesis = rest.firstIndex(of: "("), !rest.hasPrefix("<") else { return nil }
        let call = rest[..<parenthesis]
        // Attributes are set through a path in /proc, which does not say where it leads.
        let isBelow = rest.contains("<\(root)") || rest.contains("\"\(root)") || (call.contains("xattr") && rest.contains("/proc/self/fd/"))
        guard isBelow else { return nil }
        let name: String? =
            switch call {
            case "open", "openat", "openat2": rest.contains("O_CREAT") || rest.contains("O_TRUNC") ? "openat:create" : nil
            case "creat": "openat:create"
            case "access", "faccessat", "faccessat2": nil
            case "write", "writev", "pwrite64", "pwritev", "pwritev2", "copy_file_range", "sendfile", "splice": "write"
            case "rename", "renameat", "renameat2": "renameat2"
            case "link", "linkat": "linkat"
            case "symlink", "symlinkat": "symlinkat"
            case "mkdir", "mkdirat": "mkdirat"
            case "mknod", "mknodat": "mknodat"
            case "rmdir": "unlinkat:directory"
            case "unlink", "unlinkat": rest.contains("AT_REMOVEDIR") ? "unlinkat:directory" : "unlinkat"
            case "fsync", "fdatasync": "fsync"
            case "chown", "fchown", "lchown", "fchownat": "fchownat"
            case "chmod", "fchmod", "fchmodat": "fchmodat"
            case "setxattr", "lsetxattr", "fsetxattr": "setxattr"
            case "truncate", "ftruncate": "ftruncate"
            default: String(call)
            }
        return name.map { ($0, line) }
    }
}
