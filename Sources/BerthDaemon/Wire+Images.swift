internal import Berth
internal import DockerAPI

extension ImageSummary {
    /// An image in a list.
    init(_ image: ImageRecord, sharedByteCount: UInt64? = nil, for version: APIVersion) {
        self.init()
        (self.sharedByteCount, tellsVirtualSize) = (sharedByteCount, version.tellsVirtualSize)
        (id, parent) = (image.id.description, image.parent?.description ?? "")
        (tags, digests) = (image.references.tags, image.digests.map(\.familiar))
        if version.tellsDescriptors { descriptor = image.index ?? image.manifest }
        (createdAt, byteCount, labels) = (image.createdAt.seconds, image.byteCount, image.configuration.execution.labels)
    }
}

extension ImageInspect {
    /// All that is known of an image.
    init(_ image: ImageRecord, snapshotter: String) {
        self.init()
        let configuration = image.configuration
        (id, parent) = (image.id.description, image.parent?.description ?? "")
        (tags, digests, comment) = (image.references.tags, image.digests.map(\.familiar), image.comment)
        created = configuration.created?.rfc3339
        author = configuration.author ?? ""
        config = ImageConfig(configuration.execution)
        (architecture, variant, os) = (configuration.platform.architecture, configuration.platform.variant, configuration.platform.os)
        (byteCount, driver) = (image.byteCount, snapshotter)
        diffIDs = configuration.diffIDs.map(\.description)
        descriptor = image.index ?? image.manifest
    }
}

extension ImageManifestSummary {
    /// A manifest.
    ///
    /// - Parameter containers: the ids of those that are made of an image.
    init(_ manifest: ImageManifest, _ containers: (BerthOCI.Digest) -> [String]) {
        let kind: Kind =
            switch manifest.kind {
            case .image(let image, let platform, let byteCount):
                .image(platform, containers: image.map(containers) ?? [], unpackedByteCount: byteCount)
            case .attestation(let digest): .attestation(of: digest.description)
            case .unknown: .unknown
            }
        self.init(manifest.descriptor, kind, isAvailable: manifest.isWhole, byteCount: manifest.byteCount)
    }
}

extension ImageHistoryItem {
    /// A step of an image's making.
    init(_ step: ImageStep) {
        self.init()
        (id, byteCount, tags) = (step.image?.description, step.byteCount, step.references.tags)
        (createdAt, createdBy, comment) = (step.entry.created?.seconds ?? 0, step.entry.createdBy ?? "", step.entry.comment ?? "")
    }
}

extension ImageConfig {
    fileprivate init(_ execution: ImageConfiguration.Execution) {
        self.init()
        user = execution.user ?? ""
        (exposedPorts, environment, command, volumes) = (
            execution.exposedPorts, execution.environment, execution.command, execution.volumes
        )
        (workingDirectory, entrypoint, onBuild) = (execution.workingDirectory ?? "", execution.entrypoint, execution.onBuild)
        (labels, stopSignal, shell) = (execution.labels, execution.stopSignal, execution.shell)
    }
}

extension [ImageReference] {
    fileprivate var tags: [String] { filter { $0.tag != nil && $0.digest == nil }.map(\.familiar) }
}
