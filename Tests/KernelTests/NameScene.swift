import BerthLinux
import BerthNetlink
import BerthNetworking
import BerthReactor
import Foundation
import Synchronization
import Testing

/// A host and a sandbox, each with its loopback interface, and the means to ask a name server in the one and to be one in the other.
struct NameScene {
    let host: NamespaceHandle
    let sandbox: NamespaceHandle
    let reactor: Reactor
    let scratch: Scratch

    init() throws {
        let scene = try NetlinkScene()
        (host, sandbox) = (scene.host, scene.inside)
        reactor = try Reactor.start()
        scratch = try Scratch()
        for namespace in [host, sandbox] { try NetlinkScene.run(in: namespace, "ip link set lo up") }
        // Resolvers ask only for addresses of a version that their machine has itself.
        try NetlinkScene.run(
            in: sandbox,
            """
            ip link add e0 type veth peer e1
            ip address add 172.18.0.9/16 dev e0
            ip address add fd00::9/64 dev e0 nodad
            ip link set e1 up
            ip link set e0 up
            """)
    }

    /// A socket of a test's, in a namespace.
    final class Socket: Sendable {
        let descriptor: OwnedDescriptor
        init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

        static func make(in namespace: NamespaceHandle, _ kind: InternetSocket.Kind) throws -> Socket {
            try namespace.run { () throws(NetlinkError) in
                Result { () throws(Errno) in Socket(try InternetSocket.make(kind, addressByteCount: 4)) }
            }.get()
        }

        static func make(in namespace: NamespaceHandle, _ kind: InternetSocket.Kind, connectedTo address: String, port: UInt16) throws
            -> Socket
        {
            let socket = try make(in: namespace, kind)
            if try !socket.descriptor.beginConnecting(to: try NameScene.endpoint(address, port)) {
                // Connections within one machine are there at once, or refused.
                if let error = socket.descriptor.takeError() { throw error }
            }
            return socket
        }

        func send(_ bytes: [UInt8]) throws { #expect(try descriptor.sendNow(bytes) == bytes.count) }

        /// What comes next, or nothing after so long; empty at a stream's end.
        func receive(milliseconds: Int32 = 5000) throws -> [UInt8]? {
            var buffer = [UInt8](repeating: 0, count: 65_535)
            guard try descriptor.waitReadable(milliseconds: milliseconds) else { return nil }
            return try descriptor.receiveNow(into: &buffer).map { Array(buffer[..<$0]) }
        }
    }

    static func endpoint(_ address: String, _ port: UInt16) throws -> InternetEndpoint {
        try #require(InternetEndpoint(address: try IPAddress.of(address).bytes, port: port))
    }

    /// Its sockets are given to a name server, as duplicates: the originals are held, as a monitor does.
    func serve(_ sockets: borrowing NameSockets, _ table: NameTable, _ upstream: NameUpstream = NameUpstream()) throws -> NameServer {
        try NameServer(
            udp: try sockets.udp.duplicate(), tcp: try sockets.tcp.duplicate(), table: table, upstream: upstream, reactor: reactor,
            outside: host)
    }

    /// What `dig` says, in the sandbox.
    func dig(_ arguments: String) throws -> String {
        try NetlinkScene.tryRun(in: sandbox, "dig @127.0.0.11 +tries=1 +time=15 \(arguments)").0
    }

    func short(_ arguments: String) throws -> [String] { try dig("+short \(arguments)").split(separator: "\n").map(String.init) }

    /// How it ended, as `dig` says: `NOERROR`.
    func status(_ arguments: String) throws -> String {
        let output = try dig(arguments)
        let found = output.firstMatch(of: /status: ([A-Z]+),/).map { String($0.1) }
        return try #require(found, "\(output)")
    }

    /// A command that runs another with a `resolv.conf` of its own.
    func resolvingCommand(_ command: String) throws -> String {
        let file = scratch.path + "/resolv.conf"
        try "nameserver 127.0.0.11\noptions ndots:0\n".write(toFile: file, atomically: false, encoding: .utf8)
        return "unshare --mount bash -euc 'mount --bind \(file) /etc/resolv.conf; \(command)'"
    }

    /// Runs a command in the sandbox so.
    func resolving(_ command: String) throws -> (output: String, code: Int32) {
        try NetlinkScene.tryRun(in: sandbox, try resolvingCommand(command))
    }

    static func question(_ name: String, _ kind: UInt16 = 1, id: UInt16 = 0x1234) -> [UInt8] {
        let labels = name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + $0.utf8 }
        return [UInt8(id >> 8), UInt8(id & 255), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + labels + [0, 0, UInt8(kind), 0, 1]
    }
    static func framed(_ message: [UInt8]) -> [UInt8] { [UInt8(message.count >> 8), UInt8(message.count & 255)] + message }

