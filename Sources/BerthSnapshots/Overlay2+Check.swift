public import BerthLinux
internal import BerthOCI

extension Overlay2 {
    /// What is wrong with a layer's directory, its document, its short name, and the short names that it has of those below.
    public func faults(of name: LayerName) throws(SnapshotError) -> [String] {
        try directories.faults(of: name, files: "diff") { (own, entry) throws(Errno) in
            try linkFaults(of: entry.directory, in: own, lowers: try lowers(below: entry.information.parent))
        }
    }

    /// What is wrong with the directory of a container's layer, its short name, and the short names that it has of those below.
    public func faults(of layer: WritableLayer, on parent: LayerName?) throws(SnapshotError) -> [String] {
        try directories.requireWritable(layer.id)
        do throws(Errno) {
            guard try directories.isDirectory(try PathBytes(layer.id), in: directories.root) else { return ["its directory is missing"] }
            let own = try directories.root.openDirectory(try PathBytes(layer.id))
            var faults: [String] = []
            for name in ["diff", "work"] where try !directories.isDirectory(try PathBytes(name), in: own) {
                faults.append("its directory '\(name)' is missing")
            }
            return try faults + linkFaults(of: layer.id, in: own, lowers: try lowers(of: layer, on: parent))
        } catch { throw .storage("cannot look at the writable layer '\(layer.id)'", error) }
    }

    /// Writes anew, whole, what is wrong beside a layer's files.
    public func mend(_ name: LayerName) throws(SnapshotError) {
        try directories.mend(name, files: "diff") { (own, entry) throws(Errno) in
            try mendLinks(of: entry.directory, in: own, lowers: try lowers(below: entry.information.parent))
        }
    }

    /// Writes anew, whole, what is wrong beside a container's files.
    public func mend(_ layer: WritableLayer, on parent: LayerName?) throws(SnapshotError) {
        try directories.requireWritable(layer.id)
        do throws(Errno) {
            guard try directories.isDirectory(try PathBytes(layer.id), in: directories.root) else { return }
            let own = try directories.root.openDirectory(try PathBytes(layer.id))
            // It is empty whenever nothing is mounted.
            if try !own.contains("work") { try own.makeDirectory("work", permissions: 0o700) }
            if parent == nil, try !own.contains("empty") { try own.makeDirectory("empty", permissions: 0o755) }
            try mendLinks(of: layer.id, in: own, lowers: try lowers(of: layer, on: parent))
        } catch { throw .storage("cannot mend the writable layer '\(layer.id)'", error) }
    }

    /// The uppermost directory of that path in the layers below.
    public func directory(below name: LayerName, at path: [PathBytes]) throws(SnapshotError) -> Directory? {
        let parent = try directories.entry(of: name).information.parent
        do throws(Errno) { return try directories.directory(at: path, inOneOf: try lowers(below: parent)) } catch {
            throw .storage("cannot look below layer \(name.chainID)", error)
        }
    }

    /// Makes prepared files a layer's.
    public func replaceFiles(of name: LayerName, with prepared: PreparedLayer) throws(SnapshotError) {
        try directories.replaceFiles(of: name, with: prepared, files: "diff") { (own, entry) throws(Errno) in
            try directories.copyAttributes(
                ofImplied: prepared.impliedDirectories, in: try own.openDirectory("diff"),
                from: try lowers(below: entry.information.parent))
        }
    }

    /// Directories that are no layers, and short names that lead nowhere.
    public func leftovers() throws(SnapshotError) -> [String] {
        do throws(Errno) { return (try directories.unclaimed().map(\.description) + deadLinks().map { "l/\($0)" }).sorted() } catch {
            throw .storage("cannot list what is left of layers", error)
        }
    }

    /// Removes them.
    public func removeLeftovers() throws(SnapshotError) {
        do throws(Errno) {
            try directories.removeUnclaimed()
            let links = try directories.root.openDirectory("l")
            for name in try deadLinks() { try links.removeFile(name) }
        } catch { throw .storage("cannot remove what is left of layers", error) }
    }

