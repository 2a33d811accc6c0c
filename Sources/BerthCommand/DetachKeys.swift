/// The keys with which a person leaves a container that runs on.
///
/// The daemon looks for them as well; the program has to know that it was they, and not the container's end, that ended the stream.
struct DetachKeys {
    private let keys: [UInt8]
    private var matched = 0

    /// What Docker takes unless told otherwise: Ctrl-P Ctrl-Q.
    static let standard = "ctrl-p,ctrl-q"

    /// Parses `ctrl-p,ctrl-q`, `a`, `ctrl-@,x`, `DEL`.
    init(parsing text: String) throws(Failure) {
        var keys: [UInt8] = []
        for key in text.split(separator: ",", omittingEmptySubsequences: false) {
            if key.utf8.count == 1, let byte = key.utf8.first {
                keys.append(byte)
            } else if key.hasPrefix("ctrl-"), key.utf8.count == 6, let byte = key.utf8.last, let code = Self.control(byte) {
                keys.append(code)
            } else if key == "DEL" {
                keys.append(127)
            } else {
                throw Failure("invalid detach keys (\(text)): unknown character '\(key)'")
            }
        }
        guard keys.count <= 16 else { throw Failure("invalid detach keys (\(text)): more than 16 keys") }
        self.keys = keys
    }

    private static func control(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 1
        case UInt8(ascii: "@"): 0
        case UInt8(ascii: "["): 27
        case UInt8(ascii: "\\"): 28
        case UInt8(ascii: "]"): 29
        case UInt8(ascii: "^"): 30
        case UInt8(ascii: "_"): 31
        default: nil
        }
    }

    /// Takes what was typed.
    ///
    /// - Returns: what is to be sent (keys that may be the beginning of the sequence are held back), and whether the sequence is complete.
    mutating func feed(_ bytes: ArraySlice<UInt8>) -> (send: [UInt8], isComplete: Bool) {
        var send: [UInt8] = []
        for byte in bytes {
            while matched > 0, keys[matched] != byte {
                // What was held back was no beginning: its first key goes, and the rest is looked at again.
                let held = keys[..<matched]
                let shorter = (0..<matched).last { length in held.suffix(length) == keys[..<length] } ?? 0
                send += held.prefix(matched - shorter)
                matched = shorter
            }
            if keys[matched] == byte {
                matched += 1
                if matched == keys.count { return (send, true) }
            } else {
                send.append(byte)
            }
        }
        return (send, false)
    }
}
