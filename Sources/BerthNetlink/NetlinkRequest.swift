/// One thing that is asked of the kernel, ready to be sent: a value that can be looked at and compared without a kernel.
public struct NetlinkRequest: Sendable {
    /// What it is: a number of its family's.
    public let type: UInt16
    /// The header's flags; the socket adds what it needs to see the answer.
    public let flags: UInt16
    /// What follows the header.
    public let body: [UInt8]
    /// What it is for, to follow "cannot".
    public let purpose: String
    /// Why it cannot be sent, if so.
    public let problem: String?
    /// The body has their descriptors' numbers in it: so long as the request lives, they are open.
    let namespaces: [NamespaceHandle]

    /// A request of these, whose body is written by `build`.
    public init(
        type: UInt16, flags: UInt16 = 0, purpose: String, namespaces: [NamespaceHandle] = [], _ build: (inout NetlinkWriter) -> Void
    ) {
        var writer = NetlinkWriter()
        build(&writer)
        (self.type, self.flags, self.purpose, self.namespaces) = (type, flags, purpose, namespaces)
        (body, problem) = (writer.bytes, writer.problem)
    }

    /// The whole message.
    func encoded(sequence: UInt32, port: UInt32, flags more: UInt16) -> [UInt8] {
        var writer = NetlinkWriter()
        writer.append(UInt32(NetlinkMessage.headerByteCount + body.count))
        writer.append(type)
        writer.append(flags | NetlinkMessage.Flags.request | more)
        writer.append(sequence)
        writer.append(port)
        writer.append(body)
        while writer.bytes.count % 4 != 0 { writer.append(UInt8(0)) }
        return writer.bytes
    }

    /// The type of the attribute that stands at an offset from the message's beginning.
    func attributeType(at offset: UInt32) -> UInt16? {
        let position = Int(offset) - NetlinkMessage.headerByteCount
        guard position >= 0, position + 4 <= body.count else { return nil }
        return UInt16(machineBytes: body[position + 2..<position + 4]) & 0x3fff
    }
}
