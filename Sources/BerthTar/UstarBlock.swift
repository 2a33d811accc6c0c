internal import BerthLinux

/// A block of 512 bytes that describes an entry, as POSIX.1-1988 has it.
struct UstarBlock {
    static let byteCount = 512
    /// What eleven octal digits can say: a size just below 8 GiB, a time in the year 2242.
    static let maximumNumber: UInt64 = 0o77777777777
    /// What seven can: an owner.
    static let maximumID: UInt32 = 0o7777777
    static let maximumLinkByteCount = 100

    private(set) var bytes = [UInt8](repeating: 0, count: UstarBlock.byteCount)

    /// Describes an entry. What has no room here is cut, or 0: an extended header has said it before.
    init(_ entry: TarEntry, name: TarName, type: UInt8, byteCount: UInt64) {
        put(name.tail, at: 0)
        put(name.prefix, at: 345)
        put(UInt64(entry.permissions & 0o7777), at: 100, digits: 7)
        put(entry.userID <= Self.maximumID ? UInt64(entry.userID) : 0, at: 108, digits: 7)
        put(entry.groupID <= Self.maximumID ? UInt64(entry.groupID) : 0, at: 116, digits: 7)
        put(byteCount <= Self.maximumNumber ? byteCount : 0, at: 124, digits: 11)
        put(Self.seconds(entry.modificationTime.seconds) ?? 0, at: 136, digits: 11)
        bytes[156] = type
        // Cut, and not left empty: libarchive takes a link without a target in here for a file, whatever the extended header says.
        put(entry.linkName.prefix(Self.maximumLinkByteCount), at: 157)
        put(Array("ustar\u{0}00".utf8)[...], at: 257)
        switch entry.kind {
        case .characterDevice(let device), .blockDevice(let device):
            put(UInt64(device.major), at: 329, digits: 7)
            put(UInt64(device.minor), at: 337, digits: 7)
        default:
            put(0, at: 329, digits: 7)
            put(0, at: 337, digits: 7)
        }
        // The sum counts its own field as blanks.
        var sum: UInt64 = 8 * 0x20
        for byte in bytes { sum += UInt64(byte) }
        put(sum, at: 148, digits: 6)
        bytes[155] = UInt8(ascii: " ")
    }

    /// `nil` for a time that has no room.
    static func seconds(_ seconds: Int64) -> UInt64? {
        UInt64(exactly: seconds).flatMap { $0 <= maximumNumber ? $0 : nil }
    }

    private mutating func put(_ text: ArraySlice<UInt8>, at offset: Int) {
        var index = offset
        for byte in text {
            bytes[index] = byte
            index += 1
        }
    }

    /// Octal digits; the byte that follows them stays NUL.
    private mutating func put(_ number: UInt64, at offset: Int, digits: Int) {
        var rest = number
        for index in stride(from: offset + digits - 1, through: offset, by: -1) {
            bytes[index] = UInt8(ascii: "0") + UInt8(rest & 7)
            rest >>= 3
        }
    }
}

/// A name as the two fields of a block can say it.
struct TarName {
    static let maximumPrefixByteCount = 155
    static let maximumTailByteCount = 100

    var prefix: ArraySlice<UInt8> = []
    var tail: ArraySlice<UInt8>

    /// `nil` if it is too long, or has no slash where it could be cut.
    init?(_ name: [UInt8]) {
        guard name.count > Self.maximumTailByteCount else {
            tail = name[...]
            return
        }
        guard name.count <= Self.maximumPrefixByteCount + 1 + Self.maximumTailByteCount,
            // A slash at the end is no place to cut: the tail would be empty.
            let cut = name.dropLast().prefix(Self.maximumPrefixByteCount + 1).lastIndex(of: UInt8(ascii: "/")), cut > 0,
            name.count - cut - 1 <= Self.maximumTailByteCount
        else { return nil }
        (prefix, tail) = (name[..<cut], name[(cut + 1)...])
    }

    /// What stands where the whole name is in an extended header.
    static func standIn(for name: [UInt8]) -> TarName {
        TarName(whole: name.prefix(maximumTailByteCount))
    }

    init(whole tail: ArraySlice<UInt8>) { self.tail = tail }
}
