internal import Synchronization

// A container's name is one of those that the others of its networks find it by.
extension SandboxStore {
    /// What the others of its networks call the container that made a sandbox; `nil` if it is in none of its own. Waits for nothing.
    public func name(of id: String) -> String? { sandboxes.withLock { $0[id]?.record.name } }

    /// Has a container be found by another name in its networks, and by its former one no longer. Repeating is fine, as is a container that is in no sandbox.
    ///
    /// - Throws: `storage`; the others find it by the new name all the same, until the next engine.
    public func rename(_ id: String, to name: String) throws(NetworkError) {
        let renamed = sandboxes.withLock { sandboxes -> (id: String, record: SandboxRecord)? in
            for (home, sandbox) in sandboxes where home == id || sandbox.record.members?.ids.contains(id) == true {
                var record = sandbox.record
                record.rename(id, to: name, in: home)
                sandboxes[home]?.record = record
                return (home, record)
            }
            return nil
        }
        guard let renamed else { return }
        for endpoint in renamed.record.endpoints { networks.rename(endpoint) }
        updateNames(in: Set(renamed.record.endpoints.map(\.networkID)))
        try records.write(renamed.record, id: renamed.id)
    }
}

extension SandboxRecord {
    mutating func rename(_ member: String, to name: String, in id: String) {
        members?.rename(member, to: name)
        if member == id {
            let former = self.name
            self.name = name
            for place in endpoints.indices {
                endpoints[place].sandboxName = name
                var names = endpoints[place].names.filter { $0 != former && $0 != name }
                // A name that is also an alias stays one.
                if endpoints[place].configuration.aliases.contains(former), former != name { names.append(former) }
                endpoints[place].names = [name] + names
            }
        }
        nameUser(in: id)
    }
}

extension NetworkStore {
    /// Takes up what a place is called now.
    fileprivate func rename(_ endpoint: Endpoint) {
        guard let object = try? object(endpoint.networkID) else { return }  // a network that is gone has no names
        object.state.withLock { state in
            guard var known = state.endpoints[endpoint.id] else { return }
            (known.sandboxName, known.names, known.user) = (endpoint.sandboxName, endpoint.names, endpoint.user)
            state.endpoints[endpoint.id] = known
        }
    }
}
