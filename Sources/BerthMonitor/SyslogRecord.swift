internal import BerthLaunch
internal import Glibc

/// An entry as a line of syslog, by Docker's rules: in local time, with the process's number, and none for an empty line.
struct SyslogRecord {
    let line: LogReceiver.Syslog
    let processID: Int32

    func bytes(of entry: LogEntry) -> [UInt8]? {
        guard !entry.bytes.isEmpty else { return nil }
        let priority = line.facility << 3 | (entry.isError ? 3 : 6)
        let time = LocalMoment(entry.time)
        let head =
            switch line.style {
            case .local: "<\(priority)>\(time.stamp) \(line.tag)[\(processID)]: "
            case .rfc3164: "<\(priority)>\(time.stamp) \(line.hostname) \(line.tag)[\(processID)]: "
            case .rfc5424: "<\(priority)>1 \(time.rfc3339()) \(line.hostname) \(line.tag) \(processID) \(line.tag) - "
            case .rfc5424Micro:
                "<\(priority)>1 \(time.rfc3339(digits: 6)) \(line.hostname) \(line.tag) \(processID) \(line.tag) - "
            }
        return Array(head.utf8) + entry.bytes + [10]
    }
}

/// A moment by the clock and the calendar of the host.
struct LocalMoment {
    private let (year, month, day): (Int, Int, Int)
    private let clock: String
    private let nanoseconds: Int64
    /// How far the clock is ahead of UTC.
    private let offsetMinutes: Int

    init(_ time: Int64) {
        var (seconds, parts) = (time_t(time / 1_000_000_000), unsafe tm())
        unsafe localtime_r(&seconds, &parts)
        unsafe (year, month, day) = (Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday))
        clock = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec].map { Self.padded(Int($0)) }.joined(separator: ":")
        offsetMinutes = unsafe parts.tm_gmtoff / 60
        nanoseconds = time % 1_000_000_000
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// `Nov  7 02:36:45`.
    var stamp: String { "\(Self.months[month - 1]) \(Self.padded(day, with: " ")) \(clock)" }

    /// `2026-11-27T02:36:45+01:00`, with so many digits of the second's fraction.
    func rfc3339(digits: Int = 0) -> String {
        let fraction = String(String(nanoseconds + 1_000_000_000).dropFirst().prefix(digits))
        return "\(year)-\(Self.padded(month))-\(Self.padded(day))T\(clock)\(digits > 0 ? "." : "")\(fraction)\(zone)"
    }

    private var zone: String {
        guard offsetMinutes != 0 else { return "Z" }
        let minutes = abs(offsetMinutes)
        return "\(offsetMinutes < 0 ? "-" : "+")\(Self.padded(minutes / 60)):\(Self.padded(minutes % 60))"
    }

    private static func padded(_ number: Int, with filler: String = "0") -> String { number < 10 ? "\(filler)\(number)" : "\(number)" }
}
