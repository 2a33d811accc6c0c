internal import Glibc

/// Connections that are made, carry a byte and end, one after the other: what this program is inside containers.
enum Connections {
    /// Where it is there.
    static let program = "/usr/local/bin/berth-benchmarks"
    private static let seconds = 1.0

    /// Accepts at a port of every address and sends a byte to each; until it is killed.
    static func accept(at port: UInt16) throws(Trouble) -> Never {
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var on: CInt = 1
        unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, 4)
        var name = Self.name(0, port)
        let bound = unsafe withUnsafePointer(to: &name) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(listener, $0, 16) }
        }
        guard bound == 0, listen(listener, 1024) == 0 else { throw failure("port \(port) cannot be listened at") }
        var byte: UInt8 = 1
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            guard connection >= 0 else { continue }
            unsafe send(connection, &byte, 1, CInt(MSG_NOSIGNAL))
            // Whoever asked ends it: who ends a connection keeps it for a while.
            _ = unsafe read(connection, &byte, 1)
            close(connection)
        }
    }

    /// Makes connections for a second, and prints how many there were.
    static func connect(to place: String) throws(Trouble) {
        let parts = place.split(separator: ":").map(String.init)
        guard parts.count == 2, let port = UInt16(parts[1]), case let address = unsafe inet_addr(parts[0]), address != INADDR_NONE else {
            throw Trouble("\"\(place)\" is no address with a port")
        }
        let began = Clock.seconds()
        var count = 0
        while Clock.seconds() - began < seconds {
            let connection = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            defer { close(connection) }
            var name = Self.name(address, port)
            let connected = unsafe withUnsafePointer(to: &name) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe Glibc.connect(connection, $0, 16) }
            }
            var byte: UInt8 = 0
            guard connected == 0, unsafe read(connection, &byte, 1) == 1 else { throw failure("connection \(count) to \(place) failed") }
            // It is reset, so that neither its port nor the table of tracked flows fills.
            var linger = linger(l_onoff: 1, l_linger: 0)
            unsafe setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, 8)
            count += 1
        }
        print(Double(count) / (Clock.seconds() - began))
    }

    /// What ``connect(to:)`` has printed.
    static func rate(_ output: String) throws(Trouble) -> Double {
        guard let rate = Double(output.trimmed) else { throw Trouble("no rate of connections: \(output.suffix(300))") }
        return rate
    }

    private static func name(_ address: UInt32, _ port: UInt16) -> sockaddr_in {
        var name = sockaddr_in()
        (name.sin_family, name.sin_port, name.sin_addr.s_addr) = (sa_family_t(AF_INET), port.bigEndian, address)
        return name
    }

    private static func failure(_ what: String) -> Trouble { Trouble("\(what): \(unsafe String(cString: strerror(errno)))") }
}
