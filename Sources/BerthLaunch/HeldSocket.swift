/// A socket that a monitor holds, so that it outlives the engine.
public struct HeldSocket: Hashable, Sendable {
    /// The engine's name for it: one of a kind for each monitor.
    public var key: UInt64
    /// What becomes of it.
    public var use: Use

    /// A socket of this key and use.
    public init(key: UInt64, use: Use) { (self.key, self.use) = (key, use) }

    /// What becomes of a socket.
    public enum Use: Hashable, Sendable {
        /// It is kept and can be lent; the monitor neither reads it nor writes. It may be any descriptor.
        case kept
        /// It listens for TCP, and is made not to block: each connection is joined to one to this address.
        case tcpRelay(to: RelayTarget)
        /// It is bound for UDP: each client's datagrams go to this address, and the answers to the client.
        case udpRelay(to: RelayTarget)
        /// It is kept and not lent: nobody else can have its port.
        case reserved
    }

    /// The most sockets that one message hands over.
    public static var maximumCountPerMessage: Int { 32 }
    /// The most sockets that one answer describes.
    public static var maximumCountPerAnswer: Int { 1024 }
    /// The most keys that one message names.
    public static var maximumKeyCount: Int { 4096 }
    /// The most sockets that one monitor holds.
    public static var maximumCount: Int { 16384 }
}

/// Where a relay leads: an address and a port.
public struct RelayTarget: Hashable, Sendable {
    /// Four bytes, or sixteen.
    public let address: [UInt8]
    /// The port, not 0.
    public let port: UInt16

    /// `nil` where the address has another length, or the port is 0.
    public init?(address: [UInt8], port: UInt16) {
        guard address.count == 4 || address.count == 16, port != 0 else { return nil }
        (self.address, self.port) = (address, port)
    }
}

extension PlanWriter {
    mutating func keys(_ keys: [UInt64]) {
        number(UInt64(keys.count))
        for key in keys { number(key) }
    }

    /// Each: key, use (0 kept, 1 TCP, 2 UDP, 3 reserved), and for a relay the address as bytes and the port.
    mutating func sockets(_ sockets: [HeldSocket]) {
        number(UInt64(sockets.count))
        for socket in sockets {
            number(socket.key)
            switch socket.use {
            case .kept: number(0)
            case .tcpRelay(let target): relay(1, target)
            case .udpRelay(let target): relay(2, target)
            case .reserved: number(3)
            }
        }
    }

    private mutating func relay(_ use: UInt64, _ target: RelayTarget) {
        number(use)
        data(target.address)
        number(UInt64(target.port))
    }
}

extension PlanReader {
    mutating func keys(atMost most: Int) throws(MonitorProtocolError) -> [UInt64] {
        let count = try value()
        guard count <= UInt64(most) else { throw .malformed }
        var keys: [UInt64] = []
        for _ in 0..<count { keys.append(try value()) }
        return keys
    }

    mutating func sockets(atMost most: Int) throws(MonitorProtocolError) -> [HeldSocket] {
        let count = try value()
        guard count <= UInt64(most) else { throw .malformed }
        var sockets: [HeldSocket] = []
        for _ in 0..<count {
            let key = try value()
            let use: HeldSocket.Use =
                switch try value() {
                case 0: .kept
                case 1: .tcpRelay(to: try target())
                case 2: .udpRelay(to: try target())
                case 3: .reserved
                default: throw .malformed
                }
            sockets.append(HeldSocket(key: key, use: use))
        }
        return sockets
    }

    private mutating func target() throws(MonitorProtocolError) -> RelayTarget {
        let address: [UInt8]
        do { address = Array(try data()) } catch { throw .malformed }
        let port = try value()
        guard port <= UInt64(UInt16.max), let target = RelayTarget(address: address, port: UInt16(port)) else { throw .malformed }
        return target
    }
}
