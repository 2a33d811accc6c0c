public import BerthLinux

extension RuntimeContainer {
    /// The container's root with all that is mounted in it, as its first process sees it now. It goes on being of use when the container has ended. Blocks.
    ///
    /// - Parameter rootAlone: nothing that is mounted in the root. Default: all.
    /// - Throws: `notRunning`, `system`.
    public func openTree(for purpose: MountedTree.Purpose, rootAlone: Bool = false) throws(RuntimeError) -> MountedTree {
        do throws(Errno) {
            let namespace = try ProcessTable.openNamespace("mnt", of: facts.processID, startTicks: facts.startTicks)
            return try MountedTree.copy(ofNamespace: namespace, for: purpose, rootAlone: rootAlone)
        } catch {
            if error == .ENOENT || error == .ESRCH {
                throw RuntimeError(.notRunning, "container \(facts.id) is not running")
            }
            throw .system("cannot open the root of container \(facts.id.prefix(12))", error)
        }
    }
}
