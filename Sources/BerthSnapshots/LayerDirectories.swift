internal import BerthLinux
internal import BerthOCI
internal import FoundationEssentials
internal import Synchronization

/// What `overlay2` and `vfs` have in common: a directory a layer, `layer.json` written last, and the index of them in memory.
///
/// A read-only layer is named by a hash of nothing: a random id; `layer.json` says which chain it is. A writable layer's directory has the
/// container's id and no `layer.json`.
final class LayerDirectories: Sendable {
    struct Entry: Hashable, Sendable {
        var directory: String
        var information: LayerInformation
    }
    struct State {
        var layers: [LayerName: Entry] = [:]
        var writable: Set<String> = []
        /// Directories that are no layers and that somebody has: they are being filled, or others may still be reading in them.
        var unnamed: Set<String> = []
    }
    private struct LayerDocument: Codable {
        var version = 1
        var layer: LayerInformation
    }
    /// Of directories of the same layer, how many others lie on each.
    typealias UseCount = (_ root: borrowing Directory, _ ids: [String]) throws(Errno) -> [String: Int]
    /// Told of each directory before it is removed.
    typealias BeforeRemoval = @Sendable (_ root: borrowing Directory, _ id: String) throws(Errno) -> Void

    let root: Directory
    let path: String
    /// Layers whose documents cannot be read, and those that are there a second time, by directory, with the reason.
    let unreadable: [String: String]
    let beforeRemoval: BeforeRemoval
    let state = Mutex(State())
    /// Held while a layer gets its name: of two that become the same one, the second finds the first.
    private let committing = Mutex(())

    /// Opens the directory and reads what is there. Read-only layers without `layer.json`, which nobody can have named, are removed. Of several directories that
    /// are the same layer, which a layer's document makes that is put right after the layer was made anew, one is taken.
    init(
        path: String, useCount: UseCount = { (_, _) throws(Errno) in [:] },
        beforeRemoval: @escaping BeforeRemoval = { (_, _) throws(Errno) in }
    ) throws(SnapshotError) {
        (self.path, self.beforeRemoval) = (path, beforeRemoval)
        do throws(Errno) {
            root = try Directory.open("/").makeDirectories(try PathBytes(path), permissions: 0o710)
            root.spreadSubdirectories()
            var state = State()
            var unreadable: [String: String] = [:]
            var found: [LayerName: [Entry]] = [:]
            for entry in try root.entries() where entry.name.description != "l" && !entry.name.description.hasPrefix(".") {
                let name = entry.name.description
                guard entry.isDirectory != false else { continue }
                let own = try root.openDirectory(entry.name)
                if name.hasPrefix(Self.layerPrefix) {
                    // An unreadable document keeps its layer, and its place: without it the layer would be one that was never finished.
                    if try own.contains(Self.documentName) {
                        switch Self.read(own) {
                        case .success(let layer): found[layer.name, default: []].append(Entry(directory: name, information: layer))
                        case .failure(let failure): unreadable[name] = failure.reason
                        }
                    } else {
                        try beforeRemoval(root, name)
                        try root.removeTree(entry.name)
                    }
                } else {
                    state.writable.insert(name)
                }
            }
            for (name, entries) in found {
                let taken = try Self.taken(of: entries, root, useCount)
                state.layers[name] = taken
                for other in entries where other.directory != taken.directory {
                    unreadable[other.directory] =
                        "it is layer \(name.chainID), as '\(taken.directory)' is, which is taken: this directory is not needed"
                }
            }
            self.unreadable = unreadable
            let loaded = state
            self.state.withLock { $0 = loaded }
        } catch {
            throw .storage("cannot open the layers at '\(path)'", error)
        }
    }

    /// The one of the same layer that most others lie on; among equals, always the same.
    private static func taken(of entries: [Entry], _ root: borrowing Directory, _ useCount: UseCount) throws(Errno) -> Entry {
        guard entries.count > 1 else { return entries[0] }
        let counts = try useCount(root, entries.map(\.directory))
        let order = entries.sorted { a, b in
            let (first, second) = (counts[a.directory] ?? 0, counts[b.directory] ?? 0)
            return first == second ? a.directory < b.directory : first > second
        }
        return order[0]
    }

    private struct ReadFailure: Error {
        let reason: String
    }
    private struct VersionOnly: Decodable {
        var version: Int
    }

