internal import Glibc

/// A time by the local clock.
public struct LocalTime: Sendable, Hashable {
    /// The year.
    public var year: Int
    /// The month, from 1.
    public var month: Int
    /// The day of the month, from 1.
    public var day: Int
    /// The hour, from 0.
    public var hour: Int
    /// The minute.
    public var minute: Int
    /// The second.
    public var second: Int
    /// How many seconds the clock is ahead of UTC.
    public var offsetSeconds = 0
    /// The zone's name.
    public var zone = "UTC"
}

extension LocalTime {
    /// The local time so many seconds after the start of 1970.
    public init(_ seconds: Int64) {
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
