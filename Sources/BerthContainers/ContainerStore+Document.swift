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
                do throws(StateError) { try self.write(document, object.id) } catch {
                    throw Self.storage("cannot write the container's document", error)
                }
                object.state.withLock { change(&$0.document) }
                return former
            }
        }
    }

    /// Removes a container's document, and with it the container. Repeating is fine. Blocks.
    ///
    /// - Throws: `storage`.
    func forget(_ object: ContainerObject, durability: Directory.Durability) throws(ContainerError) {
        try object.documentTurn.withLock { _ throws(ContainerError) in
            do throws(StateError) { try documents.remove(id: object.id, durability: durability) } catch {
                throw Self.storage("cannot remove container \(object.shortID)", error)
            }
            object.state.withLock { $0.isForgotten = true }
        }
    }
}
