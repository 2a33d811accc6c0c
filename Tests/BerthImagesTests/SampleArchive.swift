import BerthContent
import BerthLinux
import BerthOCI
import BerthTar
import Foundation

/// Archives made here, so that each of them can be wrong in one place.
final class MemorySink: ByteSink {
    private(set) var bytes: [UInt8] = []
    func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
        unsafe bytes.withUnsafeBytes { unsafe self.bytes.append(contentsOf: $0) }
    }
}

/// A member of an archive.
struct Member {
    var name: String
    var contents: [UInt8] = []
    var kind = TarEntry.Kind.file
    var linkName = ""

    static func file(_ name: String, _ contents: [UInt8]) -> Member { Member(name: name, contents: contents) }
    static func file(_ name: String, _ text: String) -> Member { Member(name: name, contents: Array(text.utf8)) }
    static func link(_ name: String, to target: String, hard: Bool = false) -> Member {
        Member(name: name, kind: hard ? .hardLink : .symbolicLink, linkName: target)
    }
}

func archive(of members: [Member]) -> [UInt8] {
    let sink = MemorySink()
    let writer = TarWriter(sink)
    do throws(TarError) {
        for member in members {
            let entry = TarEntry(
                name: Array(member.name.utf8), kind: member.kind, permissions: member.kind == .directory ? 0o755 : 0o644, userID: getuid(),
                groupID: getgid(),
                linkName: Array(member.linkName.utf8))
            if member.kind == .file { try writer.append(entry, contents: member.contents) } else { try writer.append(entry) }
        }
        try writer.finish()
    } catch { preconditionFailure("\(error)") }
    return sink.bytes
}

/// An image with its parts, as bytes.
struct Sample {
    var layers: [[UInt8]]
    var configuration: [UInt8]
    var architecture: String

    init(_ texts: [String] = ["lower", "upper"], architecture: String = Platform.host.architecture, os: String = "linux") {
        layers = texts.enumerated().map { archive(of: [.file("file\($0)", $1), .file("both", $1)]) }
        self.architecture = architecture
        let diffs = layers.map { "\"\(Digest(of: $0))\"" }.joined(separator: ",")
        configuration = Array(
            "{\"architecture\":\"\(architecture)\",\"os\":\"\(os)\",\"config\":{\"Cmd\":[\"sh\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\(diffs)]},\"x\":1}"
                .utf8)
    }

    var id: Digest { Digest(of: configuration) }
    var configurationName: String { id.hex + ".json" }

    static func descriptor(_ bytes: [UInt8], _ type: String, _ more: String = "") -> String {
        "{\"mediaType\":\"\(type)\",\"digest\":\"\(Digest(of: bytes))\",\"size\":\(bytes.count)\(more)}"
    }
    static let manifestType = "application/vnd.oci.image.manifest.v1+json"
    static let indexType = "application/vnd.oci.image.index.v1+json"

    /// The OCI manifest.
    var manifest: [UInt8] { manifest() }
    func manifest(type: String = Sample.manifestType, layerType: String = "application/vnd.oci.image.layer.v1.tar") -> [UInt8] {
        let layers = layers.map { Self.descriptor($0, layerType) }.joined(separator: ",")
        let configuration = Self.descriptor(configuration, "application/vnd.oci.image.config.v1+json")
        return Array("{\"schemaVersion\":2,\"mediaType\":\"\(type)\",\"config\":\(configuration),\"layers\":[\(layers)]}".utf8)
    }

    static func index(_ descriptors: [String]) -> [UInt8] {
        Array("{\"schemaVersion\":2,\"mediaType\":\"\(indexType)\",\"manifests\":[\(descriptors.joined(separator: ","))]}".utf8)
    }

    static func blob(_ bytes: [UInt8]) -> Member { .file("blobs/sha256/\(Digest(of: bytes).hex)", bytes) }

    var blobs: [Member] { ([configuration] + layers).map(Self.blob) }

    /// As Docker before 25 saves it.
    func dockerMembers(tags: [String] = ["sample:1"]) -> [Member] {
        let names = layers.indices.map { "layer\($0)/layer.tar" }
        let list = { (items: [String]) in "[" + items.map { "\"\($0)\"" }.joined(separator: ",") + "]" }
        return zip(names, layers).map { .file($0, $1) } + [
            .file(configurationName, configuration),
            .file("manifest.json", "[{\"Config\":\"\(configurationName)\",\"RepoTags\":\(list(tags)),\"Layers\":\(list(names))}]"),
        ]
    }

    /// As an OCI layout.
    func layoutMembers(name: String? = "docker.io/library/sample:1") -> [Member] {
        let annotations = name.map { ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"\($0)\"}" } ?? ""
        return blobs + [
            Self.blob(manifest), .file("index.json", Self.index([Self.descriptor(manifest, Self.manifestType, annotations)])),
            .file("oci-layout", #"{"imageLayoutVersion":"1.0.0"}"#),
        ]
    }
}
