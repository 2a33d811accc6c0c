internal import Berth
internal import DockerAPI

extension Query {
    /// A time: seconds since 1970 with up to nine digits of a fraction, as Docker's clients send it, or RFC 3339. `nil` and 0 are none.
    func time(_ name: String) throws(APIFailure) -> Timestamp? {
        guard let text = self[name], text != "0" else { return nil }
        guard let time = Timestamp(rfc3339: text) ?? TimeText.seconds(text) else {
            throw .invalid("invalid value '\(text)' of the parameter '\(name)': it must be seconds since 1970, or a time of RFC 3339")
        }
        return time
    }
}
