/// How a monitor keeps what its container says.
public struct MonitoredLog: Hashable, Sendable {
    /// The log's name in the container's directory; empty for no file.
    public var name: String
    /// When the log's file has so many bytes, the next is begun; 0 is never.
    public var maximumByteCount: UInt64 = 0
    /// How many files the log has at most.
    public var fileCount: UInt64 = 1
    /// What each entry of the log has besides, as `"attrs":{…}`; empty for nothing.
    public var attributes = ""
    /// Whether full files are compressed.
    public var compresses = false
    /// How much of the output waits for the file where the container is not to wait for it; 0: it waits.
    public var roomByteCount: UInt64 = 0
    /// Another program that is told the same; `nil` for none.
    public var receiver: LogReceiver?

    /// One file that has no bound.
    public init(name: String) { self.name = name }

    /// What of it an engine says that knows only a name is the name; the rest follows where it is needed.
    private var hasBounds: Bool { maximumByteCount > 0 || !attributes.isEmpty || hasMore }
    private var hasMore: Bool { compresses || roomByteCount > 0 || receiver != nil }
    /// The most room there can be.
    public static let roomByteCountLimit: UInt64 = 1 << 62

    /// Writes all but the name, which stands elsewhere in the message.
    func encodeRest(to out: inout PlanWriter) {
        guard hasBounds else { return }
        out.number(maximumByteCount)
        out.number(fileCount)
        out.string(attributes)
        guard hasMore else { return }
        // Whether it is compressed is the last bit; the room came later, and stands before that.
        out.number(min(roomByteCount, Self.roomByteCountLimit) << 1 | (compresses ? 1 : 0))
        if let receiver { out.receiver(receiver) }
    }

    /// Reads all but the name.
    mutating func decodeRest(from fields: inout PlanReader) throws(MonitorProtocolError) {
        guard !fields.isAtEnd else { return }
        (maximumByteCount, fileCount, attributes) = (try fields.value(), try fields.value(), try fields.text())
        guard !fields.isAtEnd else { return }
        let number: UInt64 = try fields.value()
        (compresses, roomByteCount) = (number & 1 != 0, number >> 1)
        if !fields.isAtEnd { receiver = try fields.receiver() }
    }
}
