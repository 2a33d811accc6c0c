public import BerthLinux
internal import CBerth

/// A conversation with the kernel about its network.
///
/// It belongs to the network namespace that it was made in, for ever. Calls block, and one call is made at a time; each wait has a bound. Who shares
/// a socket keeps it in a `Mutex`.
public struct NetlinkSocket: ~Copyable, Sendable {
    /// Whom it talks to.
    public enum Family: Hashable, Sendable {
        /// Links, addresses, routes, neighbours.
        case route
        /// nf_tables and connection tracking.
        case netfilter

        var number: CInt { self == .route ? 0 : 12 }
        var name: String { self == .route ? "rtnetlink" : "netfilter" }
    }

    /// The longest that an answer is waited for.
    public static let answerTimeoutMilliseconds: Int32 = 30_000
    /// The largest datagram that is taken from the kernel.
    static let maximumDatagramByteCount = 4 << 20
    /// What the system lets everybody send at once.
    private static let usualRoom = 128 << 10

    let descriptor: OwnedDescriptor
    /// The number by which the kernel tells this socket from others: a change that it made is told to others with it.
    public let port: UInt32
    /// Whom it talks to.
    public let family: Family
    private var nextSequence: UInt32 = 1
    private var buffer = [UInt8](repeating: 0, count: 32 << 10)
    private var room = usualRoom

    /// A socket of the calling thread's network namespace.
    ///
    /// - Throws: `unsupported` where the kernel does not have the family.
    public init(_ family: Family) throws(NetlinkError) {
        var port: UInt32 = 0
        let raw = unsafe berth_netlink_open(family.number, Self.answerTimeoutMilliseconds, &port)
        guard raw >= 0 else { throw NetlinkError(.current, "open a socket to \(family.name)") }
        descriptor = OwnedDescriptor(adopting: raw)
        (self.port, self.family) = (port, family)
    }

    /// A socket of another network namespace.
    public init(_ family: Family, in namespace: NamespaceHandle) throws(NetlinkError) {
        let raw = try namespace.run { () throws(NetlinkError) in try NetlinkSocket(family).descriptor.duplicateNumber() }
        try self.init(family, adopting: OwnedDescriptor(adopting: raw))
    }

    /// Goes on with a socket that somebody else has made, and no longer uses. What the kernel keeps by socket, such as the ownership of a table,
    /// goes on with it.
    ///
    /// - Throws: `system` where it is no socket of that family.
    public init(_ family: Family, adopting descriptor: consuming OwnedDescriptor) throws(NetlinkError) {
        var port: UInt32 = 0
        let code = descriptor.withRawDescriptor { unsafe berth_netlink_port($0, family.number, &port) }
        guard code == 0 else { throw NetlinkError(.current, "go on with a socket to \(family.name)") }
        self.descriptor = descriptor
        (self.port, self.family) = (port, family)
        // Answers to its former user's requests may still wait: their numbers are small, or long past.
        nextSequence = UInt32.random(in: 1 << 16..<UInt32.max)
    }

    /// A second descriptor of this socket, to be held by another process while this one goes.
    public borrowing func duplicate() throws(NetlinkError) -> OwnedDescriptor {
        do throws(Errno) { return try descriptor.duplicate() } catch { throw NetlinkError(error, "duplicate a socket to \(family.name)") }
    }
}

// MARK: Asking

extension NetlinkSocket {
    /// The most requests of one datagram.
    static let requestsPerDatagram = 64
    /// The most bytes of one datagram of several requests.
    private static let bytesPerDatagram = 32 << 10
    /// How often a list is asked for again that changed while it was read.
    static let dumpAttempts = 16

    /// Has the kernel do several things, in order, and waits until they are done. Nothing is done twice.
    ///
    /// - Throws: the first failure, with its index. It is no transaction: what came before is done, and of what comes after, up to 63 requests may be
    ///   done as well, since they were sent together.
    public mutating func perform(_ requests: [NetlinkRequest]) throws(NetlinkError) {
        for (index, request) in requests.enumerated() {
            if let problem = request.problem { throw NetlinkError(.invalid, request.purpose, problem, index: index) }
        }
        var first = 0
        while first < requests.count {
            var (end, byteCount) = (first, 0)
            while end < requests.count, end - first < Self.requestsPerDatagram {
                byteCount += NetlinkMessage.headerByteCount + requests[end].body.count
                if end > first, byteCount > Self.bytesPerDatagram { break }
                end += 1
            }
            try performTogether(requests[first..<end], whole: nil)
            first = end
        }
    }

