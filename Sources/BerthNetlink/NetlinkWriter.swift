/// Writes what stands behind a netlink message's header: fixed fields, and attributes padded to four bytes.
///
/// Writing never fails. What cannot be written (an attribute of more than 65,531 bytes, a text with a zero in it) is remembered in ``problem``, and
/// a request with a problem is refused before it is sent.
public struct NetlinkWriter: Sendable {
    /// The flag of an attribute that holds attributes.
    static let nestedFlag: UInt16 = 0x8000
    /// What an attribute can hold: its length has 16 bits and counts its own header.
    static let maximumAttributeByteCount = 0xffff - 4

    /// What has been written.
    public private(set) var bytes: [UInt8] = []
    /// The first thing that could not be written, as a sentence's end.
    public private(set) var problem: String?

    /// Nothing yet.
    public init() {}

    /// Remembers that something cannot be asked for; the first one counts.
    public mutating func refuse(_ reason: String) {
        if problem == nil { problem = reason }
    }

    /// A fixed field in the machine's order.
    public mutating func append<Value: FixedWidthInteger>(_ value: Value) { append(network: value.bigEndian) }

    /// A fixed field in the network's order, the highest byte first.
    public mutating func append<Value: FixedWidthInteger>(network value: Value) {
        var shift = Value.bitWidth
        while shift > 0 {
            shift -= 8
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// Fixed bytes.
    public mutating func append(_ more: some Collection<UInt8>) { bytes += more }

    /// An attribute with these bytes.
    public mutating func attribute(_ type: UInt16, _ payload: some Collection<UInt8>) {
        guard payload.count <= Self.maximumAttributeByteCount else { return refuse("an attribute of \(payload.count) bytes is too large") }
        append(UInt16(4 + payload.count))
        append(type)
        bytes += payload
        pad()
    }

    /// An attribute with a number in the machine's order.
    public mutating func attribute<Value: FixedWidthInteger>(_ type: UInt16, _ value: Value) {
        append(UInt16(4 + Value.bitWidth / 8))
        append(type)
        append(value)
        pad()
    }

    /// An attribute with a number in the network's order.
    public mutating func attribute<Value: FixedWidthInteger>(_ type: UInt16, network value: Value) {
        append(UInt16(4 + Value.bitWidth / 8))
        append(type)
        append(network: value)
        pad()
    }

    /// An attribute with a text and the zero that ends it.
    public mutating func attribute(_ type: UInt16, text: String) {
        guard !text.utf8.contains(0) else { return refuse("a text with a zero byte cannot be handed over") }
        attribute(type, Array(text.utf8) + [0])
    }

    /// An attribute that only has to be there.
    public mutating func attribute(_ type: UInt16) { attribute(type, EmptyCollection<UInt8>()) }

    /// An attribute that holds attributes.
    public mutating func nested(_ type: UInt16, _ body: (inout NetlinkWriter) -> Void) {
        let start = bytes.count
        append(UInt16(0))
        append(type | Self.nestedFlag)
        body(&self)
        let count = bytes.count - start
        guard count <= Self.maximumAttributeByteCount + 4 else { return refuse("an attribute of \(count) bytes is too large") }
        // The length, in the machine's order.
        for (offset, byte) in UInt16(count).bigEndian.bigEndianBytes.enumerated() { bytes[start + offset] = byte }
        // What is inside is padded already, but for fixed bytes that the body has appended.
        pad()
    }

    private mutating func pad() {
        while bytes.count % 4 != 0 { bytes.append(0) }
    }
}

extension FixedWidthInteger {
    /// The bytes, the highest first.
    var bigEndianBytes: [UInt8] { stride(from: Self.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: self >> Self($0)) } }
}
