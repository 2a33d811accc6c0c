internal import BerthOCI

/// The values of options, as Docker reads them.
package enum OptionText {
    /// A size that is decimal, `10m`, `1.5GB`; `nil` for `-1`, which is no bound.
    static func size(_ text: String, of option: String) throws(ContainerError) -> UInt64? {
        if text == "-1" { return nil }
        let size = try scaled(text, by: 1000)
        guard size >= 1 else { throw ContainerError(.invalid, "\(option) must be a positive number") }
        return size
    }

    /// A size of memory, in powers of 1024.
    package static func memorySize(_ text: String) throws(ContainerError) -> UInt64 { try scaled(text, by: 1024) }

    private static func scaled(_ text: String, by base: Double) throws(ContainerError) -> UInt64 {
        let wrong = ContainerError(.invalid, "invalid size: '\(text)': it must be as 10m")
        var rest = text.lowercased()[...]
        if rest.last == "b" { rest.removeLast() }
        if rest.last == "i" { rest.removeLast() }
        var scale = 1.0
        if let last = rest.last, let power = ["k", "m", "g", "t", "p"].firstIndex(of: String(last)) {
            rest.removeLast()
            for _ in 0...power { scale *= base }
        }
        while rest.last == " " { rest.removeLast() }
        guard rest.first?.isNumber == true, rest.allSatisfy({ $0.isNumber || $0 == "." }), let number = Double(rest), number * scale < 1e18
        else {
            throw wrong
        }
        return UInt64(number * scale)
    }

    /// True or false, in Go's words for them.
    static func flag(_ text: String) throws(ContainerError) -> Bool {
        if ["1", "t", "T", "TRUE", "true", "True"].contains(text) { return true }
        if ["0", "f", "F", "FALSE", "false", "False"].contains(text) { return false }
        throw ContainerError(.invalid, "strconv.ParseBool: parsing \"\(text)\": invalid syntax")
    }

    /// A length of time, as Go writes it.
    static func milliseconds(_ text: String) throws(ContainerError) -> UInt64 {
        guard let nanoseconds = GoDuration.nanoseconds(text), nanoseconds >= 0 else {
            throw ContainerError(.invalid, "time: invalid duration \"\(text)\"")
        }
        return UInt64(nanoseconds) / 1_000_000
    }

    /// A number that is not negative.
    static func count(_ text: String) throws(ContainerError) -> UInt64 {
        guard let count = UInt64(text) else { throw ContainerError(.invalid, "strconv.ParseUint: parsing \"\(text)\": invalid syntax") }
        return count
    }
}
