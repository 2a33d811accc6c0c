/// The memory of pieces that go from one thread to another, the same again and again. Whose a piece is at a time these two say.
@safe final class PieceRing: @unchecked Sendable {
    private let bytes: UnsafeMutableRawBufferPointer
    private let pieceByteCount: Int
    private let count: Int

    init(_ count: Int, of pieceByteCount: Int) {
        (self.count, self.pieceByteCount) = (count, pieceByteCount)
        unsafe bytes = .allocate(byteCount: count * pieceByteCount, alignment: 4096)
    }

    deinit { unsafe bytes.deallocate() }

    /// The place of a piece, counted from the first that there ever was.
    subscript(_ index: Int) -> UnsafeMutableRawBufferPointer {
        let start = index % count * pieceByteCount
        return unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + pieceByteCount])
    }
}
