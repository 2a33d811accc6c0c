/// The name of a repository of a registry, such as `library/debian` (OCI distribution specification, *Pulling manifests*, `<name>`).
public struct RepositoryPath: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The most bytes that a name has: with more, many clients could not say it behind a host.
    public static let maximumByteCount = 255

    /// The name.
    public let description: String

    /// Takes a name of words of lowercase letters and digits, with `.`, `_`, `__` or any number of `-` inside them and `/` between them.
    ///
    /// - Returns: `nil` for any other text, and for one that is too long.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count <= Self.maximumByteCount,
            text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy({ Self.isPart(Array($0)) })
        else { return nil }
        description = String(text)
    }

    private static func isPart(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, let last = bytes.last, isWord(first), isWord(last) else { return false }
        let separators = bytes.split(whereSeparator: isWord)
        return separators.allSatisfy { separator in
            separator.elementsEqual(".".utf8) || separator.elementsEqual("_".utf8) || separator.elementsEqual("__".utf8)
                || separator.allSatisfy { $0 == UInt8(ascii: "-") }
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// In the order of the bytes.
    public static func < (a: Self, b: Self) -> Bool { a.description.utf8.lexicographicallyPrecedes(b.description.utf8) }
}

/// What is a tag (OCI distribution specification, *Pulling manifests*).
enum Tag {
    static let maximumByteCount = 128

    static func isValid(_ text: some StringProtocol) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= maximumByteCount else { return false }
        return first != UInt8(ascii: ".") && first != UInt8(ascii: "-")
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains(byte)
            }
    }
}
