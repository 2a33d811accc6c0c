/// How much space everything takes (`GET /system/df`).
public struct DataUsage: Sendable, Hashable {
    /// What can be asked for.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Containers' own layers.
        case container
        /// Images.
        case image
        /// Volumes.
        case volume
        /// What builds keep.
        case buildCache = "build-cache"
    }

    /// How many bytes the files of all layers have, each layer once; `nil` where images were not asked for, as the others.
    public var layersByteCount: UInt64?
    /// Images, with what they share.
    public var images: [ImageSummary]?
    /// Containers, with their sizes.
    public var containers: [ContainerSummary]?
    /// Volumes, with their sizes.
    public var volumes: [VolumeResource]?
    /// Whether the build cache was asked for: there is none.
    public var asksForBuildCache = false

    /// Nothing asked for.
    public init() {}

    /// Writes it as a version of the API has it.
    public func json(for version: APIVersion) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("LayersSize", layersByteCount ?? 0)
            if let images { writer.member("Images", list: images) } else { writer.nullMember("Images") }
            if let containers { writer.member("Containers", list: containers) } else { writer.nullMember("Containers") }
            if let volumes { writer.member("Volumes", list: volumes) } else { writer.nullMember("Volumes") }
            if version < APIVersion(1, 42) { writer.member("BuilderSize", 0) }
            writer.member("BuildCache", asksForBuildCache ? [String]() : nil)
        }
        return writer.bytes
    }
}
