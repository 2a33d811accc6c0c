import BerthLaunch
import BerthLinux
import Foundation
import Testing

@testable import BerthMonitor

/// A socket of the loopback interface that waits for nothing longer than ten seconds.
private final class LocalSocket {
    let descriptor: OwnedDescriptor
    private var raw: CInt { descriptor.withRawDescriptor { $0 } }

    /// Bound to a port that the kernel chooses, and listening if it is of TCP and a backlog is given.
    init(_ kind: __socket_type, backlog: CInt? = nil) throws {
        let raw = socket(AF_INET, CInt(kind.rawValue), 0)
        try #require(raw >= 0)
        descriptor = OwnedDescriptor(adopting: raw)
        var wait = timeval(tv_sec: 10, tv_usec: 0)
        try #require(unsafe setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size)) == 0)
        try unsafe named(0) { unsafe bind(raw, $0, $1) }
        if let backlog { try #require(listen(raw, backlog) == 0) }
    }

    private init(adopting raw: CInt) throws {
        try #require(raw >= 0, "\(Errno.current)")
        descriptor = OwnedDescriptor(adopting: raw)
    }

    var port: UInt16 {
        var name = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutablePointer(to: &name) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(raw, $0, &size) }
        }
        return UInt16(bigEndian: name.sin_port)
    }

    private func named(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) throws {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = unsafe withUnsafePointer(to: &name) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        try #require(result == 0 || Errno.current.rawValue == EINPROGRESS, "\(Errno.current)")
    }

    func connect(to port: UInt16) throws { try unsafe named(port) { unsafe Glibc.connect(raw, $0, $1) } }

    /// What has broken it; 0 for nothing.
    var error: CInt {
        var error: CInt = -1
        var size = socklen_t(4)
        _ = unsafe getsockopt(raw, SOL_SOCKET, SO_ERROR, &error, &size)
        return error
    }

    func acceptNow() throws -> LocalSocket? {
        let raw = accept(self.raw, nil, nil)
        if raw < 0 { return nil }
        let accepted = try LocalSocket(adopting: raw)
        try accepted.descriptor.setBlocking(false)
        return accepted
    }

    /// What the peer has not acknowledged.
    var unsentByteCount: CInt {
        var count: CInt = -1
        _ = unsafe ioctl(raw, UInt(TIOCOUTQ), &count)
        return count
    }

    func write(_ bytes: [UInt8]) throws { #expect(try descriptor.write(bytes: bytes, from: 0) == bytes.count) }

    func read() throws(Errno) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = try descriptor.read(intoArray: &buffer)
        return Array(buffer[..<count])
    }

    /// The next datagram's sender.
    func sender() throws -> UInt16 {
        var name = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var byte: UInt8 = 0
        let count = unsafe withUnsafeMutablePointer(to: &name) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe recvfrom(raw, &byte, 1, 0, $0, &size) }
        }
        try #require(count >= 0, "\(Errno.current)")
        return UInt16(bigEndian: name.sin_port)
    }
}

