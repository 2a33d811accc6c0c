internal import BerthTar

/// Bytes that come in pieces of a size that they say themselves.
final class PieceSource: ByteSource {
    private let bytes: UnsafeRawBufferPointer
    private let piece: Int
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = unsafe bytes
        piece = unsafe bytes.first.map { 1 + Int($0) * 64 } ?? 1
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = min(unsafe bytes.count - offset, min(piece, buffer.count))
        unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
        offset += count
        return count
    }
}

/// Makes the checksums of headers right: a change of a header would otherwise be found out before anything reads it.
private func mend(_ bytes: inout [UInt8]) {
    for start in stride(from: 0, to: bytes.count - 511, by: 512) where bytes[start + 257..<start + 262].elementsEqual("ustar".utf8) {
        for index in start + 148..<start + 156 { bytes[index] = UInt8(ascii: " ") }
        var rest = bytes[start..<start + 512].reduce(0) { $0 + Int($1) }
        for index in (start + 148..<start + 154).reversed() {
            bytes[index] = UInt8(ascii: "0") + UInt8(rest % 8)
            rest /= 8
        }
        bytes[start + 154] = 0
    }
}

/// Reads an archive to its end: whatever it is, that is entries or an error.
func readArchive(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    mend(&bytes)
    return unsafe bytes.withUnsafeBytes { unsafe readAll(TarReader(unsafe PieceSource($0))) }
}

private func readAll(_ reader: TarReader) -> CInt {
    do throws(TarError) {
        while let entry = try reader.next() {
            var byteCount: UInt64 = 0
            while try unsafe reader.readData({ (bytes) throws(TarError) in byteCount += UInt64(bytes.count) }, wrapping: { $0 }) {}
            // What a whole archive says of an entry is so.
            let expected = entry.regions.map { $0.reduce(0) { $0 + $1.byteCount } } ?? entry.byteCount
            precondition(entry.kind != .file || byteCount == expected, "an entry has as many bytes as it says")
            precondition(!entry.name.contains(0) && !entry.linkName.contains(0), "a name has no NUL")
        }
        try reader.drain()
    } catch {
        precondition(!error.description.isEmpty, "an error says something")
    }
    return 0
}
