internal import FoundationEssentials

/// A JSON object as its members in their order, each value as the bytes that it was: so that what is not looked at is written back as it came.
struct OrderedObject: Hashable, Sendable {
    struct Member: Hashable, Sendable {
        let name: String
        var value: [UInt8]
    }
    var members: [Member] = []

    init() {}

    /// Reads an object. `nil` for bytes that are none.
    init?(_ bytes: [UInt8]) {
        // That it is well formed is seen by a parser; what is done here is to cut.
        guard (try? JSONDecoder().decode([String: Anything].self, from: Data(bytes))) != nil else { return nil }
        var cutter = Cutter(bytes: bytes)
        guard let members = cutter.members() else { return nil }
        self.members = members
    }

    subscript(_ name: String) -> [UInt8]? {
        get { members.last { $0.name == name }?.value }
        set {
            guard let newValue else { return members.removeAll { $0.name == name } }
            if let index = members.lastIndex(where: { $0.name == name }) {
                members[index].value = newValue
            } else {
                members.append(Member(name: name, value: newValue))
            }
        }
    }

    /// The object that a member is; an empty one if there is none; `nil` if it is something else.
    func object(_ name: String) -> OrderedObject? {
        guard let bytes = self[name], bytes != Array("null".utf8) else { return OrderedObject() }
        return OrderedObject(bytes)
    }

    /// The text that a member is.
    func text(_ name: String) -> String? { self[name].flatMap { try? JSONDecoder().decode(String.self, from: Data($0)) } }

    /// Written as Docker does, with tabs; objects that were read stay as they were.
    func encoded(depth: Int = 0) -> [UInt8] {
        guard !members.isEmpty else { return Array("{}".utf8) }
        let inner = String(repeating: "\t", count: depth + 1)
        let lines = members.map { "\(inner)\(Self.encoded($0.name)): " + String(decoding: $0.value, as: UTF8.self) }
        return Array("{\n\(lines.joined(separator: ",\n"))\n\(String(repeating: "\t", count: depth))}".utf8)
    }

    /// Text as JSON.
    static func encoded(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case let scalar where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// Any value of JSON, not looked at.
private struct Anything: Decodable {
    init(from decoder: any Decoder) throws {}
}

/// Cuts a well-formed JSON text.
private struct Cutter {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func members() -> [OrderedObject.Member]? {
        skipSpace()
        guard next == UInt8(ascii: "{") else { return nil }
        position += 1
        var members: [OrderedObject.Member] = []
        while true {
            skipSpace()
            if next == UInt8(ascii: "}") { return members }
            if next == UInt8(ascii: ",") { position += 1; continue }
            let nameBegin = position
            guard next == UInt8(ascii: "\""), skipValue(),
                let name = try? JSONDecoder().decode(String.self, from: Data(bytes[nameBegin..<position]))
            else {
                return nil
            }
            skipSpace()
            guard next == UInt8(ascii: ":") else { return nil }
            position += 1
            skipSpace()
            let begin = position
            guard skipValue() else { return nil }
            members.append(.init(name: name, value: Array(bytes[begin..<position])))
        }
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() { while let byte = next, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { position += 1 } }

    /// Goes behind a value: a string, or what is between here and the end of its brackets, or a word.
    private mutating func skipValue() -> Bool {
        var depth = 0
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                while let inside = next, inside != UInt8(ascii: "\"") { position += inside == UInt8(ascii: "\\") ? 2 : 1 }
                position += 1
                if depth == 0 { return position <= bytes.count }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return true }
                depth -= 1
                position += 1
                if depth == 0 { return true }
            case UInt8(ascii: ","), 0x20, 0x09, 0x0a, 0x0d:
                if depth == 0 { return true }
                position += 1
            default: position += 1
            }
        }
        return depth == 0
    }
}
