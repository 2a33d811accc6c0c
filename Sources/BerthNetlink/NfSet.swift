/// A set, or a map: keys, and what stands for each.
public struct NfSet: Hashable, Sendable {
    /// What a key stands for.
    public enum Value: Hashable, Sendable {
        /// Nothing: it is a set.
        case nothing
        /// A verdict.
        case verdict
        /// Values of these types, beside each other.
        case data([NfDataType])
    }

    /// The table that it is in.
    public var table: NfTableName
    /// Its name.
    public var name: NfName
    /// The types of a key's parts.
    public var key: [NfDataType]
    /// What a key stands for.
    public var value: Value
    /// Whether its elements are ranges.
    public var isInterval: Bool
    /// Whether its elements are those that it is made with.
    public var isConstant: Bool
    /// What is written to it.
    public var comment: String?
    /// The kernel's number for it.
    public var handle: UInt64?

    /// A set that is to be made.
    public init(
        _ table: NfTableName, _ name: NfName, key: [NfDataType], value: Value = .nothing, isInterval: Bool = false,
        isConstant: Bool = false, comment: String? = nil
    ) {
        (self.table, self.name, self.key, self.value) = (table, name, key, value)
        (self.isInterval, self.isConstant, self.comment) = (isInterval, isConstant, comment)
    }

    enum Attribute {
        static let table: UInt16 = 1
        static let name: UInt16 = 2
        static let flags: UInt16 = 3
        static let keyType: UInt16 = 4
        static let keyLength: UInt16 = 5
        static let dataType: UInt16 = 6
        static let dataLength: UInt16 = 7
        static let description: UInt16 = 9
        static let id: UInt16 = 10
        static let userData: UInt16 = 13
        static let handle: UInt16 = 16

        static let concatenation: UInt16 = 2
        static let listElement: UInt16 = 1
        static let fieldLength: UInt16 = 1
    }
    private enum Flag {
        static let constant: UInt32 = 0x2
        static let interval: UInt32 = 0x4
        static let map: UInt32 = 0x8
        static let concatenation: UInt32 = 0x80
    }
    private static let verdictType: UInt32 = 0xffff_ff00
    /// The numbers that `nft` gives to what it keeps with a set.
    private enum UserData {
        static let keyOrder: UInt8 = 0
        static let dataOrder: UInt8 = 1
        static let comment: UInt8 = 7
        static let machineOrder: UInt32 = 1
    }

    /// What a message about a set says.
    public init(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        let (family, _, attributes) = try message.netfilterBody()
        table = NfTableName(NfFamily(rawValue: family), try NfName(attributes.require(Attribute.table)))
        name = try NfName(attributes.require(Attribute.name))
        let flags: UInt32 = try attributes.networkNumber(Attribute.flags) ?? 0
        isInterval = flags & Flag.interval != 0
        isConstant = flags & Flag.constant != 0
        let keyLength: UInt32 = try attributes.requiredNetworkNumber(Attribute.keyLength)
        key = NfDataType.parts(of: try attributes.networkNumber(Attribute.keyType) ?? 0, byteCount: Int(keyLength))
        if flags & Flag.map == 0 {
            value = .nothing
        } else {
            let type: UInt32 = try attributes.networkNumber(Attribute.dataType) ?? 0
            let length: UInt32 = try attributes.networkNumber(Attribute.dataLength) ?? 0
            value = type == Self.verdictType ? .verdict : .data(NfDataType.parts(of: type, byteCount: Int(length)))
        }
        comment = attributes.comment(in: Attribute.userData, as: UserData.comment)
        handle = try attributes.networkNumber(Attribute.handle)
    }

    func write(id: UInt32, to writer: inout NetlinkWriter) {
        if key.isEmpty { writer.refuse("a set's keys have a type") }
        let isConcatenation = isInterval && key.count > 1
        var flags = (isInterval ? Flag.interval : 0) | (isConstant ? Flag.constant : 0) | (isConcatenation ? Flag.concatenation : 0)
        if value != .nothing { flags |= Flag.map }
        writer.netfilterHeader(table.family.rawValue)
        writer.attribute(Attribute.table, text: table.name.description)
        writer.attribute(Attribute.name, text: name.description)
        writer.attribute(Attribute.flags, network: flags)
        writer.attribute(Attribute.keyType, network: NfDataType.number(of: key))
        writer.attribute(Attribute.keyLength, network: UInt32(clamping: NfDataType.byteCount(of: key)))
        switch value {
        case .nothing: break
        case .verdict: writer.attribute(Attribute.dataType, network: Self.verdictType)
        case .data(let parts):
            if parts.isEmpty { writer.refuse("a map's values have a type") }
            writer.attribute(Attribute.dataType, network: NfDataType.number(of: parts))
            writer.attribute(Attribute.dataLength, network: UInt32(clamping: NfDataType.byteCount(of: parts)))
        }
        if isConcatenation {
            writer.nested(Attribute.description) { writer in
                writer.nested(Attribute.concatenation) { writer in
                    for part in key {
                        writer.nested(Attribute.listElement) {
                            $0.attribute(Attribute.fieldLength, network: UInt32(clamping: part.byteCount))
                        }
                    }
                }
            }
        }
        writer.attribute(Attribute.id, network: id)
        var orders: [UInt8] = []
        if key.count == 1, key[0].isInMachineOrder { orders += Self.order(UserData.keyOrder) }
        if case .data(let parts) = value, parts.count == 1, parts[0].isInMachineOrder { orders += Self.order(UserData.dataOrder) }
        writer.comment(comment, in: Attribute.userData, as: UserData.comment, behind: orders)
    }

