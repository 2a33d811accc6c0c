internal import BerthNetworking
internal import BerthReactor
internal import BerthState
internal import Synchronization

extension Container {
    /// Gives it another name. Its former one is free when this returns, and the others of its networks find it by the new one.
    ///
    /// - Parameter name: with or without Docker's leading slash.
    /// - Throws: `invalid` for what is no name, or is its own; `conflict` for one in use; `storage`. It has its former name then.
    public func rename(to name: String) async throws(ContainerError) { try await store.rename(store.object(id), to: name) }
}

extension ContainerStore {
    func rename(_ object: ContainerObject, to text: String) async throws(ContainerError) {
        guard !text.isEmpty else { throw ContainerError(.invalid, "Neither old nor new names may be empty") }
        let allocating = "Error when allocating new name: "
        let name: String
        do throws(ContainerError) { name = try ContainerName.checked(text.hasPrefix("/") ? text : "/" + text) } catch {
            throw ContainerError(error.code, allocating + error.description)
        }
        try requireNotRemoved(object)
        guard name != object.name else {
            throw ContainerError(.invalid, "Renaming a container with the same name as its current name")
        }
        let holder = index.withLock { index -> String? in
            if let holder = index.names[name] { return holder }
            index.names[name] = object.id
            return nil
        }
        if let holder {
            throw ContainerError(
                .conflict,
                "\(allocating)Conflict. The container name \"/\(name)\" is already in use by container \"\(holder)\". You have to remove (or rename) that container to be able to reuse that name."
            )
        }
        // Whoever asked may go: the name is the one or the other, and not both.
        let outcome = await Task.detached { () async -> Result<String, ContainerError> in
            do throws(ContainerError) {
                let former = try await self.save(object) { document in
                    (document.name, document.configuration.name) = (name, name)
                }
                return .success(former.name)
            } catch { return .failure(error) }
        }.value
        index.withLock { index in
            // Of several renames at once each frees the name that it has found.
            let unused = (try? outcome.get()) ?? name
            if index.names[unused] == object.id { index.names[unused] = nil }
            // Removed meanwhile: nothing of it is named.
            if index.containers[object.id] == nil, index.names[name] == object.id { index.names[name] = nil }
        }
        let former = try outcome.get()
        await renameInNetworks(object)
        publish("rename", object, ["oldName": "/\(former)"])
    }

    private func requireNotRemoved(_ object: ContainerObject) throws(ContainerError) {
        switch object.state.withLock({ $0.lifecycle.phase }) {
        case .removing, .removed: throw ContainerError(.conflict, "container \(object.id) is being removed: it cannot be renamed")
        default: break
        }
    }

    /// What its networks call it follows what its document says, in its turn among what changes them. Repeating is fine.
    func renameInNetworks(_ object: ContainerObject) async {
        let sandboxes = services.sandboxes
        await networkTurns.run(sandboxes.sandboxID(of: object.id)) { () async in
            let (id, name) = (object.id, object.name)
            do throws(NetworkError) {
                try await object.lane.run { () throws(NetworkError) in try sandboxes.rename(id, to: name) }
            } catch { warn(object, error.description) }
        }
    }
}
