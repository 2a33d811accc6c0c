internal import BerthLinux
internal import BerthOCI
public import BerthSnapshots

/// What every ``Snapshotter`` promises.
public enum SnapshotterContract {
    /// The promises that need nothing but files.
    public static var all: [Promise<any Snapshotter>] {
        [
            Promise("a new one has no layers") { store, checking in
                try checking.same(store.layers(), [:], "the list of layers")
                try checking.same(store.writableLayers(), [], "the list of writable layers")
            },
            Promise("a prepared directory is no layer until it is committed, and then is one with what was said of it") { store, checking in
                let prepared = try store.prepareLayer(on: nil)
                try prepared.put("file", "text")
                try checking.same(store.layers(), [:], "the list before the commit")
                let information = information(1, on: nil)
                try store.commit(prepared, as: information)
                try checking.same(store.layers(), [information.name: information], "the list after it")
            },
            Promise("what is discarded leaves nothing, and discarding can be repeated") { store, checking in
                let prepared = try store.prepareLayer(on: nil)
                try prepared.put("file", "text")
                store.discard(prepared)
                store.discard(prepared)
                try checking.same(store.layers(), [:], "the list of layers")
                try checking.that((try? prepared.open()) == nil, "the directory is still there")
            },
            Promise("of two layers of one name the first stays, and the second goes") { store, checking in
                let first = try store.prepareLayer(on: nil)
                let second = try store.prepareLayer(on: nil)
                try first.put("file", "first")
                try second.put("file", "second")
                try store.commit(first, as: information(1, on: nil))
                try store.commit(second, as: information(1, on: nil))
                try checking.same(store.layers().count, 1, "the number of layers")
                try checking.that((try? second.open()) == nil, "the second's directory is still there")
                try checking.same(try first.text(of: "file"), "first", "the file")
            },
            Promise("nothing is prepared or made on a layer that is not there") { store, checking in
                let missing = information(9, on: nil).name
                try await checking.throwing("preparing", Self.isCode(.notFound)) { _ = try store.prepareLayer(on: missing) }
                try await checking.throwing("making a writable layer", Self.isCode(.notFound)) {
                    _ = try store.makeWritable("aa", on: missing)
                }
                try checking.same(store.writableLayers(), [], "the list of writable layers")
            },
            Promise("a layer's directory has its files, whether it is asked for once or again") { store, checking in
                let (_, upper) = try Self.twoLayers(store)
                for _ in 0..<2 {
                    try checking.same(try Directory.open(try store.directory(of: upper.name)).text(of: "both"), "upper", "the file")
                    try checking.same(try store.directory(of: upper.name).hasPrefix(store.path + "/"), true, "that it lies in the store")
                }
                let missing = information(9, on: nil).name
                try await checking.throwing("asking for one that is not there", Self.isCode(.notFound)) {
                    _ = try store.directory(of: missing)
                }
            },
            Promise("a layer that another lies on is in use, and can be removed after it") { store, checking in
                let (lower, upper) = try Self.twoLayers(store)
                try await checking.throwing("removing the lower", Self.isCode(.inUse)) { try store.removeLayer(lower.name) }
                try checking.same(store.layers().count, 2, "the number of layers")
                try store.removeLayer(upper.name)
                try store.removeLayer(lower.name)
                try checking.same(store.layers(), [:], "the list of layers")
            },
            Promise("a layer that somebody wants stays, and is asked about only when nothing lies on it") { store, checking in
                let (lower, upper) = try Self.twoLayers(store)
                try await checking.throwing("removing the lower", Self.isCode(.inUse)) {
                    try store.removeLayers(from: lower.name, unless: { _ in true })
                }
                try checking.same(try store.removeLayers(from: upper.name, unless: { _ in true }), [], "what is removed of a wanted layer")
                try checking.same(store.layers().count, 2, "the number of layers")
                let keepsLower = { (name: LayerName) in name == lower.name }
                try checking.same(
                    try store.removeLayers(from: upper.name, unless: keepsLower), [upper], "what is removed of an unwanted one")
                try checking.same(try store.removeLayers(from: upper.name, unless: keepsLower), [], "what is removed of one that is gone")
                try checking.same(store.layers(), [lower.name: lower], "the list of layers")
            },
            Promise("layers are removed from the top down to the first that another lies on") { store, checking in
                let (lower, upper) = try Self.twoLayers(store)
                let other = information(4, on: upper.name)
                let removed = information(3, on: upper.name)
                for layer in [other, removed] { try store.commit(try store.prepareLayer(on: upper.name), as: layer) }
                try checking.same(
                    try store.removeLayers(from: removed.name, unless: { _ in false }), [removed], "what is removed beside another")
                let files = try store.directory(of: other.name)
                var hadFiles: [Bool] = []
                let gone = try store.removeLayers(from: other.name) { _ in
                    hadFiles.append((try? Directory.open(files)) != nil)
                    return false
                }
                try checking.same(gone, [other, upper, lower], "what is removed of the last")
                try checking.same(hadFiles, [true, true, true], "whether the uppermost had its files when each was asked about")
                try checking.that((try? Directory.open(files)) == nil, "the files are still there")
                try checking.same(store.layers(), [:], "the list of layers")
            },
            Promise("a layer that is not there is removed already") { store, checking in
                try store.removeLayer(information(9, on: nil).name)
            },
            Promise("several become layers at once, each on those before it, and of one that is there already the first stays") {
                store, checking in
                let base = information(1, on: nil)
                let first = try store.prepareLayer(on: nil)
                try first.put("file", "first")
                try store.commit(first, as: base)
                let again = try store.prepareLayer(on: nil)
                let second = try store.prepareLayer(on: base.name)
                let middle = information(2, on: base.name)
                var batch = [(prepared: again, information: base), (second, middle)]
                // Where layers are kept apart, one is prepared before what it lies on is there.
                let top = information(3, on: middle.name)
                if store.keepsLayersApart { batch.append((try store.prepareLayer(on: nil), top)) }
                try store.commit(batch)
                let expected = store.keepsLayersApart ? [base, middle, top] : [base, middle]
                try checking.same(Set(store.layers().values), Set(expected), "the layers")
                try checking.that((try? again.open()) == nil, "the directory of the one that was there is still there")
                try checking.same(try first.text(of: "file"), "first", "the file")
            },
            Promise("a layer on one that is not there is refused when it is to become one") { store, checking in
                let prepared = try store.prepareLayer(on: nil)
                let missing = information(9, on: nil).name
                let refused: (any Error) -> Bool = { [.notFound, .invalid].contains(($0 as? SnapshotError)?.code) }
                try await checking.throwing("the commit", refused) { try store.commit(prepared, as: information(2, on: missing)) }
                try checking.same(store.layers(), [:], "the list of layers")
                store.discard(prepared)
            },
            Promise("a writable layer is made once, listed, planned, removed, and removed again") { store, checking in
                let layer = try store.makeWritable("0123ab", on: nil)
                try checking.same(layer, WritableLayer(id: "0123ab"), "the layer")
                try await checking.throwing("making it again", Self.isCode(.exists)) { _ = try store.makeWritable("0123ab", on: nil) }
                try checking.same(store.writableLayers(), ["0123ab"], "the list")
                _ = try store.mounts(of: layer)
                try store.remove(layer)
                try store.remove(layer)
                try checking.same(store.writableLayers(), [], "the list after removal")
                try await checking.throwing("the plan of what is gone", Self.isCode(.notFound)) { _ = try store.mounts(of: layer) }
                _ = try store.makeWritable("0123ab", on: nil)
            },
            Promise("ids that are no names are refused, and leave nothing") { store, checking in
                for id in ["", ".", "..", "a/b", "../a", ".hidden", "l", String(repeating: "a", count: 300)] {
                    do {
                        _ = try store.makeWritable(id, on: nil)
                        try checking.that(false, "'\(id)' was taken")
                    } catch let error as SnapshotError {
                        try checking.that(error.code == .invalid || error.code == .storage, "'\(id)': \(error)")
                    }
                }
                try checking.same(store.writableLayers(), [], "the list")
            },
            Promise(
                "a root is its layers, the upper over the lower, and what is removed is not seen; its files are world-readable from the top"
            ) { store, checking in
                let (lower, upper) = try Self.twoLayers(store)
                let layer = try store.makeWritable("aa", on: upper.name)
                let root = try Root(store.mounts(of: layer))
                try checking.same(try root.directory.names(), ["both", "lower", "upper"], "the names in the root")
                try checking.same(try root.directory.text(of: "both"), "upper", "the file that both have")
                try checking.same(try root.directory.status("").permissions, 0o755, "the root's mode")
                _ = lower
            },
            Promise("what is written in one container is in no other, and in no layer") { store, checking in
                let (_, upper) = try Self.twoLayers(store)
                let first = try Root(store.mounts(of: try store.makeWritable("aa", on: upper.name)))
                try unsafe first.directory.replaceFile("mine", with: Array("text".utf8).span.bytes)
                try first.directory.removeFile("lower")
                let second = try Root(store.mounts(of: try store.makeWritable("bb", on: upper.name)))
                try checking.same(try second.directory.names(), ["both", "lower", "upper"], "the names in the other's root")
                let again = try Root(store.mounts(of: WritableLayer(id: "aa")))
                try checking.same(try again.directory.names(), ["both", "mine", "upper"], "the names in the first's root")
            },
        ]
    }

