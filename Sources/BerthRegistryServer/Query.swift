internal import BerthOCI

/// The parameters of a request's target.
struct Query: Sendable {
    private var values: [String: [String]] = [:]

    /// The most parameters of one request.
    private static let countLimit = 256

    /// Parses what stands behind the question mark.
    init(parsing text: Substring) throws(RegistryFailure) {
        let parts = text.split(separator: "&", maxSplits: Self.countLimit + 1)
        guard parts.count <= Self.countLimit else {
            throw RegistryFailure(414, .unsupported, "the request has more than \(Self.countLimit) parameters")
        }
        for part in parts {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            values[try Self.decoded(pair[0]), default: []].append(pair.count == 2 ? try Self.decoded(pair[1]) : "")
        }
    }

    /// Undoes percent-encoding. A plus is one: media types have it, and nothing here has a space.
    static func decoded(_ text: Substring) throws(RegistryFailure) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                let value = UInt8(Substring(digits), radix: 16)
            else { throw RegistryFailure(400, .unsupported, "the request's target has an invalid escape") }
            rest = rest.dropFirst(2)
            bytes.append(value)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw RegistryFailure(400, .unsupported, "the request's target is no text")
        }
        return decoded
    }

    /// Writes a value so that it can stand in a target.
    static func encoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            let isPlain =
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || "-._~:/".utf8.contains(byte)
            if isPlain {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }

    /// The first value of a name; `nil` if it was not given, or is empty.
    subscript(name: String) -> String? { values[name]?.first.flatMap { $0.isEmpty ? nil : $0 } }

    /// All values of a name.
    func all(_ name: String) -> [String] { values[name] ?? [] }

    /// A digest; `nil` if it was not given.
    func digest(_ name: String) throws(RegistryFailure) -> Digest? {
        guard let text = values[name]?.first else { return nil }
        do throws(Digest.ParseError) { return try Digest(parsing: text) } catch { throw .digestInvalid(error.description) }
    }

    /// How many entries are asked for; `nil` for as many as there may be.
    func count(_ name: String) throws(RegistryFailure) -> Int? {
        guard let text = values[name]?.first else { return nil }
        guard let number = Int(text), number >= 0 else {
            throw RegistryFailure(400, .unsupported, "the parameter '\(name)' must be a whole number that is not negative")
        }
        return number
    }
}
