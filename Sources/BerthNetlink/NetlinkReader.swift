/// Why bytes are no netlink message.
public struct NetlinkDecodingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, as a sentence.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Reads fixed fields from the front of some bytes. No length is believed: what is not there is an error, never a trap.
struct NetlinkReader {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    /// What has not been read.
    var rest: ArraySlice<UInt8> { bytes }

    mutating func take(_ count: Int) throws(NetlinkDecodingError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= bytes.count else {
            throw NetlinkDecodingError("\(count) bytes are announced where \(bytes.count) are left")
        }
        defer { bytes = bytes.dropFirst(count) }
        return bytes.prefix(count)
    }

    /// Skips; a message's last part need not be padded.
    mutating func skipUpTo(_ count: Int) { bytes = bytes.dropFirst(count) }

    mutating func read<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(NetlinkDecodingError) -> Value {
        Value(machineBytes: try take(Value.bitWidth / 8))
    }

    mutating func readNetwork<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(NetlinkDecodingError) -> Value {
        Value(networkBytes: try take(Value.bitWidth / 8))
    }
}

extension FixedWidthInteger {
    /// The number whose bytes are these, the highest first; of more bytes than it has, the last ones count.
    init(networkBytes: some Collection<UInt8>) {
        self = networkBytes.reduce(Self.zero) { $0 << 8 | Self(truncatingIfNeeded: $1) }
    }

    /// The number whose bytes in memory are these.
    init(machineBytes: some BidirectionalCollection<UInt8>) {
        #if _endian(little)
            self.init(networkBytes: machineBytes.reversed())
        #else
            self.init(networkBytes: machineBytes)
        #endif
    }
}

/// One attribute of a message: a type and bytes.
public struct NetlinkAttribute: Hashable, Sendable {
    /// The number of its type, without the two flags that share its field.
    public let type: UInt16
    /// Its bytes, without padding.
    public let payload: ArraySlice<UInt8>

    /// The number that it holds, in the machine's order.
    ///
    /// - Throws: where it holds another count of bytes.
    public func number<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(NetlinkDecodingError) -> Value {
        try expect(Value.bitWidth / 8)
        return Value(machineBytes: payload)
    }

    /// The number that it holds, in the network's order.
    ///
    /// - Throws: where it holds another count of bytes.
    public func networkNumber<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(NetlinkDecodingError) -> Value {
        try expect(Value.bitWidth / 8)
        return Value(networkBytes: payload)
    }

    private func expect(_ count: Int) throws(NetlinkDecodingError) {
        guard payload.count == count else {
            throw NetlinkDecodingError("attribute \(type) has \(payload.count) bytes where \(count) are expected")
        }
    }

    /// The text before its first zero, what is no UTF-8 repaired.
    public var text: String { String(decoding: payload.prefix { $0 != 0 }, as: UTF8.self) }

    /// The attributes that it holds.
    public func attributes() throws(NetlinkDecodingError) -> NetlinkAttributes { try NetlinkAttributes(parsing: payload) }
}

/// The attributes of a message, or of one attribute, in their order.
public struct NetlinkAttributes: Hashable, Sendable {
    /// All of them.
    public let all: [NetlinkAttribute]

    /// Reads them.
    ///
    /// - Throws: where a length does not fit; fewer than four bytes behind the last one are padding.
    public init(parsing bytes: ArraySlice<UInt8>) throws(NetlinkDecodingError) {
        var (reader, found) = (NetlinkReader(bytes), [NetlinkAttribute]())
        while reader.rest.count >= 4 {
            let length = Int(try reader.read(UInt16.self))
            let type = try reader.read(UInt16.self) & 0x3fff
            guard length >= 4 else { throw NetlinkDecodingError("an attribute says that it has \(length) bytes") }
            found.append(NetlinkAttribute(type: type, payload: try reader.take(length - 4)))
            reader.skipUpTo(-length & 3)
        }
        all = found
    }

    /// The attribute of a type; of several, the last, as the kernel reads them.
    public subscript(_ type: UInt16) -> NetlinkAttribute? { all.last { $0.type == type } }

    /// All attributes of a type that repeats.
    func every(_ type: UInt16) -> [NetlinkAttribute] { all.filter { $0.type == type } }

    func number<Value: FixedWidthInteger>(_ type: UInt16, as _: Value.Type = Value.self) throws(NetlinkDecodingError) -> Value? {
        guard let attribute = self[type] else { return nil }
        return try attribute.number()
    }

    func networkNumber<Value: FixedWidthInteger>(_ type: UInt16, as _: Value.Type = Value.self) throws(NetlinkDecodingError) -> Value? {
        guard let attribute = self[type] else { return nil }
        return try attribute.networkNumber()
    }

    /// A number that has to be there.
    func requiredNetworkNumber<Value: FixedWidthInteger>(_ type: UInt16, as _: Value.Type = Value.self) throws(NetlinkDecodingError)
        -> Value
    {
        try require(type).networkNumber()
    }

    func require(_ type: UInt16) throws(NetlinkDecodingError) -> NetlinkAttribute {
        guard let attribute = self[type] else { throw NetlinkDecodingError("attribute \(type) is missing") }
        return attribute
    }

    func nested(_ type: UInt16) throws(NetlinkDecodingError) -> NetlinkAttributes? {
        guard let attribute = self[type] else { return nil }
        return try attribute.attributes()
    }
}
