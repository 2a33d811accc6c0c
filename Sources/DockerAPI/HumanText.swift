internal import Glibc

/// Numbers as people read them, in Docker's words.
public enum HumanText {
    /// A time that has passed, as `3 minutes`.
    public static func duration(seconds: Int64) -> String {
        let hours = (seconds + 1800) / 3600
        switch seconds {
        case ..<1: return "Less than a second"
        case 1: return "1 second"
        case ..<60: return "\(seconds) seconds"
        case ..<120: return "About a minute"
        case ..<3600 where seconds / 60 < 60: return "\(seconds / 60) minutes"
        default: break
        }
        switch hours {
        case ...1: return "About an hour"
        case ..<48: return "\(hours) hours"
        case ..<(24 * 7 * 2): return "\(hours / 24) days"
        case ..<(24 * 30 * 2): return "\(hours / 24 / 7) weeks"
        case ..<(24 * 365 * 2): return "\(hours / 24 / 30) months"
        default: return "\(seconds / 3600 / 24 / 365) years"
        }
    }

    /// Bytes in powers of 1,000, as `1.23MB`.
    ///
    /// - Parameter digits: how many digits count.
    public static func size(_ byteCount: some BinaryInteger, digits: Int = 3) -> String {
        size(Double(byteCount), base: 1000, units: ["B", "kB", "MB", "GB", "TB", "PB", "EB"], digits: digits)
    }

    /// Bytes in powers of 1,024, as `1.23MiB`.
    public static func binarySize(_ byteCount: Int64) -> String {
        size(Double(byteCount), base: 1024, units: ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], digits: 4)
    }

    /// A number with so many digits behind the point, as Go's `%.2f`.
    public static func fixed(_ value: Double, digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        guard value.isFinite, abs(value) * scale < 1e15 else { return "0" }
        let whole = Int64((abs(value) * scale).rounded(.toNearestOrEven))
        let text = String(whole)
        let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
        let sign = value < 0 && whole != 0 ? "-" : ""
        return digits == 0 ? sign + padded : "\(sign)\(padded.dropLast(digits)).\(padded.suffix(digits))"
    }

    private static func size(_ value: Double, base: Double, units: [String], digits: Int) -> String {
        var value = value
        var index = 0
        while value >= base, index < units.count - 1 {
            value /= base
            index += 1
        }
        return significant(value, digits) + units[index]
    }

    /// C's `%.Ng`.
    static func significant(_ value: Double, _ digits: Int) -> String {
        var text = [CChar](repeating: 0, count: 64)
        let count = unsafe withVaList([CInt(digits), value]) { unsafe vsnprintf(&text, 64, "%.*g", $0) }
        return String(decoding: text.prefix(Int(count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// A text cut to so many characters, the last of them an ellipsis where something was cut.
    public static func ellipsis(_ text: String, _ limit: Int) -> String {
        text.unicodeScalars.count <= limit ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit - 1))) + "…"
    }
}
