internal import BerthOCI
internal import Glibc

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

    /// As `2026-11-24T13:49:25.123456789Z`, with the local offset.
    static func stamp(nanoseconds: Int64) -> String {
        let time = Timestamp(nanoseconds: nanoseconds)
        let parts = LocalTime(time.seconds)
        let zone = parts.offsetSeconds == 0 ? "Z" : offset(parts, separator: ":")
        return "\(date(parts))T\(clock(parts)).\(padded(nanoseconds - time.seconds * 1_000_000_000, 9))\(zone)"
    }

    /// How long ago a time was, as Docker's tables say it.
    static func secondsSince(_ seconds: Int64) -> Int64 { Timestamp.now.seconds - seconds }

    /// What `--since` and `--until` take, as the daemon takes it: seconds since 1970, with a fraction.
    ///
    /// A duration (`1h30m`) is counted back from now; a date is RFC 3339, with parts left out from its end; digits are taken as they are.
    static func parameter(_ text: String) throws(Failure) -> String {
        if let nanoseconds = duration(text) { return shown(Timestamp.now.nanoseconds - nanoseconds) }
        if let time = Timestamp(rfc3339: text) { return shown(time.nanoseconds) }
        if let time = localTime(text) { return String(time) }
        let parts = text.split(separator: ".", maxSplits: 1)
        if (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber } }) { return text }
        throw Failure("invalid value for a time: \"\(text)\": it must be a date, a duration as 10m, or seconds since 1970")
    }

    private static func shown(_ nanoseconds: Int64) -> String {
        let time = Timestamp(nanoseconds: nanoseconds)
        return "\(time.seconds).\(padded(nanoseconds - time.seconds * 1_000_000_000, 9))"
    }

    /// Nanoseconds of a duration in Go's form.
    static func duration(_ text: String) -> Int64? {
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
    private static func localTime(_ text: String) -> Int64? {
        let halves = text.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
        let date = halves[0].split(separator: "-", omittingEmptySubsequences: false).map { Int32($0) }
        let clock = halves.count > 1 ? halves[1].split(separator: ":", omittingEmptySubsequences: false).map { Int32($0) } : []
        guard date.count == 3, clock.count <= 3, !(date + clock).contains(nil) else { return nil }
        let numbers = (date + clock).compactMap(\.self)
        guard (1970...2261).contains(numbers[0]), (1...12).contains(numbers[1]), (1...31).contains(numbers[2]) else { return nil }
        func clockPart(_ index: Int) -> Int { numbers.count > index + 3 ? Int(numbers[index + 3]) : 0 }
        let time = LocalTime(
            year: Int(numbers[0]), month: Int(numbers[1]), day: Int(numbers[2]), hour: clockPart(0), minute: clockPart(1),
            second: clockPart(2))
        guard time.hour < 24, time.minute < 60, time.second < 61 else { return nil }
        return time.seconds
    }
}

/// A time by the local clock.
struct LocalTime {
    var year: Int
    var month: Int
    var day: Int
    var hour: Int
    var minute: Int
    var second: Int
    var offsetSeconds = 0
    var zone = "UTC"
}

extension LocalTime {
    /// The local time so many seconds after the start of 1970.
    init(_ seconds: Int64) {
        var time = time_t(seconds)
        var parts = unsafe tm()
        unsafe localtime_r(&time, &parts)
        self = unsafe LocalTime(
            year: Int(parts.tm_year) + 1900, month: Int(parts.tm_mon) + 1, day: Int(parts.tm_mday), hour: Int(parts.tm_hour),
            minute: Int(parts.tm_min), second: Int(parts.tm_sec), offsetSeconds: Int(parts.tm_gmtoff))
        if let name = unsafe parts.tm_zone { zone = unsafe String(cString: name) }
    }

    /// The time in seconds since the start of 1970; what the calendar has not (the 31st of June) is counted on.
    var seconds: Int64 {
        var parts = unsafe tm()
        unsafe (parts.tm_year, parts.tm_mon, parts.tm_mday) = (CInt(year - 1900), CInt(month - 1), CInt(day))
        unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec, parts.tm_isdst) = (CInt(hour), CInt(minute), CInt(second), -1)
        return Int64(unsafe mktime(&parts))
    }
}
