internal import BerthLinux
internal import Synchronization

// Where a container's control group lies: below the engine's own, unless somebody has named another parent.
extension Runtime {
    /// The control group of a container, in every hierarchy.
    public func controlGroup(of id: String) -> String { "\(controlGroupParent(of: id))/\(id)" }

    /// Below which group a container's is.
    func controlGroupParent(of id: String) -> String { parents.withLock { $0[id] } ?? cgroupParent }

    /// Names another parent for a container's group, as a path from the hierarchies' roots; `nil` is the engine's own. Before anything else is asked of the
    /// container, and again in each new engine. The parent is made when it is needed, and stays.
    public func setControlGroupParent(_ parent: String?, of id: String) {
        let path = parent.map { $0.split(separator: "/").joined(separator: "/") } ?? ""
        parents.withLock { $0[id] = path.isEmpty ? nil : path }
    }

    /// Makes the parent that somebody has named, with those above it. Repeating is fine.
    func makeControlGroupParent(of id: String) throws(RuntimeError) {
        guard let parent = parents.withLock({ $0[id] }) else { return }
        do throws(Errno) {
            var path = ""
            for name in parent.split(separator: "/") {
                path += path.isEmpty ? String(name) : "/\(name)"
                try cgroups.makeParent(path)
            }
        } catch { throw .system("cannot make the control group '\(parent)'", error) }
    }
}
