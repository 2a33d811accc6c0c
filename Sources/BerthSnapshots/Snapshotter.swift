public import BerthLinux
public import BerthOCI

/// The name of a read-only layer: the chain of layers up to it (OCI image specification, *Image Configuration*, "Layer ChainID").
public struct LayerName: Hashable, Sendable, Codable {
    /// The chain's id.
    public let chainID: Digest
    /// The layer of this chain.
    public init(chainID: Digest) { self.chainID = chainID }
}

/// The name of a container's own layer: it outlives processes and engines.
public struct WritableLayer: Hashable, Sendable, Codable {
    /// The container's id.
    public let id: String
    /// The layer of this container.
    public init(id: String) { self.id = id }
}

/// How a layer's files are seen together with those of the layers below.
public enum MountPlan: Hashable, Sendable {
    /// An overlay: `base` is absolute, the others are relative to it and short; the uppermost layer first.
    case overlay(base: String, lowers: [String], upper: String, work: String)
    /// A directory as it is, absolute.
    case directory(String)
}

/// What is known of a read-only layer.
public struct LayerInformation: Hashable, Sendable, Codable {
    /// The layer.
    public var name: LayerName
    /// The digest of its uncompressed tar.
    public var diffID: Digest
    /// The layer below.
    public var parent: LayerName?
    /// How many bytes its files have.
    public var byteCount: UInt64

    /// These.
    public init(name: LayerName, diffID: Digest, parent: LayerName?, byteCount: UInt64) {
        (self.name, self.diffID, self.parent, self.byteCount) = (name, diffID, parent, byteCount)
    }
}

/// How what a layer removes from those below is written down in its directory.
public enum WhiteoutStyle: Hashable, Sendable {
    /// As overlay wants it: 0:0 character devices, and `trusted.overlay.opaque`.
    case overlay
    /// What is removed is removed: the directory holds all layers together.
    case removal
}

/// Keeps layers unpacked and says how they are mounted. The walk through an image's life:
///
/// For each layer, from the lowest, ``prepareLayer(on:)`` gives a directory that nobody else sees. It is filled, and ``commit(_:as:)``
/// makes it the layer of its name, whole and synced; ``discard(_:)``, or a kill, leaves nothing. Then ``makeWritable(_:on:)`` makes a container's own
/// layer on the uppermost, and ``mounts(of:)`` says how the two become a root. Removing goes the other way round.
///
/// All calls block: they belong in a lane. Listings come from memory.
public protocol Snapshotter: Sendable {
    /// `overlay2` or `vfs`.
    var name: String { get }
    /// The directory that all of it lies in, absolute.
    var path: String { get }
    /// How whoever fills a layer's directory writes down removals.
    var whiteouts: WhiteoutStyle { get }
    /// Whether a layer's directory holds that layer alone, so that it can be filled before those below are there.
    var keepsLayersApart: Bool { get }

    /// Makes a directory for a layer on another, which must be there. Where ``keepsLayersApart``, `nil` is also for one that is not known yet.
    func prepareLayer(on parent: LayerName?) throws(SnapshotError) -> PreparedLayer
    /// Makes prepared directories layers, each on those before it: the files of all are synced at once, before any name exists. A layer of that name
    /// that is there already stays, and the prepared one goes. If it fails, those that it has not come to are still only prepared.
    func commit(_ layers: [(prepared: PreparedLayer, information: LayerInformation)]) throws(SnapshotError)
    /// Removes a prepared directory. Repeating is fine.
    func discard(_ prepared: PreparedLayer)

    /// Layers that a document is there for which cannot be read, and directories of a layer that another is taken for, by their directory in the store, with the
    /// reason. They keep their files; nothing is built on them.
    var unreadable: [String: String] { get }
    /// All read-only layers.
    func layers() -> [LayerName: LayerInformation]
    /// The directory with the files of a read-only layer, absolute: its own, or, where removals are no longer seen, also those of all below it.
    /// Nothing in it may be changed. `notFound` if there is no such layer.
    func directory(of name: LayerName) throws(SnapshotError) -> String
    /// Removes a read-only layer, and then those below it, down to the first that another lies on or that somebody wants. All of them cease to exist,
    /// and that is on the disk, before the files of any are removed.
    ///
    /// When this throws, the upper ones may be gone; repeating goes on. One that is not there is removed already.
    /// - Parameter isWanted: asked of each in the same moment in which it ceases to exist, if nothing lies on it: whether anything else keeps
    ///   it. It must not ask this snapshotter.
    /// - Returns: what was known of those that are gone, the uppermost first.
    /// - Throws: `inUse` while another lies on the first; `storage`.
    @discardableResult
    func removeLayers(from top: LayerName, unless isWanted: (LayerName) -> Bool) throws(SnapshotError) -> [LayerInformation]

