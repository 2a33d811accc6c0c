import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthTar
import Foundation
import Testing

// Texts that tools read in different ways, kinds that are none, and what Docker saved long ago.
extension Refusal {
    private static let sample = Sample()
    private static var text: String { String(decoding: sample.configuration, as: UTF8.self) }

    /// An archive whose image has this configuration.
    private static func configured(_ text: String) -> [Member] {
        changed { members in
            members[2].contents = Array(text.utf8)
            members[2].name = "c.json"
            members[3].contents = Array(
                String(decoding: members[3].contents, as: UTF8.self).replacing(sample.configurationName, with: "c.json").utf8)
        }
    }

    static let texts: [Refusal] = [
        Refusal(
            "a manifest with a byte order mark", manifest("\u{feff}[]"), "manifest.json cannot be read: it begins with a byte order mark"),
        Refusal(
            "a manifest in UTF-16", [.file("manifest.json", Array("[]".utf16.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }))],
            "manifest.json cannot be read: it has a NUL in it"),
        Refusal(
            "an index in UTF-16 with its mark", [.file("index.json", [0xff, 0xfe] + Array("{}".utf8).flatMap { [$0, 0] })],
            "index.json cannot be read: it has a NUL in it"),
        Refusal(
            "a manifest that is no text", [.file("manifest.json", [0x5b, 0xc3, 0x28, 0x5d])],
            "manifest.json cannot be read: it is not in UTF-8"),
        Refusal(
            "two configurations in one manifest", manifest(#"[{"Config":"a.json","Config":"b.json","Layers":[]}]"#),
            "the key 'Config' is twice"),
        Refusal(
            "two lists of layers, one of them written otherwise", manifest(#"[{"Config":"a.json","Layers":[],"L\u0061yers":["x"]}]"#),
            "the key 'Layers' is twice"),
        Refusal(
            "an index with two lists", [.file("index.json", #"{"schemaVersion":2,"manifests":[],"manifests":[]}"#)],
            "index.json cannot be read: the key 'manifests' is twice"),
        Refusal(
            "a configuration with two file systems",
            configured(text.replacing(#""x":1"#, with: #""rootfs":{"type":"layers","diff_ids":[]}"#)),
            "the key 'rootfs' is twice"),
        Refusal(
            "lists in lists", manifest(String(repeating: "[", count: 129) + String(repeating: "]", count: 129)), "nested deeper than 128",
            .tooLarge),
        Refusal(
            "lists in lists, a million", manifest(String(repeating: "[", count: 1 << 20)), "manifest.json cannot be read: its lists",
            .tooLarge),
        Refusal(
            "objects in what nobody knows",
            configured(
                text.replacing(
                    #""x":1"#, with: #""x":"# + String(repeating: #"{"a":"#, count: 200) + "1" + String(repeating: "}", count: 200))),
            "configuration 'c.json' cannot be read: its lists and objects are nested", .tooLarge),
        Refusal(
            "a number that no number is", configured(text.replacing(#""x":1"#, with: #""x":1e999"#)),
            "configuration 'c.json' cannot be read"),
        Refusal("a configuration that is a list", configured("[]"), "configuration 'c.json' cannot be read"),
        Refusal("a configuration that is null", configured("null"), "configuration 'c.json' cannot be read"),
        Refusal("a configuration that is cut off", configured(String(text.dropLast(5))), "configuration 'c.json' cannot be read"),
        Refusal("two configurations behind each other", configured(text + text), "configuration 'c.json' cannot be read"),
        Refusal(
            "a file system of another type", configured(text.replacing(#""type":"layers""#, with: #""type":"blobs""#)),
            "rootfs.type is 'blobs'"),
        Refusal(
            "a diff id that is no digest", configured(text.replacing("[\"sha256:", with: "[\"md5:")), "unsupported digest algorithm 'md5'"),
        Refusal(
            "a diff id in capitals", configured(text.replacing("[\"sha256:", with: "[\"sha256:A").replacing("\",\"sha", with: "\",\"sha")),
            "invalid digest length"),
        Refusal("a time that is none", configured(text.replacing(#""x":1"#, with: #""created":"yesterday""#)), "(at created)"),
        Refusal(
            "more diff ids than layers", configured(text.replacing("\"diff_ids\":[", with: "\"diff_ids\":[\"\(sample.id)\",")),
            "its manifest has 2 layers, and its configuration 3"),
        Refusal(
            "diff ids in another order",
            configured(text.replacing("[\(ids.joined(separator: ","))]", with: "[\(ids.reversed().joined(separator: ","))]")),
            "and the image says"),
    ]

    private static var ids: [String] { sample.layers.map { "\"\(Digest(of: $0))\"" } }

    static let kinds: [Refusal] = [
        Refusal(
            "a manifest that is also an index",
            layout(edited(#""schemaVersion":2"#, #""schemaVersion":2,"manifests":[]"#)), "has 'layers' and 'manifests'"),
        Refusal(
            "an index that is also a manifest", [.file("index.json", #"{"schemaVersion":2,"manifests":[],"layers":[]}"#)],
            "index.json has 'manifests' and 'layers'"),
        Refusal(
            "an index within that is also a manifest", within(#"{"schemaVersion":2,"manifests":[],"config":{}}"#),
            "has 'manifests' and 'config'"),
        Refusal(
            "an index that says that it is a manifest",
            within(#"{"schemaVersion":2,"mediaType":"\#(Sample.manifestType)","manifests":[]}"#),
            "is named as application/vnd.oci.image.index.v1+json, and says of itself that it is"),
        Refusal("an index within that is no JSON", within("x"), "the index sha256:"),
        Refusal(
            "a manifest of schema 1", layout(edited(#""schemaVersion":2"#, #""schemaVersion":1"#)), "schema version 1 is not supported"),
        Refusal(
            "a manifest of Docker's first schema, by its kind",
            indexed(Sample.descriptor(sample.manifest, "application/vnd.docker.distribution.manifest.v1+prettyjws")),
            "something of the kind 'application/vnd.docker.distribution.manifest.v1+prettyjws'"),
        Refusal("a manifest that is named as text", indexed(Sample.descriptor(sample.manifest, "text/plain")), "of the kind 'text/plain'"),
        Refusal(
            "a configuration that is named as text",
            layout(edited("application/vnd.oci.image.config.v1+json", "text/plain")), "but something of the kind 'text/plain'"),
        Refusal(
            "a layer that is named as text", layout(sample.manifest(layerType: "text/html")),
            "as a layer, and that is of the kind 'text/html'",
            .unsupported),
        Refusal(
            "a layer less than none", layout(edited("\"size\":\(sample.layers[1].count)", "\"size\":-1")), "a size is not negative"),
        Refusal(
            "a layer of more bytes than there are numbers",
            layout(edited("\"size\":\(sample.layers[1].count)", "\"size\":18446744073709551616")),
            "the manifest sha256:"),
        Refusal(
            "a size with a fraction",
            indexed(Sample.descriptor(sample.manifest, Sample.manifestType).replacing("\"size\":", with: "\"size\":0.5e")),
            "index.json cannot be read"),
        Refusal(
            "a digest of an algorithm of long ago",
            indexed(Sample.descriptor(sample.manifest, Sample.manifestType).replacing("sha256:", with: "sha1:")),
            "unsupported digest algorithm 'sha1'"),
        Refusal(
            "a digest that is cut off",
            indexed(Sample.descriptor(sample.manifest, Sample.manifestType).replacing(Digest(of: sample.manifest).hex, with: "abc")),
            "expected 64 hexadecimal digits, found 3"),
        Refusal(
            "a digest in capitals",
            indexed(
                Sample.descriptor(sample.manifest, Sample.manifestType).replacing(
                    Digest(of: sample.manifest).hex, with: String(repeating: "A", count: 64))), "is no lowercase hexadecimal digit"),
        Refusal("a manifest without layers", layout(edited("\"layers\"", "\"other\"")), "'layers' is missing"),
        Refusal(
            "a configuration with another size",
            layout(edited("\"size\":\(sample.configuration.count)", "\"size\":\(sample.configuration.count + 1)")), "and what names it says"
        ),
        Refusal(
            "a configuration whose blob is not there", sample.layoutMembers().filter { $0.contents != sample.configuration },
            "does not have the blob"),
        Refusal(
            "a layer that only its address says where it is",
            layout(edited("\"size\":\(sample.layers[1].count)", "\"size\":\(sample.layers[1].count),\"urls\":[\"http://localhost/x\"]"))
                .filter { $0.contents != sample.layers[1] }, "which the archive does not have"),
        Refusal(
            "a manifest that lies in its descriptor only",
            indexed(Sample.descriptor(sample.manifest, Sample.manifestType, ",\"data\":\"e30=\"")).filter {
                $0.contents != sample.manifest
            },
            "does not have the blob"),
    ]

    private static func platform(_ architecture: String) -> Platform { Platform(os: "linux", architecture: architecture) }

    static let indexes: [Refusal] = [
        Refusal(
            "an index of images for another system",
            SampleIndex([Sample(os: "windows")], [Sample.index([Sample.descriptor(Sample(os: "windows").manifest, Sample.manifestType)])])
                .members(), "there is no image for linux in sha256:", .notFound),
        Refusal(
            "an index none of whose images is there", SampleIndex(["amd64", "arm64"]).members(only: []),
            "none of its images is in the archive", .notFound),
        Refusal(
            "an index without the platform that is asked for", SampleIndex(["amd64", "arm64"]).members(),
            "there is no image for the platform linux/s390x in", .notFound, for: platform("s390x")),
        Refusal(
            "something attached under another's digest", altered(SampleIndex().attached[1]),
            "is damaged: its bytes have the digest"),
        Refusal(
            "an index that is named so often that it is read more often than anything", repeated,
            "index.json leads to more than 4096 documents", .tooLarge),
        Refusal(
            "an index whose image has too many names", calledOften, "has 1025 names: at most 1024 are given at once", .tooLarge),
    ]

    /// An index under more names than it may have.
    private static var repeated: [Member] {
        let index = SampleIndex([Platform.host.architecture])
        let descriptors = (0...1024).map {
            Sample.descriptor(
                index.documents[0], Sample.indexType, ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"a:\($0)\"}")
        }
        return index.members().filter { $0.name != "index.json" } + [.file("index.json", Sample.index(descriptors))]
    }

    /// An index without a name, to whose image Docker's form gives more than it may have.
    private static var calledOften: [Member] {
        let index = SampleIndex([Platform.host.architecture])
        let sample = index.samples[0]
        let layers = sample.layers.map { "\"blobs/sha256/\(Digest(of: $0).hex)\"" }.joined(separator: ",")
        let tags = (0...1024).map { "\"a:\($0)\"" }.joined(separator: ",")
        return index.members(name: nil)
            + manifest("[{\"Config\":\"blobs/sha256/\(sample.id.hex)\",\"RepoTags\":[\(tags)],\"Layers\":[\(layers)]}]")
    }

    /// An index in whose archive this blob has other bytes than its name says, and as many.
    private static func altered(_ blob: [UInt8]) -> [Member] {
        SampleIndex().members().map { member in
            member.contents == blob ? .file(member.name, Array(blob.reversed())) : member
        }
    }

    /// The manifest with something else in it.
    private static func edited(_ text: String, _ other: String) -> [UInt8] {
        Array(String(decoding: sample.manifest, as: UTF8.self).replacing(text, with: other).utf8)
    }

    /// A layout with an index in its index.
    private static func within(_ text: String) -> [Member] {
        let index = Array(text.utf8)
        return [Sample.blob(index), .file("index.json", Sample.index([Sample.descriptor(index, Sample.indexType)]))]
    }

    private static func repositories(_ text: String, _ more: [Member] = []) -> [Member] { [.file("repositories", text)] + more }

    static let legacy: [Refusal] = [
        Refusal("repositories that are none", repositories("[]"), "repositories cannot be read"),
        Refusal("repositories of nothing", repositories("{}"), "there is no image in the archive"),
        Refusal("a repository with a tag that is none", repositories(#"{"a":{"Not Valid":"x"}}"#), "invalid tag \"a:Not Valid\""),
        Refusal(
            "a repository with a tag and a digest", repositories(#"{"a":{"1@\#(sample.id)":"x"}}"#), "it has a digest"),
        Refusal("a repository that climbs", repositories(#"{"../a":{"1":"x"}}"#), "invalid tag \"../a:1\""),
        Refusal("a repository whose layer climbs", repositories(#"{"a":{"1":"../../etc"}}"#), "which cannot be a folder of the archive"),
        Refusal(
            "a repository whose layer is not there", repositories(#"{"a":{"1":"x"}}"#), "the layer 'x', which the archive does not have"),
        Refusal("a repository without an id", repositories(#"{"a":{"1":""}}"#), "an image without an id"),
        Refusal(
            "a repository's layer without files", repositories(#"{"a":{"1":"x"}}"#, [.file("x/json", "{}")]),
            "does not have 'x/layer.tar', which"),
        Refusal(
            "a repository's layer that is no JSON", repositories(#"{"a":{"1":"x"}}"#, [.file("x/json", "{")]), "'x/json' cannot be read"),
        Refusal(
            "a repository's layer that lies on itself",
            repositories(#"{"a":{"1":"x"}}"#, [.file("x/json", #"{"parent":"x"}"#), .file("x/layer.tar", sample.layers[0])]),
            "or on itself",
            .tooLarge),
        Refusal(
            "repositories of whose layers a configuration would be made that nobody reads",
            repositories(
                #"{"a":{"1":"x"}}"#,
                [("x", "y"), ("y", "")].flatMap { id, parent in
                    [
                        .file("\(id)/json", "{\"parent\":\"\(parent)\",\"comment\":\"\(String(repeating: "-", count: 3 << 20))\"}"),
                        .file("\(id)/layer.tar", sample.layers[0]),
                    ]
                }), "the configuration of the image 'x' has", .tooLarge),
        Refusal(
            "repositories of a thousand images and more",
            repositories(
                "{\"a\":{\((0...1024).map { "\"\($0)\":\"x\($0)\"" }.joined(separator: ","))}}",
                [.file("layer.tar", sample.layers[0])]
                    + (0...1024).flatMap {
                        [.file("x\($0)/json", "{\"comment\":\"\($0)\"}"), .link("x\($0)/layer.tar", to: "../layer.tar")]
                    }), "repositories names more than 1024 images", .tooLarge),
        Refusal(
            "repositories that call one image by too many names",
            repositories(
                "{\"a\":{\((0...1024).map { "\"\($0)\":\"x\"" }.joined(separator: ","))}}",
                [.file("x/json", "{}"), .file("x/layer.tar", sample.layers[0])]), "has 1025 names: at most 1024 are given", .tooLarge),
    ]

    static let layers: [Refusal] = [
        Refusal("a layer with overlay's attribute", attributed("trusted.overlay.redirect"), "which is overlay's own"),
        Refusal("a layer with overlay's attribute for users", attributed("user.overlay.whiteout"), "'user.overlay.whiteout'"),
        Refusal(
            "a layer with a link out", Sample.withLayer([.link("a", to: "../../etc/passwd", hard: true)]).dockerMembers(),
            "has '..' in the name of the file that it is a link to"),
        Refusal(
            "a layer that writes through its link", Sample.withLayer([.link("a", to: "/tmp"), .file("a/x", "x")]).dockerMembers(),
            "symbolic link"),
        Refusal(
            "a layer with a whiteout of itself", Sample.withLayer([.file(".wh..", "")]).dockerMembers(),
            "cannot follow the whiteout '.wh..'"),
        Refusal(
            "a layer below a whiteout", Sample.withLayer([.file(".wh.a/x", "")]).dockerMembers(), "which says that something is removed"),
        Refusal(
            "the second layer writes through the first one's link",
            stacked([.link("a", to: "/tmp")], [.file("a/x", "x")]), "symbolic link"),
        Refusal(
            "a layer that comes twice, and the later is another",
            changed { $0.insert(.file("layer0/layer.tar", Sample(["z"]).layers[0]), at: 1) },
            "and the image says"),
        Refusal(
            "a configuration that comes twice, and the later is another", changed { $0.insert(.file($0[2].name, "{}"), at: 3) },
            "is damaged: its bytes have the digest"),
        Refusal(
            "a manifest that comes twice, and the later names nothing", changed { $0.append(.file("manifest.json", "[]")) }, "name none"),
        Refusal(
            "a layer that is a directory", changed { $0[0] = Member(name: "layer0/layer.tar", kind: .directory) },
            "which the archive does not have"),
        Refusal(
            "a layer that is a named pipe", changed { $0[0] = Member(name: "layer0/layer.tar", kind: .fifo) },
            "which the archive does not have"),
        Refusal(
            "a manifest that is a device", changed { $0[3] = Member(name: "manifest.json", kind: .blockDevice(.init(major: 8, minor: 0))) },
            "neither a manifest.json nor an index.json"),
        Refusal(
            "a manifest that is a link out", changed { $0[3] = .link("manifest.json", to: "/../etc/passwd") }, "a link that leads out of it"
        ),
        Refusal(
            "a layer by an absolute name that is not there", manifest(#"[{"Config":"/etc/passwd","Layers":[]}]"#),
            "which the archive does not have"),
    ]

    private static func attributed(_ name: String) -> [Member] {
        var sample = Sample.withLayer([.file("a", "x")])
        let sink = MemorySink()
        let writer = TarWriter(sink)
        do throws(TarError) {
            let entry = TarEntry(
                name: Array("a".utf8), kind: .file, permissions: 0o644, userID: getuid(), groupID: getgid(),
                extendedAttributes: [name: [121]])
            try writer.append(entry, contents: [120])
            try writer.finish()
        } catch { preconditionFailure("\(error)") }
        let before = "\(Digest(of: sample.layers[0]))"
        sample.layers = [sink.bytes]
        sample.configuration = Array(
            String(decoding: sample.configuration, as: UTF8.self).replacing(before, with: "\(Digest(of: sink.bytes))").utf8)
        return sample.dockerMembers()
    }

    private static func stacked(_ layers: [Member]...) -> [Member] {
        var sample = Sample(layers.indices.map(String.init))
        var text = String(decoding: sample.configuration, as: UTF8.self)
        for (index, members) in layers.enumerated() {
            let made = archive(of: members)
            text = text.replacing("\(Digest(of: sample.layers[index]))", with: "\(Digest(of: made))")
            sample.layers[index] = made
        }
        sample.configuration = Array(text.utf8)
        return sample.dockerMembers()
    }
}
