public import BerthTar

/// Bytes that come in pieces of a size that they say themselves.
public final class PieceSource: ByteSource {
    private let bytes: UnsafeRawBufferPointer
    private let piece: Int
    private var offset = 0

    /// Of these bytes, which outlive it.
    public init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = unsafe bytes
        piece = unsafe bytes.first.map { 1 + Int($0) * 64 } ?? 1
    }

    /// Gives the next piece, or what of it there is a place for.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = min(unsafe bytes.count - offset, min(piece, buffer.count))
        unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
        offset += count
        return count
    }
}

/// Makes the checksums of headers right: a change of a header would otherwise be found out before anything reads it.
public func mendChecksums(_ bytes: inout [UInt8]) {
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
