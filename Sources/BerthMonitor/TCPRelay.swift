internal import BerthLaunch
internal import BerthLinux
internal import CBerth
internal import Glibc

/// A listening socket whose connections are joined to one address.
final class TCPListener: RelayMember {
    /// How many connections one turn takes.
    private static let maximumCountPerTurn = 16

    let descriptor: OwnedDescriptor
    let target: RelayTarget
    private let relay: Relay
    private var number: UInt64 = 0
    private(set) var isClosed = false

    /// Starts to take connections.
    init(_ descriptor: consuming OwnedDescriptor, to target: RelayTarget, _ relay: Relay) throws(Errno) {
        self.descriptor = descriptor
        self.target = target
        self.relay = relay
        try self.descriptor.setBlocking(false)
        number = relay.add(self)
        do throws(Errno) { try relay.watch(self.descriptor, number, side: 0, reads: true, writes: false) } catch {
            close()
            throw error
        }
    }

    /// Takes no more. Its connections are ended by whoever closes it.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        relay.unwatch(descriptor)
        relay.remove(number)
    }

    func resume() {
        guard !isClosed else { return }
        do throws(Errno) { try relay.watch(descriptor, number, side: 0, reads: true, writes: false) } catch { relay.pause(self) }
    }

    func handle(_ event: RelayEvent, buffer: UnsafeMutableRawBufferPointer) {
        for _ in 0..<Self.maximumCountPerTurn {
            guard relay.reserveConnection() else { return relay.pause(self) }
            let accepted = descriptor.withRawDescriptor { berth_relay_accept($0) }
            guard accepted >= 0 else {
                let error = Errno.current
                relay.giveBackConnection()
                switch error {
                case .EAGAIN: return
                // No room in this process or on this machine: it would be told again at once.
                case .EMFILE, .ENFILE, .ENOBUFS, .ENOMEM: return relay.pause(self)
                // That one has gone already, or its network reported something of it.
                default: continue
                }
            }
            TCPConnection.begin(OwnedDescriptor(adopting: accepted), of: self, relay)
        }
    }

    func tick(now: Int64) -> Int64? { nil }
}

/// Two connections joined: what comes from the one goes to the other, inside the kernel, each direction for itself and with its own end.
///
/// A side that does not read holds back the other: no more than one pipe's worth is on its way. What was broken on the one side is broken on
/// the other.
final class TCPConnection: RelayMember {
    /// Two sockets, and a pipe for each direction that is stuck.
    static let maximumDescriptorCount = 6
    /// How long a connection to the target may take, in nanoseconds.
    static let connectTime: Int64 = 10_000_000_000

    let listener: TCPListener
    private let client: OwnedDescriptor
    private let server: OwnedDescriptor
    private let relay: Relay
    private var number: UInt64 = 0
    private var connectDeadline: Int64?
    private var toServer = Direction()
    private var toClient = Direction()
    private var watched = (client: Interest(), server: Interest())
    private var hasEnded = false

    private struct Interest: Equatable {
        var reads = false
        var writes = false
        /// Whether it is waited for though it is neither: it has said everything and may yet be told something, unless it breaks.
        var ends = false
    }

    private struct Direction {
        var pipe: RelayPipe?
        /// How many bytes are in the pipe.
        var pendingByteCount = 0
        /// Nothing more comes from the source.
        var isRead = false
        /// The sink has been told that nothing more comes, or takes no more.
        var isOver = false
        /// The sink takes no more, though not everything was said.
        var isBroken = false

        var readsSource: Bool { !isRead && pendingByteCount == 0 }
        var writesSink: Bool { pendingByteCount > 0 }
    }

    /// Begins to connect, for a client whose place is reserved. Where that fails at once the client's connection is broken.
    static func begin(_ client: consuming OwnedDescriptor, of listener: TCPListener, _ relay: Relay) {
        let address = listener.target.address
        let begun = unsafe berth_relay_connect(1, address, address.count, listener.target.port)
        guard begun >= 0 else {
            breakAtClose(client)
            return relay.connectionEnded()
        }
        let connection = TCPConnection(client, OwnedDescriptor(adopting: begun), of: listener, relay)
        connection.number = relay.add(connection)
        connection.update()
    }

    private init(_ client: consuming OwnedDescriptor, _ server: consuming OwnedDescriptor, of listener: TCPListener, _ relay: Relay) {
        self.client = client
        self.server = server
        self.listener = listener
        self.relay = relay
        let deadline = monotonicNanoseconds() + Self.connectTime
        connectDeadline = deadline
        relay.wake(at: deadline)
    }

