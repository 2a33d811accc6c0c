import BerthLaunch
import BerthLinux
import Foundation
import Testing

@Suite(.kernelTier, .serialized, .timeLimit(.minutes(1)))
struct LaunchMountTests {
    let container: BusyboxContainer
    init() throws { container = try BusyboxContainer() }

    @Test func theRootIsTheOverlayAndNothingElseIsThere() throws {
        let found = try container.run("/bin/sh", "-c", "echo new >/made; cat /proc/self/mountinfo; ls /; cd ..; pwd").output
        let mounts = found.split(separator: "\n").filter { $0.contains(" - ") }
        #expect(mounts[0].contains(" / / ") && mounts[0].contains(" - overlay "))
        #expect(mounts.count == 7, "root, proc, dev, pts, sys, mqueue, shm and no mount of the host:\n\(mounts.joined(separator: "\n"))")
        for option in ["redirect_dir", "metacopy=on", "index=on"] {
            #expect(!mounts[0].contains(option) || mounts[0].contains("\(option)=off"))
        }
        #expect(found.hasSuffix("\n/\n"))
        #expect(try String(contentsOfFile: container.upper + "/made", encoding: .utf8) == "new\n")
        #expect(!FileManager.default.fileExists(atPath: container.lower + "/made"))
    }

    @Test func nothingIsMountedOnTheHost() throws {
        let before = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
        container.streams = .pipes
        container.arguments = ["/bin/cat"]
        var launched = try container.start()
        #expect(try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) == before)
        launched.input = nil
        #expect(try finish(launched).code == 0)
        #expect(try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) == before)
    }

    @Test func maskedAndReadOnlyPathsAreSo() throws {
        try container.put("/etc/secret", "x")
        try container.put("/etc/secrets/one", "x")
        container.afterPivot = [
            .readOnly("/proc/sys"), .readOnly("/not/there"), .mask("/proc/timer_list"), .mask("/etc/secret"), .mask("/etc/secrets"),
            .mask("/proc/fs"), .mask("/not/there"),
        ]
        let found = try container.run(
            "/bin/sh", "-c",
            "cat /proc/timer_list /etc/secret; ls /etc/secrets; echo x >/proc/sys/kernel/domainname; echo x >/etc/secrets/two")
        #expect(found.output == "")
        #expect(found.errors.components(separatedBy: "Read-only file system").count == 3, "\(found.errors)")
        // One file system is enough for all directories.
        let masks = try container.run("/bin/sh", "-c", "ls /proc/fs; grep -E ' (/etc/secrets|/proc/fs) ' /proc/self/mountinfo").output
        let lines = masks.split(separator: "\n")
        #expect(
            lines.count == 2 && Set(lines.map { $0.split(separator: " ")[2] }).count == 1 && lines.allSatisfy { $0.contains(" ro") },
            "\(masks)")
        container.afterPivot = [.rootReadOnly]
        #expect(try container.run("/bin/sh", "-c", "echo x >/tmp/x").errors.contains("Read-only file system"))
    }

    @Test func deviceNodesAreWhatTheyAreCalled() throws {
        let found = try container.run(
            "/bin/sh", "-c", "for d in null zero full random urandom tty; do stat -c '%n %a %t:%T' /dev/$d; done; readlink /dev/ptmx"
        ).output
        #expect(
            found == """
                /dev/null 666 1:3
                /dev/zero 666 1:5
                /dev/full 666 1:7
                /dev/random 666 1:8
                /dev/urandom 666 1:9
                /dev/tty 666 5:0
                pts/ptmx

                """)
    }

    @Test func bindsOfFilesAndDirectories() throws {
        let shared = container.folder + "/shared"
        try FileManager.default.createDirectory(atPath: shared, withIntermediateDirectories: true)
        try "from the host\n".write(toFile: shared + "/file", atomically: false, encoding: .utf8)
        container.beforePivot = [
            .bind(source: shared, target: "/data/deep", recursive: true, attributes: 0, propagation: 1 << 18),
            .bind(source: shared + "/file", target: "/etc/one/file", recursive: false, attributes: 1, propagation: 0),
        ]
        let found = try container.run(
            "/bin/sh", "-c", "cat /data/deep/file /etc/one/file; echo back >/data/deep/back; echo x >/etc/one/file")
        #expect(found.output == "from the host\nfrom the host\n")
        #expect(found.errors.contains("Read-only file system"))
        #expect(try String(contentsOfFile: shared + "/back", encoding: .utf8) == "back\n")
    }

    @Test func aTargetBehindALinkStaysInsideTheRoot() throws {
        let outside = container.folder + "/outside"
        try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: true)
        try container.link("/escape", to: "../../../../../../../../" + outside)
        try container.link("/absolute", to: outside)
        container.beforePivot = [
            .directory(path: "/escape/made", permissions: 0o755, userID: 0, groupID: 0),
            .mount(type: "tmpfs", source: "tmpfs", target: "/absolute/mounted", flags: 0, data: ""),
            .device(path: "/absolute/device", mode: 0o020666, major: 1, minor: 3, userID: 0, groupID: 0),
            .symbolicLink(target: "x", path: "/escape/link"),
        ]
        // The links dangle inside the root: what they lead to is made there, and nothing outside.
        for _ in 0..<2 {
            let found = try container.run("/bin/sh", "-c", "cd \(outside); ls")
            #expect(found.output == "device\nlink\nmade\nmounted\n")
            #expect(try FileManager.default.contentsOfDirectory(atPath: outside) == [])
            try FileManager.default.createDirectory(atPath: container.lower + outside, withIntermediateDirectories: true)
        }
        // Those that lead to each other lead nowhere.
        try container.link("/one", to: "other")
        try container.link("/other", to: "/one")
        container.beforePivot = [.directory(path: "/one/made", permissions: 0o755, userID: 0, groupID: 0)]
        let failure = #expect(throws: LaunchFailure.self) { _ = try container.run() }
        #expect(failure?.errnoValue == ELOOP)
    }

    @Test(arguments: ["/proc", "/sys"]) func whatIsMaskedByNameIsNotMountedBehindALink(_ path: String) throws {
        try container.put("/elsewhere/file", "")
        try container.link(path, to: "/elsewhere")
        let failure = #expect(throws: LaunchFailure.self) { _ = try container.run() }
        #expect(failure?.errnoValue == ELOOP && failure?.reason.contains("'\(path)'") ?? false)
    }
}