    private static func read(_ directory: borrowing Directory) -> Result<LayerInformation, ReadFailure> {
        do {
            let data = Data(try directory.readFile(documentName, limit: 64 << 10))
            let version = try JSONDecoder().decode(VersionOnly.self, from: data).version
            guard version == 1 else {
                return .failure(ReadFailure(reason: "layer.json has version \(version), and this engine reads up to 1"))
            }
            return .success(try JSONDecoder().decode(LayerDocument.self, from: data).layer)
        } catch {
            return .failure(ReadFailure(reason: "layer.json cannot be read: \(error)"))
        }
    }

    /// Distinguishes read-only layers from containers' ids, which are hexadecimal.
    static let layerPrefix = "layer-"
    static let documentName: PathBytes = "layer.json"

    // MARK: Listings

    func entry(of name: LayerName) throws(SnapshotError) -> Entry {
        guard let entry = state.withLock({ $0.layers[name] }) else { throw SnapshotError(.notFound, "there is no layer \(name.chainID)") }
        return entry
    }

    /// The directories from a layer down to the lowest.
    func chain(from name: LayerName?) throws(SnapshotError) -> [Entry] {
        var chain: [Entry] = []
        var next = name
        while let name = next {
            guard chain.count < 500 else { throw SnapshotError(.invalid, "an image has at most 500 layers") }
            let entry = try entry(of: name)
            chain.append(entry)
            next = entry.information.parent
        }
        return chain
    }

    func layers() -> [LayerName: LayerInformation] { state.withLock { $0.layers.mapValues(\.information) } }
    func writable() -> Set<String> { state.withLock { $0.writable } }

    /// Throws `notFound` for a container without a layer.
    func requireWritable(_ id: String) throws(SnapshotError) {
        guard writable().contains(id) else { throw SnapshotError(.notFound, "there is no writable layer '\(id)'") }
    }

    // MARK: Read-only layers

    /// Makes a directory with `make`. If that fails, nothing is left.
    ///
    /// - Parameter files: the directory in it that is to be filled.
    func prepare(
        on parent: LayerName?, files: String, _ make: (_ id: String) throws(SnapshotError) -> Void
    ) throws(SnapshotError) -> PreparedLayer {
        var random = SystemRandomNumberGenerator()
        let id = Self.layerPrefix + [random.next() as UInt64, random.next()].map { String($0, radix: 16) }.joined()
        state.withLock { _ = $0.unnamed.insert(id) }
        do throws(SnapshotError) { try make(id) } catch {
            discard(id)
            throw error
        }
        return PreparedLayer(id: id, path: "\(path)/\(id)/\(files)", parent: parent)
    }

    /// Gives each `layer.json` its name, after everything on the file system, these among it, has been synced once, and puts the layers into the index. A layer of
    /// that name that is there already stays, and the one that was to become it goes.
    ///
    /// - Parameter complete: what is still to be done to a directory when it is known what it lies on.
    func commit(
        _ layers: [(prepared: PreparedLayer, information: LayerInformation)],
        complete: (_ prepared: PreparedLayer, _ own: borrowing Directory, _ parent: String?) throws(Errno) -> Void
    ) throws(SnapshotError) {
        try committing.withLock { _ throws(SnapshotError) in
            var fresh: [(prepared: PreparedLayer, information: LayerInformation)] = []
            for (prepared, information) in layers {
                if self.layers()[information.name] != nil || fresh.contains(where: { $0.information.name == information.name }) {
                    discard(prepared.id)
                    continue
                }
                var parent: String?
                if let name = information.parent {
                    let prepared = fresh.last { $0.information.name == name }?.prepared.id
                    parent = if let prepared { prepared } else { try entry(of: name).directory }
                }
                do throws(Errno) {
                    try complete(prepared, try root.openDirectory(try PathBytes(prepared.id)), parent)
                    try prepareDocument(of: information, for: prepared)
                } catch { throw Self.commitFailure(prepared, information, error) }
                fresh.append((prepared, information))
            }
            guard !fresh.isEmpty else { return }
            do throws(Errno) { try root.synchronizeFileSystem() } catch { throw .storage("cannot sync the layers", error) }
            // In the order in which they lie on each other. All names come before the first is synced: with a journal, that syncs the others, too.
            for (prepared, information) in fresh {
                do throws(Errno) {
                    try root.openDirectory(try PathBytes(prepared.id)).useReplacement(of: Self.documentName, isSynchronized: false)
                } catch { throw Self.commitFailure(prepared, information, error) }
            }
            for (prepared, information) in fresh { try publish(prepared, information) }
        }
    }