    // MARK: Short names

    /// The short names of a layer and those below it, the uppermost first. One whose directory has none is left out: that is that layer's fault.
    private func lowers(below top: LayerName?) throws(Errno) -> [String] {
        var lowers: [String] = []
        var next = top
        while let name = next, lowers.count < 500 {
            // A layer that is not there has no short name.
            guard let entry = try? directories.entry(of: name) else { break }
            if let link = try link(in: entry.directory) { lowers.append("l/\(link)") }
            next = entry.information.parent
        }
        return lowers
    }

    private func lowers(of layer: WritableLayer, on parent: LayerName?) throws(Errno) -> [String] {
        parent == nil ? ["\(layer.id)/empty"] : try lowers(below: parent)
    }

    private func link(in directory: String) throws(Errno) -> PathBytes? {
        do throws(Errno) {
            let link = try PathBytes(try directories.root.openDirectory(try PathBytes(directory)).readFile("link", limit: 100))
            return link.isName ? link : nil
        } catch {
            if error == .ENOENT || error == .EFBIG || error == .EINVAL { return nil }
            throw error
        }
    }

    private func linkFaults(of id: String, in own: borrowing Directory, lowers: [String]) throws(Errno) -> [String] {
        var faults: [String] = []
        if try !leads(try link(in: id), to: id) { faults.append("its short name is damaged, or leads elsewhere") }
        if try !lists(own, lowers) { faults.append("the list of the layers that it lies on is damaged") }
        return faults
    }

    private func lists(_ own: borrowing Directory, _ lowers: [String]) throws(Errno) -> Bool {
        do throws(Errno) { return try Self.lowerNames(in: own) == lowers } catch {
            if [.ENOENT, .EFBIG, .EINVAL, .ELOOP].contains(error) { return false }
            throw error
        }
    }

    private func leads(_ link: PathBytes?, to id: String) throws(Errno) -> Bool {
        let links = try directories.root.openDirectory("l")
        guard let link, try links.contains(link) else { return false }
        guard try links.status(link).kind == .symbolicLink else { return false }
        return try links.readLink(link) == PathBytes("../\(id)/diff")
    }

    private func mendLinks(of id: String, in own: borrowing Directory, lowers: [String]) throws(Errno) {
        let links = try directories.root.openDirectory("l")
        if let link = try link(in: id) {
            if try !leads(link, to: id) {
                try links.removeTree(link)
                try links.makeSymbolicLink(link, to: try PathBytes("../\(id)/diff"))
                try links.synchronize()
            }
        } else {
            let link = Self.newLink()
            try links.makeSymbolicLink(try PathBytes(link), to: try PathBytes("../\(id)/diff"))
            try links.synchronize()
            if try directories.isDirectory("link", in: own) { try own.removeTree("link") }
            try unsafe own.replaceFile("link", with: link.utf8Span.span.bytes)
        }
        let text = lowers.joined(separator: ":")
        if try lists(own, lowers) { return }
        if try directories.isDirectory("lower", in: own) { try own.removeTree("lower") }
        try unsafe own.replaceFile("lower", with: text.utf8Span.span.bytes)
    }

    /// Short names of directories that are not there. That of one which is being made is never without its directory.
    private func deadLinks() throws(Errno) -> [PathBytes] {
        let links = try directories.root.openDirectory("l")
        var dead: [PathBytes] = []
        for entry in try links.entries() {
            let parts = try links.status(entry.name).kind == .symbolicLink ? try links.readLink(entry.name).components : []
            guard parts.count == 3, parts[0].description == "..", parts[1].isName else {
                dead.append(entry.name)
                continue
            }
            if try !directories.root.contains(parts[1]) { dead.append(entry.name) }
        }
        return dead
    }
}