    /// Has the kernel do one thing.
    public mutating func perform(_ request: NetlinkRequest) throws(NetlinkError) {
        do throws(NetlinkError) { try perform([request]) } catch { throw error.withoutIndex }
    }

    /// Sends requests in one datagram and takes the answers. Only the last one is acknowledged: errors are told in any case, and so many
    /// acknowledgements may be more than the kernel has room for.
    ///
    /// - Parameter whole: what stands around them: its purpose, and what is sent before and after. An error of what stands before concerns all.
    mutating func performTogether(
        _ requests: ArraySlice<NetlinkRequest>, whole: (purpose: String, before: NetlinkRequest, after: NetlinkRequest)?
    ) throws(NetlinkError) {
        guard let last = requests.last else { return }
        let purpose = whole?.purpose ?? last.purpose
        let extra = whole == nil ? 0 : 2
        let base = takeSequences(requests.count + extra)
        var (bytes, sequence) = ([UInt8](), base)
        if let whole {
            bytes += whole.before.encoded(sequence: sequence, port: port, flags: 0)
            sequence &+= 1
        }
        let firstSequence = sequence
        for (index, request) in requests.enumerated() {
            let isLast = index == requests.count - 1
            bytes += request.encoded(sequence: sequence, port: port, flags: isLast ? NetlinkMessage.Flags.acknowledge : 0)
            sequence &+= 1
        }
        if let whole { bytes += whole.after.encoded(sequence: sequence, port: port, flags: 0) }
        try send(bytes, purpose, requests.flatMap(\.namespaces))

        var (failures, isLost) = ([Int: NetlinkAnswer](), false)
        answers: while true {
            let messages: [NetlinkMessage]
            do throws(NetlinkError) { messages = try receive(waits: !isLost, purpose) } catch {
                // What was lost may be the very answer that is waited for: what is there already is all there is.
                if error.code == .lost {
                    isLost = true
                    continue
                }
                if isLost, error.code == .timedOut { break }
                throw error
            }
            for message in messages where message.type == NetlinkMessage.ControlType.error {
                let offset = message.sequence &- base
                guard Int(offset) < requests.count + extra else { continue }
                let answer: NetlinkAnswer
                do throws(NetlinkDecodingError) { answer = try NetlinkAnswer(message) } catch { throw NetlinkError(error, purpose) }
                if whole != nil, offset == 0, answer.code != 0 {
                    throw NetlinkError(Errno(rawValue: answer.code), purpose, answer.explanation)
                }
                let index = Int(message.sequence &- firstSequence)
                if answer.code != 0, failures[index] == nil { failures[index] = answer }
                if index >= requests.count - 1 { break answers }
            }
        }
        if let (index, answer) = failures.min(by: { $0.key < $1.key }) {
            // A sequence beyond the requests is that of what stands after them.
            let request = requests.dropFirst(index).first
            throw NetlinkError(
                Errno(rawValue: answer.code), request?.purpose ?? purpose, answer.explanation,
                index: request == nil ? nil : requests.startIndex + index,
                attributeType: answer.offset.flatMap { request?.attributeType(at: $0) })
        }
        if isLost { throw NetlinkError(.lost, purpose, "the kernel had no room for its answers") }
    }

    /// Asks for one thing, and gives what the kernel tells of it.
    public mutating func query(_ request: NetlinkRequest) throws(NetlinkError) -> NetlinkMessage {
        let sequence = try sendAlone(request, flags: 0)
        while true {
            for message in try receive(waits: true, request.purpose) where message.sequence == sequence {
                guard message.type == NetlinkMessage.ControlType.error else { return message }
                try check(message, request)
                throw NetlinkError(.malformed, request.purpose, "the kernel acknowledges and tells nothing")
            }
        }
    }

    /// Asks for a list, and gives all of it. What changed while it was told is asked for again, with a bound. The kernel notes a change a moment after
    /// it has made it: of two that come just then, it may not tell.
    ///
    /// - Throws: `changed` where it did not hold still.
    public mutating func dump(_ request: NetlinkRequest) throws(NetlinkError) -> [NetlinkMessage] {
        for _ in 0..<Self.dumpAttempts {
            if let found = try dumpOnce(request) { return found }
        }
        throw NetlinkError(.changed, request.purpose, "it changed \(Self.dumpAttempts) times while it was read")
    }

    private mutating func dumpOnce(_ request: NetlinkRequest) throws(NetlinkError) -> [NetlinkMessage]? {
        let sequence = try sendAlone(request, flags: NetlinkMessage.Flags.dump)
        var listing = NetlinkListing()
        while true {
            for message in try receive(waits: true, request.purpose) where message.sequence == sequence {
                switch listing.take(message) {
                case .more: break
                case .told:
                    try check(message, request)
                    if listing.isEnded { return listing.isConsistent ? listing.found : nil }
                case .overrun: throw NetlinkError(.lost, request.purpose, "the kernel had no room for its answers")
                }
            }
        }
    }

