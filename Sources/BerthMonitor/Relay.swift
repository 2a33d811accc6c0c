internal import BerthLinux
internal import CBerth

/// What has happened to a socket: it can be read, written, or is broken or over.
struct RelayEvent {
    var side: Int
    var reads: Bool
    var writes: Bool
    var ends: Bool
}

/// Something that the relay waits for: a listening socket, a connection, a client's datagrams.
protocol RelayMember: AnyObject {
    /// A socket of it is ready. `side` tells which of its two. What is told may have been true only before the turn's earlier news were handled.
    func handle(_ event: RelayEvent, buffer: UnsafeMutableRawBufferPointer)
    /// The time has come for those whose time it is. Returns when it comes next.
    func tick(now: Int64) -> Int64?
}

/// Joins connections and passes datagrams on, for what the kernel does not redirect.
///
/// Thousands of sockets are one to the monitor's loop: everything waits behind one epoll, and each turn does a bounded part of the work, so that the
/// container's output, signals and end never wait for it. It takes no memory of its own before a socket is to be relayed.
@safe final class Relay {
    /// The most TCP connections at one time, over all sockets. What comes beyond waits with the kernel.
    static let maximumConnectionCount = 4096
    /// The descriptors that are left to the monitor's other work.
    static let reservedDescriptorCount = 256
    /// How long listening pauses when there is no room, in nanoseconds.
    private static let pause: Int64 = 100_000_000
    /// How many empty pipes are kept for the next bytes.
    private static let maximumIdlePipeCount = 8

    /// Readable when there is something to do.
    let epoll: OwnedDescriptor
    /// How many descriptors may be in use by what is held and relayed.
    private let descriptorBudget: Int
    private var descriptorCount = 0
    private var connectionCount = 0
    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    private var nextGeneration: UInt64 = 0
    private var events = [berth_relay_event](repeating: berth_relay_event(), count: 64)
    private var idlePipes: [RelayPipe] = []
    private var pausedListeners: [TCPListener] = []
    /// When somebody's time comes, on the monotonic clock; it may turn out that nobody's has.
    private(set) var nextDeadline: Int64?

    /// Whether more memory was needed than waiting needs, and no longer is; whoever asks has taken note.
    private var hasSpareMemory = false

    private struct Slot {
        /// No two members have the same: news for a former one is for nobody.
        var generation: UInt64 = 0
        var member: (any RelayMember)?
    }

    /// - Parameter fileLimit: how many descriptors the process may have.
    init(fileLimit: UInt64) throws(Errno) {
        let made = berth_epoll_create()
        guard made >= 0 else { throw .current }
        epoll = OwnedDescriptor(adopting: made)
        descriptorBudget = max(0, Int(clamping: fileLimit) - Self.reservedDescriptorCount)
    }

    // MARK: Members

    /// Gives a member a place. Its number is for ``watch(_:_:side:reads:writes:ends:)``.
    func add(_ member: any RelayMember) -> UInt64 {
        let index = freeSlots.popLast() ?? slots.count
        if index == slots.count { slots.append(Slot()) }
        slots[index] = Slot(generation: nextGeneration, member: member)
        nextGeneration = (nextGeneration + 1) & 0xffff_ffff
        return slots[index].generation << 32 | UInt64(index) << 1
    }

    func remove(_ number: UInt64) {
        let index = Int(number & 0xffff_ffff) >> 1
        slots[index].member = nil
        freeSlots.append(index)
    }

    /// Waits for a socket of a member's until told otherwise.
    ///
    /// - Parameter ends: whether a socket that is neither to be read nor to be written is waited for all the same, for its breaking.
    func watch(_ socket: borrowing OwnedDescriptor, _ number: UInt64, side: Int, reads: Bool, writes: Bool, ends: Bool = false)
        throws(Errno)
    {
        let result = socket.withRawDescriptor { socket in
            epoll.withRawDescriptor { berth_relay_watch($0, socket, number | UInt64(side), reads ? 1 : 0, writes ? 1 : 0, ends ? 1 : 0) }
        }
        guard result == 0 else { throw .current }
    }

    /// Before a socket is closed: a process that is just being started may still have it, and then it would go on being waited for.
    func unwatch(_ socket: borrowing OwnedDescriptor) {
        // One that was not waited for is as it should be.
        try? watch(socket, 0, side: 0, reads: false, writes: false)
    }

