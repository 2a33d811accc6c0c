internal import BerthOCI

/// Docker's filters of `images`.
struct ImageFilter {
    private var tests: [(ImageRecord) -> Bool] = []
    /// Of an image's names these are listed.
    private let patterns: [String]?

    init(_ query: ImageQuery, in store: ImageStore) throws(ImageError) {
        patterns = query.filters["reference"]
        if let time = query.until { tests.append { $0.createdAt < time } }
        for (key, values) in query.filters where key != "reference" { tests.append(try Self.test(key, values, in: store)) }
    }

    func apply(to images: [ImageRecord]) -> [ImageRecord] {
        let found = images.filter { image in tests.allSatisfy { $0(image) } }
        guard let patterns else { return found }
        return found.compactMap { image in
            var image = image
            image.references = image.references.filter { $0.matches(patterns) }
            image.digests = image.digests.filter { $0.matches(patterns) }
            return image.references.isEmpty && image.digests.isEmpty ? nil : image
        }
    }

    private static func test(_ key: String, _ values: [String], in store: ImageStore) throws(ImageError) -> (ImageRecord) -> Bool {
        switch key {
        case "dangling":
            guard let wanted = ["true": true, "1": true, "false": false, "0": false][values.first ?? ""], values.count == 1 else {
                throw ImageError(.invalid, "invalid filter 'dangling=\(values)'")
            }
            return { $0.isDangling == wanted }
        case "label":
            return { image in values.allSatisfy(image.hasLabel) }
        case "before", "since":
            var times: [(ImageRecord) -> Bool] = []
            for text in values {
                let other = try store.find(text).createdAt
                times.append { key == "before" ? $0.createdAt < other : $0.createdAt > other }
            }
            return { image in times.allSatisfy { $0(image) } }
        default: throw ImageError(.invalid, "invalid filter '\(key)'")
        }
    }
}

extension ImageReference {
    /// Whether one of these patterns is one of this name, with or without its tag, as it is mostly written or in full.
    fileprivate func matches(_ patterns: [String]) -> Bool {
        let texts = [familiar, familiarName, description, "\(registry)/\(repository)"]
        return patterns.contains { pattern in texts.contains { Glob.matches($0, pattern) } }
    }
}

extension ImageRecord {
    /// Whether it has a label: `NAME`, or `NAME=VALUE`.
    func hasLabel(_ text: String) -> Bool {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let value = configuration.execution.labels[String(parts[0])] else { return false }
        return parts.count == 1 || value == parts[1]
    }
}

/// Patterns of names as path.Match of Go has them: `*` and `?` stop at slashes, `[…]` is a class.
enum Glob {
    static func matches(_ text: String, _ pattern: String) -> Bool { matches(Array(text.utf8)[...], Array(pattern.utf8)[...]) }

    private static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        var (text, pattern) = (text, pattern)
        // Where the last star is, and what it has eaten: the only place to go back to.
        var (starPattern, starText): (ArraySlice<UInt8>?, ArraySlice<UInt8>) = (nil, [])
        while true {
            if let next = pattern.first, next == UInt8(ascii: "*") {
                pattern = pattern.dropFirst()
                (starPattern, starText) = (pattern, text)
                continue
            }
            if text.isEmpty && pattern.isEmpty { return true }
            if let (restText, restPattern) = step(text, pattern) {
                (text, pattern) = (restText, restPattern)
                continue
            }
            guard let star = starPattern, let eaten = starText.first, eaten != UInt8(ascii: "/") else { return false }
            starText = starText.dropFirst()
            (text, pattern) = (starText, star)
        }
    }

    private static func step(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, ArraySlice<UInt8>)? {
        guard let byte = text.first, let wanted = pattern.first else { return nil }
        switch wanted {
        case UInt8(ascii: "?"): return byte == UInt8(ascii: "/") ? nil : (text.dropFirst(), pattern.dropFirst())
        case UInt8(ascii: "["):
            guard let end = pattern.dropFirst().firstIndex(of: UInt8(ascii: "]")) else { return nil }
            var members = pattern[(pattern.startIndex + 1)..<end]
            let isNegated = members.first == UInt8(ascii: "^")
            if isNegated { members = members.dropFirst() }
            var (found, index) = (false, members.startIndex)
            while index < members.endIndex {
                if index + 2 < members.endIndex, members[index + 1] == UInt8(ascii: "-") {
                    if members[index] <= byte, byte <= members[index + 2] { found = true }
                    index += 3
                } else {
                    if members[index] == byte { found = true }
                    index += 1
                }
            }
            return found != isNegated ? (text.dropFirst(), pattern[(end + 1)...]) : nil
        case UInt8(ascii: "\\") where pattern.count > 1:
            return pattern[pattern.startIndex + 1] == byte ? (text.dropFirst(), pattern.dropFirst(2)) : nil
        default: return wanted == byte ? (text.dropFirst(), pattern.dropFirst()) : nil
        }
    }
}
