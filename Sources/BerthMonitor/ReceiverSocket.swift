internal import BerthLaunch
internal import BerthLinux
internal import Glibc

/// A socket through which a receiver is told records. No call waits.
struct ReceiverSocket: ~Copyable {
    let descriptor: OwnedDescriptor
    /// Whether a record is one datagram.
    let hasDatagrams: Bool
    /// Whether a datagram that is too large may come as a file.
    private let takesFiles: Bool
    /// Whether it is known to be connected.
    private(set) var isConnected: Bool
    /// Whether a relay says how its connecting has ended; otherwise the kernel does.
    private let isRelayed: Bool

    /// Why a receiver cannot be reached.
    struct Failure: Error {
        var errno: Errno
        var reason: String

        init(_ errno: Errno, _ reason: String? = nil) { (self.errno, self.reason) = (errno, reason ?? "\(errno)") }
    }

    /// What of it is of interest until it is connected.
    var connectingEvents: Int32 { isRelayed ? POLLIN : POLLIN | POLLOUT }

    /// Begins to connect.
    ///
    /// - Throws: `ENOENT`, `ECONNREFUSED` and the like where that fails at once.
    init(to receiver: LogReceiver) throws(Failure) {
        do throws(Errno) { self = try ReceiverSocket(connecting: receiver) } catch { throw Failure(error) }
    }

    private init(connecting receiver: LogReceiver) throws(Errno) {
        let made = try Self.socket(receiver.place)
        let (isConnected, hasDatagrams): (Bool, Bool)
        switch receiver.place {
        case .stream: (isConnected, hasDatagrams) = (true, false)
        case .datagrams: (isConnected, hasDatagrams) = (true, true)
        case .tcp(let endpoint): (isConnected, hasDatagrams) = (try made.beginConnecting(to: endpoint), false)
        case .udp(let endpoint): (isConnected, hasDatagrams) = (try made.beginConnecting(to: endpoint), true)
        case .relayed: (isConnected, hasDatagrams) = (false, false)
        }
        if case .relayed = receiver.place { isRelayed = true } else { isRelayed = false }
        if case .journal = receiver.format { takesFiles = true } else { takesFiles = false }
        (self.isConnected, self.hasDatagrams) = (isConnected, hasDatagrams)
        descriptor = made
    }

    private static func socket(_ place: LogReceiver.Place) throws(Errno) -> OwnedDescriptor {
        switch place {
        case .stream(let path): try UnixSocket.connect(.stream, to: path)
        case .datagrams(let path): try UnixSocket.connect(.datagrams, to: path)
        case .tcp(let endpoint): try InternetSocket.make(.stream, addressByteCount: endpoint.address.count)
        case .udp(let endpoint): try InternetSocket.make(.datagrams, addressByteCount: endpoint.address.count)
        case .relayed(let relay): try started(relay)
        }
    }

    /// Starts a relay. It ends with the socket, and is reaped as every child is.
    private static func started(_ relay: LogRelay) throws(Errno) -> OwnedDescriptor {
        try SocketPair(.stream).take { (own, other) throws(Errno) in
            _ = try ProcessHandle.spawn(relay.program, [LogRelay.programName] + relay.arguments, other)
            return own
        }
    }

    /// Waits until it is connected, or it is too late.
    mutating func waitConnected(milliseconds: Int32) throws(Failure) {
        guard !isConnected else { return }
        var polled = descriptor.withRawDescriptor { pollfd(fd: $0, events: Int16(isRelayed ? POLLIN : POLLOUT), revents: 0) }
        guard unsafe poll(&polled, 1, milliseconds) > 0 else { throw Failure(.ETIMEDOUT) }
        try finishConnecting()
    }

    /// To be called when a socket that was being connected has news.
    mutating func finishConnecting() throws(Failure) {
        if let error = descriptor.takeError() { throw Failure(error) }
        if isRelayed { try hearRelay() }
        isConnected = true
    }

    /// What the relay says first. What follows is the receiver's.
    private borrowing func hearRelay() throws(Failure) {
        var word: [UInt8] = [0]
        var reason = [UInt8](repeating: 0, count: 1024)
        let length: Int
        do throws(Errno) {
            guard let count = try descriptor.receiveNow(into: &word) else { throw .EAGAIN }
            if count == 1, word[0] == LogRelay.accepted { return }
            length = count == 1 ? try descriptor.receiveNow(into: &reason) ?? 0 : 0
        } catch { throw Failure(error) }
        throw Failure(
            .ECONNREFUSED, length > 0 ? String(decoding: reason[..<length], as: UTF8.self) : "the program that speaks TLS with it has ended"
        )
    }

    /// Sends what comes behind `offset`, as much as there is room for; `nil` where there is none now.
    borrowing func send(_ record: [UInt8], from offset: Int) throws(Errno) -> Int? {
        do throws(Errno) { return try descriptor.sendNow(record, from: offset) } catch {
            // Nobody heard the datagram before; that is all that it means.
            if hasDatagrams, error == .ECONNREFUSED, !takesFiles { return try descriptor.sendNow(record, from: offset) }
            guard takesFiles, error == .EMSGSIZE || error == .ENOBUFS else { throw error }
            return try sendAsFile(record)
        }
    }

    /// journald takes a file in the place of a datagram's bytes, from root also one that could still be changed.
    private borrowing func sendAsFile(_ record: [UInt8]) throws(Errno) -> Int? {
        let file = try HostFile.inMemory(named: "journal", record)
        do throws(Errno) {
            try descriptor.sendNow(file)
            return record.count
        } catch {
            if error == .EAGAIN { return nil }
            throw error
        }
    }

    /// What the other side of a stream has said; `nil` where it has closed it.
    borrowing func receive() -> [UInt8]? {
        guard !hasDatagrams else {
            // It says that nobody heard the one before, and would go on saying it.
            _ = descriptor.takeError()
            return []
        }
        var buffer = [UInt8](repeating: 0, count: 4096)
        do throws(Errno) {
            let count = try descriptor.receiveNow(into: &buffer)
            return count == 0 ? nil : Array(buffer.prefix(count ?? 0))
        } catch { return nil }
    }
}
