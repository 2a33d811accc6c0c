internal import BerthLinux
internal import BerthOCI
internal import BerthTar

/// In what two images differ, at one path.
public struct TreeDifference: Hashable, Sendable {
    /// What happened to it, seen from the first image.
    public enum Kind: String, Hashable, Sendable {
        /// Only the second has it.
        case added = "A"
        /// Both have it, and they differ.
        case changed = "C"
        /// Only the first has it.
        case removed = "D"
    }
    /// What happened to it.
    public let kind: Kind
    /// Where: absolute, any bytes but NUL.
    public let path: [UInt8]
    /// How many bytes the first image's file has; `nil` where it has no such file.
    public let byteCountBefore: UInt64?
    /// How many bytes the second image's file has; `nil` where it has no such file.
    public let byteCountAfter: UInt64?
    /// The layer that has it, counted from the lowest: of the second image, or of the first where the second has it no more.
    public let layer: Int
}

extension LayeredTree {
    /// In what another tree differs from this one, in the order of the paths. Of a directory that only one has, all that is in it is told as well.
    ///
    /// Compared are kinds, owners, permissions, modification times, attributes, targets of links, devices, sizes, and the contents where both trees were
    /// made with them.
    public func differences(to other: LayeredTree) -> [TreeDifference] {
        var found: [TreeDifference] = []
        Self.compare(root, other.root, at: [], &found)
        return found
    }

    private static func compare(_ before: Folder, _ after: Folder, at path: [UInt8], _ found: inout [TreeDifference]) {
        let names = Set(before.children.keys).union(after.children.keys).sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        for name in names {
            let below = path + [UInt8(ascii: "/")] + name.bytes
            switch (before.children[name], after.children[name]) {
            case (nil, let node?): tell(.added, node, at: below, &found)
            case (let node?, nil): tell(.removed, node, at: below, &found)
            case (.folder(let old)?, .folder(let new)?):
                if !isSame(old.entry, new.entry, ignoringSize: true) {
                    found.append(TreeDifference(kind: .changed, path: below, byteCountBefore: nil, byteCountAfter: nil, layer: new.layer))
                }
                compare(old, new, at: below, &found)
            case (.file(let old)?, .file(let new)?):
                guard !isSame(old.entry, new.entry, ignoringSize: false) || old.contents != new.contents else { continue }
                found.append(
                    TreeDifference(
                        kind: .changed, path: below, byteCountBefore: old.entry.unpackedByteCount,
                        byteCountAfter: new.entry.unpackedByteCount,
                        layer: new.layer))
            case (let old?, let new?):
                tell(.removed, old, at: below, &found)
                tell(.added, new, at: below, &found)
            case (nil, nil): break
            }
        }
    }

    private static func isSame(_ one: TarEntry?, _ other: TarEntry?, ignoringSize: Bool) -> Bool {
        guard var one, var other else { return (one == nil) == (other == nil) }
        // Where the holes lie is seen with the contents.
        (one.regions, other.regions) = (nil, nil)
        if ignoringSize { (one.byteCount, other.byteCount) = (0, 0) }
        return one == other
    }

    private static func tell(_ kind: TreeDifference.Kind, _ node: Node, at path: [UInt8], _ found: inout [TreeDifference]) {
        switch node {
        case .file(let file):
            let count = file.entry.unpackedByteCount
            found.append(
                TreeDifference(
                    kind: kind, path: path, byteCountBefore: kind == .removed ? count : nil, byteCountAfter: kind == .added ? count : nil,
                    layer: file.layer))
        case .folder(let folder):
            found.append(TreeDifference(kind: kind, path: path, byteCountBefore: nil, byteCountAfter: nil, layer: folder.layer))
            for (name, child) in folder.children.sorted(by: { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }) {
                tell(kind, child, at: path + [UInt8(ascii: "/")] + name.bytes, &found)
            }
        }
    }
}
