internal import Glibc

// The freezer: all processes of a group stand still, and go on where they were.
extension CgroupLayout {
    /// How long the processes of a group have to stand still: one that waits for a disk or a file system that hangs does not.
    public static var freezePatienceSeconds: Int { 10 }

    /// Freezes every process of a group, in the v1 freezer where there is one, else in v2. They stand still when this returns. Blocks. Repeating is
    /// fine.
    ///
    /// - Throws: `ETIMEDOUT` for processes that do not stand still within ``freezePatienceSeconds``: they go on then. `ENOENT` if there is no
    ///   such group, or no freezer.
    public func freeze(_ path: String) throws(Errno) {
        try writeFreezer(true, of: path)
        do throws(Errno) {
            for _ in 0..<Self.freezePatienceSeconds * 1000 {
                if try isFrozen(path) { return }
                // v1 has nothing to wait on; v2 mostly is done at once.
                usleep(1000)
                // What was forked while the group was being frozen is caught by asking again.
                if freezer(path) != nil { try writeFreezer(true, of: path) }
            }
            throw .ETIMEDOUT
        } catch {
            // Whatever was wrong, they must not stand still.
            try? thaw(path)
            throw error
        }
    }

    /// Lets the processes of a group go on. Repeating is fine; a group that is not there has none.
    public func thaw(_ path: String) throws(Errno) {
        do throws(Errno) { try writeFreezer(false, of: path) } catch {
            // Without a freezer nothing is frozen.
            guard error == .ENOENT || error == .EOPNOTSUPP else { throw error }
        }
    }

    /// Whether all processes of a group stand still.
    ///
    /// - Throws: `ENOENT` if there is no such group, `EOPNOTSUPP` if there is no freezer.
    public func isFrozen(_ path: String) throws(Errno) -> Bool {
        if let freezer = freezer(path) { return try text(of: "\(freezer)/freezer.state").hasPrefix("FROZEN") }
        guard let unified else { throw .EOPNOTSUPP }
        return try text(of: "\(unified)/\(path)/cgroup.events").split(separator: "\n").contains("frozen 1")
    }

    /// Whether somebody wants them to stand still.
    ///
    /// - Throws: as ``isFrozen(_:)``.
    public func isFreezing(_ path: String) throws(Errno) -> Bool {
        if let freezer = freezer(path) { return try !text(of: "\(freezer)/freezer.state").hasPrefix("THAWED") }
        guard let unified else { throw .EOPNOTSUPP }
        return try text(of: "\(unified)/\(path)/cgroup.freeze").hasPrefix("1")
    }

    private func freezer(_ path: String) -> String? { directory(of: "freezer", path) }

    private func text(of file: String) throws(Errno) -> String { String(decoding: try HostFile.read(file, limit: 4096), as: UTF8.self) }

    private func writeFreezer(_ isFrozen: Bool, of path: String) throws(Errno) {
        if let freezer = freezer(path) { return try HostFile.write(isFrozen ? "FROZEN" : "THAWED", to: "\(freezer)/freezer.state") }
        guard let unified else { throw .EOPNOTSUPP }
        try HostFile.write(isFrozen ? "1" : "0", to: "\(unified)/\(path)/cgroup.freeze")
    }
}
