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
        quote(text, isName: false)
        needsComma = true
    }

    /// Writes a truth.
    public mutating func value(_ truth: Bool) {
        separate()
        bytes += (truth ? "true" : "false").utf8
    }

    /// Writes a whole number.
    public mutating func value(_ number: some BinaryInteger) {
        separate()
        guard var rest = UInt64(exactly: number) else { return bytes += String(number).utf8 }
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = digits.count
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        append(digits.span.extracting(first...))
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
        quote(name, isName: true)
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

    /// Writes text in its quotes, with what goes before it and, after a name, behind it. Nearly all text is as it is to be, and is there in one piece.
    private mutating func quote(_ text: String, isName: Bool) {
        let units = text.utf8Span.span
        let hasEscape = unsafe Self.mayNeedEscape(units.bytes)
        let needsComma = needsComma
        bytes.append(addingCapacity: units.count + 4) { output in
            if needsComma { output.append(UInt8(ascii: ",")) }
            output.append(UInt8(ascii: "\""))
            if hasEscape { return }
            Self.append(units, to: &output)
            output.append(UInt8(ascii: "\""))
            if isName { output.append(UInt8(ascii: ":")) }
        }
        guard hasEscape else { return }
        escape(units)
        bytes.append(UInt8(ascii: "\""))
        if isName { bytes.append(UInt8(ascii: ":")) }
    }

    /// Copies what needs no escape in runs.
    private mutating func escape(_ units: Span<UInt8>) {
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
    }

    private static func append(_ run: Span<UInt8>, to output: inout OutputSpan<UInt8>) {
        unsafe run.withUnsafeBufferPointer { run in
            unsafe output.withUnsafeMutableBufferPointer { buffer, count in
                guard let from = run.baseAddress, let to = buffer.baseAddress else { return }
                precondition(run.count <= buffer.count - count)
                unsafe (to + count).initialize(from: from, count: run.count)
                count += run.count
            }
        }
    }

    /// Whether any byte of a text is one of which ``mayBeginEscape(_:)`` says so, or is none of ASCII's: of eight at once.
    private static func mayNeedEscape(_ text: RawSpan) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops = ones &* 0x80
        /// The top bit of each byte that is zero; behind such a one, perhaps of others.
        func zeros(_ units: UInt64) -> UInt64 { (units &- ones) & ~units }
        var index = 0
        while index + 8 <= text.byteCount {
            let units = unsafe text.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            let controls = (units &- ones &* 32) & ~units
            // Each two of these differ in one bit.
            let quotes = zeros((units | ones &* 0x04) ^ ones &* UInt64(UInt8(ascii: "&")))
            let angles = zeros((units | ones &* 0x02) ^ ones &* UInt64(UInt8(ascii: ">")))
            let slashes = zeros(units ^ ones &* UInt64(UInt8(ascii: "\\")))
            if (units | controls | quotes | angles | slashes) & tops != 0 { return true }
            index += 8
        }
        while index < text.byteCount {
            if mayBeginEscape(unsafe text.unsafeLoad(fromByteOffset: index, as: UInt8.self)) { return true }
            index += 1
        }
        return false
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
