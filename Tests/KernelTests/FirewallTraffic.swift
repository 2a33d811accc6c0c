import BerthLinux
import BerthNetlink
import Foundation
import Synchronization
import Testing

/// Somebody who answers on a port in a namespace: with a name, and whom it has been asked by.
final class Answerer: Sendable {
    /// What the threads know: the answerer itself may go, and they with it.
    private final class Place: Sendable {
        let name: String
        let descriptor: Int32
        private let isClosed = Mutex(false)
        init(_ name: String, _ descriptor: Int32) { (self.name, self.descriptor) = (name, descriptor) }
        var isOpen: Bool { isClosed.withLock { !$0 } }
        func close() { isClosed.withLock { $0 = true } }
    }
    private let place: Place

    /// - Parameters:
    ///   - address: where it listens.
    ///   - number: what it speaks, if that is neither TCP nor UDP.
    init(
        _ name: String, in namespace: NamespaceHandle, _ isDatagram: Bool, _ address: IPAddress, _ port: UInt16, protocol number: Int32 = 0
    ) throws {
        let raw = try namespace.run { () throws(NetlinkError) in
            let kind = Int32((isDatagram ? SOCK_DGRAM : SOCK_STREAM).rawValue)
            let raw = socket(address.version == .v4 ? AF_INET : AF_INET6, kind, number)
            var one: Int32 = 1
            unsafe setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &one, 4)
            if address.version == .v6 { unsafe setsockopt(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, 4) }
            Self.looksUp(raw)
            return raw
        }
        place = Place(name, raw)
        let bound = unsafe address.withSocketAddress(port) { unsafe bind(raw, $0, $1) }
        try #require(bound == 0, "bind \(address) \(port): \(Errno.current)")
        if !isDatagram { try #require(listen(raw, 64) == 0) }
        Thread.detachNewThread { [place] in
            while place.isOpen { isDatagram ? Self.answerDatagram(place) : Self.answerConnection(place) }
            close(raw)
        }
    }

    /// Nobody waits on a socket for longer than a moment without seeing whether it is over: nothing else ends a wait for datagrams.
    private static func looksUp(_ raw: Int32) {
        var moment = timeval(tv_sec: 0, tv_usec: 200_000)
        unsafe setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &moment, socklen_t(MemoryLayout<timeval>.size))
    }

    private static func answerConnection(_ place: Place) {
        var storage = sockaddr_storage()
        let peer = unsafe storage.filled { unsafe accept(place.descriptor, $0, $1) }
        guard peer >= 0 else { return }
        looksUp(peer)
        // One that wants to go on says so, and is echoed line by line; whoever has closed has had enough.
        var text = "\(place.name) \(storage.address)\n"
        _ = text.withUTF8 { unsafe send(peer, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        Thread.detachNewThread {
            var bytes = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = unsafe recv(peer, &bytes, bytes.count, 0)
                if count < 0, errno == EAGAIN || errno == EINTR, place.isOpen { continue }
                guard count > 0, unsafe send(peer, bytes, count, Int32(MSG_NOSIGNAL)) == count else { break }
            }
            close(peer)
        }
    }

    private static func answerDatagram(_ place: Place) {
        var storage = sockaddr_storage()
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = unsafe storage.filled { unsafe recvfrom(place.descriptor, &bytes, 100, 0, $0, $1) }
        guard count > 0 else { return }
        let text = Array("\(place.name) \(storage.address)".utf8)
        _ = unsafe withUnsafePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe sendto(place.descriptor, text, text.count, 0, $0, socklen_t(MemoryLayout<sockaddr_storage>.size))
            }
        }
    }

    func stop() {
        place.close()
        // What listens is free at once.
        shutdown(place.descriptor, Int32(SHUT_RDWR))
    }
    deinit { stop() }
}

/// How long an answer is waited for.
enum Patience {
    /// There will be one.
    case forAnswer
    /// There will be none.
    case forNothing

    var milliseconds: Int32 { self == .forAnswer ? 10_000 : 300 }
}

/// A question over a connection that stays, or over datagrams.
final class Caller: Sendable {
    private let descriptor: Int32
    let isDatagram: Bool

    /// - Parameters:
    ///   - source: the address and the port that it asks from.
    ///   - number: what it speaks, if that is neither TCP nor UDP.
    init(
        in namespace: NamespaceHandle, _ isDatagram: Bool, version: IPAddress.Version, from source: (IPAddress, UInt16)? = nil,
        protocol number: Int32 = 0
    ) throws {
        self.isDatagram = isDatagram
        descriptor = try namespace.run { () throws(NetlinkError) in
            socket(version == .v4 ? AF_INET : AF_INET6, Int32((isDatagram ? SOCK_DGRAM : SOCK_STREAM).rawValue), number)
        }
        if let (address, port) = source {
            var one: Int32 = 1
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
            let bound = unsafe address.withSocketAddress(port) { unsafe bind(descriptor, $0, $1) }
            try #require(bound == 0, "bind \(address) \(port): \(Errno.current)")
        }
    }

    deinit { close(descriptor) }

    /// Connects and gives what is said first; `nil` if nobody answers.
    func call(_ address: IPAddress, _ port: UInt16, scope: UInt32 = 0, _ patience: Patience) -> String? {
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
        defer { _ = fcntl(descriptor, F_SETFL, flags) }
        let code = unsafe address.withSocketAddress(port, scope: scope) { unsafe connect(descriptor, $0, $1) }
        guard code == 0 || errno == EINPROGRESS else { return nil }
        if isDatagram {
            guard unsafe send(descriptor, [65], 1, 0) == 1 else { return nil }
        } else {
            guard waits(for: POLLOUT, patience) else { return nil }
            var (error, size) = (Int32(0), socklen_t(4))
            unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
            guard error == 0 else { return nil }
        }
        return receive(patience)
    }

    /// Says something and gives the answer.
    func say(_ text: String, _ patience: Patience) -> String? {
        guard unsafe send(descriptor, Array(text.utf8), text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count else { return nil }
        return receive(patience)
    }

    /// What comes by itself.
    func receive(_ patience: Patience) -> String? {
        guard waits(for: POLLIN, patience) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 200)
        let count = unsafe recv(descriptor, &bytes, 200, 0)
        return count > 0 ? String(decoding: bytes[..<count].filter { $0 != 10 }, as: UTF8.self) : nil
    }

    private func waits(for events: Int32, _ patience: Patience) -> Bool {
        var polled = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return unsafe poll(&polled, 1, patience.milliseconds) == 1
    }
}

extension IPAddress {
    /// The address and a port for calls of the kernel's.
    func withSocketAddress<Result>(_ port: UInt16, scope: UInt32 = 0, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        if version == .v4 {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(truncatingIfNeeded: value).bigEndian
            return unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        address.sin6_scope_id = scope
        unsafe withUnsafeMutableBytes(of: &address.sin6_addr) { unsafe $0.copyBytes(from: bytes) }
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
        }
    }
}

extension sockaddr_storage {
    fileprivate mutating func filled<Result>(_ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result) -> Result
    {
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutablePointer(to: &self) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, &size) }
        }
    }

    /// The address in it.
    fileprivate var address: String {
        var copy = self
        return unsafe withUnsafeBytes(of: &copy) { bytes in
            let range = Int32(ss_family) == AF_INET ? 4..<8 : 8..<24
            return IPAddress(bytes: unsafe Array(bytes[range]))?.description ?? "?"
        }
    }
}
