import BerthLaunch
import BerthLinux
import Foundation
import Testing

@Suite(.kernelTier, .serialized, .timeLimit(.minutes(1)))
struct LaunchTerminalTests {
    let container: BusyboxContainer
    init() throws {
        container = try BusyboxContainer()
        container.streams = .terminal
    }

    /// Reads a terminal to its end, which is EIO once no process has it open.
    private func text(of terminal: borrowing OwnedDescriptor) -> String {
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 4096)
        while let count = try? unsafe buffer.withUnsafeMutableBytes({ try unsafe terminal.read(into: $0) }), count > 0 {
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        return text
    }

    @Test func aTerminalOfTheContainersOwn() throws {
        container.arguments = [
            "/bin/sh", "-c", "tty; stty size; tty </dev/tty; test -c /dev/console && echo console; ls /proc/1/fd | tail -n 1",
        ]
        let launched = try container.start()
        let text = text(of: launched.terminal!)
        #expect(text.hasPrefix("/dev/pts/0\r\n30 100\r\n/dev/"), "\(text)")
        #expect(text.contains("console\r\n"))
        #expect(waitFor(launched.takeProcess()) == 0)
    }

    @Test func theUserOwnsTheTerminal() throws {
        container.userID = 1000
        container.arguments = ["/bin/sh", "-c", "stat -c %u:%g:%a /dev/pts/0; echo again >/dev/pts/0"]
        let launched = try container.start()
        #expect(text(of: launched.terminal!) == "1000:5:620\r\nagain\r\n")
        #expect(waitFor(launched.takeProcess()) == 0)
    }

    @Test func anInterruptReachesTheForeground() throws {
        container.arguments = ["/bin/sh", "-c", "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 1; done"]
        let launched = try container.start()
        var seen = ""
        var buffer = [UInt8](repeating: 0, count: 256)
        while !seen.contains("ready") {
            let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe launched.terminal!.read(into: $0) }
            seen += String(decoding: buffer[..<count], as: UTF8.self)
        }
        try unsafe launched.terminal!.writeAll(([3] as [UInt8]).span.bytes)
        #expect(text(of: launched.terminal!).contains("caught"))
        #expect(waitFor(launched.takeProcess()) == 9)
    }
}

@Suite(.kernelTier, .serialized, .timeLimit(.minutes(1)))
struct LaunchExecutionTests {
    let container: BusyboxContainer
    init() throws { container = try BusyboxContainer() }

    private func withRunning(_ body: (borrowing ProcessHandle) throws -> Void) throws {
        container.streams = .pipes
        container.arguments = ["/bin/cat"]
        var launched = try container.start()
        container.streams = .pipesWithoutInput
        try body(launched.process)
        launched.input = nil
        #expect(try finish(launched).code == 0)
    }

    @Test func aFurtherProcessIsInTheSameNamespacesAndGroups() throws {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self/ns/pid_for_children")
        try withRunning { first in
            container.arguments = [
                "/bin/sh", "-c",
                "for n in mnt uts ipc pid net cgroup; do readlink /proc/self/ns/$n; readlink /proc/1/ns/$n; done; cat /proc/self/cgroup",
            ]
            let found = try finish(try container.execute(in: first))
            let lines = found.output.split(separator: "\n").map(String.init)
            try #require(lines.count > 12, "\(found)")
            for index in stride(from: 0, to: 12, by: 2) { #expect(lines[index] == lines[index + 1]) }
            for line in lines[12...] { #expect(line.hasSuffix(":/"), "\(line)") }
            container.arguments = ["/bin/cat", "/proc/self/status"]
            let status = try finish(try container.execute(in: first)).output
            #expect(status.contains("CapEff:\t00000000a80425fb\n") && status.contains("CapBnd:\t00000000a80425fb\n"))
            container.arguments = ["/bin/sh", "-c", "ls /proc/$$/fd; :"]
            #expect(try finish(try container.execute(in: first)).output == "0\n1\n2\n")
        }
        #expect(
            try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self/ns/pid_for_children") == own,
            "the parent is where it was")
    }

    @Test func aDescriptorOfTheHostIsNoWorkingDirectory() throws {
        let host = unsafe open("/", O_RDONLY)
        defer { close(host) }
        try withRunning { first in
            for number in 3...host {
                container.workingDirectory = "/proc/self/fd/\(number)"
                do {
                    _ = try finish(try container.execute(in: first))
                    Issue.record("descriptor \(number) was entered")
                } catch let failure as LaunchFailure {
                    #expect(failure.stage == .workingDirectory)
                }
            }
        }
    }

    @Test func aTerminalInARunningContainer() throws {
        try withRunning { first in
            container.streams = .terminal
            container.arguments = ["/bin/tty"]
            let launched = try container.execute(in: first)
            var buffer = [UInt8](repeating: 0, count: 256)
            let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe launched.terminal!.read(into: $0) }
            #expect(String(decoding: buffer[..<count], as: UTF8.self) == "/dev/pts/0\r\n")
            // Until the process has ended and let go of it: closed before, the terminal would hang up on it.
            let end = #expect(throws: Errno.self) {
                while try unsafe buffer.withUnsafeMutableBytes({ try unsafe launched.terminal!.read(into: $0) }) > 0 {}
            }
            #expect(end == .EIO)
            #expect(waitFor(launched.takeProcess()) == 0)
        }
    }

    @Test(arguments: [
        "umount /dev/pts; mkfifo /dev/pts/ptmx", "umount /dev/pts; touch /dev/pts/ptmx", "umount /dev/pts; ln -s /dev/null /dev/pts/ptmx",
    ])
    func aTerminalIsNotTakenFromWhatTheContainerPutThere(_ command: String) throws {
        container.capabilities.rawValue |= 1 << 21  // the right to mount, as a privileged container has it
        try withRunning { first in
            container.arguments = ["/bin/busybox", "sh", "-c", "busybox " + command.replacingOccurrences(of: "; ", with: "; busybox ")]
            #expect(try finish(try container.execute(in: first)).code == 0)
            container.streams = .terminal
            do {
                _ = waitFor(try container.execute(in: first).takeProcess())
                Issue.record("a terminal was made of what is none")
            } catch let failure as LaunchFailure {
                #expect(failure.reason.contains("terminal") && failure.errnoValue == ENOTTY, "\(failure.reason)")
            }
        }
    }
}