    /// What holds when a directory is opened again: `open` opens the same one each time.
    public static var reopening: [Promise<@Sendable () throws -> any Snapshotter>] {
        [
            Promise("layers and writable layers are there when it is opened again") { open, checking in
                let store = try open()
                let (lower, upper) = try twoLayers(store)
                let plan = try store.mounts(of: try store.makeWritable("aa", on: upper.name))
                let again = try open()
                try checking.same(again.layers(), [lower.name: lower, upper.name: upper], "the list of layers")
                try checking.same(again.writableLayers(), ["aa"], "the list of writable layers")
                try checking.same(try again.mounts(of: WritableLayer(id: "aa")), plan, "the plan")
            },
            Promise("what was prepared and not committed is gone when it is opened again") { open, checking in
                let prepared = try open().prepareLayer(on: nil)
                try prepared.put("file", "text")
                try checking.same(try open().layers(), [:], "the list of layers")
                try checking.that((try? prepared.open()) == nil, "the directory is still there")
            },
        ]
    }

    /// Two layers; the upper one removes a file of the lower one's.
    private static func twoLayers(_ store: any Snapshotter) throws -> (LayerInformation, LayerInformation) {
        let lower = information(1, on: nil)
        let prepared = try store.prepareLayer(on: nil)
        for name in ["lower", "both", "gone"] { try prepared.put(name, "lower") }
        try store.commit(prepared, as: lower)
        let upper = information(2, on: lower.name)
        let next = try store.prepareLayer(on: lower.name)
        try next.put("upper", "upper")
        try next.put("both", "upper")
        let directory = try next.open()
        switch store.whiteouts {
        case .overlay: try directory.makeNode("gone", .characterDevice(DeviceNumber(major: 0, minor: 0)), permissions: 0)
        case .removal: try directory.removeFile("gone")
        }
        try store.commit(next, as: upper)
        return (lower, upper)
    }

