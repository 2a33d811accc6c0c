import Testing

@testable import BerthLaunch

/// The message that tells a monitor whom it is for.
@Suite struct MonitorIdentityTests {
    private static func number(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    private static let head: [UInt8] =
        [1, 1, 0, 0] + number(7) + number(2) + Array("ab".utf8) + [0] + number(1) + number(2) + Array("/f".utf8) + [0]

    @Test(arguments: [false, true])
    func itsBytesAreThese(isRemoved: Bool) throws {
        let request = MonitorRequest.initialize(.init(id: "ab", cgroupFiles: ["/f"], isRemovedAtItsEnd: isRemoved))
        #expect(request.encoded(number: 7) == Self.head + Self.number(isRemoved ? 1 : 0))
        #expect(try MonitorRequest.decode(request.encoded(number: 7)).request == request)
    }

    /// Earlier engines did not say what becomes of the container, and none says more than that.
    @Test func whatIsNotSaidIsNot() throws {
        let request = MonitorRequest.initialize(.init(id: "ab", cgroupFiles: ["/f"], isRemovedAtItsEnd: false))
        #expect(try MonitorRequest.decode(Self.head).request == request)
        #expect(throws: MonitorProtocolError.self) { try MonitorRequest.decode(Self.head + Self.number(1) + [0]) }
        #expect(throws: MonitorProtocolError.self) { try MonitorRequest.decode(Self.head + [1]) }
    }
}

/// The messages by which monitors come to be.
@Suite struct MonitorNurseryMessageTests {
    private static func number(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

    @Test func theirBytesAreThese() throws {
        let nursery = MonitorRequest.becomeNursery(cgroupFiles: ["/f"])
        #expect(nursery.encoded(number: 7) == [1, 16, 0, 0] + Self.number(7) + Self.number(1) + Self.number(2) + Array("/f".utf8) + [0])
        #expect(try MonitorRequest.decode(nursery.encoded(number: 7)).request == nursery)
        #expect(MonitorRequest.fork.encoded(number: 7) == [1, 17, 0, 0] + Self.number(7))
        #expect(try MonitorRequest.decode(MonitorRequest.fork.encoded(number: 7)).request == .fork)
        #expect(throws: MonitorProtocolError.self) { try MonitorRequest.decode([1, 16, 0, 0] + Self.number(7) + Self.number(1)) }
        #expect(throws: MonitorProtocolError.self) { try MonitorRequest.decode([1, 17, 0, 0] + Self.number(7) + [0]) }
    }
}
