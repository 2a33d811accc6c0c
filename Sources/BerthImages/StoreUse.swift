public import BerthSnapshots

/// What containers have of a store, as it is at one moment.
public struct StoreUse: Sendable {
    /// A container.
    public struct Container: Hashable, Sendable {
        /// Its id.
        public var id: String
        /// The layer of its own.
        public var layer: WritableLayer
        /// The uppermost layer of its image; `nil` for an image without any.
        public var topLayer: LayerName?
        /// Whether it runs, or is being started, or that is not known.
        public var isInUse: Bool

        /// A container of these.
        ///
        /// - Parameter layer: `nil` for one that is called as the container is.
        public init(id: String, layer: WritableLayer? = nil, topLayer: LayerName?, isInUse: Bool) {
            (self.id, self.layer) = (id, layer ?? WritableLayer(id: id))
            (self.topLayer, self.isInUse) = (topLayer, isInUse)
        }
    }
    /// Those that there are.
    public var containers: [Container] = []
    /// The ids that are taken, also of containers that are being made.
    public var ids: Set<String> = []
    /// Those whose documents cannot be read, by id, with the reason.
    public var unreadable: [String: String] = [:]
    /// Networks whose documents cannot be read, by id, with the reason.
    public var unreadableNetworks: [String: String] = [:]
    /// Containers whose records of networks cannot be read, by id, with the reason.
    public var unreadableSandboxes: [String: String] = [:]

    /// No containers.
    public init() {}
}
