internal import BerthOCI
internal import DockerAPI

/// Times as people write and read them, by the local clock.
enum Times {
    private static func padded(_ value: some BinaryInteger, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func date(_ parts: LocalTime) -> String {
        "\(padded(parts.year, 4))-\(padded(parts.month, 2))-\(padded(parts.day, 2))"
    }

    private static func clock(_ parts: LocalTime) -> String {
        "\(padded(parts.hour, 2)):\(padded(parts.minute, 2)):\(padded(parts.second, 2))"
    }

    private static func offset(_ parts: LocalTime, separator: String) -> String {
        let minutes = abs(parts.offsetSeconds) / 60
        return (parts.offsetSeconds < 0 ? "-" : "+") + padded(minutes / 60, 2) + separator + padded(minutes % 60, 2)
    }

    /// As `2026-11-24 13:49:25 +0000 UTC`.
    static func long(seconds: Int64) -> String {
        let parts = LocalTime(seconds)
        return "\(date(parts)) \(clock(parts)) \(offset(parts, separator: "")) \(parts.zone)"
    }

    /// As `2026-11-24 13:49:25.5 +0000 UTC`, by the clock of the text itself. What is no such text is given back.
    static func long(rfc3339 text: String) -> String {
        let halves = text.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, let end = halves[1].firstIndex(where: { "Z+-".contains($0) }) else { return text }
        var clock = halves[1][..<end]
        if clock.contains(".") {
            while clock.last == "0" { clock = clock.dropLast() }
            if clock.last == "." { clock = clock.dropLast() }
        }
        let offset = halves[1][end...].filter { $0 != ":" }
        return "\(halves[0]) \(clock) " + (offset == "Z" ? "+0000 UTC" : "\(offset) \(offset)")
    }

    /// As `2026-11-24T13:49:25.123456789Z`, with the local offset.
    static func stamp(nanoseconds: Int64) -> String {
        let time = Timestamp(nanoseconds: nanoseconds)
        let parts = LocalTime(time.seconds)
        let zone = parts.offsetSeconds == 0 ? "Z" : offset(parts, separator: ":")
        return "\(date(parts))T\(clock(parts)).\(padded(nanoseconds - time.seconds * 1_000_000_000, 9))\(zone)"
    }

    /// As `2026-11-24T13:49:25Z`, with the local offset.
    static func stamp(seconds: Int64) -> String {
        let parts = LocalTime(seconds)
        return "\(date(parts))T\(clock(parts))\(parts.offsetSeconds == 0 ? "Z" : offset(parts, separator: ":"))"
    }

    /// How long ago a time was, as Docker's tables say it.
    static func secondsSince(_ seconds: Int64) -> Int64 { Timestamp.now.seconds - seconds }

    /// What `--since` and `--until` take, as the daemon takes it: seconds since 1970, with a fraction. Digits are taken as they are.
    static func parameter(_ text: String) throws(Failure) -> String {
        let parts = text.split(separator: ".", maxSplits: 1)
        if (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber } }) { return text }
        guard let time = TimeText.parse(text) else {
            throw Failure("invalid value for a time: \"\(text)\": it must be a date, a duration as 10m, or seconds since 1970")
        }
        return "\(time.seconds).\(padded(time.nanoseconds - time.seconds * 1_000_000_000, 9))"
    }
}
