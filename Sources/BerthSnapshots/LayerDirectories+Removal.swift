internal import BerthLinux
internal import BerthOCI
internal import Synchronization

// How directories of layers go.
extension LayerDirectories {
    /// Removes a directory that is no layer, or is not to become one. Its document goes first: without it, what cannot be removed now is
    /// removed at the next opening; with it, the layer is whole.
    func discard(_ directory: String) {
        defer { state.withLock { _ = $0.unnamed.remove(directory) } }
        do throws(Errno) {
            if try removeDocument(of: directory) { try synchronize(directory) }
            try removeFiles(of: directory)
        } catch {}  // as above
    }

    /// Takes layers away from the top: first their documents, from when on they do not exist, then their files. The disk is waited for in between, when
    /// no removal of files is on its way to it: it would have to be waited for, too.
    func removeLayers(from top: LayerName, unless isWanted: (LayerName) -> Bool) throws(SnapshotError) -> [LayerInformation] {
        var gone: [Entry] = []
        var failure: SnapshotError?
        var next: LayerName? = top
        while let name = next, failure == nil {
            do throws(SnapshotError) {
                let entry = try removeName(name, unless: isWanted)
                if let entry { gone.append(entry) }
                next = entry?.information.parent
            } catch {
                next = nil
                if name == top || error.code != .inUse { failure = error }
            }
        }
        defer { state.withLock { state in gone.forEach { state.unnamed.remove($0.directory) } } }
        // The upper ones first: one whose document came back would lie on nothing.
        do throws(Errno) { for entry in gone { try synchronize(entry.directory) } } catch {
            throw .storage("cannot remove layer \(top.chainID)", error)
        }
        for entry in gone {
            do throws(Errno) { try removeFiles(of: entry.directory) } catch {}  // what cannot be removed now is at the next opening
        }
        if let failure { throw failure }
        return gone.map(\.information)
    }

    /// Takes a layer out of the index if nothing lies on it and nobody wants it, and its document away.
    ///
    /// - Returns: `nil` if it is still there, or was not.
    private func removeName(_ name: LayerName, unless isWanted: (LayerName) -> Bool) throws(SnapshotError) -> Entry? {
        let entry = try state.withLock { (state) throws(SnapshotError) -> Entry? in
            if let child = state.layers.values.first(where: { $0.information.parent == name }) {
                throw SnapshotError(.inUse, "layer \(name.chainID) is in use: layer \(child.information.name.chainID) lies on it")
            }
            guard !isWanted(name), let entry = state.layers.removeValue(forKey: name) else { return nil }
            state.unnamed.insert(entry.directory)
            return entry
        }
        guard let entry else { return nil }
        do throws(Errno) { _ = try removeDocument(of: entry.directory) } catch {
            state.withLock { state in
                state.layers[name] = entry
                state.unnamed.remove(entry.directory)
            }
            throw .storage("cannot remove layer \(name.chainID)", error)
        }
        return entry
    }

    /// - Returns: whether there was one.
    private func removeDocument(of directory: String) throws(Errno) -> Bool {
        do throws(Errno) {
            let own = try root.openDirectory(try PathBytes(directory))
            guard try own.contains(Self.documentName) else { return false }
            try own.removeFile(Self.documentName)
            return true
        } catch {
            if error == .ENOENT { return false }
            throw error
        }
    }

    /// After this a document that was removed does not come back after a loss of power, when files are gone.
    private func synchronize(_ directory: String) throws(Errno) {
        do throws(Errno) { try root.openDirectory(try PathBytes(directory)).synchronize() } catch {
            if error != .ENOENT { throw error }
        }
    }

    private func removeFiles(of directory: String) throws(Errno) {
        try beforeRemoval(root, directory)
        try root.removeTree(try PathBytes(directory))
    }
}
