import Testing

@testable import BerthLaunch

/// The messages about sockets that a monitor holds: their bytes, and bytes that are none.
@Suite struct HeldSocketTests {
    private static func number(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    private static func head(_ kind: UInt8, _ number: UInt64) -> [UInt8] { [1, kind, 0, 0] + Self.number(number) }

    private static func sockets() throws -> [HeldSocket] {
        let v4 = try #require(RelayTarget(address: [172, 17, 0, 2], port: 80))
        let v6 = try #require(RelayTarget(address: [0xfd] + Array(repeating: 0, count: 14) + [9], port: 65535))
        return [
            HeldSocket(key: 1, use: .kept), HeldSocket(key: 2, use: .tcpRelay(to: v4)),
            HeldSocket(key: 0x1_0000_0003, use: .udpRelay(to: v6)),
            HeldSocket(key: .max, use: .reserved),
        ]
    }

    private static let socketBytes: [UInt8] =
        number(4)
        + number(1) + number(0)
        + number(2) + number(1) + number(4) + [172, 17, 0, 2, 0] + number(80)
        + number(0x1_0000_0003) + number(2) + number(16) + [0xfd] + Array(repeating: 0, count: 14) + [9, 0] + number(65535)
        + number(.max) + number(3)

    @Test func theBytesOfRequestsAreThese() throws {
        let expected: [(MonitorRequest, [UInt8])] = [
            (.hold(try Self.sockets()), Self.head(10, 7) + Self.socketBytes),
            (.drop([5, .max]), Self.head(11, 7) + Self.number(2) + Self.number(5) + Self.number(.max)),
            (.lend([3]), Self.head(12, 7) + Self.number(1) + Self.number(3)),
            (.held(from: 9), Self.head(13, 7) + Self.number(9)),
            (.keepSandbox, Self.head(14, 7)),
            (.releaseSandbox, Self.head(15, 7)),
        ]
        for (request, bytes) in expected {
            #expect(request.encoded(number: 7) == bytes)
            let decoded = try MonitorRequest.decode(bytes)
            #expect(decoded.number == 7 && decoded.request == request)
        }
    }

    @Test func theBytesOfTheAnswerAreThese() throws {
        let answer = MonitorAnswer.held(try Self.sockets(), hasMore: true)
        let bytes = Self.head(134, 8) + Self.socketBytes + Self.number(1)
        #expect(answer.encoded(number: 8) == bytes)
        let decoded = try MonitorAnswer.decode(bytes)
        #expect(decoded.number == 8 && decoded.answer == answer)
    }

    @Test func aFullPageFitsIntoAMessage() throws {
        let target = try #require(RelayTarget(address: Array(repeating: 1, count: 16), port: 1))
        let page = (0..<HeldSocket.maximumCountPerAnswer).map { HeldSocket(key: UInt64($0), use: .tcpRelay(to: target)) }
        #expect(MonitorAnswer.held(page, hasMore: true).encoded(number: 1).count <= 64 << 10)
        #expect(MonitorRequest.drop(Array(0..<UInt64(HeldSocket.maximumKeyCount))).encoded(number: 1).count <= 64 << 10)
    }

    @Test func cutBytesAreRefusedWhereverTheyAreCut() throws {
        for bytes in [
            MonitorRequest.hold(try Self.sockets()), .drop([1, 2]), .lend([1]), .held(from: 1), .keepSandbox, .releaseSandbox,
        ].map({ $0.encoded(number: 1) }) {
            for count in bytes.indices {
                #expect(throws: MonitorProtocolError.malformed) { try MonitorRequest.decode(Array(bytes[..<count])) }
            }
            #expect(throws: MonitorProtocolError.malformed) { try MonitorRequest.decode(bytes + [0]) }
        }
    }

    /// Whatever a byte becomes: it is refused, or it is a request that has the same bytes again.
    @Test(arguments: [0x00, 0x01, 0x7f, 0x80, 0xff] as [UInt8]) func aChangedByteIsRefusedOrMeansWhatItSays(_ value: UInt8) throws {
        let bytes = MonitorRequest.hold(try Self.sockets()).encoded(number: 1)
        for offset in bytes.indices.dropFirst(12) {
            var changed = bytes
            changed[offset] = value
            guard let (number, request) = try? MonitorRequest.decode(changed) else { continue }  // refused: fine
            #expect(request.encoded(number: number) == changed)
        }
    }

    @Test func whatIsTooMuchOrNoTargetIsRefused() throws {
        let many = Array(repeating: HeldSocket(key: 1, use: .kept), count: HeldSocket.maximumCountPerMessage + 1)
        #expect(throws: MonitorProtocolError.malformed) { try MonitorRequest.decode(MonitorRequest.hold(many).encoded(number: 1)) }
        let keys = Array(repeating: UInt64(1), count: HeldSocket.maximumKeyCount + 1)
        #expect(throws: MonitorProtocolError.malformed) { try MonitorRequest.decode(MonitorRequest.drop(keys).encoded(number: 1)) }
        let lent = Array(keys.prefix(HeldSocket.maximumCountPerMessage + 1))
        #expect(throws: MonitorProtocolError.malformed) { try MonitorRequest.decode(MonitorRequest.lend(lent).encoded(number: 1)) }
        #expect(throws: MonitorProtocolError.malformed) { try MonitorRequest.decode(Self.head(11, 1) + Self.number(.max)) }
        #expect(RelayTarget(address: [1, 2, 3], port: 1) == nil)
        #expect(RelayTarget(address: [1, 2, 3, 4], port: 0) == nil)
    }

    @Test func aRequestOfALaterKindStillHasItsNumber() {
        let bytes = Self.head(99, 12) + [1, 2, 3]
        #expect(throws: MonitorProtocolError.unknownKind(99)) { try MonitorRequest.decode(bytes) }
        #expect(MonitorRequest.number(of: bytes) == 12)
        #expect(MonitorRequest.number(of: [2] + bytes.dropFirst()) == nil)
        #expect(MonitorRequest.number(of: [1, 2]) == nil)
    }
}
