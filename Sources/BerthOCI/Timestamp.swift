internal import Glibc

/// A point in time to the nanosecond, as the field's documents write it: RFC 3339 in UTC.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Nanoseconds since 1970-01-01T00:00:00Z; negative before. Any number is a time: they reach from 1677 to 2262.
    public let nanoseconds: Int64

    /// A point so many nanoseconds after the start of 1970.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Now, by the system's real-time clock.
    public static var now: Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Whole seconds since 1970, rounded down.
    public var seconds: Int64 { nanoseconds / 1_000_000_000 - (nanoseconds % 1_000_000_000 < 0 ? 1 : 0) }

    /// What is left of a second beyond ``seconds``.
    private var fraction: Int64 {
        let rest = nanoseconds % 1_000_000_000
        return rest < 0 ? rest + 1_000_000_000 : rest
    }

    /// Parses RFC 3339 (`2006-01-02T15:04:05.999999999Z`, or an offset such as `+02:00`).
    ///
    /// - Returns: `nil` for anything else, for days that no calendar has, and for years outside 1678 ... 2261.
    public init?(rfc3339 text: some StringProtocol) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[range] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            return value
        }
        func has(_ character: Unicode.Scalar, at offset: Int) -> Bool { offset < bytes.count && bytes[offset] == UInt8(ascii: character) }
        guard let year = number(0..<4), has("-", at: 4), let month = number(5..<7), has("-", at: 7), let day = number(8..<10),
            has("T", at: 10) || has("t", at: 10) || has(" ", at: 10), let hour = number(11..<13), has(":", at: 13),
            let minute = number(14..<16),
            has(":", at: 16), let second = number(17..<19), (1678...2261).contains(year), (1...12).contains(month), hour < 24, minute < 60,
            second <= 60
        else { return nil }
        guard day >= 1, day <= Self.daysInMonth(year, month) else { return nil }
        var offset = 19
        var fraction: Int64 = 0
        if has(".", at: offset) {
            offset += 1
            var scale: Int64 = 100_000_000
            let start = offset
            while offset < bytes.count, let digit = number(offset..<offset + 1) {
                fraction += digit * scale
                scale /= 10
                offset += 1
            }
            guard offset > start else { return nil }
        }
        var shift: Int64 = 0
        if has("Z", at: offset) || has("z", at: offset) {
            offset += 1
        } else if has("+", at: offset) || has("-", at: offset) {
            guard let hours = number(offset + 1..<offset + 3), has(":", at: offset + 3), let minutes = number(offset + 4..<offset + 6),
                hours < 24, minutes < 60
            else { return nil }
            shift = (hours * 3600 + minutes * 60) * (has("-", at: offset) ? -1 : 1)
            offset += 6
        }
        guard offset == bytes.count, offset > 19 else { return nil }
        let total = Self.days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - shift
        nanoseconds = total * 1_000_000_000 + fraction
    }

    /// `2006-01-02T15:04:05.999999999Z`: the fraction without its trailing zeros, as Go's RFC3339Nano writes it.
    public var rfc3339: String { text(fractionDigits: nil) }

    /// The same with all nine digits of the fraction: such lines sort and stand in columns.
    public var rfc3339Padded: String { text(fractionDigits: 9) }

    /// The RFC 3339 form.
    public var description: String { rfc3339 }

    /// The earlier is the smaller.
    public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }

    private func text(fractionDigits: Int?) -> String {
        let seconds = self.seconds
        let days = seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400
        let ofDay = seconds - days * 86400
        let (year, month, day) = Self.civil(days)
        func padded(_ value: Int64, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        var result =
            "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(padded(ofDay / 3600, 2)):\(padded(ofDay / 60 % 60, 2)):\(padded(ofDay % 60, 2))"
        var digits = padded(fraction, 9)
        if fractionDigits == nil { while digits.last == "0" { digits.removeLast() } }
        if !digits.isEmpty { result += "." + digits }
        return result + "Z"
    }

    private static func daysInMonth(_ year: Int64, _ month: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    // Days since 1970 from a date of the Gregorian calendar and back: years start in March, so that the leap day is the last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719468
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719468
        let era = (shifted >= 0 ? shifted : shifted - 146096) / 146097
        let dayOfEra = shifted - era * 146097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let part = (5 * dayOfYear + 2) / 153
        let month = part < 10 ? part + 3 : part - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * part + 2) / 5 + 1)
    }
}

extension Timestamp: Codable {
    /// Decodes RFC 3339 text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let time = Timestamp(rfc3339: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is no time of RFC 3339 between 1678 and 2261")
        }
        self = time
    }

    /// Encodes RFC 3339 text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rfc3339)
    }
}
