internal import BerthTar
internal import FuzzBytes

/// Reads an archive to its end: whatever it is, that is entries or an error.
func readArchive(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    mendChecksums(&bytes)
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
