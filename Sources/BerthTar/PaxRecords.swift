internal import BerthLinux

/// What pax headers say (POSIX.1-2001, *pax Extended Header*), as far as it matters here.
struct PaxRecords {
    /// The most bytes of one header, and of all records of one entry.
    static let maximumByteCount = 1 << 20
    /// The most bytes of all records that hold for every entry that follows.
    static let maximumGlobalByteCount = 16 << 10
    /// The most regions of a sparse file.
    static let maximumRegionCount = 1 << 18

    var values: [String: [UInt8]] = [:]
    /// The regions of version 0.0, whose keys repeat.
    var regions: [TarEntry.Region] = []
    private var regionOffset: UInt64?
    private let limit: Int
    private var byteCount = 0

    init(limit: Int = PaxRecords.maximumByteCount) { self.limit = limit }

    /// Adds the records of a header: `length key=value\n`.
    mutating func add(_ bytes: [UInt8]) throws(TarError) {
        var rest = bytes[...]
        // What follows the last record may be filled up with NULs.
        while let first = rest.first, first != 0 {
            let at = "its record at byte \(rest.startIndex)"
            guard let space = rest.firstIndex(of: UInt8(ascii: " ")),
                let length = Self.decimal(rest[..<space]).flatMap({ Int(exactly: $0) })
            else { throw Self.malformed("\(at) does not begin with its length") }
            guard length > space - rest.startIndex + 1 else {
                throw Self.malformed("\(at) says that it has \(length) bytes, which is less than the length itself takes")
            }
            guard length <= rest.count else {
                throw Self.malformed("\(at) says that it has \(length) bytes, and \(rest.count) are left")
            }
            let record = rest[(space + 1)..<(rest.startIndex + length)]
            rest = rest.dropFirst(length)
            guard record.last == 10 else { throw Self.malformed("\(at) does not end with a line feed") }
            guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else { throw Self.malformed("\(at) has no '='") }
            try add(String(decoding: record[..<equals], as: UTF8.self), Array(record[(equals + 1)...].dropLast()))
        }
    }

    private mutating func add(_ key: String, _ value: [UInt8]) throws(TarError) {
        switch key {
        case "GNU.sparse.offset":
            regionOffset = try Self.unsigned(value, key)
        case "GNU.sparse.numbytes":
            guard let offset = regionOffset else { throw Self.malformed("'\(key)' has no 'GNU.sparse.offset' before it") }
            guard regions.count < Self.maximumRegionCount else { throw Self.tooManyRegions }
            regions.append(TarEntry.Region(offset: offset, byteCount: try Self.unsigned(value, key)))
            regionOffset = nil
        case "path", "linkpath", "GNU.sparse.name":
            guard !value.contains(0) else { throw Self.malformed("'\(key)' has a NUL in it, which no name can have") }
            try keep(key, value)
        // GNU's tar says these of every file, and no file system takes them.
        case "atime", "ctime": break
        default: try keep(key, value)
        }
    }

    private mutating func keep(_ key: String, _ value: [UInt8]) throws(TarError) {
        if let old = values.updateValue(value, forKey: key) { byteCount -= old.count } else { byteCount += key.utf8.count }
        byteCount += value.count
        guard byteCount <= limit else {
            throw TarError(.tooLarge, "the extended headers of an entry of the archive have more than \(limit) bytes")
        }
    }

    func laid(over global: PaxRecords) -> PaxRecords {
        if global.values.isEmpty { return self }
        var result = self
        result.values = global.values.merging(values) { $1 }
        return result
    }

    func unsigned(_ key: String) throws(TarError) -> UInt64? {
        guard let value = values[key], !value.isEmpty else { return nil }
        return try Self.unsigned(value, key)
    }

