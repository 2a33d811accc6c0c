import Testing

@testable import BerthNetlink

/// What is written is what is read: the kernel tells of things in the same attributes in which it is told of them.
@Suite("What is written is read back")
struct RoundTripTests {
    private func message(_ request: NetlinkRequest) throws -> NetlinkMessage {
        try #require(request.problem == nil)
        return NetlinkMessage(type: request.type, flags: 0, sequence: 0, port: 0, body: request.body[...])
    }

    private func written(_ build: (inout NfTransaction) -> Void) throws -> NetlinkMessage {
        var transaction = NfTransaction()
        build(&transaction)
        return try message(#require(transaction.requests.first))
    }

    @Test(arguments: ["172.17.0.1/16", "fd00::1/64", "10.0.0.1/32"])
    func addresses(text: String) throws {
        var address = InterfaceAddress(try #require(IPPrefix(text)), on: 7, flags: [.withoutDuplicateDetection, .withoutRoute])
        address.broadcast = address.prefix.address.version == .v4 ? address.prefix.last : nil
        #expect(try InterfaceAddress(message(.addAddress(address))) == address)
    }

    @Test(arguments: Sample.routes)
    func routes(route: Route) throws { #expect(try Route(message(.addRoute(route))) == route) }

    @Test func neighbours() throws {
        let neighbour = Neighbour(IPAddress("10.0.0.2")!, at: HardwareAddress("02:42:0a:00:00:02")!, on: 3)
        #expect(try Neighbour(message(.setNeighbour(neighbour))) == neighbour)
    }

    @Test func tablesAndChains() throws {
        let table = NfTable(Sample.table, flags: [.owner, .persist], comment: "engine 1234")
        #expect(try NfTable(written { $0.add(table) }) == table)
        let chains = [
            NfChain(Sample.table, NfName("published")!, comment: "ours"),
            NfChain(Sample.table, NfName("pre")!, at: .init(.nat, .prerouting, priority: -100)),
            NfChain(
                NfTableName(.netdev, NfName("x")!), NfName("in")!,
                at: .init(.filter, .prerouting, priority: 0, policy: .drop, device: InterfaceName("eth0")!)),
        ]
        for chain in chains { #expect(try NfChain(written { $0.add(chain) }) == chain) }
    }

    @Test func rules() throws {
        let rule = NfRule(Sample.table, NfName("pre")!, Sample.steps, comment: "published by 0123")
        #expect(try NfRule(written { $0.add(rule) }) == rule)
    }

    @Test func aStepThatIsNotKnownCanBeReadAndNotWritten() throws {
        var transaction = NfTransaction()
        transaction.add(NfRule(Sample.table, NfName("pre")!, [.other("quota")]))
        #expect(transaction.requests[0].problem == "the step quota is not known here: it can be read, not written")
    }

    @Test(arguments: Sample.sets)
    func sets(set: NfSet) throws { #expect(try NfSet(written { $0.add(set) }) == set) }

    private func elements(_ elements: [NfElement], _ set: NfSet) throws -> [NfElement] {
        let message = try written { $0.add(elements, to: set) }
        let list = try #require(try message.netfilterBody().attributes.nested(NfElement.Attribute.elements))
        return try NfElement.elements(list.all, of: set)
    }

    @Test func elementsOfMaps() throws {
        let element = NfElement(
            NfValue.joined([NfValue.transportProtocol(6), NfValue.port(80)]),
            data: .value(NfValue.joined([NfValue.address(IPAddress("172.17.0.2")!), NfValue.port(8080)])), comment: "container 12")
        #expect(element.key == [6, 0, 0, 0, 0, 80, 0, 0])
        #expect(element.data == .value([172, 17, 0, 2, 0x1f, 0x90, 0, 0]))
        #expect(try elements([element], Sample.published) == [element])
        let jump = NfElement(NfValue.interfaceName(InterfaceName("br0")!), data: .verdict(.goto(NfName("br0-in")!)))
        #expect(try elements([jump], Sample.sets[1]) == [jump])
    }

    @Test func elementsThatAreRanges() throws {
        let ranges = [NfElement(IPPrefix("10.0.0.0/8")!), NfElement(IPPrefix("192.168.7.0/24")!), NfElement(IPPrefix("255.0.0.0/8")!)]
        #expect(try elements(ranges, Sample.sets[3]) == ranges)
        let pair = NfElement(from: [10, 0, 0, 0, 0, 80, 0, 0], through: [10, 0, 0, 255, 0, 90, 0, 0])
        #expect(try elements([pair], Sample.sets[4]) == [pair])
    }

    @Test func elementsThatDoNotFitTheirSetAreRefused() {
        var transaction = NfTransaction()
        transaction.add([NfElement([1, 2, 3])], to: Sample.published)
        transaction.add([NfElement([1, 2, 3, 4])], to: Sample.sets[3])
        transaction.add([NfElement(from: [9, 0, 0, 0], through: [8, 0, 0, 0])], to: Sample.sets[3])
        transaction.add([NfElement(from: Array(repeating: 0, count: 16), through: Array(repeating: 1, count: 16))], to: Sample.sets[2])
        transaction.add(NfSet(Sample.table, NfName("e")!, key: []))
        transaction.add(NfTable(Sample.table, comment: String(repeating: "c", count: 129)))
        #expect(
            transaction.requests.map(\.problem) == [
                "a key of the set p4 has 8 bytes", "the set r has ranges", "a range of the set r ends before it begins",
                "the set s has no ranges",
                "a set's keys have a type", "a comment has at most 127 bytes, and this has 129",
            ])
    }

    @Test func manyElementsAreSeveralMessages() throws {
        let elements = (0..<5000).map {
            NfElement([6, 0, 0, 0] + NfValue.port(UInt16($0)) + [0, 0], data: .value(Array(repeating: 1, count: 8)))
        }
        var transaction = NfTransaction()
        transaction.add(elements, to: Sample.published)
        #expect(transaction.requests.count > 3)
        #expect(transaction.requests.allSatisfy { $0.problem == nil && $0.body.count < 40_000 })
        var found: [NfElement] = []
        for request in transaction.requests {
            let attributes = try message(request).netfilterBody().attributes
            found += try NfElement.elements(#require(try attributes.nested(3)).all, of: Sample.published)
        }
        #expect(found == elements)
    }

    @Test func placesOfRegistersHaveTwoNames() {
        #expect(NfRegister.word(0).number == 1 && NfRegister.word(1).number == 9 && NfRegister.word(4) == NfRegister(number: 2))
        #expect(NfRegister(number: 8) == .first && NfRegister.word(15).number == 23 && NfRegister.word(-9).number == 0)
        #expect(NfRegister.word(.max - 8).number == UInt32.max)
    }
}
