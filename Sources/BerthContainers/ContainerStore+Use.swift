public import BerthImages
internal import BerthNetworking
internal import BerthSnapshots
internal import Synchronization

extension ContainerStore {
    /// What containers have of the store of images and layers, now, those whose files are just being removed among them. Waits for nothing.
    public func storeUse() -> StoreUse {
        let index = index.withLock { $0 }
        var use = StoreUse()
        use.unreadable = index.setAside
        use.unreadableNetworks = services.sandboxes.networks.unreadable
        use.unreadableSandboxes = services.sandboxes.unreadable
        use.ids = Set(index.containers.keys).union(index.names.values).union(index.setAside.keys).union(index.erasing.keys)
        use.ids.formUnion(index.containers.values.compactMap { $0.document.layerID })
        use.containers = index.containers.values.compactMap { object in
            object.state.withLock { state in
                // What is being removed loses its layer at any moment.
                if state.lifecycle.phase == .removing || state.lifecycle.phase == .removed { return nil }
                // Whether one runs of which nothing is known is not known either.
                let isInUse = state.lifecycle.phase != .idle || state.process != nil || state.unknown != nil
                let document = state.document
                return StoreUse.Container(
                    id: object.id, layer: document.layer(of: object.id), topLayer: document.topLayer, isInUse: isInUse)
            }
        }
        return use
    }

    /// Nothing is mounted on layers that are being repaired. Asked once it is said that the container starts: whoever repairs then sees that.
    ///
    /// - Throws: `busy`.
    func requireStillLayers(_ document: ContainerDocument) throws(ContainerError) {
        do throws(ImageError) { try services.images.requireStill(document.topLayer) } catch {
            throw ContainerError(.busy, error.description)
        }
    }
}