    /// Seconds with a fraction, also negative ones.
    func time(_ key: String) throws(TarError) -> FileTime? {
        guard let value = values[key], !value.isEmpty else { return nil }
        let parts = value.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        let isNegative = value.first == UInt8(ascii: "-")
        let noTime = { Self.malformed("'\(key)' is '\(Self.display(value))', which is no time") }
        guard let magnitude = Self.decimal(isNegative ? parts[0].dropFirst() : parts[0]) else { throw noTime() }
        // Beyond what any file system keeps, and far from where a number ends.
        guard magnitude < 1 << 62 else { throw Self.malformed("'\(key)' is '\(Self.display(value))', which is beyond all times") }
        let seconds = isNegative ? -Int64(magnitude) : Int64(magnitude)
        guard parts.count > 1 else { return FileTime(seconds: seconds) }
        guard parts[1].allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { throw noTime() }
        var nanoseconds: Int64 = 0
        for index in 0..<9 {
            let digits = parts[1]
            nanoseconds = nanoseconds * 10
            if index < digits.count { nanoseconds += Int64(digits[digits.startIndex + index] - UInt8(ascii: "0")) }
        }
        guard isNegative, nanoseconds > 0 else { return FileTime(seconds: seconds, nanoseconds: nanoseconds) }
        return FileTime(seconds: seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds)
    }

    /// `SCHILY.xattr.` has the value as it is; `LIBARCHIVE.xattr.` has it in base 64, with the name percent-encoded.
    func extendedAttributes() throws(TarError) -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        for (key, value) in values {
            if key.hasPrefix("SCHILY.xattr.") {
                found[String(key.dropFirst(13))] = value
            } else if key.hasPrefix("LIBARCHIVE.xattr.") {
                let name = try Self.percentDecoded(Array(key.dropFirst(17).utf8))
                if found[name] == nil { found[name] = try Self.base64(value, key) }
            }
        }
        return found
    }

    /// - Parameter what: what has the value, for the error.
    static func unsigned(_ value: some Collection<UInt8>, _ what: String) throws(TarError) -> UInt64 {
        guard let number = decimal(value) else {
            throw malformed("'\(what.prefix(128))' is '\(display(value))', which is no number that is taken")
        }
        return number
    }

    /// Digits and nothing else.
    private static func decimal(_ text: some Collection<UInt8>) -> UInt64? {
        guard text.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return UInt64(String(decoding: text, as: UTF8.self))
    }

    private static func percentDecoded(_ text: [UInt8]) throws(TarError) -> String {
        var (result, index): ([UInt8], Int) = ([], 0)
        while index < text.count {
            if text[index] == UInt8(ascii: "%") {
                guard index + 2 < text.count, let byte = UInt8(String(decoding: text[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
                else {
                    throw malformed(
                        "the name of the attribute '\(String(decoding: text.prefix(256), as: UTF8.self))' is not percent-encoded")
                }
                result.append(byte)
                index += 3
            } else {
                result.append(text[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func base64(_ text: [UInt8], _ key: String) throws(TarError) -> [UInt8] {
        var (result, bits, count): ([UInt8], UInt32, Int) = ([], 0, 0)
        for byte in text where byte != UInt8(ascii: "=") {
            let digit: UInt32
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = UInt32(byte - UInt8(ascii: "A"))
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = UInt32(byte - UInt8(ascii: "a")) + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt32(byte - UInt8(ascii: "0")) + 52
            case UInt8(ascii: "+"): digit = 62
            case UInt8(ascii: "/"): digit = 63
            default: throw malformed("'\(key.prefix(256))' is not in base 64")
            }
            (bits, count) = (bits << 6 | digit, count + 6)
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return result
    }

    private static func display(_ value: some Collection<UInt8>) -> String { String(decoding: value.prefix(64), as: UTF8.self) }

    static func malformed(_ reason: String) -> TarError { TarError(.corrupt, "an extended header of the archive is malformed: \(reason)") }
    static var tooManyRegions: TarError {
        TarError(.tooLarge, "a sparse file of the archive has more than \(maximumRegionCount) regions")
    }
}
