internal import CBerth
internal import Glibc

/// A Unix socket of whole messages, each with at most 32 descriptors (`SOCK_SEQPACKET`).
public struct MessageSocket: ~Copyable, Sendable {
    /// The socket itself, to wait on.
    public let descriptor: OwnedDescriptor

    /// Takes a socket.
    public init(adopting descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    /// What came: the bytes and the descriptors.
    public struct Message: ~Copyable, Sendable {
        /// The bytes. None at all: the peer has gone.
        public let bytes: [UInt8]
        private var numbers: [CInt]

        init(bytes: [UInt8], numbers: [CInt]) { (self.bytes, self.numbers) = (bytes, numbers) }

        /// Takes the next descriptor, in the order of sending.
        public mutating func takeDescriptor() -> OwnedDescriptor? {
            numbers.isEmpty ? nil : OwnedDescriptor(adopting: numbers.removeFirst())
        }

        deinit { for number in numbers { close(number) } }
    }

    /// The most bytes that a message may have.
    public static var maximumByteCount: Int { 64 << 10 }
    /// The most descriptors that a message may bring.
    public static var maximumDescriptorCount: Int { Int(BERTH_MESSAGE_DESCRIPTORS) }

    /// Sends one message with the descriptors that `body` adds.
    ///
    /// - Throws: `EAGAIN` where the peer does not read and the socket does not block, `EPIPE` where it has gone.
    public borrowing func send(_ bytes: [UInt8], _ first: borrowing OwnedDescriptor, _ second: borrowing OwnedDescriptor) throws(Errno) {
        try first.withRawDescriptor { (first) throws(Errno) in
            try second.withRawDescriptor { (second) throws(Errno) in try send(bytes, numbers: [first, second]) }
        }
    }

    /// Sends one message with one descriptor.
    public borrowing func send(_ bytes: [UInt8], _ first: borrowing OwnedDescriptor) throws(Errno) {
        try first.withRawDescriptor { (first) throws(Errno) in try send(bytes, numbers: [first]) }
    }

    /// Sends one message.
    public borrowing func send(_ bytes: [UInt8]) throws(Errno) {
        try send(bytes, numbers: [])
    }

    /// Sends one message with the descriptors of these numbers, which the caller holds open until this returns; at most
    /// ``maximumDescriptorCount``, else `EINVAL`.
    public borrowing func send(_ bytes: [UInt8], numbers: [CInt]) throws(Errno) {
        try SystemCallSeam.passSend()
        _ = try descriptor.withRawDescriptor { (raw) throws(Errno) in
            try check { unsafe berth_send_message(raw, bytes, bytes.count, numbers, CInt(numbers.count), 0) }
        }
    }

    /// Receives one message. A message that is too large is `EMSGSIZE`, and its descriptors are closed.
    public borrowing func receive(waiting: Bool) throws(Errno) -> Message {
        let flags = waiting ? 0 : CInt(MSG_DONTWAIT)
        // Most are small: asking for the size costs less than room for the largest.
        let size = try descriptor.withRawDescriptor { (raw) throws(Errno) in
            try check { recv(raw, nil, 0, CInt(MSG_PEEK | MSG_TRUNC) | flags) }
        }
        var bytes = [UInt8](repeating: 0, count: min(size, Self.maximumByteCount))
        var numbers = [CInt](repeating: -1, count: Self.maximumDescriptorCount)
        var count: CInt = 0
        let received = try descriptor.withRawDescriptor { (raw) throws(Errno) in
            try check { unsafe berth_receive_message(raw, &bytes, bytes.count, &numbers, BERTH_MESSAGE_DESCRIPTORS, &count, flags) }
        }
        return Message(bytes: received == bytes.count ? bytes : Array(bytes[..<received]), numbers: Array(numbers[..<Int(count)]))
    }
}

/// Two sockets connected to each other.
public struct SocketPair: ~Copyable, Sendable {
    /// What goes through them.
    public enum Kind: Sendable {
        /// Whole messages.
        case messages
        /// Bytes.
        case stream
    }
    /// One end.
    public let first: OwnedDescriptor
    /// The other.
    public let second: OwnedDescriptor

