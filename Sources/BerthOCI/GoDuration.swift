/// Lengths of time as Go writes them: `1m30s`, `500ms`.
public enum GoDuration {
    /// In nanoseconds; `nil` for what is none, and for more than an `Int64` has.
    public static func nanoseconds(_ text: some StringProtocol) -> Int64? {
        let units: [(String, Double)] = [("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)]
        var (rest, total) = (text[...], 0.0)
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(name.count)
            guard let value = Double(String(digits)), let unit = units.first(where: { $0.0 == name }) else { return nil }
            total += value * unit.1
        }
        return total < 9e18 ? Int64(total) : nil
    }
}
