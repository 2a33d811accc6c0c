public import BerthOCI

/// An image in a list (`GET /images/json`).
public struct ImageSummary: JSONWritable, Hashable {
    /// The digest of its configuration.
    public var id = ""
    /// The image whose container it was made of; empty if there is none.
    public var parent = ""
    /// Its names with tags.
    public var tags: [String] = []
    /// Its names with its manifest's digest.
    public var digests: [String] = []
    /// When it was made, in seconds since 1970.
    public var createdAt: Int64 = 0
    /// How many bytes its files have.
    public var byteCount: UInt64 = 0
    /// Whether the bytes are told a second time, as the API does before 1.44.
    public var tellsVirtualSize = false
    /// How many of them other images have as well; `nil` is not counted.
    public var sharedByteCount: UInt64?
    /// Names and values.
    public var labels: [String: String] = [:]
    /// How many containers are made of it; -1 is not counted.
    public var containerCount = -1
    /// What names it, or the index that means it; `nil` is not told, as before 1.48.
    public var descriptor: Descriptor?
    /// The manifests that it has, or that index; `nil` is not asked for.
    public var manifests: [ImageManifestSummary]?

    /// Nothing known.
    public init() {}

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Containers", containerCount)
            writer.member("Created", createdAt)
            if let descriptor { writer.member("Descriptor", DescriptorMember(descriptor)) }
            writer.member("Id", id)
            writer.member("Labels", labels.isEmpty ? nil : labels)
            if let manifests { writer.member("Manifests", list: manifests) }
            writer.member("ParentId", parent)
            writer.member("RepoDigests", digests)
            writer.member("RepoTags", tags)
            if let sharedByteCount { writer.member("SharedSize", sharedByteCount) } else { writer.member("SharedSize", -1) }
            writer.member("Size", byteCount)
            if tellsVirtualSize { writer.member("VirtualSize", byteCount) }
        }
    }
}

/// What an image says of how it is run (`ImageConfig`).
public struct ImageConfig: Sendable, Hashable {
    /// `user`, `user:group`.
    public var user = ""
    /// `80/tcp` and the like.
    public var exposedPorts: [String] = []
    /// `NAME=value`.
    public var environment: [String] = []
    /// The command, or the entry point's arguments.
    public var command: [String]?
    /// Paths.
    public var volumes: [String] = []
    /// The directory in which it starts.
    public var workingDirectory = ""
    /// What stands before the command.
    public var entrypoint: [String]?
    /// What builds on it do.
    public var onBuild: [String] = []
    /// Names and values.
    public var labels: [String: String] = [:]
    /// What a stop sends.
    public var stopSignal: String?
    /// The shell of a build.
    public var shell: [String]?

    /// Nothing said.
    public init() {}

    /// Writes it.
    ///
    /// - Parameter version: before 1.50, the members of a container's configuration come along, empty.
    public func write(to writer: inout JSONWriter, for version: APIVersion) {
        writer.object { writer in
            if version < APIVersion(1, 50) {
                for name in ["Hostname", "Domainname"] { writer.member(name, "") }
                for name in ["AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"] { writer.member(name, false) }
                writer.member("Image", "")
            }
            writer.member("User", user)
            if !exposedPorts.isEmpty { writer.member("ExposedPorts", set: exposedPorts) }
            writer.member("Env", environment)
            writer.member("Cmd", command)
            writer.member("Volumes", set: volumes.isEmpty ? nil : volumes)
            writer.member("WorkingDir", workingDirectory)
            writer.member("Entrypoint", entrypoint)
            writer.member("OnBuild", onBuild.isEmpty ? nil : onBuild)
            writer.member("Labels", labels.isEmpty ? nil : labels)
            if let stopSignal { writer.member("StopSignal", stopSignal) }
            if let shell { writer.member("Shell", shell) }
        }
    }
}

