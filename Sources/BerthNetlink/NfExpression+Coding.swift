/// The numbers of attributes that nearly every expression has at its own place.
private enum Attribute {
    static let name: UInt16 = 1
    static let data: UInt16 = 2
}

extension NfExpression {
    /// The kernel's word for it.
    var name: String {
        switch self {
        case .meta, .setMeta: "meta"
        case .payload: "payload"
        case .compare: "cmp"
        case .range: "range"
        case .bitwise: "bitwise"
        case .connection: "ct"
        case .lookup: "lookup"
        case .immediate, .verdict: "immediate"
        case .nat: "nat"
        case .masquerade: "masq"
        case .redirect: "redir"
        case .fib: "fib"
        case .counter: "counter"
        case .reject: "reject"
        case .untracked: "notrack"
        case .extensionMatch: "match"
        case .extensionTarget: "target"
        case .other(let name): name
        }
    }

    func write(to writer: inout NetlinkWriter) {
        if case .other = self { writer.refuse("the step \(name) is not known here: it can be read, not written") }
        writer.attribute(Attribute.name, text: name)
        writer.nested(Attribute.data) { writeData(to: &$0) }
    }

    private func writeData(to writer: inout NetlinkWriter) {
        switch self {
        case .meta(let key, let register):
            writer.attribute(1, register)
            writer.attribute(2, network: key.rawValue)
        case .setMeta(let key, let register):
            writer.attribute(3, register)
            writer.attribute(2, network: key.rawValue)
        case .payload(let header, let offset, let byteCount, let register):
            writer.attribute(1, register)
            writer.attribute(2, network: header.rawValue)
            writer.attribute(3, network: offset)
            writer.attribute(4, network: byteCount)
        case .compare(let register, let comparison, let bytes):
            writer.attribute(1, register)
            writer.attribute(2, network: comparison.rawValue)
            NfData.value(bytes).write(as: 3, to: &writer)
        case .range(let register, let isInside, let low, let high):
            writer.attribute(1, register)
            writer.attribute(2, network: UInt32(isInside ? 0 : 1))
            NfData.value(low).write(as: 3, to: &writer)
            NfData.value(high).write(as: 4, to: &writer)
        case .bitwise(let source, let destination, let mask, let flipping):
            writer.attribute(1, source)
            writer.attribute(2, destination)
            writer.attribute(3, network: UInt32(clamping: mask.count))
            NfData.value(mask).write(as: 4, to: &writer)
            NfData.value(flipping).write(as: 5, to: &writer)
            if mask.count != flipping.count { writer.refuse("a mask has as many bytes as what is flipped") }
        case .connection(let key, let direction, let register):
            writer.attribute(1, register)
            writer.attribute(2, network: key.rawValue)
            if let direction { writer.attribute(3, direction.rawValue) }
        case .lookup(let set, let key, let register, let isInverted):
            writer.attribute(1, text: set.description)
            writer.attribute(2, key)
            if let register { writer.attribute(3, register) }
            if isInverted { writer.attribute(5, network: UInt32(1)) }
        case .immediate(let bytes, let register):
            writer.attribute(1, register)
            NfData.value(bytes).write(as: 2, to: &writer)
        case .verdict(let verdict):
            writer.attribute(1, Self.verdictRegister)
            NfData.verdict(verdict).write(as: 2, to: &writer)
        case .nat(let kind, let family, let address, let port, let flags):
            writer.attribute(1, network: kind.rawValue)
            writer.attribute(2, network: UInt32(family.rawValue))
            if let address { writer.attribute(3, address) }
            if let port { writer.attribute(5, port) }
            if !flags.isEmpty { writer.attribute(7, network: flags.rawValue) }
        case .masquerade(let flags):
            if !flags.isEmpty { writer.attribute(1, network: flags.rawValue) }
        case .redirect(let port):
            if let port { writer.attribute(1, port) }
        case .fib(let lookup, let result, let register):
            writer.attribute(1, register)
            writer.attribute(2, network: result.rawValue)
            writer.attribute(3, network: lookup.rawValue)
        case .counter(let packets, let bytes):
            writer.attribute(1, network: bytes)
            writer.attribute(2, network: packets)
        case .reject(let rejection):
            let (type, code): (UInt32, UInt8) =
                switch rejection {
                case .familyUnreachable(let code): (0, code)
                case .reset: (1, 0)
                case .unreachable(let code): (2, code)
                }
            writer.attribute(1, network: type)
            writer.attribute(2, code)
        case .extensionMatch(let part), .extensionTarget(let part):
            writer.attribute(1, text: part.name)
            writer.attribute(2, network: part.revision)
            writer.attribute(3, part.data)
        case .untracked, .other: break
        }
    }

