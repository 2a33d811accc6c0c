internal import BerthLinux
internal import BerthState

/// Where the documents of containers are.
///
/// Most last: `containers/<id>/container.json` below the root. One that removes itself, and has no volume to take along, is removed by the first engine after a
/// loss of power anyway. It is in the exec-root instead, `passing/<id>.json`, where nothing waits for the disk: after a reboot it is not known any more, and what
/// there is of it belongs to nobody and goes.
struct ContainerDocuments: Sendable {
    private let lasting: DocumentStore<ContainerDocument>
    private let passing: DocumentStore<ContainerDocument>

    /// Of documents with mounts: an engine that reads only the first would start a container without its volumes.
    private static var mountsVersion: Int { 2 }
    /// Of documents that name the container's layer: an engine that reads only those before would take another for it.
    private static var layerVersion: Int { 3 }

    init(root: String, execRoot: String) throws(StateError) {
        lasting = try DocumentStore(
            directory: root + "/containers", layout: .directories(fileName: "container.json"), version: Self.layerVersion)
        passing = try DocumentStore(directory: execRoot + "/passing", version: Self.layerVersion)
    }

    /// Whether a container is still there after a loss of power.
    static func lasts(_ document: ContainerDocument) -> Bool {
        !document.configuration.removesItself || (document.mounts ?? []).contains { $0.kind == .volume }
    }

    func load() throws(StateError) -> (
        found: [(id: String, document: ContainerDocument)], setAside: [DocumentStore<ContainerDocument>.SetAside]
    ) {
        let (lasting, passing) = (try lasting.load(), try passing.load())
        // One that was on its way from one place to the other is what the lasting one says.
        let held = Set(lasting.found.map(\.id))
        for (id, _) in passing.found where held.contains(id) { try self.passing.remove(id: id, durability: .none) }
        return (lasting.found + passing.found.filter { !held.contains($0.id) }, lasting.setAside + passing.setAside)
    }

    /// Writes the first document of a container, whose directory was made just before.
    func create(_ document: ContainerDocument, id: String) throws(StateError) {
        guard Self.lasts(document) else { return try write(document, id: id) }
        try lasting.create(document, id: id, version: Self.version(of: document))
    }

    /// Writes what a container has become.
    func write(_ document: ContainerDocument, id: String, former: ContainerDocument) throws(StateError) {
        switch (Self.lasts(former), Self.lasts(document)) {
        case (false, true):
            try create(document, id: id)
            try passing.remove(id: id, durability: .none)
        case (true, false):
            try write(document, id: id)
            try lasting.remove(id: id)
        default: try write(document, id: id)
        }
    }

    private func write(_ document: ContainerDocument, id: String) throws(StateError) {
        let version = Self.version(of: document)
        if Self.lasts(document) {
            try lasting.write(document, id: id, version: version)
        } else {
            try passing.write(document, id: id, durability: .none, version: version)
        }
    }

    /// Without its document a container does not exist. One that is not there is removed already. Until ``synchronizeRemoval(of:id:)`` a loss of power may bring
    /// it back, whole: what is removed after its document is gone no earlier.
    func remove(_ document: ContainerDocument, id: String) throws(StateError) {
        try (Self.lasts(document) ? lasting : passing).remove(id: id, durability: .none)
    }

    /// No loss of power brings a removed container back when this returns; one that removes itself would be removed again. Its directory must still be there.
    func synchronizeRemoval(of document: ContainerDocument, id: String) throws(StateError) {
        guard Self.lasts(document), !document.configuration.removesItself else { return }
        try lasting.synchronize(id: id)
    }

    private static func version(of document: ContainerDocument) -> Int {
        let isPlain = document.mounts == nil && document.configuration.volumesFrom.isEmpty
        return document.layerID != nil ? layerVersion : isPlain ? 1 : mountsVersion
    }
}
