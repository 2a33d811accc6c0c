internal import BerthLayers
internal import BerthLinux
internal import BerthReactor
internal import BerthSnapshots

/// How much space a container takes.
public struct ContainerUsage: Hashable, Sendable {
    /// How many bytes the files have that it has added or changed.
    public var changedByteCount: UInt64
    /// How many bytes the files of its root have: those, and its image's.
    public var rootByteCount: UInt64
    /// How many bytes its log has; `nil` if it keeps none.
    public var logByteCount: UInt64?
}

extension Container {
    /// Counts what it takes on the disk.
    ///
    /// It may change meanwhile; then what is counted is the old or the new.
    /// - Throws: `notFound`, `storage`, `busy`.
    public func usage() async throws(ContainerError) -> ContainerUsage { try await store.usage(of: store.object(id)) }
}

extension ContainerStore {
    /// Counts what each of these containers takes. One that is gone meanwhile is not among them.
    ///
    /// - Throws: `storage`, `busy`.
    public func usage(of containers: [ContainerOverview]) async throws(ContainerError) -> [String: ContainerUsage] {
        var found: [String: ContainerUsage] = [:]
        for container in containers {
            do throws(ContainerError) { found[container.id] = try await usage(of: object(container.id)) } catch {
                // Removed while it was counted, or just being removed.
                guard error.code == .notFound || error.code == .conflict else { throw error }
            }
        }
        return found
    }

    func usage(of object: ContainerObject) async throws(ContainerError) -> ContainerUsage {
        try await whileThere(object) { () async throws(ContainerError) in try await countUsage(of: object) }
    }

    private func countUsage(of object: ContainerObject) async throws(ContainerError) -> ContainerUsage {
        let (layers, snapshots) = (services.layers, services.snapshots)
        let document = object.document
        let log = document.configuration.keepsLogFile ? "\(services.root)/containers/\(object.id)" : nil
        return try await object.lane.run { () throws(ContainerError) in
            let changed: UInt64
            do throws(LayerError) {
                changed = try layers.changedByteCount(
                    of: document.layer(of: object.id), on: document.topLayer, leavingOut: Self.mountPoints)
            } catch { throw ContainerError(error) }
            let known = snapshots.layers()
            var (image, next) = (UInt64(0), document.topLayer)
            while let layer = next.flatMap({ known[$0] }) { (image, next) = (image + layer.byteCount, layer.parent) }
            return ContainerUsage(
                changedByteCount: changed, rootByteCount: changed + image,
                logByteCount: try log.map { directory throws(ContainerError) in
                    try Self.byteCount(ofLog: "\(object.id)-json.log", in: directory)
                })
        }
    }

    /// The size of a log; none is none yet.
    private static func byteCount(ofLog name: String, in directory: String) throws(ContainerError) -> UInt64 {
        do throws(Errno) { return try LogParts.byteCount(try PathBytes(name), in: try Directory.open(directory)) } catch {
            guard error != .ENOENT else { return 0 }
            throw storage("cannot look at the log '\(directory)/\(name)'", error)
        }
    }
}
