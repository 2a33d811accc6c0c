import Testing

@testable import BerthNetlink

@Suite("Tracked flows")
struct FlowTests {
    @Test func flowsAreFiltered() throws {
        var writer = NetlinkWriter()
        writer.netfilterHeader(2)
        for (type, from, to) in [
            (1 as UInt16, [10, 0, 0, 9] as [UInt8], [10, 0, 0, 1] as [UInt8]), (2, [172, 17, 0, 2], [10, 0, 0, 9]),
        ] {
            writer.nested(type) { writer in
                writer.nested(1) { writer in
                    writer.attribute(1, from)
                    writer.attribute(2, to)
                }
                writer.nested(2) { writer in
                    writer.attribute(1, UInt8(17))
                    writer.attribute(2, network: UInt16(type == 1 ? 4000 : 53))
                    writer.attribute(3, network: UInt16(type == 1 ? 5353 : 4000))
                }
            }
        }
        writer.attribute(12, network: UInt32(77))
        let message = NetlinkMessage(type: 0x100, flags: 0, sequence: 0, port: 0, body: writer.bytes[...])
        let flow = try #require(try TrackedFlow(message))
        #expect(
            flow.original
                == .init(source: IPAddress("10.0.0.9")!, destination: IPAddress("10.0.0.1")!, sourcePort: 4000, destinationPort: 5353))
        let container = IPAddress("172.17.0.2")!
        #expect(FlowFilter().matches(flow))
        #expect(
            FlowFilter(version: .v4, transportProtocol: 17, original: .init(destinationPort: 5353), reply: .init(source: container))
                .matches(flow))
        for other in [
            FlowFilter(version: .v6), FlowFilter(transportProtocol: 6), FlowFilter(original: .init(destinationPort: 53)),
            FlowFilter(original: .init(sourcePort: 1)), FlowFilter(original: .init(source: container)),
            FlowFilter(reply: .init(destination: container)),
        ] { #expect(!other.matches(flow)) }
        let removal = flow.removal
        let attributes = try NetlinkMessage(type: removal.type, flags: 0, sequence: 0, port: 0, body: removal.body[...]).netfilterBody()
            .attributes
        #expect(try attributes[12]?.networkNumber(UInt32.self) == 77)
        #expect(attributes[1]?.payload == (try NetlinkAttributes(parsing: writer.bytes[4...])[1]?.payload))
    }
}