/// All that is known of an image (`GET /images/{name}/json`).
public struct ImageInspect: Sendable, Hashable {
    /// The digest of its configuration.
    public var id = ""
    /// The image whose container it was made of; empty if there is none.
    public var parent = ""
    /// Its names with tags.
    public var tags: [String] = []
    /// Its names with its manifest's digest.
    public var digests: [String] = []
    /// What it came by.
    public var comment = ""
    /// When it was made, as RFC 3339 text; `nil` if it does not say.
    public var created: String?
    /// Who made it.
    public var author = ""
    /// How it is run.
    public var config = ImageConfig()
    /// The processor.
    public var architecture = ""
    /// The processor's variant.
    public var variant: String?
    /// The system.
    public var os = ""
    /// How many bytes its files have.
    public var byteCount: UInt64 = 0
    /// Which snapshotter keeps its layers.
    public var driver = ""
    /// Facts of the snapshotter's about its uppermost layer.
    public var driverData: [String: String] = [:]
    /// The digests of its layers' tars.
    public var diffIDs: [String] = []
    /// When it was last given a name, as RFC 3339 text.
    public var lastTagTime = ContainerState.zeroTime
    /// What names it, or the index that means it.
    public var descriptor: Descriptor?
    /// The manifests that it has, or that index; `nil` is not asked for.
    public var manifests: [ImageManifestSummary]?

    /// Nothing known.
    public init() {}

    /// Writes it as a version of the API has it.
    public func json(for version: APIVersion) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("Id", id)
            writer.member("RepoTags", tags)
            writer.member("RepoDigests", digests)
            writer.member("Parent", parent)
            writer.member("Comment", comment)
            if let created { writer.member("Created", created) }
            writer.member("DockerVersion", "")
            writer.member("Author", author)
            writer.name("Config")
            config.write(to: &writer, for: version)
            writer.member("Architecture", architecture)
            if let variant { writer.member("Variant", variant) }
            writer.member("Os", os)
            writer.member("Size", byteCount)
            if version.tellsVirtualSize { writer.member("VirtualSize", byteCount) }
            writer.member("GraphDriver") { writer in
                writer.member("Data", driverData)
                writer.member("Name", driver)
            }
            writer.member("RootFS") { writer in
                writer.member("Type", "layers")
                if !diffIDs.isEmpty { writer.member("Layers", diffIDs) }
            }
            writer.member("Metadata") { $0.member("LastTagTime", lastTagTime) }
            if version.tellsDescriptors, let descriptor { writer.member("Descriptor", DescriptorMember(descriptor)) }
            if let manifests { writer.member("Manifests", list: manifests) }
        }
        return writer.bytes
    }
}

/// One thing that the removal of an image did.
public enum ImageDeleteItem: JSONWritable, Hashable {
    /// A name is gone.
    case untagged(String)
    /// An image or a layer is gone.
    case deleted(String)

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            switch self {
            case .untagged(let name): writer.member("Untagged", name)
            case .deleted(let id): writer.member("Deleted", id)
            }
        }
    }
}

/// A line of progress, as long work sends it (`JSONMessage`).
public enum ProgressMessage: JSONWritable, Hashable {
    /// What it is at, and how far.
    case status(String, id: String = "", current: UInt64? = nil, total: UInt64? = nil)
    /// What one of several things is at, and how far: clients keep a line for each.
    case part(String, id: String, current: UInt64? = nil, total: UInt64? = nil)
    /// Words for whoever watches, as they are, with the end of the line.
    case text(String)
    /// That it failed.
    case failure(String)
    /// What came of it, as JSON text.
    case result([UInt8])

    /// Writes it as a line, with the end that Docker's lines have.
    public var line: [UInt8] { json + [13, 10] }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            switch self {
            case .status(let text, let id, let current, let total):
                writer.member("status", text)
                if current != nil || total != nil {
                    writer.member("progressDetail") { writer in
                        if let current { writer.member("current", current) }
                        if let total { writer.member("total", total) }
                    }
                    if let current, total == nil { writer.member("progress", HumanText.size(current, digits: 4)) }
                }
                if !id.isEmpty { writer.member("id", id) }
            case .part(let text, let id, let current, let total):
                writer.member("status", text)
                writer.member("progressDetail") { writer in
                    if let current, current > 0 { writer.member("current", current) }
                    if let total, total > 0 { writer.member("total", total) }
                }
                if let current { writer.member("progress", ProgressLines.bar(current: current, total: total)) }
                writer.member("id", id)
            case .text(let text): writer.member("stream", text + "\n")
            case .failure(let text):
                writer.member("errorDetail") { $0.member("message", text) }
                writer.member("error", text)
            case .result(let json):
                writer.name("aux")
                writer.verbatim(json)
            }
        }
    }
}