/// What the relay does by the clock and by its limits.
@Suite @safe struct RelayTests {
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)

    private func target(_ port: UInt16) throws -> RelayTarget { try #require(RelayTarget(address: [127, 0, 0, 1], port: port)) }

    /// Serves until something is so, which takes no longer than ten seconds.
    private func serve(_ relay: Relay, until condition: () throws -> Bool) throws {
        let bound = monotonicNanoseconds() + 10_000_000_000
        while try !condition() {
            try #require(monotonicNanoseconds() < bound, "waited ten seconds")
            _ = try relay.epoll.waitReadable(milliseconds: 10)
            unsafe relay.serve(buffer)
        }
    }

    @Test func aClientThatIsSilentForNinetySecondsIsForgotten() throws {
        let relay = try Relay(fileLimit: 1000)
        let (server, client, bound) = (try LocalSocket(SOCK_DGRAM), try LocalSocket(SOCK_DGRAM), try LocalSocket(SOCK_DGRAM))
        let flows = try UDPRelay(try bound.descriptor.duplicate(), to: target(server.port), relay)
        try client.connect(to: bound.port)
        func ask() throws -> UInt16 {
            try client.write([1])
            try serve(relay) { try server.descriptor.waitReadable(milliseconds: 0) }
            return try server.sender()
        }
        let began = monotonicNanoseconds()
        let first = try ask()
        unsafe relay.serve(buffer, now: began + 89_000_000_000)
        #expect(try ask() == first)
        let deadline = try #require(relay.nextDeadline)
        #expect(deadline >= began + 90_000_000_000 && deadline <= monotonicNanoseconds() + 91_000_000_000)
        unsafe relay.serve(buffer, now: monotonicNanoseconds() + 90_000_000_000)
        #expect(try ask() != first)
        flows.close()
    }

    /// A target that never answers: the client waits ten seconds, and no longer.
    @Test func aConnectionThatDoesNotComeAboutIsBroken() throws {
        let relay = try Relay(fileLimit: 1000)
        let deaf = try LocalSocket(SOCK_STREAM, backlog: 0)
        // What comes after the queue is full is not answered.
        let filling = try (0..<3).map { _ in
            let one = try LocalSocket(SOCK_STREAM)
            try one.descriptor.setBlocking(false)
            try one.connect(to: deaf.port)
            return one
        }
        let (bound, client) = (try LocalSocket(SOCK_STREAM, backlog: 8), try LocalSocket(SOCK_STREAM))
        let listener = try TCPListener(try bound.descriptor.duplicate(), to: target(deaf.port), relay)
        try client.connect(to: bound.port)
        try serve(relay) { relay.nextDeadline != nil }
        unsafe relay.serve(buffer, now: monotonicNanoseconds() + 9_000_000_000)
        #expect(try !client.descriptor.waitReadable(milliseconds: 0))
        unsafe relay.serve(buffer, now: monotonicNanoseconds() + 10_000_000_000)
        #expect(throws: Errno.ECONNRESET) { try client.read() }
        listener.close()
        withExtendedLifetime(filling) {}
    }

    /// With room for two the third waits with the kernel, and is served when one has gone.
    @Test func whatHasNoRoomWaits() throws {
        let relay = try Relay(fileLimit: UInt64(Relay.reservedDescriptorCount + 2 * TCPConnection.maximumDescriptorCount))
        let (server, bound) = (try LocalSocket(SOCK_STREAM, backlog: 8), try LocalSocket(SOCK_STREAM, backlog: 8))
        try server.descriptor.setBlocking(false)
        let listener = try TCPListener(try bound.descriptor.duplicate(), to: target(server.port), relay)
        var clients = try (0..<3).map { _ in
            let client = try LocalSocket(SOCK_STREAM)
            try client.connect(to: bound.port)
            return client
        }
        var sides: [LocalSocket] = []
        func accept() throws -> Int {
            if let side = try server.acceptNow() { sides.append(side) }
            return sides.count
        }
        try serve(relay) { try accept() == 2 }
        // Now and later, as long as both are there.
        for later in [Int64(0), 200_000_000, 1_000_000_000] {
            unsafe relay.serve(buffer, now: monotonicNanoseconds() + later)
            #expect(try accept() == 2)
        }
        #expect(!relay.reserve(1))
        clients.removeFirst()
        sides.removeFirst()
        try serve(relay) { try accept() == 2 }
        try clients[1].write([7])
        try serve(relay) { try sides[1].descriptor.waitReadable(milliseconds: 0) }
        #expect(try sides[1].read() == [7])
        (clients, sides) = ([], [])
        try serve(relay) { relay.reserve(2 * TCPConnection.maximumDescriptorCount) }
        listener.close()
    }

    /// A client that has sent everything and then vanishes is noticed, though nothing is read from it any more and its server says nothing.
    @Test func aClientThatVanishesAfterItsLastWordIsNoticed() throws {
        let relay = try Relay(fileLimit: 1000)
        let (server, bound) = (try LocalSocket(SOCK_STREAM, backlog: 8), try LocalSocket(SOCK_STREAM, backlog: 8))
        try server.descriptor.setBlocking(false)
        let listener = try TCPListener(try bound.descriptor.duplicate(), to: target(server.port), relay)
        var client: LocalSocket? = try LocalSocket(SOCK_STREAM)
        try client?.connect(to: bound.port)
        try client?.write([1])
        try client?.descriptor.shutdownWriting()
        var side: LocalSocket?
        try serve(relay) {
            if side == nil { side = try server.acceptNow() }
            return side != nil
        }
        let accepted = try #require(side)
        var read: [UInt8]?
        try serve(relay) {
            do throws(Errno) { read = try accepted.read() } catch { guard error == .EAGAIN else { throw error } }
            return read == []
        }
        // Broken, as a peer that is gone for good answers a probe.
        var linger = linger(l_onoff: 1, l_linger: 0)
        client?.descriptor.withRawDescriptor {
            _ = unsafe setsockopt($0, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        }
        client = nil
        try serve(relay) { accepted.error != 0 }
        listener.close()
    }

    /// Both sides have said their last word, and one of them does not take what is on its way: nothing is told again and again.
    @Test func aStuckLastWordIsWaitedForQuietly() throws {
        let relay = try Relay(fileLimit: 1000)
        let (server, bound) = (try LocalSocket(SOCK_STREAM, backlog: 8), try LocalSocket(SOCK_STREAM, backlog: 8))
        try server.descriptor.setBlocking(false)
        let listener = try TCPListener(try bound.descriptor.duplicate(), to: target(server.port), relay)
        let client = try LocalSocket(SOCK_STREAM)
        try client.connect(to: bound.port)
        try client.descriptor.setBlocking(false)
        var side: LocalSocket?
        try serve(relay) {
            if side == nil { side = try server.acceptNow() }
            return side != nil
        }
        let accepted = try #require(side)
        try accepted.descriptor.shutdownWriting()
        try serve(relay) { try client.descriptor.waitReadable(milliseconds: 0) }
        #expect(try client.read() == [])
        func isQuiet() throws -> Bool { try !relay.epoll.waitReadable(milliseconds: 0) }
        // Until nothing goes any more.
        let block = [UInt8](repeating: 5, count: 64 << 10)
        var (sent, received, isFull) = (0, 0, false)
        try serve(relay) {
            do throws(Errno) { while true { sent += try client.descriptor.write(bytes: block, from: 0) } } catch {
                guard error == .EAGAIN else { throw error }
            }
            isFull = try isQuiet()
            return isFull
        }
        // As much is taken as lets the client's very end arrive, behind what is stuck.
        var taken = [UInt8](repeating: 0, count: 64 << 10)
        try serve(relay) {
            if client.unsentByteCount == 0 { return true }
            do throws(Errno) { received += try accepted.descriptor.read(intoArray: &taken) } catch {
                guard error == .EAGAIN else { throw error }
            }
            return false
        }
        try client.descriptor.shutdownWriting()
        try serve(relay) { try client.unsentByteCount == 0 && isQuiet() }
        #expect(try isQuiet())
        #expect(received < sent, "something is stuck")
        try serve(relay) {
            do throws(Errno) {
                let count = try accepted.descriptor.read(intoArray: &taken)
                received += count
                return count == 0
            } catch {
                guard error == .EAGAIN else { throw error }
                return false
            }
        }
        #expect(received == sent)
        listener.close()
    }
}
