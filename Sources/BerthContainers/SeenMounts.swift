internal import BerthLinux
internal import BerthSnapshots
internal import BerthVolumes

/// What is mounted in a container's root where it does not run, in the order of the mounts: what lies deeper comes later.
///
/// Memory is empty then, and images are not mounted. What is not there any more is not seen.
final class SeenMounts {
    let mounts: [MountedTree.Mount]
    /// Parts of volumes, resolved beneath them: a link that a container has left there leads nowhere else. Their paths lead to these descriptors.
    private let parts: [OpenPart]

    /// Finds them. Blocks.
    ///
    /// - Throws: `conflict` for a volume that is a file system of its own, which is mounted only for a container that runs: what is written would go beneath it.
    init(of document: ContainerDocument, volumes: VolumeStore) throws(ContainerError) {
        var (mounts, parts) = ([MountedTree.Mount](), [OpenPart]())
        let depth = { (path: String) in path.split(separator: "/").count }
        let sorted = document.placedMounts.enumerated().sorted {
            (depth($0.element.target), $0.offset) < (depth($1.element.target), $1.offset)
        }
        for mount in sorted.map(\.element) {
            guard var source = try Self.source(of: mount, volumes), HostFile.exists(source) else { continue }
            if let subpath = mount.subpath {
                let part: OpenPart
                do throws(Errno) { part = OpenPart(try Directory.open(source).openPath(try PathBytes(subpath), .inRoot)) } catch {
                    if error == .ENOENT { continue }
                    throw .storage("cannot look at '\(subpath)' of the volume at '\(mount.target)'", error)
                }
                parts.append(part)
                source = part.path
            }
            mounts.append(MountedTree.Mount(source: source, target: mount.target, readOnly: mount.readOnly))
        }
        (self.mounts, self.parts) = (mounts, parts)
    }

    private static func source(of mount: ContainerMount, _ volumes: VolumeStore) throws(ContainerError) -> String? {
        switch mount.kind {
        case .tmpfs, .image: return nil
        case .bind: return mount.source
        case .volume:
            guard let name = mount.volume, let source = try? volumes.source(of: name) else { return nil }  // its next start makes it
            switch source {
            case .directory(let path), .bind(let path, _): return path
            case .fileSystem(let type, _, _):
                throw ContainerError(
                    .conflict,
                    "volume \(name) at \(mount.target) is a file system of its own (\(type)), which is mounted while the container runs: start it, then copy"
                )
            }
        }
    }
}

/// A descriptor, and the path that leads to it in this process.
private final class OpenPart {
    private let descriptor: OwnedDescriptor
    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
    var path: String { descriptor.withRawDescriptor { "/proc/self/fd/\($0)" } }
}