    private static func information(_ number: Int, on parent: LayerName?) -> LayerInformation {
        // 64 digits are a digest.
        guard let digest = try? Digest(parsing: "sha256:" + String(repeating: String(number), count: 64)) else {
            preconditionFailure("64 digits are a digest")
        }
        return LayerInformation(name: LayerName(chainID: digest), diffID: digest, parent: parent, byteCount: UInt64(number))
    }

    private static func isCode(_ code: SnapshotError.Code) -> (any Error) -> Bool { { ($0 as? SnapshotError)?.code == code } }
}

/// A root as its plan says, mounted where nobody sees it.
private struct Root: ~Copyable {
    let directory: Directory

    init(_ plan: MountPlan) throws {
        switch plan {
        case .directory(let path): directory = try Directory.open(path)
        case .overlay(let base, let lowers, let upper, let work):
            let mount = try DetachedMount.overlay(base: base, lowers: lowers, upper: upper, work: work)
            // A mount's descriptor is only a path; listing needs an open directory.
            directory = try Directory(adopting: try mount.descriptor.duplicate()).openDirectory(".")
        }
    }
}

extension Directory {
    fileprivate borrowing func names() throws -> [String] { try entries().map(\.name.description).sorted() }
    fileprivate borrowing func text(of name: PathBytes) throws -> String {
        String(decoding: try readFile(name, limit: 1 << 20), as: UTF8.self)
    }
}

extension PreparedLayer {
    fileprivate func put(_ name: String, _ text: String) throws {
        try unsafe open().replaceFile(try PathBytes(name), with: Array(text.utf8).span.bytes, permissions: 0o644)
    }
    fileprivate func text(of name: PathBytes) throws -> String { try open().text(of: name) }
}
