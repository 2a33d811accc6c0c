public import BerthOCI

/// Writes JSON text as Go's encoder does: members in the order of the calls, nothing between them, `<`, `>` and `&` escaped.
///
/// Docker's answers tell an empty list from `null`, and both from a member that is not there: what is written here is exactly what was said.
public struct JSONWriter: Sendable {
    /// The text so far.
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// Nothing written.
    public init(reservingByteCount count: Int = 0) { bytes.reserveCapacity(count) }

    // MARK: Values

    /// Writes an object, whose members `body` writes.
    public mutating func object<Failure: Error>(_ body: (inout JSONWriter) throws(Failure) -> Void) throws(Failure) {
        begin(UInt8(ascii: "{"))
        try body(&self)
        end(UInt8(ascii: "}"))
    }

    /// Writes a list, whose elements `body` writes as values.
    public mutating func array<Failure: Error>(_ body: (inout JSONWriter) throws(Failure) -> Void) throws(Failure) {
        begin(UInt8(ascii: "["))
        try body(&self)
        end(UInt8(ascii: "]"))
    }

    /// Writes text.
    public mutating func value(_ text: String) {
        separate()
        quote(text)
    }

    /// Writes a truth.
    public mutating func value(_ truth: Bool) {
        separate()
        bytes += (truth ? "true" : "false").utf8
    }

    /// Writes a whole number.
    public mutating func value(_ number: some BinaryInteger) {
        separate()
        bytes += String(number).utf8
    }

    /// Writes `null`.
    public mutating func null() {
        separate()
        bytes += "null".utf8
    }

    /// Writes what knows how to.
    public mutating func value(_ value: some JSONWritable) { value.write(to: &self) }

    /// Writes JSON text that is whole already.
    public mutating func verbatim(_ text: some Sequence<UInt8>) {
        separate()
        bytes += text
    }

    /// Writes any value; the names of objects in order.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let truth): self.value(truth)
        case .integer(let number): self.value(number)
        case .unsigned(let number): self.value(number)
        case .number(let number):
            separate()
            bytes += (number == number.rounded() && abs(number) < 1e15 ? String(Int64(number)) : String(number)).utf8
        case .string(let text): self.value(text)
        case .array(let elements): array { for element in elements { $0.value(element) } }
        case .object(let members):
            object { writer in
                for (name, member) in members.sorted(by: { $0.key < $1.key }) {
                    writer.name(name)
                    writer.value(member)
                }
            }
        }
    }

    // MARK: Members

    /// Writes a member's name; its value is to follow.
    public mutating func name(_ name: String) {
        separate()
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A member with text.
    public mutating func member(_ name: String, _ text: String) {
        self.name(name)
        value(text)
    }
    /// A member with a truth.
    public mutating func member(_ name: String, _ truth: Bool) {
        self.name(name)
        value(truth)
    }
    /// A member with a whole number.
    public mutating func member(_ name: String, _ number: some BinaryInteger) {
        self.name(name)
        value(number)
    }
    /// A member with a list of texts; `nil` is `null`.
    public mutating func member(_ name: String, _ texts: [String]?) {
        self.name(name)
        guard let texts else { return null() }
        array { for text in texts { $0.value(text) } }
    }
    /// A member with names and texts, in the order of the names; `nil` is `null`.
    public mutating func member(_ name: String, _ texts: [String: String]?) {
        self.name(name)
        guard let texts else { return null() }
        object { for (name, text) in texts.sorted(by: { $0.key < $1.key }) { $0.member(name, text) } }
    }
    /// A member with a set of names, as Go has them: each with an empty object; `nil` is `null`.
    public mutating func member(_ name: String, set names: [String]?) {
        self.name(name)
        guard let names else { return null() }
        object { for text in names.sorted() { $0.member(text) { _ in } } }
    }
    /// A member with what knows how to be written.
    public mutating func member(_ name: String, _ value: some JSONWritable) {
        self.name(name)
        value.write(to: &self)
    }
    /// A member with a list of such.
    public mutating func member(_ name: String, list values: [some JSONWritable]) {
        self.name(name)
        array { for value in values { value.write(to: &$0) } }
    }
    /// A member with an object, whose members `body` writes.
    public mutating func member(_ name: String, _ body: (inout JSONWriter) -> Void) {
        self.name(name)
        object(body)
    }
    /// A member that is `null`.
    public mutating func nullMember(_ name: String) {
        self.name(name)
        null()
    }

    // MARK: Bytes

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    /// Nearly all text is as it is to be: what needs no escape is copied in runs.
    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        let units = text.utf8Span.span
        var (runStart, index) = (0, 0)
        while index < units.count {
            guard Self.mayBeginEscape(units[index]), let (escape, length) = Self.escape(at: index, of: units) else {
                index += 1
                continue
            }
            append(units.extracting(runStart..<index))
            bytes += escape.utf8
            index += length
            runStart = index
        }
        append(units.extracting(runStart..<index))
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func append(_ run: Span<UInt8>) {
        unsafe run.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }

    /// What is asked of every byte.
    private static func mayBeginEscape(_ byte: UInt8) -> Bool {
        switch byte {
        case 0..<32, UInt8(ascii: "\""), UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\\"), 0xE2: true
        default: false
        }
    }

    /// What stands for the character that begins there, and how many bytes that one has; `nil` if it stands for itself.
    private static func escape(at index: Int, of units: Span<UInt8>) -> (String, Int)? {
        switch units[index] {
        case UInt8(ascii: "\""): ("\\\"", 1)
        case UInt8(ascii: "\\"): ("\\\\", 1)
        case 10: ("\\n", 1)
        case 13: ("\\r", 1)
        case 9: ("\\t", 1)
        case 0..<16: ("\\u000" + String(units[index], radix: 16), 1)
        case 16..<32, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"):
            ("\\u00" + String(units[index], radix: 16), 1)
        // U+2028 and U+2029 end a line in JavaScript; Go escapes them.
        case 0xE2 where units[index + 1] == 0x80 && units[index + 2] == 0xA8: ("\\u2028", 3)
        case 0xE2 where units[index + 1] == 0x80 && units[index + 2] == 0xA9: ("\\u2029", 3)
        default: nil
        }
    }
}

/// A wire value that writes itself.
public protocol JSONWritable: Sendable {
    /// Writes itself as one value.
    func write(to writer: inout JSONWriter)
}

extension JSONWritable {
    /// The JSON text.
    public var json: [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }
}

extension Array: JSONWritable where Element: JSONWritable {
    /// Writes a list.
    public func write(to writer: inout JSONWriter) {
        writer.array { for element in self { element.write(to: &$0) } }
    }
}
