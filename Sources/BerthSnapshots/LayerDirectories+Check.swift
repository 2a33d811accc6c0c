internal import BerthLinux
internal import BerthOCI

// What `overlay2` and `vfs` have in common when a store is checked and mended.
extension LayerDirectories {
    /// What is wrong with a layer's directory and its document.
    ///
    /// - Parameter more: what else is to be looked at.
    func faults(
        of name: LayerName, files: PathBytes, _ more: (_ own: borrowing Directory, _ entry: Entry) throws(Errno) -> [String]
    ) throws(SnapshotError) -> [String] {
        let entry = try entry(of: name)
        do throws(Errno) {
            guard try isDirectory(try PathBytes(entry.directory), in: root) else {
                return ["its directory '\(entry.directory)' is missing"]
            }
            let own = try root.openDirectory(try PathBytes(entry.directory))
            var faults = try readDocument(in: own) == entry.information ? [] : ["its document layer.json is damaged, or missing"]
            if try !isDirectory(files, in: own) { faults.append("its files are missing") }
            return try faults + more(own, entry)
        } catch { throw .storage("cannot look at layer \(name.chainID)", error) }
    }

    func isDirectory(_ name: PathBytes, in directory: borrowing Directory) throws(Errno) -> Bool {
        guard try directory.contains(name) else { return false }
        return try directory.status(name).kind == .directory
    }

    /// Mends what lies beside a layer's files, its document last: without that the next opening would take the layer for one that was never finished.
    func mend(_ name: LayerName, files: PathBytes, _ more: (_ own: borrowing Directory, _ entry: Entry) throws(Errno) -> Void)
        throws(SnapshotError)
    {
        let entry = try entry(of: name)
        do throws(Errno) {
            guard try isDirectory(try PathBytes(entry.directory), in: root) else { return }
            let own = try root.openDirectory(try PathBytes(entry.directory))
            try more(own, entry)
            if try isDirectory(files, in: own), try readDocument(in: own) != entry.information {
                try writeDocument(of: entry.information, in: own)
                try root.synchronize()
            }
        } catch { throw .storage("cannot mend layer \(name.chainID)", error) }
    }

    /// Puts the files of a prepared directory in the place of a layer's: a rename, which is whole or has not been.
    ///
    /// - Parameter complete: what is still to be done to the prepared directory.
    func replaceFiles(
        of name: LayerName, with prepared: PreparedLayer, files: PathBytes,
        complete: (_ own: borrowing Directory, _ entry: Entry) throws(Errno) -> Void
    ) throws(SnapshotError) {
        let entry = try entry(of: name)
        do throws(Errno) {
            let fresh = try root.openDirectory(try PathBytes(prepared.id))
            try complete(fresh, entry)
            try root.synchronizeFileSystem()
            let directory = try PathBytes(entry.directory)
            if try !isDirectory(directory, in: root) { try root.makeDirectory(directory, permissions: 0o710) }
            let own = try root.openDirectory(directory)
            try fresh.rename(files, to: files, in: own, replacing: try own.contains(files) ? .exchanging : .nothing)
            for changed in [prepared.id, entry.directory] { try root.openDirectory(try PathBytes(changed)).synchronize() }
            try root.synchronize()
        } catch {
            throw error == .ENOENT
                ? SnapshotError(.notFound, "there is no prepared layer '\(prepared.id)'", underlying: error)
                : .storage("cannot replace the files of layer \(name.chainID)", error)
        }
    }

    func removeUnclaimed() throws(Errno) { for name in try unclaimed() { discard(name.description) } }
}
