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

    /// What is said where a record was begun and never written: the machine went down while the container ran. `nil` if none was begun.
    static func unknown(in directory: String) -> ExitRecord? {
        // Without a directory, or a file that can be asked, there is nothing to say.
        guard let status = try? Directory.open(directory).status("exit.json") else { return nil }
        let begun = status.modificationTime.seconds * 1_000_000_000 + status.modificationTime.nanoseconds
        return ExitRecord(
            code: 255, startedAt: begun, finishedAt: begun, reason: "exit unknown: the machine went down while the container ran")
    }

    /// Nothing ran after all: the empty record of a start that failed goes.
    static func forgetBegun(in directory: String) {
        // What stays says that the exit is unknown, which is all that there is to say.
        guard let directory = try? Directory.open(directory), (try? directory.status("exit.json").byteCount) == 0 else { return }
        try? directory.removeFile("exit.json")
    }

    func write(in directory: String) throws(Errno) {
        guard let data = try? JSONEncoder().encode(self) else { throw .EINVAL }  // numbers and text always encode
        try unsafe Directory.open(directory).replaceFile("exit.json", with: Array(data).span.bytes)
    }
}
