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
