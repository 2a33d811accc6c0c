import BerthLinux
import Foundation
import Glibc
import Testing

@testable import BerthLaunch
@testable import BerthMonitor

@Suite("A receiver that is told what a container says", .serialized) struct ReceiverLogTests {
    /// A receiver of datagrams at a path of its own.
    private final class Server {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("r-\(UUID().uuidString.prefix(8))").path
        private(set) var socket: OwnedDescriptor?

        init() throws { try open() }
        deinit { _ = unsafe unlink(path) }

        func open() throws {
            let raw = Glibc.socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            let descriptor = OwnedDescriptor(adopting: raw)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
            let result = unsafe withUnsafePointer(to: &address) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(result == 0)
            socket = consume descriptor
        }

        func close() {
            socket = nil
            _ = unsafe unlink(path)
        }

        /// What has come: each datagram, or the file in its place.
        func take() throws -> [String] {
            var found: [String] = []
            while true {
                var message: MessageSocket.Message
                do throws(Errno) { message = try MessageSocket(adopting: try socket!.duplicate()).receive(waiting: false) } catch {
                    if error == .EAGAIN { return found }
                    throw error
                }
                let file = message.takeDescriptor()
                let bytes = try file?.readToEnd(limit: 1 << 20) ?? message.bytes
                found.append((file == nil ? "" : "file ") + String(decoding: bytes, as: UTF8.self))
            }
        }
    }

    private func receiver(_ server: Server) -> LogReceiver {
        var receiver = LogReceiver(
            .datagrams(path: server.path), name: "unixgram \(server.path)", .journal([LogReceiver.Field("A", "1")]))
        receiver.retryMilliseconds = 0
        return receiver
    }

    private func record(_ text: String, priority: Int = 6) -> String { "PRIORITY=\(priority)\nMESSAGE=\(text)\nA=1\n" }

    private func say(_ log: ReceiverLog, _ text: String) { log.append(Array((text + "\n").utf8).span, isError: false) }

    @Test func entriesComeInOrder() throws {
        let server = try Server()
        let log = try ReceiverLog(receiver(server))
        say(log, "a\nb")
        log.append(Array("c".utf8).span, isError: true)
        #expect(try server.take() == [record("a"), record("b")] && !log.hasWaiting)
        log.finish()
        let last = try server.take()
        #expect(last.count == 1 && last[0].hasPrefix(record("c", priority: 3)) && last[0].contains("CONTAINER_PARTIAL_LAST=false\n"))
    }

    @Test func oneThatIsNeededAndNotThereIsAFailure() throws {
        let server = try Server()
        server.close()
        let failure = #expect(throws: LaunchFailure.self) { try ReceiverLog(receiver(server)) }
        #expect(failure?.reason.hasPrefix("failed to initialize logging driver: dial unixgram \(server.path): connect: ") == true)
    }

    @Test func oneThatComesBackIsToldWhatWaited() throws {
        let server = try Server()
        let log = try ReceiverLog(receiver(server))
        server.close()
        for number in 0..<3 { say(log, "\(number)") }
        #expect(log.hasWaiting && log.retryDeadline != nil)
        try server.open()
        log.retry()
        #expect(try server.take() == (0..<3).map { record("\($0)") })
        #expect(!log.hasWaiting && log.retryDeadline == nil)
    }

    @Test func whatHasNoRoomIsCountedAndSaid() throws {
        let server = try Server()
        var receiver = receiver(server)
        (receiver.roomByteCount, receiver.retryMilliseconds) = (100, 60_000)
        let log = try ReceiverLog(receiver)
        server.close()
        for number in 0..<10 { say(log, "line \(number)") }
        try server.open()
        log.retry()
        let heard = try server.take()
        #expect(heard.prefix(3) == [record("line 0"), record("line 1"), record("line 2")])
        let notice = "[berth: 42 bytes in 7 log entries are missing here: their receiver did not take them]"
        #expect(heard.dropFirst(3) == [record(notice, priority: 3)])
        say(log, "more")
        #expect(try server.take() == [record("more")])
    }

    @Test func whatFailsTooOftenIsGivenUp() throws {
        let server = try Server()
        var receiver = receiver(server)
        (receiver.maximumFailureCount, receiver.retryMilliseconds) = (2, 60_000)
        let log = try ReceiverLog(receiver)
        server.close()
        say(log, "lost")
        for _ in 0..<2 { log.retry() }
        try server.open()
        log.retry()
        #expect(
            try server.take() == [
                record("[berth: 4 bytes in 1 log entries are missing here: their receiver did not take them]", priority: 3)
            ])
    }

    /// journald's way with what no datagram can hold.
    @Test func aRecordThatIsTooLargeIsAFile() throws {
        let server = try Server()
        let socket = try ReceiverSocket(to: receiver(server))
        var room: CInt = 4608
        let result = socket.descriptor.withRawDescriptor {
            unsafe setsockopt($0, SOL_SOCKET, SO_SNDBUF, &room, socklen_t(MemoryLayout<CInt>.size))
        }
        try #require(result == 0)
        let text = String(repeating: "x", count: 200_000)
        #expect(try socket.send(Array(text.utf8), from: 0) == 200_000)
        #expect(try server.take() == ["file " + text])
    }

    /// One that does not read makes its container wait, unless it is not waited for.
    @Test(arguments: [true, false]) func oneThatDoesNotReadFillsUp(isWaitedFor: Bool) throws {
        let server = try Server()
        var receiver = receiver(server)
        (receiver.isWaitedFor, receiver.roomByteCount) = (isWaitedFor, 1000)
        let log = try ReceiverLog(receiver)
        for number in 0..<10_000 where !log.isFull { say(log, "\(number)") }
        #expect(log.isFull == isWaitedFor && log.hasWaiting)
        var heard: [String] = []
        var news = try server.take()
        while !news.isEmpty {
            heard += news
            log.handle()
            news = try server.take()
        }
        #expect(!log.isFull && !log.hasWaiting)
        #expect(heard.contains { $0.contains("are missing here") } != isWaitedFor)
        let numbered = heard.filter { !$0.contains("[berth") }
        #expect(numbered == numbered.indices.map { record("\($0)") })
    }
}
