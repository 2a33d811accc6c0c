internal import Berth
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
        (asksForVolumes, asksForBuildCache) = (asked.contains(.volume), asked.contains(.buildCache))
    }
}
