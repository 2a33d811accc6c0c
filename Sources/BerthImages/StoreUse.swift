public import BerthSnapshots

/// What containers have of a store, as it is at one moment.
public struct StoreUse: Sendable {
    /// A container.
    public struct Container: Hashable, Sendable {
        /// Its id.
        public var id: String
        /// The uppermost layer of its image; `nil` for an image without any.
        public var topLayer: LayerName?
        /// Whether it runs, or is being started, or that is not known.
        public var isInUse: Bool

        /// A container of these.
        public init(id: String, topLayer: LayerName?, isInUse: Bool) { (self.id, self.topLayer, self.isInUse) = (id, topLayer, isInUse) }
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
