internal import Berth
internal import BerthAPI
internal import DockerAPI

extension DataUsage {
    /// What of an engine's usage is asked for.
    init(_ asked: Set<Kind>, _ usage: EngineUsage, now: Timestamp, for version: APIVersion) {
        self.init()
        if asked.contains(.image) {
            layersByteCount = usage.images.layersByteCount
            images = usage.images.images.map { entry in
                var summary = ImageSummary(entry.image, sharedByteCount: entry.sharedByteCount, for: version)
                summary.containerCount = usage.containers.count { $0.container.imageID == entry.image.id }
                return summary
            }
        }
        if asked.contains(.container) {
            containers = usage.containers.map { ContainerSummary($0.container, now: now, usage: $0.usage) }
        }
        if asked.contains(.volume) {
            volumes = usage.volumes.map { entry in
                VolumeResource(
                    entry.volume,
                    usage: .init(containerCount: Int64(entry.containerIDs.count), byteCount: Int64(clamping: entry.byteCount)))
            }
        }
        asksForBuildCache = asked.contains(.buildCache)
    }
}

extension UsageAccount {
    /// What of an engine's usage Docker does not tell.
    init(_ usage: EngineUsage) {
        self.init()
        images = usage.images.images.map { entry in
            ImageBlobs(
                id: entry.image.id.description, names: entry.image.references.map(\.familiar),
                containerCount: usage.containers.count { $0.container.imageID == entry.image.id }, byteCount: entry.blobByteCount)
        }
        (blobCount, blobsByteCount) = (usage.images.blobCount, usage.images.blobsByteCount)
        logs = usage.containers.compactMap { entry in
            entry.usage.logByteCount.map {
                ContainerLog(
                    id: entry.container.id, name: entry.container.name, state: entry.container.status.rawValue, byteCount: $0)
            }
        }
        (loose, partial) = (usage.images.loose.map { LooseContent($0) }, usage.images.partial.map { LooseContent($0) })
    }
}

extension LooseContent {
    fileprivate init(_ content: ImageUsage.Loose) {
        let keeper =
            switch content.keeper {
            case .work: "work"
            case .unreadable: "unreadable"
            case .nothing: "nothing"
            }
        self.init(name: content.name, byteCount: content.byteCount, keeper: keeper)
    }
}