    /// Two networks' names.
    static func table(many: Int = 0) throws -> NameTable {
        func address(_ text: String) throws -> IPAddress { try .of(text) }
        var hosts = [
            NameTable.Host(name: "web", aliases: ["www", "0123456789ab"], addresses: [try address("172.18.0.2"), try address("fd00::2")]),
            NameTable.Host(name: "web2", aliases: ["www"], addresses: [try address("172.18.0.3")]),
        ]
        if many > 0 {
            hosts.append(.init(name: "many", addresses: (0..<many).map { IPAddress(.v4, 0xAC12_1000 + UInt128($0)) }))
        }
        let subnets = [try #require(Subnet("172.18.0.0/16")), try #require(Subnet("fd00::/64"))]
        return NameTable([.init(name: "front", subnets: subnets, hosts: hosts)])
    }
}

/// A name server of a test's: a thread that answers by what a name's first label says.
final class StubServer: Sendable {
    private final class Shared: Sendable {
        let questions = Mutex<[String]>([])
        let hasStopped = Atomic(false)
    }
    private let shared = Shared()
    private let thread: Companion<Void>

    /// The names that it was asked for, with how they came before: `udp web.example`.
    var questions: [String] { shared.questions.withLock { $0 } }

    /// - Parameter last: the last number of the address that it gives, `192.0.2.last`.
    init(in namespace: NamespaceHandle, at address: String, last: UInt8) throws {
        let udp = try NameScene.Socket.make(in: namespace, .datagrams)
        let tcp = try NameScene.Socket.make(in: namespace, .stream)
        try udp.descriptor.setReceiveRoom(byteCount: 4 << 20)
        try udp.descriptor.bind(to: try NameScene.endpoint(address, 53))
        try tcp.descriptor.bind(to: try NameScene.endpoint(address, 53))
        try tcp.descriptor.listen(waitingCount: 64)
        thread = try Companion { [shared] in Self.serve(udp, tcp, last, shared) }
    }

    /// Ends it, and waits for that.
    func stop() throws {
        shared.hasStopped.store(true, ordering: .relaxed)
        try thread.join()
    }

    private static func serve(_ udp: NameScene.Socket, _ tcp: NameScene.Socket, _ last: UInt8, _ shared: Shared) {
        var buffer = [UInt8](repeating: 0, count: 65_535)
        while !shared.hasStopped.load(ordering: .relaxed) {
            do {
                if try udp.descriptor.waitReadable(milliseconds: 5) {
                    while let (count, sender) = try udp.descriptor.receiveDatagram(into: &buffer) {
                        for answer in answers(Array(buffer[..<count]), "udp", last, shared) {
                            _ = try udp.descriptor.sendDatagram(answer, to: sender)
                        }
                    }
                }
                if let connection = try tcp.descriptor.acceptConnection() {
                    var bytes: [UInt8] = []
                    while bytes.count < 2 || bytes.count < 2 + Int(bytes[0]) << 8 + Int(bytes[1]) {
                        guard try connection.waitReadable(milliseconds: 2000), let count = try connection.receiveNow(into: &buffer),
                            count > 0
                        else { break }
                        bytes += buffer[..<count]
                    }
                    for answer in answers(Array(bytes.dropFirst(2)), "tcp", last, shared) {
                        _ = try connection.sendNow(NameScene.framed(answer))
                    }
                }
            } catch {
                shared.questions.withLock { $0.append("error: \(error)") }
            }
        }
    }

    private static func answers(_ question: [UInt8], _ transport: String, _ last: UInt8, _ shared: Shared) -> [[UInt8]] {
        guard case .query(let query) = NameQuery.read(question) else { return [] }
        shared.questions.withLock { $0.append("\(transport) \(query.name)") }
        func answer(_ count: Int = 1) -> [UInt8] {
            NameAnswer(.success, (0..<count).map { .address(IPAddress(.v4, 0xC000_0200 + UInt128(last) + UInt128($0))) }).bytes(to: query)
        }
        switch String(decoding: query.name.labels.first ?? [], as: UTF8.self) {
        case "silent": return []
        case "refused": return [NameAnswer(.refused).bytes(to: query)]
        case "failing": return [NameAnswer(.failure).bytes(to: query)]
        case "missing": return [NameAnswer(.noSuchName).bytes(to: query)]
        case "large":
            return transport == "tcp"
                ? [answer(100)] : [NameAnswer(.success, (0..<100).map { .address(IPAddress(.v4, $0)) }).bytes(to: query, limit: 512)]
        case "forged":
            var (number, name, kind, questionless) = (answer(), answer(), answer(), answer())
            number[1] ^= 1
            name[13] ^= 1
            kind[2] &= 0x7F
            questionless[5] = 0
            return [number, name, kind, questionless, Array(answer().prefix(11)), answer()]
        case "cased":
            var upper = answer()
            for index in 13..<18 { upper[index] = upper[index] & ~0x20 }
            return [upper]
        default: return [answer()]
        }
    }
}
