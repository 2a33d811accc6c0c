import BerthLinux
import Testing

@testable import BerthNetlink

@Suite("Messages as bytes")
struct CodecTests {
    @Test func attributesArePaddedAndNested() {
        var writer = NetlinkWriter()
        writer.attribute(3, text: "br0")
        writer.attribute(4, UInt32(1500))
        writer.attribute(5, network: UInt16(0x1234))
        writer.nested(18) { writer in
            writer.attribute(1, text: "veth")
            writer.attribute(7)
        }
        writer.attribute(9, UInt8(1))
        #expect(
            writer.bytes == [
                8, 0, 3, 0, 0x62, 0x72, 0x30, 0,
                8, 0, 4, 0, 0xdc, 5, 0, 0,
                6, 0, 5, 0, 0x12, 0x34, 0, 0,
                20, 0, 18, 0x80, 9, 0, 1, 0, 0x76, 0x65, 0x74, 0x68, 0, 0, 0, 0, 4, 0, 7, 0,
                5, 0, 9, 0, 1, 0, 0, 0,
            ])
        #expect(writer.problem == nil)
    }

    @Test func whatCannotBeWrittenIsRemembered() {
        var writer = NetlinkWriter()
        writer.attribute(1, [UInt8](repeating: 7, count: 65_531))
        #expect(writer.problem == nil)
        writer.attribute(2, [UInt8](repeating: 7, count: 65_532))
        #expect(writer.problem == "an attribute of 65532 bytes is too large")
        var zero = NetlinkWriter()
        zero.attribute(1, text: "a\0b")
        #expect(zero.problem == "a text with a zero byte cannot be handed over")
        var nested = NetlinkWriter()
        nested.nested(1) { writer in
            for _ in 0..<3 { writer.attribute(2, [UInt8](repeating: 7, count: 30_000)) }
        }
        #expect(nested.problem == "an attribute of 90016 bytes is too large")
    }

    @Test func attributesAreReadBack() throws {
        var writer = NetlinkWriter()
        writer.attribute(3, text: "br0")
        writer.attribute(4, UInt32(1500))
        writer.attribute(4, UInt32(9000))
        writer.nested(18) { $0.attribute(1, network: UInt64.max - 1) }
        let attributes = try NetlinkAttributes(parsing: writer.bytes[...])
        #expect(attributes[3]?.text == "br0")
        #expect(try attributes[4]?.number(UInt32.self) == 9000)
        #expect(try attributes.nested(18)?[1]?.networkNumber(UInt64.self) == UInt64.max - 1)
        #expect(attributes[5] == nil)
        #expect(throws: NetlinkDecodingError.self) { try attributes[4]?.number(UInt16.self) }
    }

    @Test(
        "A length that does not fit is an error",
        arguments: [
            [3, 0, 1, 0], [9, 0, 1, 0, 1, 2, 3, 4], [0, 0, 0, 0], [0xff, 0xff, 1, 0], [8, 0, 1, 0, 1, 2, 3, 4, 5, 0, 1, 0],
        ] as [[UInt8]])
    func badAttribute(bytes: [UInt8]) {
        #expect(throws: NetlinkDecodingError.self) { try NetlinkAttributes(parsing: bytes[...]) }
    }

    @Test(
        arguments: [
            [15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [1, 2, 3],
            [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ] as [[UInt8]])
    func badMessage(bytes: [UInt8]) {
        #expect(throws: NetlinkDecodingError.self) { try NetlinkMessage.parse(bytes[...]) }
    }

    @Test func requestsAreMessages() throws {
        let name = try #require(InterfaceName("eth0"))
        let request = NetlinkRequest.changeLink(.name(name), LinkChange(isUp: true, mtu: 1400))
        let bytes = request.encoded(sequence: 7, port: 9, flags: 4)
        #expect(
            bytes == [
                52, 0, 0, 0, 19, 0, 5, 0, 7, 0, 0, 0, 9, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,
                9, 0, 3, 0, 0x65, 0x74, 0x68, 0x30, 0, 0, 0, 0,
                8, 0, 4, 0, 0x78, 5, 0, 0,
            ])
        let messages = try NetlinkMessage.parse((bytes + bytes)[...])
        #expect(messages.count == 2)
        #expect(messages[1].type == 19 && messages[1].sequence == 7 && messages[1].port == 9 && messages[1].flags == 5)
        #expect(Array(messages[1].body) == request.body)
        #expect(request.attributeType(at: 32) == 3)
        #expect(request.attributeType(at: 44) == 4)
        #expect(request.attributeType(at: 0) == nil)
        #expect(request.attributeType(at: 53) == nil)
        #expect(request.attributeType(at: .max) == nil)
    }

    /// As the kernel answers: capped or not, with and without attributes.
    @Test(arguments: [true, false])
    func answers(isCapped: Bool) throws {
        var writer = NetlinkWriter()
        writer.append(Int32(-17))
        writer.append(UInt32(21))
        writer.append([UInt8](repeating: 1, count: 12))
        if !isCapped { writer.append([UInt8](repeating: 2, count: 8)) }
        writer.attribute(1, text: "it is there")
        writer.attribute(2, UInt32(24))
        let message = NetlinkMessage(type: 2, flags: isCapped ? 0x300 : 0x200, sequence: 1, port: 1, body: writer.bytes[...])
        let answer = try NetlinkAnswer(message)
        #expect(answer.code == 17 && answer.explanation == "it is there" && answer.offset == 24)
        let done = try NetlinkAnswer(NetlinkMessage(type: 3, flags: 2, sequence: 1, port: 1, body: [0xef, 0xff, 0xff, 0xff]))
        #expect(done.code == 17 && done.explanation == nil)
        let lowest = try NetlinkAnswer(NetlinkMessage(type: 3, flags: 2, sequence: 1, port: 1, body: [0, 0, 0, 0x80]))
        #expect(lowest.code == Int32.max)
    }

    /// A list that changed while it was told is known by a flag of any of its messages.
    @Test(arguments: [nil, 0, 1, 2] as [Int?])
    func listings(interruptedAt place: Int?) {
        var (listing, steps) = (NetlinkListing(), [NetlinkListing.Step]())
        for (index, type) in ([16, 1, 3] as [UInt16]).enumerated() {
            let flags: UInt16 = index == place ? 0x12 : 2
            #expect(!listing.isEnded)
            steps.append(listing.take(NetlinkMessage(type: type, flags: flags, sequence: 1, port: 1, body: [])))
        }
        #expect(steps == [.more, .more, .told] && listing.isEnded && listing.found.map(\.type) == [16])
        #expect(listing.isConsistent == (place == nil))
        #expect(listing.take(NetlinkMessage(type: 4, flags: 2, sequence: 1, port: 1, body: [])) == .overrun)
    }

    @Test func errorsAreSentences() {
        let error = NetlinkError(.EEXIST, "add a route to 10.0.0.0/8", "it is there", index: 2, attributeType: 5)
        #expect(error.description == "cannot add a route to 10.0.0.0/8: it is there: File exists (EEXIST)")
        #expect(error.code == .exists)
        #expect(NetlinkError(.lost, "look").description == "cannot look: the kernel gave no reason")
        #expect(NetlinkError(.invalid, "look", "no").description == "cannot look: no")
    }

    @Test func aRequestWithAProblemSaysWhy() {
        let request = NetlinkRequest.changeLink(.index(1), LinkChange(alias: String(repeating: "x", count: 256)))
        #expect(request.problem == "an alias has at most 255 bytes, and this has 256")
    }
}
