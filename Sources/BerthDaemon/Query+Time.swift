internal import Berth

extension Query {
    /// A time: seconds since 1970 with up to nine digits of a fraction, as Docker's clients send it, or RFC 3339. `nil` and 0 are none.
    func time(_ name: String) throws(APIFailure) -> Timestamp? {
        guard let text = self[name], text != "0" else { return nil }
        if let time = Timestamp(rfc3339: text) { return time }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let digits = parts.count == 2 ? parts[1] : "0"
        guard let seconds = Int64(parts[0]), abs(seconds) < 9_000_000_000, !digits.isEmpty, digits.utf8.count <= 9,
            digits.utf8.allSatisfy({ (48...57).contains($0) }),
            let fraction = Int64(digits + String(repeating: "0", count: 9 - digits.utf8.count))
        else {
            throw .invalid("invalid value '\(text)' of the parameter '\(name)': it must be seconds since 1970, or a time of RFC 3339")
        }
        return Timestamp(nanoseconds: seconds * 1_000_000_000 + fraction)
    }
}
