internal import BerthLinux
internal import BerthSnapshots
internal import FoundationEssentials

/// What `engine.json` says: made once with the root.
struct EngineDocument: Codable, Sendable {
    static let currentVersion = 1

    var version = EngineDocument.currentVersion
    /// Twelve hexadecimal digits: in the name of everything that the engine makes outside its directories.
    var id: String
    /// Which snapshotter keeps this root's layers: they cannot be read by the other.
    var snapshotter: String
    /// Why it is not overlay2, where it is not.
    var obstacle: String?
}

/// A directory that one engine holds at a time.
final class RootDirectory: Sendable {
    private let lock: OwnedDescriptor
    let path: String

    /// Makes the directory where it is missing, and takes its lock.
    ///
    /// - Throws: `inUse` with who holds it, `storage`.
    init(_ path: String, permissions: UInt32) throws(EngineError) {
        guard path.hasPrefix("/") else { throw EngineError(.storage, "'\(path)' is no absolute path") }
        self.path = path
        lock = try Self.acquire(path, permissions)
    }

    /// Takes the lock. One whose holder is dead is given up in a moment: a monitor that was being started then still has it until its program runs.
    private static func take(_ lock: borrowing OwnedDescriptor, _ path: String) throws(Errno) -> Bool {
        for _ in 0..<200 {
            if try lock.lockExclusively() { return true }
            let text = String(decoding: try HostFile.read(path + "/lock", limit: 64), as: UTF8.self)
            guard let holder = text.split(separator: "\n").first, !HostFile.exists("/proc/\(holder)") else { return false }
            HostFile.pause(milliseconds: 10)
        }
        return false
    }

    private static func acquire(_ path: String, _ permissions: UInt32) throws(EngineError) -> OwnedDescriptor {
        do throws(Errno) {
            let directory = try Directory.open("/").makeDirectories(try PathBytes(path), permissions: permissions)
            let lock = try directory.openForAppending("lock", permissions: 0o600)
            if try Self.take(lock, path) {
                try lock.truncate(to: 0)
                try unsafe lock.writeAll(Array("\(HostFile.ownProcessID)\n".utf8).span.bytes)
                return lock
            }
        } catch {
            throw EngineError(.storage, "cannot open '\(path)': \(error): is it writable for this user?", underlying: error)
        }
        // What is said of the holder is only said; the lock is what counts.
        let holder = (try? HostFile.read(path + "/lock", limit: 64)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        let who = holder.split(separator: "\n").first.map { "process \($0)" } ?? "another process"
        throw EngineError(
            .inUse, "another engine has '\(path)': \(who). Stop it, or name another directory: engines live side by side on different roots"
        )
    }
}
