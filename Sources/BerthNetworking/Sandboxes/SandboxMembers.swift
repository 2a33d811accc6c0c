/// Who is in a sandbox: the containers that run in its namespace, or are about to. The sandbox lives as long as there is one. Decided here, performed
/// elsewhere; no clock, no kernel.
struct SandboxMembers: Hashable, Sendable, Codable {
    /// Their ids, in the order in which they came.
    private(set) var ids: [String] = []
    /// Whether anybody has ever been in it but the container that made it. From then on it may outlive every one of them.
    private(set) var isShared = false
    /// Their names, where they are known; `nil` in what an engine has written that kept none.
    private var names: [String: String]?

    /// Nobody yet.
    init() {}

    /// Comes in. Repeating is fine.
    ///
    /// - Parameter owner: the sandbox's id, which is that of the container that made it.
    mutating func join(_ id: String, named name: String = "", ownedBy owner: String) {
        if id != owner { isShared = true }
        if !name.isEmpty { names = (names ?? [:]).merging([id: name]) { $1 } }
        if !ids.contains(id) { ids.append(id) }
    }

    /// Is called otherwise from now on. One that is not in it is not.
    mutating func rename(_ id: String, to name: String) {
        if ids.contains(id) { names = (names ?? [:]).merging([id: name]) { $1 } }
    }

    enum Departure: Hashable { case wasNotIn, othersStay, wasLast }

    /// Goes. With the last one the sandbox ends; one that is not in it ends nothing.
    mutating func leave(_ id: String) -> Departure {
        guard let place = ids.firstIndex(of: id) else { return .wasNotIn }
        ids.remove(at: place)
        names?[id] = nil
        return ids.isEmpty ? .wasLast : .othersStay
    }

    /// What is left of them where only some have lived on, as after the death of an engine.
    ///
    /// - Returns: whether anybody is.
    mutating func keep(_ livesOn: (String) -> Bool) -> Bool {
        ids.removeAll { !livesOn($0) }
        names = names?.filter { ids.contains($0.key) }
        return !ids.isEmpty
    }

    /// Who uses what the sandbox has, where that is not the container that made it: the first of those who are in it.
    func user(besides owner: String) -> Endpoint.User? {
        guard !ids.contains(owner), let first = ids.first else { return nil }
        return Endpoint.User(id: first, name: names?[first] ?? String(first.prefix(12)))
    }

    /// Those beside one of them.
    func others(than id: String) -> [String] { ids.filter { $0 != id } }
}