    func handle(_ event: RelayEvent, buffer: UnsafeMutableRawBufferPointer) {
        if connectDeadline != nil {
            guard event.side == 1 else { return }
            guard server.withRawDescriptor({ berth_relay_connect_error($0) }) == 0 else { return end(broken: true) }
            connectDeadline = nil
        }
        let interest = event.side == 0 ? watched.client : watched.server
        if event.ends, interest.ends, !interest.reads, !interest.writes { return end(broken: true) }
        // What is ready is tried; a source that is not read now is left until there is room.
        if event.side == 0 ? event.reads : event.writes { advance(toServer: true) }
        if !hasEnded, event.side == 0 ? event.writes : event.reads { advance(toServer: false) }
        update()
    }

    func tick(now: Int64) -> Int64? {
        guard let connectDeadline else { return nil }
        if connectDeadline > now { return connectDeadline }
        end(broken: true)
        return nil
    }

    /// Ends it, with what has come for the client already delivered as far as it takes it. What was not said to its end is broken.
    func endForGood() {
        if connectDeadline == nil {
            for _ in 0..<16 where !hasEnded && !toClient.isOver && !toClient.writesSink { advance(toServer: false) }
        }
        end(broken: !toClient.isOver || toClient.isBroken)
    }

    // MARK: Bytes

    private func advance(toServer isToServer: Bool) {
        let isWhole = isToServer ? move(client, server, &toServer) : move(server, client, &toClient)
        if !isWhole { end(broken: true) }
    }

    /// Moves once what there is. `false`: the source is broken, or there is nothing to carry it with.
    private func move(_ source: borrowing OwnedDescriptor, _ sink: borrowing OwnedDescriptor, _ direction: inout Direction) -> Bool {
        let pipe: RelayPipe
        if let taken = direction.pipe {
            pipe = taken
        } else if direction.readsSource {
            do throws(Errno) { pipe = try relay.takePipe() } catch { return false }
            direction.pipe = pipe
        } else {
            return true
        }
        if direction.readsSource {
            let count = splice(from: source, to: pipe.writing, RelayPipe.byteCount)
            if count > 0 {
                direction.pendingByteCount = count
            } else if count == 0 {
                direction.isRead = true
            } else if Errno.current != .EAGAIN {
                return false
            }
        }
        while direction.pendingByteCount > 0 {
            let count = splice(from: pipe.reading, to: sink, direction.pendingByteCount)
            if count > 0 {
                direction.pendingByteCount -= count
            } else if count < 0, Errno.current == .EAGAIN {
                return true
            } else {
                // Nobody takes it any more. What the sink itself has said may still be on its way to the source, and goes on.
                direction = Direction(pipe: nil, pendingByteCount: 0, isRead: true, isOver: true, isBroken: true)
                return true
            }
        }
        relay.giveBack(pipe)
        direction.pipe = nil
        if direction.isRead, !direction.isOver {
            // A sink that has gone already needs no telling.
            _ = sink.withRawDescriptor { berth_relay_end_writing($0) }
            direction.isOver = true
        }
        return true
    }

    private func splice(from source: borrowing OwnedDescriptor, to sink: borrowing OwnedDescriptor, _ count: Int) -> Int {
        source.withRawDescriptor { source in sink.withRawDescriptor { berth_relay_splice(source, $0, count) } }
    }

    /// Waits for what can go on, or ends what is over.
    private func update() {
        guard !hasEnded else { return }
        if toServer.isOver, toClient.isOver { return end(broken: toServer.isBroken || toClient.isBroken) }
        let isConnected = connectDeadline == nil
        let wanted = (
            client: Interest(
                reads: isConnected && toServer.readsSource, writes: toClient.writesSink, ends: toServer.isRead && !toClient.isOver),
            server: Interest(
                reads: isConnected && toClient.readsSource, writes: !isConnected || toServer.writesSink,
                ends: toClient.isRead && !toServer.isOver)
        )
        do throws(Errno) {
            if wanted.client != watched.client {
                try relay.watch(client, number, side: 0, reads: wanted.client.reads, writes: wanted.client.writes, ends: wanted.client.ends)
            }
            if wanted.server != watched.server {
                try relay.watch(server, number, side: 1, reads: wanted.server.reads, writes: wanted.server.writes, ends: wanted.server.ends)
            }
            watched = wanted
        } catch {
            end(broken: true)
        }
    }

    private func end(broken: Bool) {
        guard !hasEnded else { return }
        hasEnded = true
        relay.unwatch(client)
        relay.unwatch(server)
        if broken {
            Self.breakAtClose(client)
            Self.breakAtClose(server)
        }
        (toServer.pipe, toClient.pipe) = (nil, nil)
        // The sockets are closed with this value, which nobody else holds.
        relay.remove(number)
        relay.connectionEnded()
    }

    private static func breakAtClose(_ socket: borrowing OwnedDescriptor) {
        _ = socket.withRawDescriptor { berth_relay_break_at_close($0) }
    }
}