    private static let verdictRegister = NfRegister(number: 0)

    /// What a list's entry says.
    init(_ entry: NetlinkAttribute) throws(NetlinkDecodingError) {
        let outer = try entry.attributes()
        let name = try outer.require(Attribute.name).text
        // One without parameters may come without data.
        let data = if let data = outer[Attribute.data] { try data.attributes() } else { try NetlinkAttributes(parsing: []) }
        let known = try Self.known(name, data)
        self = known ?? .other(name)
    }

    /// The step of a name, or `nil` where it, or a way of it, is not known here.
    private static func known(_ name: String, _ data: NetlinkAttributes) throws(NetlinkDecodingError) -> NfExpression? {
        func number(_ type: UInt16) throws(NetlinkDecodingError) -> UInt32 { try data.networkNumber(type) ?? 0 }
        func register(_ type: UInt16) throws(NetlinkDecodingError) -> NfRegister? {
            guard let number: UInt32 = try data.networkNumber(type) else { return nil }
            return NfRegister(number: number)
        }
        func bytes(_ type: UInt16) throws(NetlinkDecodingError) -> [UInt8] { try NfData.bytes(try data.require(type)) }

        switch name {
        case "meta":
            if let into = try register(1) { return .meta(MetaKey(rawValue: try number(2)), into: into) }
            guard let from = try register(3) else { return nil }
            return .setMeta(MetaKey(rawValue: try number(2)), from: from)
        case "payload":
            guard let into = try register(1), let header = Header(rawValue: try number(2)) else { return nil }
            return .payload(header, offset: try number(3), byteCount: try number(4), into: into)
        case "cmp":
            guard let from = try register(1), let comparison = Comparison(rawValue: try number(2)) else { return nil }
            return .compare(from, comparison, try bytes(3))
        case "range":
            guard let from = try register(1) else { return nil }
            return .range(from, isInside: try number(2) == 0, from: try bytes(3), through: try bytes(4))
        case "bitwise":
            // Shifts have no mask.
            guard let from = try register(1), let into = try register(2), data[4] != nil, data[5] != nil else { return nil }
            return .bitwise(from, into: into, mask: try bytes(4), flipping: try bytes(5))
        case "ct":
            guard let into = try register(1) else { return nil }
            let direction: UInt8? = try data.number(3)
            return .connection(ConnectionKey(rawValue: try number(2)), direction.flatMap(Direction.init(rawValue:)), into: into)
        case "lookup":
            guard let key = try register(2), let set = NfName(try data.require(1).text) else { return nil }
            let into = try register(3)
            return .lookup(set, key: key, into: into, isInverted: try number(5) & 1 != 0)
        case "immediate":
            switch try NfData(data.require(2)) {
            case .verdict(let verdict): return .verdict(verdict)
            case .value(let bytes): return try register(1).map { .immediate(bytes, into: $0) }
            }
        case "nat":
            guard let kind = Translation(rawValue: try number(1)) else { return nil }
            return .nat(
                kind, NfFamily(rawValue: UInt8(truncatingIfNeeded: try number(2))), address: try register(3), port: try register(5),
                flags: TranslationFlags(rawValue: try number(7)).subtracting(.implied))
        case "masq": return .masquerade(flags: TranslationFlags(rawValue: try number(1)))
        case "redir": return .redirect(port: try register(1))
        case "fib":
            guard let into = try register(1), let result = RouteResult(rawValue: try number(2)) else { return nil }
            return .fib(RouteLookup(rawValue: try number(3)), result, into: into)
        case "counter": return .counter(packets: try data.networkNumber(2) ?? 0, bytes: try data.networkNumber(1) ?? 0)
        case "reject":
            let code: UInt8 = try data.number(2) ?? 0
            switch try number(1) {
            case 0: return .reject(.familyUnreachable(code))
            case 1: return .reject(.reset)
            case 2: return .reject(.unreachable(code))
            default: return nil
            }
        case "notrack": return .untracked
        case "match", "target":
            let part = NfExtension(try data.require(1).text, revision: try number(2), data: data[3].map { Array($0.payload) } ?? [])
            return name == "match" ? .extensionMatch(part) : .extensionTarget(part)
        default: return nil
        }
    }
}

extension NfExpression.TranslationFlags {
    /// What the kernel adds by itself where an address or a port is given.
    fileprivate static let implied = Self(rawValue: 0x3)
}

extension NetlinkWriter {
    /// A register's number.
    fileprivate mutating func attribute(_ type: UInt16, _ register: NfRegister) { attribute(type, network: register.number) }
}
