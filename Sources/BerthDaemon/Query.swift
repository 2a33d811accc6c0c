/// The parameters of a request's target, read as Docker reads them.
struct Query: Sendable {
    private var values: [String: [String]] = [:]

    /// The most parameters of one request.
    private static let countLimit = 1024

    /// Parses what stands behind the question mark.
    ///
    /// - Throws: for what is no percent-encoding or no UTF-8, and for too many.
    init(parsing text: Substring) throws(APIFailure) {
        let parts = text.split(separator: "&", maxSplits: Self.countLimit + 1)
        guard parts.count <= Self.countLimit else { throw .invalid("the request has more than \(Self.countLimit) parameters") }
        for part in parts {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Self.decoded(pair[0], plusIsSpace: true)
            values[name, default: []].append(pair.count == 2 ? try Self.decoded(pair[1], plusIsSpace: true) : "")
        }
    }

    /// Undoes percent-encoding.
    static func decoded(_ text: Substring, plusIsSpace: Bool) throws(APIFailure) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                let digits = rest.prefix(2)
                guard digits.count == 2, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                    let value = UInt8(Substring(digits), radix: 16)
                else { throw .invalid("invalid URL escape in '\(text)'") }
                rest = rest.dropFirst(2)
                bytes.append(value)
            default: bytes.append(byte)
            }
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else { throw .invalid("'\(text)' is not UTF-8") }
        guard !bytes.contains(0) else { throw .invalid("'\(text)' has a NUL in it") }
        return decoded
    }

    /// The first value of a name; `nil` if it was not given, or is empty.
    subscript(name: String) -> String? { values[name]?.first.flatMap { $0.isEmpty ? nil : $0 } }

    /// All values of a name.
    func all(_ name: String) -> [String] { values[name] ?? [] }

    /// A truth, by Docker's rule: anything but nothing, `0`, `no`, `false` and `none` is true.
    func bool(_ name: String) -> Bool {
        guard let text = values[name]?.first?.trimmingASCIISpaces().lowercased() else { return false }
        return !["", "0", "no", "false", "none"].contains(text)
    }

    /// A whole number; `nil` if it was not given.
    func integer(_ name: String) throws(APIFailure) -> Int? {
        guard let text = self[name] else { return nil }
        guard let number = Int(text) else {
            throw .invalid("invalid value '\(text)' of the parameter '\(name)': it must be a whole number")
        }
        return number
    }

    /// Refuses a parameter that asks for something.
    func refuse(_ name: String, _ reason: String) throws(APIFailure) {
        if bool(name) { throw .invalid("the parameter '\(name)' is not supported here: \(reason)") }
    }
}

extension String {
    fileprivate func trimmingASCIISpaces() -> Substring {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return text
    }
}