    /// Writes a layer's document, which has no name yet and is not synced.
    private func prepareDocument(of layer: LayerInformation, for prepared: PreparedLayer) throws(Errno) {
        let bytes = try Self.encoded(layer)
        let own = try root.openDirectory(try PathBytes(prepared.id))
        try unsafe own.writeReplacement(of: Self.documentName, with: bytes.span.bytes, isSynchronized: false)
    }

    /// Syncs the name of a layer's document, and puts the layer into the index.
    private func publish(_ prepared: PreparedLayer, _ information: LayerInformation) throws(SnapshotError) {
        do throws(Errno) {
            try root.openDirectory(try PathBytes(prepared.id)).synchronize()
            try root.synchronize()
        } catch { throw Self.commitFailure(prepared, information, error) }
        state.withLock { state in
            state.layers[information.name] = Entry(directory: prepared.id, information: information)
            state.unnamed.remove(prepared.id)
        }
    }

    func writeDocument(of layer: LayerInformation, in own: borrowing Directory) throws(Errno) {
        let bytes = try Self.encoded(layer)
        try unsafe own.replaceFile(Self.documentName, with: bytes.span.bytes)
    }

    private static func encoded(_ layer: LayerInformation) throws(Errno) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Text and numbers encode.
        guard let data = try? encoder.encode(LayerDocument(layer: layer)) else { throw Errno.EINVAL }
        return Array(data)
    }

    /// What a layer's document says now; `nil` if there is none, or it cannot be read.
    func readDocument(in own: borrowing Directory) throws(Errno) -> LayerInformation? {
        guard try own.contains(Self.documentName) else { return nil }
        return switch Self.read(own) {
        case .success(let layer): layer
        case .failure: nil
        }
    }

    /// Directories that are no layers, and that nobody has any more.
    func unclaimed() throws(Errno) -> [PathBytes] {
        var found: [PathBytes] = []
        for entry in try root.entries() where entry.name.description.hasPrefix(Self.layerPrefix) && entry.isDirectory != false {
            let id = entry.name.description
            let isClaimed =
                unreadable[id] != nil || state.withLock { $0.unnamed.contains(id) || $0.layers.values.contains { $0.directory == id } }
            if isClaimed { continue }
            if try !root.openDirectory(entry.name).contains(Self.documentName) { found.append(entry.name) }
        }
        return found
    }

    private static func commitFailure(_ prepared: PreparedLayer, _ information: LayerInformation, _ error: Errno) -> SnapshotError {
        error == .ENOENT
            ? SnapshotError(.notFound, "there is no prepared layer '\(prepared.id)'", underlying: error)
            : .storage("cannot commit layer \(information.name.chainID)", error)
    }

    // MARK: Writable layers

    /// Makes a container's directory with `make`. If that fails, nothing is left.
    func makeWritable(_ id: String, _ make: () throws(SnapshotError) -> Void) throws(SnapshotError) -> WritableLayer {
        guard let name = try? PathBytes(id), name.isName, !id.hasPrefix(Self.layerPrefix), id != "l", !id.hasPrefix(".") else {
            throw SnapshotError(.invalid, "'\(id)' cannot name a container's layer")
        }
        let isNew = state.withLock { $0.writable.insert(id).inserted }
        guard isNew else { throw SnapshotError(.exists, "there is a writable layer '\(id)' already") }
        do throws(SnapshotError) { try make() } catch {
            discard(id)
            state.withLock { _ = $0.writable.remove(id) }
            throw error
        }
        return WritableLayer(id: id)
    }

    func removeWritable(_ id: String) throws(SnapshotError) {
        guard writable().contains(id) else { return }
        do throws(Errno) {
            try beforeRemoval(root, id)
            try root.removeTree(try PathBytes(id))
        } catch {
            throw .storage("cannot remove the writable layer '\(id)'", error)
        }
        state.withLock { _ = $0.writable.remove(id) }
    }
}
