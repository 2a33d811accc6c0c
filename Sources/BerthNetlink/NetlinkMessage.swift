/// One message as it came from the kernel: header and body.
public struct NetlinkMessage: Hashable, Sendable {
    /// The types that every netlink family has.
    enum ControlType {
        static let noOperation: UInt16 = 1
        static let error: UInt16 = 2
        static let done: UInt16 = 3
        static let overrun: UInt16 = 4
    }
    /// The header's flags.
    enum Flags {
        static let request: UInt16 = 0x1
        static let acknowledge: UInt16 = 0x4
        /// What is listed changed while it was.
        static let isInterrupted: UInt16 = 0x10
        static let dump: UInt16 = 0x300
        static let replace: UInt16 = 0x100
        static let exclusive: UInt16 = 0x200
        static let create: UInt16 = 0x400
        static let append: UInt16 = 0x800
        /// Of an acknowledgement: the request's body is not repeated in it.
        static let isCapped: UInt16 = 0x100
        /// Of an acknowledgement: attributes follow.
        static let hasAttributes: UInt16 = 0x200
    }
    static let headerByteCount = 16

    /// What it is about: a number of its family's.
    public let type: UInt16
    /// The header's flags.
    public let flags: UInt16
    /// The number of the request that it answers; 0 of a notification.
    public let sequence: UInt32
    /// The socket whose request it answers, or, of a notification, whose change it tells; 0 for the kernel itself.
    public let port: UInt32
    /// What follows the header.
    public let body: ArraySlice<UInt8>

    /// The messages of one datagram.
    ///
    /// - Throws: where a length does not fit.
    public static func parse(_ datagram: ArraySlice<UInt8>) throws(NetlinkDecodingError) -> [NetlinkMessage] {
        var (reader, found) = (NetlinkReader(datagram), [NetlinkMessage]())
        while !reader.rest.isEmpty {
            let length = Int(try reader.read(UInt32.self))
            guard length >= headerByteCount else { throw NetlinkDecodingError("a message says that it has \(length) bytes") }
            found.append(
                NetlinkMessage(
                    type: try reader.read(), flags: try reader.read(), sequence: try reader.read(), port: try reader.read(),
                    body: try reader.take(length - headerByteCount)))
            reader.skipUpTo(-length & 3)
        }
        return found
    }
}

/// What the kernel says to a request: its number, and why.
struct NetlinkAnswer: Hashable {
    /// 0, or the error's number, positive.
    let code: Int32
    /// The kernel's own sentence.
    let explanation: String?
    /// How far from the request's beginning the attribute is that it did not like.
    let offset: UInt32?

    /// What an acknowledgement says, or the end of a dump.
    init(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        var reader = NetlinkReader(message.body)
        // The end of a dump may come without a number: it went well.
        if message.type == NetlinkMessage.ControlType.done, message.body.isEmpty {
            (code, explanation, offset) = (0, nil, nil)
            return
        }
        let number: Int32 = try reader.read()
        code = number > Int32.min ? abs(number) : Int32.max
        if message.type == NetlinkMessage.ControlType.error {
            let length = Int(try reader.read(UInt32.self))
            _ = try reader.take(NetlinkMessage.headerByteCount - 4)
            if message.flags & NetlinkMessage.Flags.isCapped == 0 {
                reader.skipUpTo(max(0, (length - NetlinkMessage.headerByteCount + 3) & ~3))
            }
        }
        guard message.flags & NetlinkMessage.Flags.hasAttributes != 0 else {
            (explanation, offset) = (nil, nil)
            return
        }
        let attributes = try NetlinkAttributes(parsing: reader.rest)
        explanation = attributes[1]?.text
        offset = try attributes.number(2)
    }
}
