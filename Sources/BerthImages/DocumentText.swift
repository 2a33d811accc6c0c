internal import FoundationEssentials

/// What the text of a stranger's JSON document must be before it is read, so that every tool reads the same in it.
///
/// Of a key that is there twice some tools take the first and others the last, and UTF-16 is JSON for few of them (RFC 8259, sections 4 and 8.1): an
/// image could be one thing for whoever looks at it, and another for whoever runs it.
enum DocumentText {
    /// How deep lists and objects may be nested.
    static let maximumDepth = 128

    /// Looks at a text, in one pass. What else is wrong with it as JSON is for the one who reads it.
    ///
    /// - Throws: `invalid`, `tooLarge`.
    static func requireSense(_ bytes: [UInt8], _ what: String) throws(ImageError) {
        guard !bytes.starts(with: [0xef, 0xbb, 0xbf]) else {
            throw ImageError(.invalid, "\(what) cannot be read: it begins with a byte order mark, which JSON may not")
        }
        guard !bytes.contains(0) else {
            throw ImageError(
                .invalid, "\(what) cannot be read: it has a NUL in it, as texts in UTF-16 have, and is not in UTF-8, as JSON has to be")
        }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw ImageError(.invalid, "\(what) cannot be read: it is not in UTF-8, as JSON has to be")
        }
        // The keys so far of every object that is open; a list has none.
        var keys: [Set<String>] = []
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                keys.append([])
                guard keys.count <= maximumDepth else {
                    throw ImageError(.tooLarge, "\(what) cannot be read: its lists and objects are nested deeper than \(maximumDepth)")
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = keys.popLast()
            case UInt8(ascii: "\""):
                let end = endOfString(bytes, from: index)
                if !keys.isEmpty, isKey(bytes, endingAt: end), let key = text(bytes[index..<end]) {
                    // Keys that are written differently and are the same text are one key for Swift, and count as one here, too.
                    guard keys[keys.count - 1].insert(key).inserted else {
                        throw ImageError(
                            .invalid,
                            "\(what) cannot be read: the key '\(key.prefix(128))' is twice in one object, and only one can be meant")
                    }
                }
                index = end
                continue
            default: break
            }
            index += 1
        }
        guard keys.isEmpty else {
            throw ImageError(.invalid, "\(what) cannot be read: it is cut off, or one of its lists and objects does not end")
        }
    }

    /// Where the string that begins there is over: behind its second quotation mark.
    private static func endOfString(_ bytes: [UInt8], from start: Int) -> Int {
        var index = start + 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") { index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1 }
        return min(index + 1, bytes.count)
    }

    private static func isKey(_ bytes: [UInt8], endingAt end: Int) -> Bool {
        bytes[end...].first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) } == UInt8(ascii: ":")
    }

    /// What a string means; `nil` for one that is malformed, which is an error of the document.
    private static func text(_ literal: ArraySlice<UInt8>) -> String? {
        guard literal.contains(UInt8(ascii: "\\")) else { return String(decoding: literal.dropFirst().dropLast(), as: UTF8.self) }
        return try? JSONDecoder().decode(String.self, from: Data(literal))
    }
}
