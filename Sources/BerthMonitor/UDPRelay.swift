internal import BerthLaunch
internal import BerthLinux
internal import CBerth

/// A bound socket whose clients' datagrams go to one address, each client's from a socket of its own, so that the answers find their way back.
final class UDPRelay: RelayMember {
    /// The most clients at one time; the one that has been silent longest gives way.
    static let maximumFlowCount = 1024
    /// How long a client may be silent, in nanoseconds.
    static let idleTime: Int64 = 90_000_000_000
    /// How many datagrams one turn takes.
    private static let maximumCountPerTurn = 64

    let descriptor: OwnedDescriptor
    private let target: RelayTarget
    private let relay: Relay
    private var number: UInt64 = 0
    private var flows: [Peer: UDPFlow] = [:]
    private var isClosed = false

    /// A client, and which address of ours it speaks to.
    struct Peer: Hashable {
        var raw: berth_peer

        static func == (left: Peer, right: Peer) -> Bool {
            (left.raw.address_high, left.raw.address_low, left.raw.local_high, left.raw.local_low)
                == (right.raw.address_high, right.raw.address_low, right.raw.local_high, right.raw.local_low)
                && (left.raw.scope, left.raw.port, left.raw.is_ipv6) == (right.raw.scope, right.raw.port, right.raw.is_ipv6)
        }

        func hash(into hasher: inout Hasher) {
            for word in [raw.address_high, raw.address_low, raw.local_high, raw.local_low] { hasher.combine(word) }
            hasher.combine(raw.scope)
            hasher.combine(raw.port)
        }
    }

    /// Starts to take datagrams.
    init(_ descriptor: consuming OwnedDescriptor, to target: RelayTarget, _ relay: Relay) throws(Errno) {
        self.descriptor = descriptor
        self.target = target
        self.relay = relay
        guard self.descriptor.withRawDescriptor({ berth_relay_prepare_datagrams($0) }) == 0 else { throw .current }
        number = relay.add(self)
        do throws(Errno) { try relay.watch(self.descriptor, number, side: 0, reads: true, writes: false) } catch {
            close()
            throw error
        }
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        for flow in flows.values { flow.close() }
        flows = [:]
        relay.unwatch(descriptor)
        relay.remove(number)
    }

    func tick(now: Int64) -> Int64? { nil }

    func handle(_ event: RelayEvent, buffer: UnsafeMutableRawBufferPointer) {
        for _ in 0..<Self.maximumCountPerTurn {
            var peer = berth_peer()
            let count = descriptor.withRawDescriptor { unsafe berth_relay_receive_from($0, buffer.baseAddress, buffer.count, &peer) }
            if count < 0 {
                if Errno.current == .EAGAIN { return }
                continue
            }
            // Datagrams may be lost, and one for which there is no room is.
            guard let flow = flow(of: Peer(raw: peer)) else { continue }
            unsafe flow.send(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
        }
    }

    private func flow(of peer: Peer) -> UDPFlow? {
        if let flow = flows[peer] { return flow }
        if flows.count >= Self.maximumFlowCount { closeOldest() }
        // Those who have been silent give way to one who speaks; twice, for the room that is lacking may be the machine's.
        for _ in 0..<2 {
            if let flow = UDPFlow(peer, of: self, to: target, relay) {
                flows[peer] = flow
                return flow
            }
            closeOldest()
        }
        return nil
    }

    private func closeOldest() {
        guard let oldest = flows.values.min(by: { $0.lastUsed < $1.lastUsed }) else { return }
        forget(oldest)
    }

    fileprivate func forget(_ flow: UDPFlow) {
        flows[flow.peer] = nil
        flow.close()
    }

    fileprivate func answer(_ peer: Peer, _ bytes: UnsafeRawBufferPointer) {
        var raw = peer.raw
        // A client that does not take it loses it.
        _ = descriptor.withRawDescriptor { unsafe berth_relay_send_to($0, bytes.baseAddress, bytes.count, &raw) }
    }
}

/// One client's datagrams.
final class UDPFlow: RelayMember {
    private static let maximumCountPerTurn = 16

    let peer: UDPRelay.Peer
    private(set) var lastUsed: Int64
    private let upstream: OwnedDescriptor
    private unowned let owner: UDPRelay
    private let relay: Relay
    private var number: UInt64 = 0

    /// `nil` where there is no room for it, or no way to the target.
    init?(_ peer: UDPRelay.Peer, of owner: UDPRelay, to target: RelayTarget, _ relay: Relay) {
        guard relay.reserve(1) else { return nil }
        let made = unsafe berth_relay_connect(0, target.address, target.address.count, target.port)
        guard made >= 0 else {
            relay.release(1)
            return nil
        }
        (self.peer, self.owner, self.relay) = (peer, owner, relay)
        upstream = OwnedDescriptor(adopting: made)
        lastUsed = monotonicNanoseconds()
        number = relay.add(self)
        do throws(Errno) { try relay.watch(upstream, number, side: 0, reads: true, writes: false) } catch {
            close()
            return nil
        }
        relay.wake(at: lastUsed + UDPRelay.idleTime)
    }

    func close() {
        relay.unwatch(upstream)
        relay.remove(number)
        relay.release(1)
    }

    func send(_ bytes: UnsafeRawBufferPointer) {
        lastUsed = monotonicNanoseconds()
        // An earlier datagram's fate may be told in place of sending this one: nobody listened then, and may now.
        for _ in 0..<2 {
            let sent = upstream.withRawDescriptor { unsafe berth_relay_send($0, bytes.baseAddress, bytes.count) }
            if sent >= 0 || Errno.current != .ECONNREFUSED { return }
        }
    }

    func handle(_ event: RelayEvent, buffer: UnsafeMutableRawBufferPointer) {
        for _ in 0..<Self.maximumCountPerTurn {
            let count = upstream.withRawDescriptor { unsafe berth_relay_receive($0, buffer.baseAddress, buffer.count) }
            if count < 0 {
                if Errno.current == .EAGAIN { return }
                continue
            }
            lastUsed = monotonicNanoseconds()
            unsafe owner.answer(peer, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
        }
    }

    func tick(now: Int64) -> Int64? {
        let deadline = lastUsed + UDPRelay.idleTime
        if deadline > now { return deadline }
        owner.forget(self)
        return nil
    }
}
