internal import BerthLinux

// What the next engine has to know of a container that stands still: a file beside `run.json`, of this boot alone.
extension Runtime {
    private static var pauseName: PathBytes { "paused" }

    /// Notes that a container is to stand still, before it does. Repeating is fine. Blocks.
    ///
    /// - Throws: `system`.
    public func notePause(of id: String) throws(RuntimeError) {
        do throws(Errno) {
            try unsafe directory(of: id).replaceFile(Self.pauseName, with: [UInt8]().span.bytes, durability: .none)
        } catch { throw .system("cannot note that container \(id.prefix(12)) is paused", error) }
    }

    /// Forgets it, before it moves. Repeating is fine; of one that is gone there is nothing to forget. Blocks.
    public func forgetPause(of id: String) { try? directory(of: id).removeFile(Self.pauseName) }

    /// Whether it is noted. Blocks.
    ///
    /// - Throws: `system`.
    public func isPauseNoted(of id: String) throws(RuntimeError) -> Bool {
        do throws(Errno) { return try directory(of: id).contains(Self.pauseName) } catch {
            guard error != .ENOENT else { return false }
            throw .system("cannot look whether container \(id.prefix(12)) is paused", error)
        }
    }

    private func directory(of id: String) throws(Errno) -> Directory {
        try Directory.open("\(configuration.execRoot)/containers").openDirectory(try PathBytes(id))
    }
}
