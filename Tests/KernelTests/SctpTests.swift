import BerthLinux
import BerthNetlink
@testable import BerthNetworking
import Foundation
import Testing

/// An SCTP packet with one chunk (RFC 9260), for kernels that do not speak it themselves.
struct SctpPacket: Equatable {
    enum Chunk: UInt8 { case initiation = 1, initiationAnswer = 2 }
    var source: UInt16
    var destination: UInt16
    var tag: UInt32
    var chunk: Chunk
    var initiateTag: UInt32

    init(source: UInt16, destination: UInt16, tag: UInt32, _ chunk: Chunk, initiateTag: UInt32) {
        (self.source, self.destination, self.tag, self.chunk, self.initiateTag) = (source, destination, tag, chunk, initiateTag)
    }

    var bytes: [UInt8] {
        func network<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
            stride(from: Value.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) }
        }
        let head = network(source) + network(destination) + network(tag)
        let body: [UInt8] =
            [chunk.rawValue, 0] + network(UInt16(20)) + network(initiateTag) + network(UInt32(65_536)) + [0, 1, 0, 1, 0, 0, 0, 7]
        return head + Self.checksum(of: head + [0, 0, 0, 0] + body) + body
    }

    /// Reads one; `nil` where it is another, or its checksum is wrong.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == 32, let chunk = Chunk(rawValue: bytes[12]) else { return nil }
        func number(_ range: Range<Int>) -> UInt32 { bytes[range].reduce(0) { $0 << 8 | UInt32($1) } }
        self.init(
            source: UInt16(number(0..<2)), destination: UInt16(number(2..<4)), tag: number(4..<8), chunk, initiateTag: number(16..<20))
        guard Array(bytes[8..<12]) == Self.checksum(of: Array(bytes[..<8]) + [0, 0, 0, 0] + Array(bytes[12...])) else { return nil }
    }

    /// CRC-32C, its lowest byte first.
    private static func checksum(of bytes: [UInt8]) -> [UInt8] {
        var sum = UInt32.max
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum >> 1 ^ (sum & 1 == 1 ? 0x82f6_3b78 : 0) }
        }
        return (0..<4).map { UInt8(truncatingIfNeeded: ~sum >> (8 * $0)) }
    }
}

/// Whoever sends and gets SCTP packets in a namespace, of version 4.
final class SctpPeer {
    private let descriptor: Int32

    init(in namespace: NamespaceHandle) throws {
        descriptor = try namespace.run { () throws(NetlinkError) in socket(AF_INET, Int32(SOCK_RAW.rawValue), 132) }
        try #require(descriptor >= 0)
    }

    deinit { close(descriptor) }

    func send(_ packet: SctpPacket, to address: String) throws {
        let count = unsafe try IPAddress.of(address).withSocketAddress(0) { unsafe sendto(descriptor, packet.bytes, 32, 0, $0, $1) }
        try #require(count == 32, "\(Errno.current)")
    }

    /// The next packet, and who has sent it.
    func receive(_ patience: Patience) -> (packet: SctpPacket?, sender: String)? {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&polled, 1, patience.milliseconds) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 200)
        let count = unsafe recv(descriptor, &bytes, 200, 0)
        guard count >= 20 else { return nil }
        return (SctpPacket(Array(bytes[20..<count])), bytes[12..<16].map(String.init).joined(separator: "."))
    }
}

@Suite("SCTP ports that are published, with packets", .kernelTier, .serialized, .timeLimit(.minutes(2)))
struct SctpFirewallTests {
    @Test("They lead to the container, and its answers come from them, with checksums made anew; TCP's of the same number are another's")
    func published() async throws {
        let scene = try FirewallScene()
        let firewall = try await scene.firewall()
        func port(_ hostPort: UInt16, _ port: UInt16) throws -> PublishedPort {
            PublishedPort(
                networkID: "a", sandboxID: "c1", transport: .sctp, hostAddress: nil, hostPort: hostPort,
                containerAddress: try .of("10.88.1.11"), containerPort: port)
        }
        let (outside, inside) = (try SctpPeer(in: scene.outside), try SctpPeer(in: scene.namespace("c1")))
        func question(_ source: UInt16, _ port: UInt16) -> SctpPacket {
            SctpPacket(source: source, destination: port, tag: 0, .initiation, initiateTag: 0x1234_5678)
        }
        // 8080 is published, but for TCP and UDP.
        try outside.send(question(5001, 8080), to: "192.0.2.1")
        #expect(inside.receive(.forNothing) == nil)
        try firewall.apply([.publish(port(8080, 3868))])
        try outside.send(question(5002, 8080), to: "192.0.2.1")
        let asked = try #require(inside.receive(.forAnswer))
        #expect(asked.sender == "192.0.2.9" && asked.packet == question(5002, 3868))
        let answer = SctpPacket(source: 3868, destination: 5002, tag: 0x1234_5678, .initiationAnswer, initiateTag: 0x9abc_def0)
        try inside.send(answer, to: "192.0.2.9")
        let told = try #require(outside.receive(.forAnswer))
        #expect(told.sender == "192.0.2.1")
        var expected = answer
        expected.source = 8080
        #expect(told.packet == expected)
        try scene.expectAnswer("c1 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        // By a route nothing is reached, nor when it is published no more.
        try outside.send(question(5003, 3868), to: "10.88.1.11")
        #expect(inside.receive(.forNothing) == nil)
        try firewall.apply([.unpublish(port(8080, 3868))])
        try outside.send(question(5004, 8080), to: "192.0.2.1")
        #expect(inside.receive(.forNothing) == nil)
        try firewall.remove()
    }
}

@Suite("SCTP ports that are held", .kernelTier, .serialized)
struct SctpPortTests {
    @Test("One that is held is nobody else's; a kernel without SCTP says so", arguments: ["127.0.0.1", "::1"])
    func reserved(address: String) throws {
        let endpoint = try #require(InternetEndpoint(address: try IPAddress.of(address).bytes, port: 38_680))
        do {
            let held = try InternetSocket.reserve(.sctp, endpoint)
            #expect(throws: Errno.EADDRINUSE) { _ = try InternetSocket.reserve(.sctp, endpoint) }
            // It is another row of ports than that of TCP.
            _ = try InternetSocket.reserve(.tcp, endpoint)
            _ = consume held
            _ = try InternetSocket.reserve(.sctp, endpoint)
        } catch {
            #expect(ProcessInfo.processInfo.environment["BERTH_HAS_ALL_LINKS"] == nil)
            #expect(error == .EPROTONOSUPPORT)
        }
    }
}
