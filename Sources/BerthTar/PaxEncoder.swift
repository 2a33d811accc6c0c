internal import BerthLinux

/// Makes an extended header for what a ustar header cannot say of an entry (POSIX.1-2001, *pax Extended Header*).
///
/// Records only where they are needed, in one order: the same entry gives the same bytes.
struct PaxEncoder {
    private(set) var bytes: [UInt8] = []

    /// The records of an entry; none for one that has room in ustar.
    init(_ entry: TarEntry, fits name: TarName?) {
        // POSIX has only ASCII in ustar and only UTF-8 here. What is neither stands in ustar as it is, which every reader takes so; where it is too
        // long, libarchive wants to be told that it is no text, and the others take it as it comes.
        let (nameNeeds, linkNeeds) = (
            name == nil || Self.isText(entry.name), entry.linkName.count > UstarBlock.maximumLinkByteCount || Self.isText(entry.linkName)
        )
        if nameNeeds && !Self.isUTF8(entry.name) || linkNeeds && !Self.isUTF8(entry.linkName) { add("hdrcharset", Array("BINARY".utf8)) }
        if nameNeeds { add("path", entry.name) }
        if linkNeeds { add("linkpath", entry.linkName) }
        if entry.kind == .file, entry.byteCount > UstarBlock.maximumNumber { add("size", Self.decimal(entry.byteCount)) }
        if entry.userID > UstarBlock.maximumID { add("uid", Self.decimal(entry.userID)) }
        if entry.groupID > UstarBlock.maximumID { add("gid", Self.decimal(entry.groupID)) }
        if entry.modificationTime.nanoseconds != 0 || UstarBlock.seconds(entry.modificationTime.seconds) == nil {
            add("mtime", Self.text(of: entry.modificationTime))
        }
        guard !entry.extendedAttributes.isEmpty else { return }
        for (attribute, value) in entry.extendedAttributes.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            if attribute.utf8.contains(UInt8(ascii: "=")) {
                // The sign ends a keyword: only libarchive has a way of writing it in one.
                add("LIBARCHIVE.xattr." + Self.percentEncoded(attribute), Self.base64(value))
            } else {
                add("SCHILY.xattr." + attribute, value)
            }
        }
    }

    /// `length key=value\n`, where the length counts its own digits.
    private mutating func add(_ key: String, _ value: [UInt8]) {
        let withoutLength = key.utf8.count + value.count + 3
        var length = withoutLength + String(withoutLength).utf8.count
        length = withoutLength + String(length).utf8.count
        bytes.append(contentsOf: "\(length) \(key)=".utf8)
        bytes.append(contentsOf: value)
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Beyond ASCII, and UTF-8: text that an extended header is for.
    private static func isText(_ bytes: [UInt8]) -> Bool { !bytes.allSatisfy { $0 < 0x80 } && isUTF8(bytes) }

    private static func isUTF8(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

    private static func decimal(_ number: some BinaryInteger) -> [UInt8] { Array(String(number).utf8) }

    /// The sign is of the whole number: a second and a half before 1970 is `-1.5`, which is kept as -2 seconds and half a one.
    private static func text(of time: FileTime) -> [UInt8] {
        let isNegative = time.seconds < 0
        let borrows = isNegative && time.nanoseconds > 0
        let seconds = (borrows ? time.seconds + 1 : time.seconds).magnitude
        var fraction = borrows ? 1_000_000_000 - time.nanoseconds : time.nanoseconds
        var text = (isNegative ? "-" : "") + String(seconds)
        if fraction > 0 {
            text += "."
            var unit: Int64 = 100_000_000
            while fraction > 0 {
                text += String(fraction / unit)
                (fraction, unit) = (fraction % unit, unit / 10)
            }
        }
        return Array(text.utf8)
    }

    private static func percentEncoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            if byte == UInt8(ascii: "=") || byte == UInt8(ascii: "%") || byte <= 0x20 || byte >= 0x7f {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            } else {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
        return result
    }

    private static func base64(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(8 * (3 - group.count))
            for index in 0...group.count { result.append(digits[Int(bits >> UInt32(18 - 6 * index)) & 63]) }
        }
        return result
    }
}
