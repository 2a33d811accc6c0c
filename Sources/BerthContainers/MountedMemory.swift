internal import BerthLinux
internal import BerthReactor
internal import BerthRuntime
internal import BerthVolumes
internal import Synchronization

/// Where a volume that is memory is mounted: a container that runs keeps it, and each that comes while it does sees the same. When the last of them has
/// ended nothing is left of it, as with Docker.
struct MountedMemory: Sendable {
    /// The container's that has it, held; `nil` for the very container that it is for, which has it at another place as well.
    var namespace: HeldNamespace?
    /// Where it is there, without links.
    var place: String
}

extension VolumeSource {
    /// Whether each mount of it would be another one.
    var isMemory: Bool {
        guard case .fileSystem(let type, _, _) = self else { return false }
        return ["tmpfs", "ramfs"].contains(type)
    }
}

/// Volumes that are memory, while a container that has them is being started: who comes second finds the memory of the first.
final class MemoryClaims: Sendable {
    private let held = Mutex<[String: Promise<Void>]>([:])

    /// Waits until nobody holds any of them, and holds all.
    ///
    /// - Throws: `cancelled`.
    func hold(_ names: Set<String>) async throws(ContainerError) {
        while true {
            let other = held.withLock { held in
                let other = names.first { held[$0] != nil }.flatMap { held[$0] }
                if other == nil {
                    let released = Promise<Void>()
                    for name in names { held[name] = released }
                }
                return other
            }
            guard let other else { return }
            guard await other.value() != nil else { throw .cancelled }
        }
    }

    /// Lets others have them.
    func release(_ names: Set<String>) {
        let released = held.withLock { held in names.compactMap { held.removeValue(forKey: $0) } }
        for promise in released { promise.fulfil(()) }
    }
}

extension ContainerStore {
    /// The volumes of a container that are memory.
    func memories(of document: ContainerDocument) -> Set<String> {
        document.volumeNames.filter { (try? services.volumes.source(of: $0))?.isMemory == true }  // one that is not there fails the start
    }

    /// Where a container finds the memory of one of its mounts; `nil` where it is to be made.
    func mountedMemory(
        of mount: ContainerMount, among mounts: [ContainerMount], _ source: VolumeSource?, _ object: ContainerObject
    ) async throws(ContainerError) -> MountedMemory? {
        guard source?.isMemory == true, let name = mount.volume else { return nil }
        for id in services.volumes.users(of: name) where id != object.id {
            guard let other = index.withLock({ $0.containers[id] }), let process = other.state.withLock({ $0.process }),
                let place = other.document.placedMounts.first(where: { $0.volume == name && ($0.subpath ?? "").isEmpty })?.target
            else { continue }
            if let found = try await object.lane.run({ () throws(ContainerError) in try Self.memory(at: place, of: process) }) {
                return found
            }
        }
        guard let first = mounts.first(where: { $0.volume == name }), first.target != mount.target else { return nil }
        guard (first.subpath ?? "").isEmpty else {
            throw ContainerError(
                .unsupported,
                "volume \(name) is memory, of which only a part would be at \(first.target): it cannot be at \(mount.target) as well")
        }
        return MountedMemory(namespace: nil, place: first.target)
    }

    /// - Returns: `nil` if the container has just ended.
    private static func memory(at place: String, of process: RuntimeContainer) throws(ContainerError) -> MountedMemory? {
        let namespace: HeldNamespace
        let root: Directory
        do throws(RuntimeError) {
            namespace = try process.hold("mnt")
            root = try process.openRoot()
        } catch {
            if error.code == .notRunning { return nil }
            throw ContainerError(error)
        }
        do throws(Errno) {
            // Whoever mounts it follows no link, in case one is made meanwhile.
            let names = try CopyPath.followed(try PathBytes(place).components, in: root)
            return MountedMemory(namespace: namespace, place: CopyPath.text(names))
        } catch { throw .storage("cannot look for '\(place)' of a container that has the same volume", error) }
    }
}