    /// socketpair(2). Both ends are close-on-exec and block.
    public init(_ kind: Kind) throws(Errno) {
        var ends: [CInt] = [-1, -1]
        _ = try check { unsafe berth_socket_pair(CInt(kind == .messages ? SOCK_SEQPACKET.rawValue : SOCK_STREAM.rawValue), &ends) }
        first = OwnedDescriptor(adopting: ends[0])
        second = OwnedDescriptor(adopting: ends[1])
    }

    /// Gives both ends away.
    public consuming func take<Result: ~Copyable, Failure: Error>(
        _ body: (_ first: consuming OwnedDescriptor, _ second: consuming OwnedDescriptor) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(first, second)
    }
}

extension Directory {
    /// Listens for message connections at a name of this directory, mode 0600. The name must not exist. The listener does not block.
    public borrowing func listenForMessages(at name: PathBytes) throws(Errno) -> OwnedDescriptor {
        try SystemCallSeam.pass("bind")
        return OwnedDescriptor(adopting: try unsafe call(name) { unsafe berth_listen($0, $1, CInt(SOCK_SEQPACKET.rawValue)) })
    }

    /// Listens for connections of bytes at a name of this directory, mode 0600. The name must not exist. The listener does not block.
    public borrowing func listen(at name: PathBytes) throws(Errno) -> OwnedDescriptor {
        try SystemCallSeam.pass("bind")
        return OwnedDescriptor(adopting: try unsafe call(name) { unsafe berth_listen($0, $1, CInt(SOCK_STREAM.rawValue)) })
    }

    /// Connects to a message listener at a name of this directory. `ECONNREFUSED` where nobody listens any more.
    public borrowing func connectForMessages(to name: PathBytes) throws(Errno) -> MessageSocket {
        MessageSocket(
            adopting: OwnedDescriptor(adopting: try unsafe call(name) { unsafe berth_connect($0, $1, CInt(SOCK_SEQPACKET.rawValue)) }))
    }

    /// Connects to a listener of bytes at a name of this directory.
    public borrowing func connect(to name: PathBytes) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(adopting: try unsafe call(name) { unsafe berth_connect($0, $1, CInt(SOCK_STREAM.rawValue)) })
    }
}

extension OwnedDescriptor {
    /// Accepts a connection, or `nil` where none waits.
    public borrowing func acceptConnection() throws(Errno) -> OwnedDescriptor? {
        do {
            return try withRawDescriptor { (raw) throws(Errno) in OwnedDescriptor(adopting: try check { berth_accept(raw) }) }
        } catch {
            if error == .EAGAIN { return nil }
            throw error
        }
    }

    /// Waits, blocking, until there is something to read or the other side has gone: `false` if that has not happened by then.
    public borrowing func waitReadable(milliseconds: Int32) throws(Errno) -> Bool {
        let deadline = monotonicNanoseconds() + Int64(milliseconds) * 1_000_000
        while true {
            let left = Int32(clamping: max(0, (deadline - monotonicNanoseconds() + 999_999) / 1_000_000))
            let count = withRawDescriptor { raw in
                var polled = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
                return unsafe poll(&polled, 1, left)
            }
            if count >= 0 { return count > 0 }
            guard Errno.current == .EINTR else { throw .current }
        }
    }

    /// Makes calls fail with `EAGAIN` instead of waiting, or wait again.
    public borrowing func setBlocking(_ blocks: Bool) throws(Errno) {
        _ = try withRawDescriptor { (raw) throws(Errno) in
            let flags = try check { fcntl(raw, F_GETFL) }
            return try check { fcntl(raw, F_SETFL, blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) }
        }
    }

    /// Ends one's own direction of a connection: the peer reads the end of the file.
    public borrowing func shutdownWriting() throws(Errno) {
        _ = try withRawDescriptor { (raw) throws(Errno) in try check { shutdown(raw, CInt(SHUT_WR)) } }
    }
}
