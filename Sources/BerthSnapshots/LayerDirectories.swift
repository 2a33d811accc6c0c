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
    private struct State {
        var layers: [LayerName: Entry] = [:]
        var writable: Set<String> = []
        var prepared: Set<String> = []
    }
    private struct LayerDocument: Codable {
        var version = 1
        var layer: LayerInformation
    }

    let root: Directory
    let path: String
    private let state = Mutex(State())

    /// Opens the directory and reads what is there. Read-only layers without `layer.json`, which nobody can have named, are removed.
    ///
    /// - Parameter cleaned: told the directory names of what is removed, before.
    init(path: String, willRemove: (borrowing Directory, String) throws(Errno) -> Void) throws(SnapshotError) {
        self.path = path
        do throws(Errno) {
            root = try Directory.open("/").makeDirectories(try PathBytes(path), permissions: 0o710)
            var state = State()
            for entry in try root.entries() where entry.name.description != "l" {
                let name = entry.name.description
                guard entry.isDirectory != false else { continue }
                let own = try root.openDirectory(entry.name)
                if name.hasPrefix(Self.layerPrefix) {
                    // An unreadable document keeps its layer: nothing of it is removed, and nothing is built on it.
                    if try own.contains("layer.json") {
                        if let bytes = try? own.readFile("layer.json", limit: 64 << 10),
                            let document = try? JSONDecoder().decode(LayerDocument.self, from: Data(bytes)), document.version == 1
                        {
                            state.layers[document.layer.name] = Entry(directory: name, information: document.layer)
                        }
                    } else {
                        try willRemove(root, name)
                        try root.removeTree(entry.name)
                    }
                } else {
                    state.writable.insert(name)
                }
            }
            let loaded = state
            self.state.withLock { $0 = loaded }
        } catch {
            throw .storage("cannot open the layers at '\(path)'", error)
        }
    }

    /// Distinguishes read-only layers from containers' ids, which are hexadecimal.
    static let layerPrefix = "layer-"

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

    func newLayerID() -> String {
        var random = SystemRandomNumberGenerator()
        return Self.layerPrefix + [random.next() as UInt64, random.next()].map { String($0, radix: 16) }.joined()
    }

    /// Writes `layer.json`, after everything on the file system has been synced, and puts the layer into the index.
    func commit(_ directory: String, _ information: LayerInformation) throws(SnapshotError) {
        do throws(Errno) {
            try root.synchronizeFileSystem()
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            guard let data = try? encoder.encode(LayerDocument(layer: information)) else { throw Errno.EINVAL }  // text and numbers encode
            try unsafe root.openDirectory(try PathBytes(directory)).replaceFile("layer.json", with: Array(data).span.bytes)
            try root.synchronize()
        } catch {
            throw .storage("cannot commit layer \(information.name.chainID)", error)
        }
        state.withLock { $0.layers[information.name] = Entry(directory: directory, information: information) }
    }

    /// Takes a layer out of the index if nothing lies on it, and takes its document away: from then on it does not exist.
    func forget(_ name: LayerName) throws(SnapshotError) -> String? {
        let entry = try state.withLock { (state) throws(SnapshotError) -> Entry? in
            if let child = state.layers.values.first(where: { $0.information.parent == name }) {
                throw SnapshotError(.inUse, "layer \(name.chainID) is in use: layer \(child.information.name.chainID) lies on it")
            }
            return state.layers.removeValue(forKey: name)
        }
        guard let entry else { return nil }
        do throws(Errno) { try root.openDirectory(try PathBytes(entry.directory)).removeFile("layer.json") } catch {
            if error != .ENOENT {
                state.withLock { $0.layers[name] = entry }
                throw .storage("cannot remove layer \(name.chainID)", error)
            }
        }
        return entry.directory
    }

    func addWritable(_ id: String) throws(SnapshotError) {
        guard let name = try? PathBytes(id), name.isName, !id.hasPrefix(Self.layerPrefix), id != "l", !id.hasPrefix(".") else {
            throw SnapshotError(.invalid, "'\(id)' cannot name a container's layer")
        }
        let isNew = state.withLock { $0.writable.insert(id).inserted }
        guard isNew else { throw SnapshotError(.exists, "there is a writable layer '\(id)' already") }
    }

    func removeWritable(_ id: String) { state.withLock { _ = $0.writable.remove(id) } }
}
