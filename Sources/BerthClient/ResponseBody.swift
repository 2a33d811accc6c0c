internal import BerthLinux

/// The body of an answer, as it arrives.
public struct ResponseBody: ~Copyable {
    /// The head that came before.
    public let head: ResponseHead
    private var connection: Connection
    private var framing: ResponseHead.Framing
    private var left: Int64 = 0
    private var isInsideChunk = false
    /// Whether everything has been read.
    public private(set) var isAtEnd: Bool

    init(head: ResponseHead, connection: consuming Connection, framing: ResponseHead.Framing) {
        self.head = head
        self.connection = connection
        self.framing = framing
        if case .length(let length) = framing { left = length }
        isAtEnd = framing == .none || framing == .length(0)
    }

    /// Waits for some of the body.
    ///
    /// - Returns: at most 64 KiB; `nil` at the end.
    /// - Throws: ``ClientError/Code/lost`` where the connection ends before the body does.
    public mutating func read() throws(ClientError) -> [UInt8]? {
        if isAtEnd { return nil }
        if framing == .chunked, left == 0 {
            try nextChunk()
            if isAtEnd { return nil }
        }
        if connection.available == 0, try !connection.fill() {
            if framing == .untilClose {
                isAtEnd = true
                return nil
            }
            throw ClientError(.lost, "The daemon closed the connection in the middle of an answer.")
        }
        let limit = framing == .untilClose ? Connection.pieceByteCount : Int(min(left, Int64(Connection.pieceByteCount)))
        let bytes = Array(connection.take(limit))
        if framing != .untilClose {
            left -= Int64(bytes.count)
            if left == 0, framing != .chunked { isAtEnd = true }
        }
        return bytes
    }

    private mutating func nextChunk() throws(ClientError) {
        func lost() -> ClientError { ClientError(.lost, "The daemon closed the connection in the middle of an answer.") }
        if isInsideChunk {
            guard let end = try connection.takeLine(limit: 2) else { throw lost() }
            guard end.isEmpty else { throw ClientError(.malformed, "The daemon's answer has a chunk that does not end where it says.") }
        }
        guard let line = try connection.takeLine(limit: 4096) else { throw lost() }
        let digits = line.prefix { $0 != ";" && $0 != " " }
        guard !digits.isEmpty, digits.utf8.count <= 15, digits.allSatisfy(\.isHexDigit), let length = Int64(digits, radix: 16) else {
            throw ClientError(.malformed, "The daemon's answer has a chunk of the length \"\(line.prefix(40))\".")
        }
        (left, isInsideChunk) = (length, true)
        guard length == 0 else { return }
        var count = 0
        while true {
            guard let trailer = try connection.takeLine(limit: ResponseHead.lineLimit) else { throw lost() }
            if trailer.isEmpty { break }
            count += 1
            guard count <= ResponseHead.fieldLimit else { throw ClientError(.limit, "The daemon's answer has too many trailing fields.") }
        }
        isAtEnd = true
    }

    /// Everything that is left.
    ///
    /// - Throws: ``ClientError/Code/limit`` for more than `limit` bytes.
    public mutating func readAll(limit: Int) throws(ClientError) -> [UInt8] {
        var result: [UInt8] = []
        while let bytes = try read() {
            guard result.count + bytes.count <= limit else {
                throw ClientError(.limit, "The daemon's answer is larger than \(limit >> 20) MiB.")
            }
            result += bytes
        }
        return result
    }

    /// The connection, where more can be asked on it.
    consuming func reusable() -> Connection? {
        let closes = head["connection"]?.lowercased() == "close"
        if isAtEnd, framing != .untilClose, !closes { return connection }
        return nil
    }

    /// The connection, whatever of the body is still to come.
    consuming func takeConnection() -> Connection { connection }

    /// Lends the socket's number, to wait for bytes together with others; ``hasBytes`` says whether there is something to read already.
    public borrowing func withSocket<Result>(_ body: (CInt) -> Result) -> Result {
        connection.descriptor.withRawDescriptor(body)
    }

    /// Whether ``read()`` would find bytes that were read ahead.
    public var hasBytes: Bool { connection.available > 0 }
}
