internal import BerthLaunch
internal import BerthLinux
internal import FoundationEssentials

/// How a container's first process ended, as its monitor wrote it down (`exit.json`).
public struct ExitRecord: Hashable, Sendable, Codable {
    /// The version of the document.
    public var version = 1
    /// The exit code, or 128 and the signal.
    public var code: Int32
    /// The signal that ended it, or 0.
    public var signal: Int32
    /// Whether the kernel killed something in the container for want of memory.
    public var outOfMemory: Bool
    /// Nanoseconds since 1970.
    public var startedAt: Int64
    /// Nanoseconds since 1970.
    public var finishedAt: Int64
    /// Why the code is not the process's own, where it is not.
    public var reason: String?

    /// A record of these.
    public init(code: Int32, signal: Int32 = 0, outOfMemory: Bool = false, startedAt: Int64, finishedAt: Int64, reason: String? = nil) {
        (self.code, self.signal, self.outOfMemory) = (code, signal, outOfMemory)
        (self.startedAt, self.finishedAt, self.reason) = (startedAt, finishedAt, reason)
    }

    init(_ status: MonitorAnswer.ExitStatus) {
        self.init(
            code: status.code, signal: status.signal, outOfMemory: status.outOfMemory, startedAt: status.startedAt,
            finishedAt: status.finishedAt)
    }

    /// Reads `exit.json` of a container's directory.
    ///
    /// - Returns: `nil` if it is not there, or empty as after a loss of power: the exit is unknown then.
    static func read(in directory: String) -> ExitRecord? {
        guard let bytes = try? Directory.open(directory).readFile("exit.json", limit: 4096) else { return nil }  // unreadable is unknown
        return try? JSONDecoder().decode(ExitRecord.self, from: Data(bytes))
    }

    func write(in directory: String) throws(Errno) {
        guard let data = try? JSONEncoder().encode(self) else { throw .EINVAL }  // numbers and text always encode
        try unsafe Directory.open(directory).replaceFile("exit.json", with: Array(data).span.bytes)
    }
}
