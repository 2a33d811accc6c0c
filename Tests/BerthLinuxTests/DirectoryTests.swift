import BerthLinux
import Foundation
import Testing

@Suite("A directory is a root that no path leaves")
struct DirectoryTests {
    /// A directory of the test's own, removed afterwards.
    private func withScratch(_ body: (borrowing Directory) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-linux-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(try Directory.open(path))
    }

    @Test("Paths that lead out are refused, whichever way", arguments: ["../x", "a/../../x", "/etc", "out/passwd", "absolute/passwd"])
    func escapes(path: String) throws {
        try withScratch { root in
            try root.makeDirectory("a")
            try root.makeSymbolicLink("out", to: "../../../../etc")
            try root.makeSymbolicLink("absolute", to: "/etc")
            let path = try PathBytes(path)
            for resolution in [Directory.Resolution.withoutLinks, .beneath] {
                #expect(throws: Errno.self) { _ = try root.openPath(path, resolution) }
            }
        }
    }

    @Test("In-root resolution takes the directory for the root")
    func inRoot() throws {
        try withScratch { root in
            try root.makeDirectory("etc")
            try unsafe root.openDirectory("etc").replaceFile("passwd", with: "inside".utf8Span.span.bytes)
            try root.makeSymbolicLink("link", to: "/../../etc/passwd")
            #expect(try root.readFile("link", limit: 100, .inRoot) == Array("inside".utf8))
            #expect(throws: Errno.ELOOP) { _ = try root.readFile("link", limit: 100) }
        }
    }

    @Test("Names are bytes", arguments: [[0xff, 0xfe], [0x61, 0x0a], [0xc3]] as [[UInt8]])
    func oddNames(name: [UInt8]) throws {
        try withScratch { root in
            let name = try PathBytes(name)
            try root.makeDirectory(name)
            #expect(try root.entries().map(\.name) == [name])
            try root.removeTree(name)
            #expect(try root.entries().isEmpty)
        }
    }

    @Test("Calls that change something take one name only", arguments: ["", ".", "..", "a/b", "/a"])
    func namesOnly(name: String) throws {
        try withScratch { root in
            let name = try PathBytes(name)
            #expect(throws: Errno.EINVAL) { try root.makeDirectory(name) }
            #expect(throws: Errno.EINVAL) { _ = try root.createFile(name) }
            #expect(throws: Errno.EINVAL) { try root.removeFile(name) }
        }
    }

    @Test("Removing a tree does not follow links out of it")
    func removal() throws {
        try withScratch { root in
            try root.makeDirectory("kept")
            try unsafe root.openDirectory("kept").replaceFile("file", with: "x".utf8Span.span.bytes)
            let tree = try root.makeDirectories("tree/deep/er")
            try tree.makeSymbolicLink("link", to: "../../../kept")
            try root.removeTree("tree")
            try root.removeTree("tree")
            #expect(try !root.contains("tree"))
            #expect(try root.readFile("kept/file", limit: 10) == Array("x".utf8))
        }
    }

    @Test("Times, permissions and attributes are set and read back")
    func metadata() throws {
        try withScratch { root in
            try unsafe root.replaceFile("file", with: "x".utf8Span.span.bytes)
            try root.setPermissions("file", 0o4751)
            try root.setTimes(
                "file", access: FileTime(seconds: 1, nanoseconds: 2), modification: FileTime(seconds: -3, nanoseconds: 999_999_999))
            let status = try root.status("file")
            #expect(status.permissions == 0o4751)
            #expect(status.accessTime == FileTime(seconds: 1, nanoseconds: 2))
            #expect(status.modificationTime == FileTime(seconds: -3, nanoseconds: 999_999_999))
            try root.makeSymbolicLink("link", to: "file")
            #expect(throws: Errno.EOPNOTSUPP) { try root.setPermissions("link", 0o777) }
            #expect(try root.extendedAttribute("user.none", of: "file") == nil)
        }
    }
}
