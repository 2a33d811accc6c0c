internal import BerthReactor
internal import BerthState
internal import Synchronization

// The one way in which a container's document changes once it is there.
extension ContainerStore {
    /// Changes a container's document: on the disk first, then here, and in the order in which changes are asked for.
    ///
    /// - Parameter change: what changes; it may be asked more than once, and depends on nothing else.
    /// - Throws: `storage`, `busy`; nothing has changed then.
    func save(
        _ object: ContainerObject, _ change: @escaping @Sendable (inout ContainerDocument) -> Void
    ) async throws(ContainerError) {
        try await object.lane.run { () throws(ContainerError) in
            try object.documentTurn.withLock { _ throws(ContainerError) in
                var document = object.document
                change(&document)
                do throws(StateError) { try self.write(document, object.id) } catch {
                    throw Self.storage("cannot write the container's document", error)
                }
                object.state.withLock { change(&$0.document) }
            }
        }
    }
}