    private static func order(_ type: UInt8) -> [UInt8] {
        var writer = NetlinkWriter()
        writer.append([type, 4])
        writer.append(UserData.machineOrder)
        return writer.bytes
    }
}

/// An element of a set.
public struct NfElement: Hashable, Sendable {
    /// Its key: the parts as ``NfValue/joined(_:)`` puts them together. Of a range, the first.
    public var key: [UInt8]
    /// Of a range, the last key, which is within it; `nil` of one key.
    public var lastKey: [UInt8]?
    /// What it stands for, in a map.
    public var data: NfData?
    /// What is written to it.
    public var comment: String?

    /// An element of these.
    public init(_ key: [UInt8], data: NfData? = nil, comment: String? = nil) {
        (self.key, self.data, self.comment) = (key, data, comment)
    }

    /// The element for a range of keys, both ends within.
    public init(from key: [UInt8], through lastKey: [UInt8], data: NfData? = nil, comment: String? = nil) {
        (self.key, self.lastKey, self.data, self.comment) = (key, lastKey, data, comment)
    }

    /// The element for a network's addresses, in a set of ranges of addresses.
    public init(_ prefix: IPPrefix, data: NfData? = nil, comment: String? = nil) {
        self.init(from: prefix.first.bytes, through: prefix.last.bytes, data: data, comment: comment)
    }

    enum Attribute {
        static let key: UInt16 = 1
        static let data: UInt16 = 2
        static let flags: UInt16 = 3
        static let userData: UInt16 = 6
        static let lastKey: UInt16 = 10

        static let table: UInt16 = 1
        static let set: UInt16 = 2
        static let elements: UInt16 = 3
        static let listElement: UInt16 = 1
    }
    private static let intervalEnd: UInt32 = 1

    /// The element as the kernel is told of it. A range of a key of one part is two of its elements: the first key, and the one behind the last.
    func write(in set: NfSet, to writer: inout NetlinkWriter) {
        let byteCount = NfDataType.byteCount(of: set.key)
        if key.count != byteCount || (lastKey.map { $0.count != byteCount } ?? false) {
            writer.refuse("a key of the set \(set.name) has \(byteCount) bytes")
        }
        if set.isInterval != (lastKey != nil) {
            writer.refuse(set.isInterval ? "the set \(set.name) has ranges" : "the set \(set.name) has no ranges")
        }
        if let lastKey, lastKey.lexicographicallyPrecedes(key) { writer.refuse("a range of the set \(set.name) ends before it begins") }
        writer.nested(Attribute.listElement) { writer in
            NfData.value(key).write(as: Attribute.key, to: &writer)
            if let lastKey, set.key.count > 1 { NfData.value(lastKey).write(as: Attribute.lastKey, to: &writer) }
            data?.write(as: Attribute.data, to: &writer)
            writer.comment(comment, in: Attribute.userData, as: 0)
        }
        if let lastKey, set.key.count == 1, let behind = lastKey.incremented {
            writer.nested(Attribute.listElement) { writer in
                NfData.value(behind).write(as: Attribute.key, to: &writer)
                writer.attribute(Attribute.flags, network: Self.intervalEnd)
            }
        }
    }

    /// The elements of a list of the kernel's, in its order, with the two of each range put together.
    static func elements(_ list: [NetlinkAttribute], of set: NfSet) throws(NetlinkDecodingError) -> [NfElement] {
        var (found, ends) = ([NfElement](), [[UInt8]]())
        for entry in list {
            let attributes = try entry.attributes()
            // The one that stands for all other keys has none.
            guard let keyAttribute = attributes[Attribute.key] else { continue }
            let key = try NfData.bytes(keyAttribute)
            let flags: UInt32 = try attributes.networkNumber(Attribute.flags) ?? 0
            if flags & intervalEnd != 0 {
                ends.append(key)
                continue
            }
            var element = NfElement(key, comment: attributes.comment(in: Attribute.userData, as: 0))
            if let data = attributes[Attribute.data] { element.data = try NfData(data) }
            if let last = attributes[Attribute.lastKey] { element.lastKey = try NfData.bytes(last) }
            found.append(element)
        }
        guard set.isInterval, set.key.count == 1 else { return found }
        // Ends and beginnings come in an order of the kernel's: a range ends before the lowest end that is above its beginning.
        ends.sort { $0.lexicographicallyPrecedes($1) }
        return found.map { element in
            var element = element
            let end = ends.first { element.key.lexicographicallyPrecedes($0) }
            element.lastKey = end?.decremented ?? [UInt8](repeating: 0xff, count: element.key.count)
            return element
        }
    }
}

extension [UInt8] {
    /// The next number, of the same count of bytes; `nil` behind the last.
    var incremented: [UInt8]? {
        var result = self
        for index in indices.reversed() {
            result[index] &+= 1
            if result[index] != 0 { return result }
        }
        return nil
    }

    /// The number before; `nil` before the first.
    var decremented: [UInt8]? {
        var result = self
        for index in indices.reversed() {
            result[index] &-= 1
            if result[index] != 0xff { return result }
        }
        return nil
    }
}
