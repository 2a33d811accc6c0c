internal import BerthLinux
internal import BerthReactor
internal import BerthState
internal import Synchronization

// The one way in which a container's document changes once it is there.
extension ContainerStore {
    /// Changes a container's document: on the disk first, then here, and in the order in which changes are asked for.
    ///
    /// - Parameter change: what changes; it may be asked more than once, and depends on nothing else.
    /// - Returns: what it was before.
    /// - Throws: `notFound` if the container is removed; `storage`, `busy`; nothing has changed then.
    @discardableResult func save(
        _ object: ContainerObject, _ change: @escaping @Sendable (inout ContainerDocument) -> Void
    ) async throws(ContainerError) -> ContainerDocument {
        try await object.lane.run { () throws(ContainerError) in
            try object.documentTurn.withLock { _ throws(ContainerError) in
                let (former, isForgotten) = object.state.withLock { ($0.document, $0.isForgotten) }
                if isForgotten { throw .noSuchContainer(object.id) }
                var document = former
                change(&document)
                do throws(StateError) { try self.documents.write(document, id: object.id, former: former) } catch {
                    throw Self.storage("cannot write the container's document", error)
                }
                object.state.withLock { change(&$0.document) }
                return former
            }
        }
    }

    /// Does something with what a container has. If that fails because the container is removed meanwhile, it is that which is said.
    ///
    /// - Throws: `notFound`, `conflict` while it is being removed; and what `body` throws.
    func whileThere<Value: Sendable>(
        _ object: ContainerObject, _ body: () async throws(ContainerError) -> Value
    ) async throws(ContainerError) -> Value {
        do throws(ContainerError) { return try await body() } catch {
            // `forbidden`: a layer that is just being taken away can only be read.
            guard [.storage, .runtime, .network, .forbidden].contains(error.code) else { throw error }
            let (phase, isForgotten) = object.state.withLock { ($0.lifecycle.phase, $0.isForgotten) }
            if isForgotten { throw .noSuchContainer(object.id) }
            throw phase == .removing ? ContainerError(.conflict, "container \(object.id) is being removed") : error
        }
    }

    /// Removes a container's document, and with it the container. Repeating is fine. Blocks.
    ///
    /// - Throws: `storage`.
    func forget(_ object: ContainerObject) throws(ContainerError) {
        try object.documentTurn.withLock { _ throws(ContainerError) in
            do throws(StateError) { try documents.remove(object.document, id: object.id) } catch {
                throw Self.storage("cannot remove container \(object.shortID)", error)
            }
            object.state.withLock { $0.isForgotten = true }
        }
    }
}
