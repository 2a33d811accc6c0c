/// How often, and after what time, something is tried again. It decides; others wait.
public struct RetryPolicy: Hashable, Sendable {
    /// The most tries that bring nothing, the first one counted.
    public var maximumTryCount = 5
    /// The longest that the first pause lasts; each further one may be twice as long.
    public var firstPause: Duration = .milliseconds(250)
    /// The longest that any pause lasts that the registry does not ask for.
    public var longestPause: Duration = .seconds(20)
    /// The longest that a registry may ask to wait (`Retry-After`): if it asks for more, that is the answer.
    public var longestRequestedPause: Duration = .seconds(120)

    /// The defaults.
    public init() {}

    /// Why a try failed.
    enum Failure: Hashable, Sendable {
        /// There was no connection to be had.
        case noConnection
        /// The connection broke, or nothing came for too long.
        case interrupted
        /// An answer, and what it says about when to come back.
        case status(Int, retryAfter: Duration?)
    }

    /// What is to be done after a try that brought nothing.
    ///
    /// - Parameters:
    ///   - failedCount: how many tries in a row have brought nothing, this one counted.
    ///   - hasBegun: whether an earlier try has brought something: then it is worth while to wait for a host that is not there.
    ///   - random: a number from 0 up to 1, drawn anew for each question: pauses are spread over their whole length, so that many clients do not come
    ///     back at once ("full jitter").
    /// - Returns: how long to pause before the next try; `nil` if there is none.
    func pause(after failure: Failure, failedCount: Int, hasBegun: Bool, random: Double) -> Duration? {
        guard failedCount < maximumTryCount else { return nil }
        let spread = longest(failedCount) * random
        switch failure {
        case .interrupted: return spread
        case .noConnection: return hasBegun || failedCount < 2 ? spread : nil
        case .status(429, let requested), .status(503, let requested):
            guard let requested else { return spread }
            // Never earlier than asked, and not all at the same moment.
            return requested <= longestRequestedPause ? requested + firstPause * random : nil
        case .status(408, _), .status(500, _), .status(502, _), .status(504, _): return spread
        case .status: return nil
        }
    }

    private func longest(_ failedCount: Int) -> Duration {
        var pause = firstPause
        for _ in 1..<max(1, failedCount) where pause < longestPause { pause *= 2 }
        return min(pause, longestPause)
    }
}

extension RetryPolicy {
    /// What a `Retry-After` says (RFC 9110, 10.2.3): seconds, or a date.
    ///
    /// - Parameter now: seconds since 1970.
    static func retryAfter(_ text: String?, now: Int64) -> Duration? {
        guard let text else { return nil }
        if let seconds = Int64(text) { return seconds >= 0 ? .seconds(min(seconds, 1 << 32)) : nil }
        return HTTPDate.seconds(text).map { .seconds(max(0, $0 - now)) }
    }
}

/// The date of HTTP's headers (RFC 9110, 5.6.7), in its one form that may be sent: `Sun, 06 Nov 1994 08:49:37 GMT`.
enum HTTPDate {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Seconds since 1970; `nil` for anything else.
    static func seconds(_ text: String) -> Int64? {
        let parts = text.split { $0 == " " || $0 == "," }
        guard parts.count == 6, parts[5] == "GMT", let day = Int64(parts[1]), let month = months.firstIndex(of: String(parts[2])),
            let year = Int64(parts[3]), (1970...9999).contains(year), (1...31).contains(day)
        else { return nil }
        let time = parts[4].split(separator: ":").compactMap { Int64($0) }
        guard time.count == 3, (0..<24).contains(time[0]), (0..<60).contains(time[1]), (0...60).contains(time[2]) else { return nil }
        // Days since 1970, of years that begin in March: the day that some years have more is then the last.
        let shifted = month < 2 ? year - 1 : year
        let monthFromMarch = Int64((month + 10) % 12)
        let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + (153 * monthFromMarch + 2) / 5 + day - 1 - 719_468
        return days * 86_400 + time[0] * 3600 + time[1] * 60 + time[2]
    }
}
