internal import BerthLinux

/// One block of 512 bytes that describes an entry: POSIX.1-1988 ustar, its predecessor, and GNU's variant.
struct TarHeader {
    static let byteCount = 512

    enum Format { case v7, ustar, gnu }

    private let block: [UInt8]
    let format: Format

    /// `nil` for a block of zeros, which ends an archive.
    ///
    /// - Parameter isFirst: whether nothing before it has said that this is an archive at all.
    init?(_ block: [UInt8], isFirst: Bool = true) throws(TarError) {
        self.block = block
        if block.allSatisfy({ $0 == 0 }) { return nil }
        let magic = block[257..<265]
        format = magic.elementsEqual("ustar  \0".utf8) ? .gnu : magic.prefix(5).elementsEqual("ustar".utf8) ? .ustar : .v7
        let stored = Self.number(block[148..<156])
        // The sum counts its own field as blanks.
        var (unsigned, signed): (Int64, Int64) = (8 * 0x20, 8 * 0x20)
        for part in [block[..<148], block[156...]] {
            for byte in part {
                unsigned += Int64(byte)
                signed += Int64(Int8(bitPattern: byte))
            }
        }
        guard let stored, stored == unsigned || stored == signed else {
            throw TarError(
                .corrupt,
                isFirst
                    ? "this is no tar archive, or it is damaged: the checksum of its first entry's header is wrong"
                    : "the archive is damaged: the checksum of an entry's header is wrong")
        }
    }

    var typeFlag: UInt8 { block[156] }
    var linkName: [UInt8] { text(157..<257) }
    var permissions: UInt32 { UInt32(truncatingIfNeeded: (Self.number(block[100..<108]) ?? 0) & 0o7777) }
    func userID() throws(TarError) -> Int64 { try required(108..<116, "owner") }
    func groupID() throws(TarError) -> Int64 { try required(116..<124, "group") }
    func byteCount() throws(TarError) -> Int64 { try required(124..<136, "size") }
    func modificationTime() throws(TarError) -> Int64 { try required(136..<148, "time") }
    func device() throws(TarError) -> DeviceNumber {
        guard format != .v7 else { return DeviceNumber(major: 0, minor: 0) }
        let (major, minor) = (try required(329..<337, "device"), try required(337..<345, "device"))
        guard (0..<1 << 12).contains(major), (0..<1 << 20).contains(minor) else {
            throw TarError(
                .corrupt, "the entry '\(String(decoding: name.prefix(512), as: UTF8.self))' has the impossible device \(major):\(minor)")
        }
        return DeviceNumber(major: UInt32(major), minor: UInt32(minor))
    }

    var name: [UInt8] {
        let name = text(0..<100)
        guard format == .ustar else { return name }
        let prefix = text(345..<500)
        return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
    }

    // GNU's old sparse files keep the beginning of their map in the header.
    var sparseEntries: ArraySlice<UInt8> { block[386..<482] }
    var sparseContinues: Bool { block[482] != 0 }
    func sparseByteCount() throws(TarError) -> Int64 { try required(483..<495, "size") }

    private func text(_ range: Range<Int>) -> [UInt8] { Array(block[range].prefix { $0 != 0 }) }

    private func required(_ range: Range<Int>, _ what: String) throws(TarError) -> Int64 {
        guard let value = Self.number(block[range]) else {
            throw TarError(.corrupt, "the \(what) of the entry '\(String(decoding: name.prefix(512), as: UTF8.self))' is no number")
        }
        return value
    }

    /// Octal digits between spaces and NULs, or GNU's base 256 with the uppermost bit set. An empty field is 0; `nil` is no number, or too large.
    static func number(_ field: ArraySlice<UInt8>) -> Int64? {
        guard let first = field.first else { return nil }
        if first & 0x80 != 0 {
            var value: Int64 = first & 0x40 != 0 ? -1 : 0
            for (index, byte) in field.enumerated() {
                let digit = index == 0 ? (first & 0x40 != 0 ? Int64(byte | 0x80) - 256 : Int64(byte & 0x7f)) : Int64(byte)
                if index == 0 {
                    value = digit
                    continue
                }
                let (shifted, overflow) = value.multipliedReportingOverflow(by: 256)
                guard !overflow else { return nil }
                value = shifted + digit
            }
            return value
        }
        var value: Int64 = 0
        var (hasBegun, hasEnded) = (false, false)
        for byte in field {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "7"):
                guard !hasEnded else { return nil }
                hasBegun = true
                // A field has at most twelve digits, which are 36 bits.
                value = value * 8 + Int64(byte - UInt8(ascii: "0"))
            case 0, UInt8(ascii: " "): if hasBegun { hasEnded = true }
            default: return nil
            }
        }
        return value
    }
}
