/// What goes through the socket that a monitor hands out for a process's streams: a kind, three zeros, a length of 32 bits (little-endian), the bytes.
public enum AttachFrame {
    /// What a frame carries.
    public enum Kind: UInt8, Hashable, Sendable {
        /// For the process's standard input.
        case input = 0
        /// From its standard output, or its terminal.
        case output = 1
        /// From its standard error.
        case errors = 2
        /// There is no more input. A peer that merely goes away has said nothing of the kind.
        case endOfInput = 3
        /// There is no more output: the process has ended.
        case end = 4
    }

    /// How many bytes a frame's head has.
    public static var headByteCount: Int { 8 }
    /// The most bytes that one frame carries.
    public static var maximumByteCount: Int { 256 << 10 }

    /// A frame's head.
    public static func head(_ kind: Kind, byteCount: Int) -> [UInt8] {
        let count = UInt32(byteCount)
        return [kind.rawValue, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: count >> UInt32(8 * $0)) }
    }

    /// Takes frames out of bytes as they arrive.
    public struct Parser: Sendable {
        private var pending: [UInt8] = []
        private var start = 0

        /// Nothing has arrived.
        public init() {}

        /// Adds what has arrived.
        public mutating func append(_ bytes: some Collection<UInt8>) {
            if start > 0 {
                pending.removeFirst(start)
                start = 0
            }
            pending += bytes
        }

        /// The next whole frame, or `nil` until more arrives. A head that no peer of ours sends is ``MonitorProtocolError/malformed``.
        public mutating func next() throws(MonitorProtocolError) -> (kind: Kind, bytes: [UInt8])? {
            guard pending.count - start >= headByteCount else { return nil }
            guard let kind = Kind(rawValue: pending[start]), pending[start + 1] == 0, pending[start + 2] == 0, pending[start + 3] == 0
            else { throw .malformed }
            let count = (0..<4).reduce(0) { $0 | Int(pending[start + 4 + $1]) << (8 * $1) }
            guard count <= maximumByteCount else { throw .malformed }
            guard pending.count - start - headByteCount >= count else { return nil }
            defer { start += headByteCount + count }
            return (kind, Array(pending[start + headByteCount..<start + headByteCount + count]))
        }
    }
}
