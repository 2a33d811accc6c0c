/// Ids of objects: 64 hexadecimal digits, as Docker's.
public enum RandomID {
    /// How many characters each has.
    public static var length: Int { 64 }

    /// A new one.
    public static func make() -> String {
        var random = SystemRandomNumberGenerator()
        return make(using: &random)
    }

    /// One from a source of random numbers: the same source gives the same id.
    public static func make(using random: inout some RandomNumberGenerator) -> String {
        var text = ""
        for _ in 0..<4 {
            let word: UInt64 = random.next()
            text += (String(repeating: "0", count: 16) + String(word, radix: 16)).suffix(16)
        }
        return text
    }

    /// Whether a directory's name is such an id.
    public static func isValid(_ text: String) -> Bool {
        text.utf8.count == length && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
}
