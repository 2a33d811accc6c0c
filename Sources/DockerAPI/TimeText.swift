public import BerthOCI

/// A point in time as people write it, in the forms that Docker takes.
public enum TimeText {
    /// Parses one: a duration in Go's form (`1h30m`), counted back from now; RFC 3339; a date with parts left out from its end, by the local clock;
    /// or seconds since 1970 with up to nine digits of a fraction.
    ///
    /// - Returns: `nil` for what is none of these.
    public static func parse(_ text: String, now: Timestamp = .now) -> Timestamp? {
        if let nanoseconds = duration(text) { return Timestamp(nanoseconds: now.nanoseconds - nanoseconds) }
        return Timestamp(rfc3339: text) ?? localTime(text) ?? seconds(text)
    }

    /// Seconds since 1970, with a fraction or without.
    public static func seconds(_ text: String) -> Timestamp? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let digits = parts.count == 2 ? parts[1] : "0"
        guard let seconds = Int64(parts[0]), seconds.magnitude < 9_000_000_000, !digits.isEmpty, digits.utf8.count <= 9,
            digits.utf8.allSatisfy({ (48...57).contains($0) }),
            let fraction = Int64(digits + String(repeating: "0", count: 9 - digits.utf8.count))
        else { return nil }
        return Timestamp(nanoseconds: seconds * 1_000_000_000 + fraction)
    }

    /// Nanoseconds of a duration in Go's form.
    private static func duration(_ text: String) -> Int64? {
        let units: [(String, Double)] = [
            ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
        ]
        var rest = text[...]
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            guard let value = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !($0.isASCII && $0.isNumber) }
            guard let unit = units.first(where: { $0.0 == name }) else { return nil }
            rest = rest.dropFirst(name.count)
            total += value * unit.1
        }
        return total < 9e18 ? Int64(total) : nil
    }

    /// `2026-11-24`, `2026-11-24T13`, `2026-11-24T13:49`, `2026-11-24T13:49:25`, by the local clock.
    private static func localTime(_ text: String) -> Timestamp? {
        let halves = text.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
        let date = halves[0].split(separator: "-", omittingEmptySubsequences: false).map { Int32($0) }
        let clock = halves.count > 1 ? halves[1].split(separator: ":", omittingEmptySubsequences: false).map { Int32($0) } : []
        guard date.count == 3, clock.count <= 3, !(date + clock).contains(nil) else { return nil }
        let numbers = (date + clock).compactMap(\.self).map(Int.init)
        guard (1970...2261).contains(numbers[0]), (1...12).contains(numbers[1]), (1...31).contains(numbers[2]) else { return nil }
        func part(_ index: Int) -> Int { numbers.count > index ? numbers[index] : 0 }
        let time = LocalTime(year: part(0), month: part(1), day: part(2), hour: part(3), minute: part(4), second: part(5))
        guard (0..<24).contains(time.hour), (0..<60).contains(time.minute), (0..<61).contains(time.second) else { return nil }
        return Timestamp(nanoseconds: time.seconds * 1_000_000_000)
    }
}