    private func check(_ message: NetlinkMessage, _ request: NetlinkRequest) throws(NetlinkError) {
        let answer: NetlinkAnswer
        do throws(NetlinkDecodingError) { answer = try NetlinkAnswer(message) } catch { throw NetlinkError(error, request.purpose) }
        guard answer.code != 0 else { return }
        throw NetlinkError(
            Errno(rawValue: answer.code), request.purpose, answer.explanation,
            attributeType: answer.offset.flatMap { request.attributeType(at: $0) })
    }
}

// MARK: Datagrams

extension NetlinkSocket {
    /// The descriptor's number, for calls that return before the socket goes.
    private var raw: CInt { descriptor.withRawDescriptor { $0 } }

    private mutating func takeSequences(_ count: Int) -> UInt32 {
        // 0 is the number of notifications: the row does not run across it.
        if UInt64(nextSequence) + UInt64(count) > UInt64(UInt32.max) { nextSequence = 1 }
        defer { nextSequence += UInt32(count) }
        return nextSequence
    }

    private mutating func sendAlone(_ request: NetlinkRequest, flags: UInt16) throws(NetlinkError) -> UInt32 {
        if let problem = request.problem { throw NetlinkError(.invalid, request.purpose, problem) }
        let sequence = takeSequences(1)
        try send(request.encoded(sequence: sequence, port: port, flags: flags), request.purpose, request.namespaces)
        return sequence
    }

    private mutating func send(_ bytes: [UInt8], _ purpose: String, _ namespaces: [NamespaceHandle]) throws(NetlinkError) {
        do throws(Errno) { try SystemCallSeam.passSend() } catch { throw NetlinkError(error, purpose) }
        if bytes.count > room {
            // The kernel counts its own overhead too. Where it gives no more, sending says so.
            _ = berth_netlink_room(raw, 1, CInt(clamping: bytes.count + (64 << 10)))
            room = bytes.count
        }
        while true {
            // The message has the namespaces' numbers in it: they are open until it has been read, which is when this returns.
            let count = withExtendedLifetime(namespaces) {
                unsafe berth_netlink_send(raw, bytes, bytes.count)
            }
            if count >= 0 { return }
            let error = Errno.current
            if error == .EINTR { continue }
            if error == .EMSGSIZE { throw NetlinkError(error, purpose, "\(bytes.count) bytes are more than can be sent at once") }
            throw NetlinkError(error, purpose)
        }
    }

    /// The messages of the next datagram that comes from the kernel.
    ///
    /// - Throws: `lost` once if some were thrown away before; `timedOut` if there is none in time, or, without waiting, none.
    mutating func receive(waits: Bool, _ purpose: String) throws(NetlinkError) -> [NetlinkMessage] {
        while true {
            let size = berth_netlink_peek(raw, waits ? 1 : 0)
            if size < 0 {
                let error = Errno.current
                if error == .EINTR { continue }
                throw NetlinkError(error, purpose, error == .EAGAIN ? "the kernel did not answer" : nil)
            }
            guard size <= Self.maximumDatagramByteCount else {
                throw NetlinkError(.malformed, purpose, "the kernel's answer has \(size) bytes")
            }
            if size > buffer.count { buffer = [UInt8](repeating: 0, count: size) }
            var sender: UInt32 = 0
            let capacity = buffer.count
            let count = unsafe berth_netlink_receive(raw, &buffer, capacity, 0, &sender)
            if count < 0 {
                let error = Errno.current
                if error == .EINTR { continue }
                throw NetlinkError(error, purpose)
            }
            // Whoever has the right to may send to any port: only the kernel is listened to.
            guard sender == 0, count <= capacity else { continue }
            // A copy of its own: what is given away stays when the next datagram comes.
            do throws(NetlinkDecodingError) { return try NetlinkMessage.parse(Array(buffer[..<count])[...]) } catch {
                throw NetlinkError(error, purpose)
            }
        }
    }
}

extension NetlinkError {
    /// The same of a request that was alone.
    var withoutIndex: NetlinkError {
        NetlinkError(code, purpose, explanation, underlying: underlying, attributeType: attributeType)
    }
}

extension OwnedDescriptor {
    /// A second descriptor, as a number that the caller owns.
    fileprivate borrowing func duplicateNumber() throws(NetlinkError) -> CInt {
        do throws(Errno) { return try duplicate().release() } catch { throw NetlinkError(error, "duplicate a socket") }
    }
}
