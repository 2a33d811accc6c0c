import Testing

@testable import BerthNetlink

/// Decoders are given anything: they give a value or an error.
@Suite("Bytes that nobody meant")
struct HostileBytesTests {
    /// A generator of a known seed, so that a failure can be repeated.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
            return mixed ^ mixed >> 31
        }
    }

    /// Every decoder; how many gave a value.
    private func decodeAll(_ body: [UInt8], type: UInt16) -> Int {
        let message = NetlinkMessage(type: type, flags: 0x200, sequence: 1, port: 0, body: body[...])
        var count = 0
        func attempt(_ decode: () throws -> Any?) { if let value = try? decode(), value as Any? != nil { count += 1 } }
        attempt { try Link(message) }
        attempt { try InterfaceAddress(message) }
        attempt { try Route(message) }
        attempt { try Neighbour(message) }
        attempt { try NfTable(message) }
        attempt { try NfChain(message) }
        attempt { try NfRule(message) }
        attempt { try NfSet(message) }
        attempt { try TrackedFlow(message) }
        attempt { try NfGeneration(message) }
        attempt { try RouteChange(message) }
        attempt { try RuleSetChange(message) }
        attempt { try NetlinkAnswer(message) }
        attempt { try NetlinkMessage.parse(body[...]) }
        for set in Sample.sets {
            attempt { try NfElement.elements(message.netfilterBody().attributes.nested(3)?.all ?? [], of: set) }
        }
        return count
    }

    @Test func randomBytesNeverTrap() {
        var generator = Generator(state: 1)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...120, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            _ = decodeAll(bytes, type: UInt16.random(in: 0...40, using: &generator))
        }
    }

    /// Messages that are right but for a few bytes come further.
    @Test func nearlyRightMessagesNeverTrap() throws {
        var transaction = NfTransaction()
        transaction.add(NfTable(Sample.table, flags: .owner, comment: "c"))
        transaction.add(NfChain(Sample.table, NfName("a")!, at: .init(.nat, .output, priority: -1), comment: "c"))
        transaction.add(NfRule(Sample.table, NfName("a")!, Sample.steps, comment: "c"))
        for set in Sample.sets { transaction.add(set) }
        transaction.add([NfElement([6, 0, 0, 0, 0, 1, 0, 0], data: .value([1, 2, 3, 4, 5, 6, 0, 0]), comment: "c")], to: Sample.published)
        transaction.add([NfElement(IPPrefix("10.0.0.0/8")!)], to: Sample.sets[3])
        var requests = transaction.requests + Sample.routes.map(NetlinkRequest.addRoute)
        requests.append(.addAddress(InterfaceAddress(IPPrefix("10.0.0.1/8")!, on: 1, broadcast: IPAddress("10.255.255.255")!)))
        requests.append(.setNeighbour(Neighbour(IPAddress("fd00::1")!, at: HardwareAddress("02:42:0a:00:00:02")!, on: 3)))
        requests.append(.makeLink(NewLink(LinkEnd(name: InterfaceName("v")!), .veth(peer: LinkEnd(name: InterfaceName("w")!)), master: 3)))
        requests.append(.changeBridgePort(.index(3), BridgePortChange(isHairpin: true, isIsolated: true)))
        var (generator, readCount) = (Generator(state: 2), 0)
        for request in requests {
            #expect(decodeAll(request.body, type: request.type) > 0)
            for _ in 0..<2_000 {
                var bytes = request.body
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let place = Int.random(in: 0..<bytes.count, using: &generator)
                    bytes[place] = Bool.random(using: &generator) ? UInt8.random(in: 0...255, using: &generator) : bytes[place] ^ 1
                }
                if Bool.random(using: &generator) { bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator)) }
                readCount += decodeAll(bytes, type: request.type)
            }
        }
        // Most come far enough to be read by somebody: what is tried here is not only the first check.
        #expect(readCount > 10_000)
    }
}
