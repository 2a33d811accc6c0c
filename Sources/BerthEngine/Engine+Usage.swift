public import BerthContainers
public import BerthImages
internal import BerthOCI
public import BerthVolumes

/// How much space an engine takes, and what keeps it taken: `berth system df`.
public struct EngineUsage: Sendable, Hashable {
    /// One container's part.
    public struct Container: Sendable, Hashable {
        /// The container.
        public var container: ContainerOverview
        /// What it takes.
        public var usage: ContainerUsage
    }
    /// One volume's part.
    public struct Volume: Sendable, Hashable {
        /// The volume.
        public var volume: BerthVolumes.Volume
        /// The containers that have it.
        public var containerIDs: [String]
        /// How many bytes its files have.
        public var byteCount: UInt64
    }
    /// The images, their layers and their blobs.
    public var images: ImageUsage
    /// The containers, the newest first.
    public var containers: [Container]
    /// The volumes, by name, but for those with options: their files are elsewhere.
    public var volumes: [Volume]
}

extension Engine {
    /// Counts what everything takes on the disk. What comes and goes meanwhile may be in it or not.
    ///
    /// - Throws: `storage`.
    public func usage() async throws(EngineError) -> EngineUsage {
        let images: ImageUsage
        do throws(ImageError) { images = try await self.images.usage() } catch {
            throw EngineError(.storage, error.description, underlying: error.underlying)
        }
        return EngineUsage(images: images, containers: try await containerUsage(), volumes: try await volumeUsage())
    }

    private func volumeUsage() async throws(EngineError) -> [EngineUsage.Volume] {
        var found: [EngineUsage.Volume] = []
        for volume in volumes.all() where !volume.hasOptions {
            do throws(VolumeError) {
                let byteCount = try await volumes.byteCount(of: volume.name)
                found.append(.init(volume: volume, containerIDs: volumes.users(of: volume.name), byteCount: byteCount))
            } catch {
                // Removed meanwhile.
                guard error.code == .notFound else { throw EngineError(.storage, error.description, underlying: error.underlying) }
            }
        }
        return found
    }

    private func containerUsage() async throws(EngineError) -> [EngineUsage.Container] {
        do throws(ContainerError) {
            let all = try containers.list(ContainerQuery(includesAll: true))
            let usages = try await containers.usage(of: all)
            return all.compactMap { container in usages[container.id].map { EngineUsage.Container(container: container, usage: $0) } }
        } catch { throw EngineError(.storage, error.description, underlying: error.underlying) }
    }
}
