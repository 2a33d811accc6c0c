/// The kinds of values that flags take, by the names that Docker's help gives them.
public enum ValueKind {
    /// What a boolean's text says; `nil` for what is neither.
    public static func boolean(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "TRUE", "true", "True": true
        case "0", "f", "F", "FALSE", "false", "False": false
        default: nil
        }
    }

    /// A number of bytes with one of the units b, k, m, g, t, p, also as `kb` and `KiB`, each 1,024 times the one before.
    ///
    /// - Returns: `nil` for anything else, and for what does not fit 63 bits. -1 is allowed: to some flags it means "no limit".
    public static func bytes(_ text: String) -> Int64? {
        if text == "-1" { return -1 }
        let units: [Character: Int64] = ["b": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50]
        let digits = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        var unit = text.dropFirst(digits.count).lowercased()
        if unit.hasPrefix(" ") { unit.removeFirst() }
        guard let number = Double(digits), number >= 0 else { return nil }
        let shift: Int64
        switch unit.count {
        case 0: shift = 0
        case 1:
            guard let found = units[unit.first!] else { return nil }
            shift = found
        case 2 where unit.last == "b" && unit.first != "b":
            guard let found = units[unit.first!] else { return nil }
            shift = found
        case 3 where unit.hasSuffix("ib") && unit.first != "b":
            guard let found = units[unit.first!] else { return nil }
            shift = found
        default: return nil
        }
        let value = number * Double(Int64(1) << shift)
        return value < 9.2e18 ? Int64(value) : nil
    }

    /// Processors, as `1.5`, in billionths. `nil` for anything else, or more than nine decimals.
    public static func billionths(_ text: String) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, text.utf8.count < 20, !text.isEmpty, text != "." else { return nil }
        let decimals = parts.count == 2 ? parts[1] : ""
        guard decimals.count <= 9, (parts[0] + decimals).allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        let padded = decimals + String(repeating: "0", count: 9 - decimals.count)
        guard let whole = parts[0].isEmpty ? 0 : Int64(parts[0]), let part = Int64(padded) else { return nil }
        let (product, isTooLarge) = whole.multipliedReportingOverflow(by: 1_000_000_000)
        return isTooLarge ? nil : product.addingReportingOverflow(part).partialValue
    }

    /// What is wrong with a value, in Docker's words; `nil` where nothing is or the kind is not one of those that are checked.
    static func mistake(in text: String, kind: String) -> String? {
        switch kind {
        case "int": Int64(text) == nil ? "strconv.ParseInt: parsing \(quoted(text)): invalid syntax" : nil
        case "uint": UInt64(text) == nil ? "strconv.ParseUint: parsing \(quoted(text)): invalid syntax" : nil
        case "bytes": bytes(text) == nil ? "invalid size: '\(text)'" : nil
        case "decimal": billionths(text) == nil ? "failed to parse \(text) as a rational number" : nil
        default: nil
        }
    }

    /// A text in double quotes, with what would break a line escaped.
    public static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 32: result += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
