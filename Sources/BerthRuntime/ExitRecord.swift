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

    /// The newest version that is read.
    private static let currentVersion = 1
    private struct VersionOnly: Decodable {
        var version: Int
    }

    /// Reads `exit.json` of a container's directory.
    ///
    /// One that is damaged, or of a later version, is set aside under another name, and the exit is unknown, which the reason says; so it is afterwards,
    /// until the container runs again.
    /// - Returns: `nil` if it is not there, or empty as after a loss of power.
    static func read(in path: String) -> ExitRecord? {
        guard let directory = try? Directory.open(path) else { return nil }  // without a directory nothing is known
        let bytes: [UInt8]
        do throws(Errno) { bytes = try directory.readFile("exit.json", limit: 4096) } catch {
            return error == .ENOENT ? setAsideEarlier(in: directory) : setAside("it cannot be read: \(error)", in: directory)
        }
        if bytes.isEmpty { return nil }
        do {
            let version = try JSONDecoder().decode(VersionOnly.self, from: Data(bytes)).version
            guard version <= currentVersion else {
                return setAside("it has version \(version), and this engine reads up to \(currentVersion)", in: directory)
            }
            return try JSONDecoder().decode(ExitRecord.self, from: Data(bytes))
        } catch { return setAside("it cannot be read: \(error)", in: directory) }
    }

    private static let asidePrefix = "exit.json.unreadable-"

    private static func setAside(_ reason: String, in directory: borrowing Directory) -> ExitRecord {
        var aside = "\(asidePrefix)\(realtimeNanoseconds())"
        let time = (try? directory.status("exit.json").modificationTime).map { $0.seconds * 1_000_000_000 + $0.nanoseconds } ?? 0
        do throws(Errno) { try directory.rename("exit.json", to: try PathBytes(aside), replacing: .nothing) } catch { aside = "exit.json" }
        return ExitRecord(
            code: 255, startedAt: time, finishedAt: time, reason: "exit unknown: exit.json was set aside as \(aside): \(reason)")
    }

    private static func setAsideEarlier(in directory: borrowing Directory) -> ExitRecord? {
        // What cannot be listed says nothing.
        guard let entries = try? directory.entries(), let aside = entries.first(where: { $0.name.description.hasPrefix(asidePrefix) }),
            let time = try? directory.status(aside.name).modificationTime
        else { return nil }
        let at = time.seconds * 1_000_000_000 + time.nanoseconds
        return ExitRecord(code: 255, startedAt: at, finishedAt: at, reason: "exit unknown: exit.json was set aside as \(aside.name)")
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

    /// Nothing ran that counts: what is written of its end goes.
    static func forget(in directory: String) {
        // As above.
        try? Directory.open(directory).removeFile("exit.json")
    }

    func write(in directory: String) throws(Errno) {
        guard let data = try? JSONEncoder().encode(self) else { throw .EINVAL }  // numbers and text always encode
        try unsafe Directory.open(directory).replaceFile("exit.json", with: Array(data).span.bytes)
    }
}