    /// Makes a container's layer. `exists` if there is one of that id.
    ///
    /// - Parameter durability: with `.synchronized`, when a document that is written after it is on the disk, a loss of power leaves the layer, or one that
    ///   ``mend(_:on:)`` makes right; otherwise it may leave one that can only be removed.
    func makeWritable(_ id: String, on parent: LayerName?, durability: Directory.Durability) throws(SnapshotError) -> WritableLayer
    /// How a container's root is mounted.
    func mounts(of layer: WritableLayer) throws(SnapshotError) -> MountPlan
    /// Removes a container's layer. Repeating is fine.
    func remove(_ layer: WritableLayer) throws(SnapshotError)
    /// The containers that have a layer.
    func writableLayers() -> Set<String>

    // MARK: Checking

    /// What is wrong with how a read-only layer is kept, its files left aside: a sentence each; none if nothing is. `notFound` if there is no such layer.
    func faults(of name: LayerName) throws(SnapshotError) -> [String]
    /// What is wrong with how a container's layer is kept, its files left aside: a sentence each. `notFound` if it has none.
    ///
    /// - Parameter parent: the layer that it must lie on.
    func faults(of layer: WritableLayer, on parent: LayerName?) throws(SnapshotError) -> [String]
    /// Makes right what ``faults(of:)`` tells of, but for a layer's files that are not there. Repeating is fine.
    func mend(_ name: LayerName) throws(SnapshotError)
    /// Makes right what ``faults(of:on:)`` tells of, but for a container's files that are not there: nobody else has them. Repeating is fine.
    func mend(_ layer: WritableLayer, on parent: LayerName?) throws(SnapshotError)
    /// The directory below a layer which one of that path is like that the layer has only because something lies in it; `nil` if there is none, or that cannot
    /// be told.
    func directory(below name: LayerName, at path: [PathBytes]) throws(SnapshotError) -> Directory?
    /// Puts prepared files in the place of a layer's, in one step and synced. What was there before stays, without a name, until the store is opened
    /// again: others may be reading it. If it fails, the layer is as it was, and the prepared one still only prepared.
    func replaceFiles(of name: LayerName, with prepared: PreparedLayer) throws(SnapshotError)
    /// What kills have left and nobody has any more, by its path below the store.
    func leftovers() throws(SnapshotError) -> [String]
    /// Removes what ``leftovers()`` tells of. Repeating is fine.
    func removeLeftovers() throws(SnapshotError)
}

extension Snapshotter {
    /// Makes a container's layer that lasts. `exists` if there is one of that id.
    public func makeWritable(_ id: String, on parent: LayerName?) throws(SnapshotError) -> WritableLayer {
        try makeWritable(id, on: parent, durability: .synchronized)
    }

    /// How many bytes may still be written to the file system that the layers are on, by whoever this program runs as.
    public func availableByteCount() throws(SnapshotError) -> UInt64 {
        do throws(Errno) { return try Directory.open(path).availableByteCount() } catch {
            throw .storage("cannot ask how much space '\(path)' has", error)
        }
    }
    /// Makes one prepared directory a layer, as the others are made.
    public func commit(_ prepared: PreparedLayer, as information: LayerInformation) throws(SnapshotError) {
        try commit([(prepared, information)])
    }
    /// Removes one read-only layer, whoever wants it. `inUse` while another lies on it; one that is not there is removed already.
    public func removeLayer(_ name: LayerName) throws(SnapshotError) { try removeLayers(from: name, unless: { $0 != name }) }
}

/// A directory that is being filled to become a layer.
public struct PreparedLayer: Hashable, Sendable {
    /// The directory's name in the store.
    public let id: String
    /// The directory to fill, absolute.
    public let path: String
    /// The layer that it was prepared on.
    public let parent: LayerName?
    /// The directories that are only there because something lies in them, and that nobody has said what they are: owner, mode, attributes and
    /// times are as below, if there is such a directory. Whoever fills it takes the root (the empty path) out where it is said.
    public var impliedDirectories: Set<[PathBytes]> = [[]]

    init(id: String, path: String, parent: LayerName?) { (self.id, self.path, self.parent) = (id, path, parent) }

    /// Opens the directory to fill.
    public func open() throws(SnapshotError) -> Directory {
        do throws(Errno) { return try Directory.open(path) } catch { throw .storage("cannot open the layer's directory", error) }
    }
}
