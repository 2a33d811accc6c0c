internal import BerthLinux

extension LayerDirectories {
    /// Makes directories that a layer has only because something lies in them what they are below: in an overlay, the uppermost directory hides what those
    /// below say of it.
    ///
    /// - Parameters:
    ///   - implied: the directories, by the names on the way to them.
    ///   - files: the layer's.
    ///   - lowers: the short names of the layers below, the uppermost first.
    func copyAttributes(ofImplied implied: Set<[PathBytes]>, in files: borrowing Directory, from lowers: [String]) throws(Errno) {
        for path in implied {
            var isHidden = false
            // It may have been replaced by a later entry.
            guard let own = try Self.directory(at: path, in: files, &isHidden) else { continue }
            if !isHidden, let below = try directory(at: path, inOneOf: lowers) { try TreeCopy.copyAttributes(from: below, to: own) }
        }
    }

    /// The directory of a path that is seen where layers lie on each other; `nil` if there is none.
    func directory(at path: [PathBytes], inOneOf layers: [String]) throws(Errno) -> Directory? {
        var isHidden = false
        for lower in layers where !isHidden {
            let layer = try root.openDirectory(try PathBytes(lower), .beneath)
            if let found = try Self.directory(at: path, in: layer, &isHidden) { return found }
        }
        return nil
    }

    /// Opens a directory of a layer's own files.
    ///
    /// - Parameter hides: becomes true where nothing is seen there of the layers below this one.
    /// - Returns: `nil` if the layer has no directory there.
    static func directory(
        at path: [PathBytes], in layer: borrowing Directory, _ hides: inout Bool
    ) throws(Errno) -> Directory? {
        var current = try layer.duplicate()
        for name in path {
            guard try current.contains(name) else { return nil }
            guard try current.status(name).kind == .directory else {
                hides = true
                return nil
            }
            current = try current.openDirectory(name)
            if try current.extendedAttribute("trusted.overlay.opaque", of: "") == [UInt8(ascii: "y")] { hides = true }
        }
        return current
    }
}