    func wake(at deadline: Int64) { nextDeadline = min(nextDeadline ?? .max, deadline) }

    func forEachConnection(_ body: (TCPConnection) -> Void) {
        for index in slots.indices {
            if let connection = slots[index].member as? TCPConnection { body(connection) }
        }
    }

    // MARK: Room

    /// Takes so many descriptors out of what there are. `false`: there are not so many.
    func reserve(_ count: Int) -> Bool {
        guard descriptorCount + count <= descriptorBudget else { return false }
        descriptorCount += count
        return true
    }

    func release(_ count: Int) { descriptorCount -= count }

    func reserveConnection() -> Bool {
        guard connectionCount < Self.maximumConnectionCount, reserve(TCPConnection.maximumDescriptorCount) else { return false }
        connectionCount += 1
        return true
    }

    /// A place that was reserved has not been needed.
    func giveBackConnection() {
        connectionCount -= 1
        release(TCPConnection.maximumDescriptorCount)
    }

    /// A connection has ended: who waits for its place need not wait longer.
    func connectionEnded() {
        giveBackConnection()
        if !pausedListeners.isEmpty { wake(at: 0) }
        // If nobody comes for a moment, what they had goes.
        if connectionCount == 0 { wake(at: monotonicNanoseconds() + Self.pause) }
    }

    /// Stops listening for a moment: clients wait with the kernel.
    func pause(_ listener: TCPListener) {
        unwatch(listener.descriptor)
        pausedListeners.append(listener)
        wake(at: monotonicNanoseconds() + Self.pause)
    }

    func takePipe() throws(Errno) -> RelayPipe {
        if let pipe = idlePipes.popLast() { return pipe }
        return try RelayPipe()
    }

    /// Takes an empty pipe back.
    func giveBack(_ pipe: RelayPipe) {
        if idlePipes.count < Self.maximumIdlePipeCount { idlePipes.append(pipe) }
    }

    // MARK: Turns

    /// Does what there is to do now, a bounded part of it.
    func serve(_ buffer: UnsafeMutableRawBufferPointer, now: Int64 = monotonicNanoseconds()) {
        let count = epoll.withRawDescriptor { unsafe berth_relay_events($0, &events, CInt(events.count)) }
        for index in 0..<max(0, Int(count)) {
            let event = events[index]
            let slot = Int(event.number & 0xffff_ffff) >> 1
            // It may have ended by what was handled before it.
            guard slot < slots.count, slots[slot].generation == event.number >> 32, let member = slots[slot].member else { continue }
            let news = RelayEvent(side: Int(event.number & 1), reads: event.reads != 0, writes: event.writes != 0, ends: event.ends != 0)
            unsafe member.handle(news, buffer: buffer)
        }
        if let deadline = nextDeadline, deadline <= now { tick(now) }
    }

    private func tick(_ now: Int64) {
        nextDeadline = nil
        let paused = pausedListeners
        pausedListeners = []
        for listener in paused { listener.resume() }
        var next: Int64?
        for index in slots.indices {
            if let deadline = slots[index].member?.tick(now: now) { next = min(next ?? .max, deadline) }
        }
        // All are asked: not more often than this.
        if let next { wake(at: max(next, now + Self.pause)) }
        if connectionCount == 0 { shrink() }
    }

    private func shrink() {
        idlePipes = []
        let usedCount = (slots.lastIndex { $0.member != nil } ?? -1) + 1
        guard slots.count - usedCount > 64 else { return }
        slots = Array(slots[..<usedCount])
        freeSlots = slots.indices.filter { slots[$0].member == nil }
        hasSpareMemory = true
    }

    /// Whether memory has become free since this was asked last.
    func takeSpareMemory() -> Bool {
        defer { hasSpareMemory = false }
        return hasSpareMemory
    }
}

/// What holds bytes on their way: taken when there are some, given back when they are through.
final class RelayPipe {
    let reading: OwnedDescriptor
    let writing: OwnedDescriptor
    /// How many bytes it is asked to take at once.
    static let byteCount = 256 << 10

    init() throws(Errno) {
        var ends: [CInt] = [-1, -1]
        guard unsafe berth_pipe(&ends) == 0 else { throw .current }
        reading = OwnedDescriptor(adopting: ends[0])
        writing = OwnedDescriptor(adopting: ends[1])
        // A smaller one does as well, in more turns.
        _ = berth_pipe_capacity(ends[1], CInt(Self.byteCount))
    }
}
