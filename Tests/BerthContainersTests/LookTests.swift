import BerthLinux
import BerthOCI
import Foundation
import Testing

@testable import BerthContainers

@Suite struct CopyPathTests {
    @Test(arguments: [
        ("/etc/passwd", "/etc/passwd", CopyPath.Ending.name, "passwd"), ("etc", "/etc", .name, "etc"), ("/etc/", "/etc", .slash, "etc"),
        ("/etc/.", "/etc", .dot, "."), ("/", "/", .name, "/"), (".", "/", .dot, "."), ("/..", "/", .name, "/"),
        ("a//./b/../c", "/a/c", .name, "c"),
        ("../../x/", "/x", .slash, "x"), ("/a/./", "/a", .dot, "."),
    ])
    func pathsAreReadAsDockerDoes(_ text: String, _ path: String, _ ending: CopyPath.Ending, _ base: String) throws {
        let found = try CopyPath(parsing: text)
        #expect(CopyPath.text(found.names) == path)
        #expect(found.ending == ending)
        #expect(found.base == Array(base.utf8))
    }

    @Test func noPathIsNone() {
        #expect(throws: ContainerError.self) { try CopyPath(parsing: "") }
        #expect(throws: ContainerError.self) { try CopyPath(parsing: "a\0b") }
    }

    @Test func linksAreFollowedInTheRoot() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("berth-copy-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder.appendingPathComponent("a/b"), withIntermediateDirectories: true)
        for (name, target) in [("up", "../../../../etc"), ("abs", "/a/up2"), ("a/up2", "../nowhere/x"), ("loop", "loop")] {
            try FileManager.default.createSymbolicLink(atPath: folder.path + "/" + name, withDestinationPath: target)
        }
        let root = try Directory.open(folder.path)
        func followed(_ path: String) throws -> String { CopyPath.text(try CopyPath.followed(try CopyPath(parsing: path).names, in: root)) }
        #expect(try followed("/up/passwd") == "/etc/passwd")
        #expect(try followed("/abs") == "/nowhere/x")
        #expect(try followed("/a/b/c") == "/a/b/c")
        #expect(throws: Errno.ELOOP) { try followed("/loop") }
    }
}

@Suite struct ProcessTableTests {
    @Test(arguments: [
        ("-ef", "UID PID PPID C STIME TTY TIME CMD"), ("aux", "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"),
        ("-eo pid,args=WHAT", "PID WHAT"), ("-o pid -o user", "PID USER"), ("-e", "PID TTY TIME CMD"),
        ("-ejww", "PID PGID SID TTY TIME CMD"),
    ])
    func columns(_ options: String, _ titles: String) throws {
        #expect(try ProcessTableFormat(parsing: options).columns.map(\.title).joined(separator: " ") == titles)
    }

    @Test(arguments: ["-L", "-o wrong", "-o", "-o user", "--sort=pid", "f", "-p1"])
    func whatCannotBeShownIsSaid(_ options: String) { #expect(throws: ContainerError.self) { try ProcessTableFormat(parsing: options) } }

    @Test func aRowIsWhatPsPrints() throws {
        var process = try ProcessReading(of: HostFile.ownProcessID)
        #expect(process.id == HostFile.ownProcessID && !process.arguments.isEmpty && process.residentByteCount > 0)
        (process.processorTime, process.startedAt, process.arguments) = (90_000_000_000, 0, ["a  b", "c\u{1b}"])
        (process.userIDs, process.terminal, process.state, process.threadCount) = (
            [7, 7, 7, 7], DeviceNumber(major: 136, minor: 3), "S", 2
        )
        (process.sessionID, process.isForeground, process.niceness) = (process.id, true, 0)
        let facts = ProcessTableFacts(now: 900_000_000_000, memoryByteCount: 1 << 30, users: [7: "longusername"], groups: [:])
        let format = try ProcessTableFormat(parsing: "-o pid,user,tty,stat,time,bsdtime,etime,%cpu,c,args")
        #expect(
            format.row(process, facts)
                == [String(process.id), "longuse+", "pts/3", "Ssl+", "00:01:30", "1:30", "15:00", "10.0", "10", "a b c?"])
    }
}
