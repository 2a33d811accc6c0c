import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthTar
import Testing

/// Something that is to be refused by a load, and how.
struct Refusal: Sendable, CustomTestStringConvertible {
    var what: String
    var bytes: [UInt8]
    var words: String
    var code: ImageError.Code
    /// What is asked for.
    var platform: Platform?

    var testDescription: String { what }

    init(_ what: String, _ bytes: [UInt8], _ words: String, _ code: ImageError.Code = .invalid, for platform: Platform? = nil) {
        (self.what, self.bytes, self.words, self.code, self.platform) = (what, bytes, words, code, platform)
    }

    init(_ what: String, _ members: [Member], _ words: String, _ code: ImageError.Code = .invalid, for platform: Platform? = nil) {
        self.init(what, archive(of: members), words, code, for: platform)
    }

    static var all: [Refusal] { noArchives + names + documents + lies + bounds + texts + kinds + indexes + legacy + layers }

    private static let noArchives: [Refusal] = [
        Refusal("nothing", [] as [UInt8], "it is empty"),
        Refusal("an archive of nothing", [UInt8](repeating: 0, count: 10_240), "an archive with nothing in it"),
        Refusal("a web page", Array("\n<!DOCTYPE html><html>404</html>".utf8), "looks like a web page"),
        Refusal("XML", Array("<?xml?>".utf8), "looks like XML"), Refusal("a manifest", Sample().manifest, "looks like JSON"),
        Refusal("a Dockerfile", Array("FROM debian\n".utf8), "looks like a Dockerfile"),
        Refusal("a program", [0x7f, 0x45, 0x4c, 0x46] + [UInt8](repeating: 1, count: 600), "looks like a program"),
        Refusal("noise", (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }, "no tar archive"),
        Refusal("a cut archive", Array(archive(of: Sample().dockerMembers()).prefix(3000)), "cut off"),
        Refusal(
            "a root file system", ["./bin/sh", "./etc/passwd", "./usr/x", "./z"].map { .file($0, "x") },
            "'bin', 'etc', 'usr' in it, and looks like a root file system. Use import"),
        Refusal("a small root file system", [.file("bin/sh", "x")], "looks like a root file system. Use import"),
        Refusal("a build's context", [.file("Dockerfile", "FROM x"), .file("src/main", "x")], "looks like the context of a build"),
        Refusal("a Helm chart", [.file("Chart.yaml", "x")], "looks like a Helm chart"),
        Refusal("some files", [.file("a", "x")], "neither a manifest.json nor an index.json"),
        Refusal("blobs alone", Sample().blobs, "no index.json that says what they are"),
    ]

    private static let names: [Refusal] = [
        Refusal("a member beside the archive", Sample().dockerMembers() + [.file("../x", "x")], "'..' in its name"),
        Refusal("a member that climbs", Sample().dockerMembers() + [.file("a/../../x", "x")], "'..' in its name"),
        Refusal(
            "a member that climbs and comes back", Sample().dockerMembers() + [.file("a/../x", "x")], "'a/../x' of the archive has '..'"),
        Refusal(
            "a long name", Sample().dockerMembers() + [.file(String(repeating: "a/", count: 2100) + "x", "x")], "at most 4096", .tooLarge),
        Refusal("a link that leads out", Sample().dockerMembers() + [.link("a", to: "../etc/passwd")], "a link that leads out of it"),
        Refusal(
            "a hard link that leads out", Sample().dockerMembers() + [.link("a", to: "../etc/passwd", hard: true)],
            "a link that leads out of it"),
        Refusal(
            "links in a circle",
            changed {
                $0[0] = .link("layer0/layer.tar", to: "../again"); $0.append(.link("again", to: "layer0/layer.tar"))
            },
            "leads to more than 16 others"),
        Refusal(
            "a layer that is a link to nothing", changed { $0[0] = .link("layer0/layer.tar", to: "nothing") },
            "which the archive does not have"),
        Refusal(
            "a layer outside",
            changed { $0[3].contents = Array(String(decoding: $0[3].contents, as: UTF8.self).replacing("layer0", with: "..").utf8) },
            "cannot be one of the archive"),
        Refusal("a configuration that is the archive itself", manifest(#"[{"Config":"./","Layers":[]}]"#), "it has no name"),
        Refusal("a configuration outside", manifest(#"[{"Config":"../c.json","Layers":[]}]"#), "cannot be one of the archive"),
    ]

    private static let documents: [Refusal] = [
        Refusal("a manifest that is cut off", manifest("[{"), "manifest.json cannot be read: it is cut off"),
        Refusal("a manifest of another kind", manifest("{}"), "manifest.json cannot be read"),
        Refusal("a manifest without an image", manifest("[]"), "there is no image in the archive"),
        Refusal("an image without a configuration", manifest(#"[{"Layers":[]}]"#), "'Config' is missing"),
        Refusal("a configuration that is not there", manifest(#"[{"Config":"c.json","Layers":[]}]"#), "which the archive does not have"),
        Refusal("a configuration that is none", manifest(#"[{"Config":"c.json","Layers":[]}]"#) + [.file("c.json", "{}")], "is missing"),
        Refusal("a tag that is none", Sample().dockerMembers(tags: ["Not Valid"]), "invalid tag \"Not Valid\""),
        Refusal("a tag with a digest", Sample().dockerMembers(tags: ["a@\(Sample().id)"]), "it has a digest"),
        Refusal("an image for another system", Sample(os: "windows").dockerMembers(), "cannot load windows image on linux", .unsupported),
        Refusal(
            "an image for another processor than is asked for", Sample(architecture: "arm64").dockerMembers(),
            "does not provide the specified platform (linux/s390x): it is for linux/arm64", .notFound,
            for: Platform(os: "linux", architecture: "s390x")),
        Refusal("a layer that is not there", Array(Sample().dockerMembers()[1...]), "which the archive does not have"),
        Refusal("a layer that is no tar", changed { $0[0].contents = Array("text".utf8) }, "is to be a layer, and is no tar"),
        Refusal("an index that is no JSON", [.file("index.json", "x")], "index.json cannot be read"),
        Refusal("an index of another schema", [.file("index.json", #"{"schemaVersion":1,"manifests":[]}"#)], "schema version 1"),
        Refusal("an index of nothing", [.file("index.json", Sample.index([]))], "there is no image in the archive"),
        Refusal(
            "a manifest that is not there", Sample().layoutMembers().filter { $0.contents != Sample().manifest }, "does not have the blob"),
        Refusal(
            "an encrypted layer", layout(Sample().manifest(layerType: "application/vnd.oci.image.layer.v1.tar+encrypted")), "is encrypted",
            .unsupported),
        Refusal(
            "a manifest that says that it is an index", layout(Sample().manifest(type: Sample.indexType)), "says of itself that it is"),
    ]

    private static let lies: [Refusal] = [
        Refusal(
            "a configuration under another's digest", changed { $0[2].contents += [32] }, "is damaged: its bytes have the digest"),
        Refusal("a layer of another image", changed { $0[0].contents = Sample(["other"]).layers[0] }, "and the image says"),
        Refusal(
            "fewer layers than diff ids",
            Sample().dockerMembers().map { member in
                guard member.name == "manifest.json" else { return member }
                return .file("manifest.json", String(decoding: member.contents, as: UTF8.self).replacing(",\"layer1/layer.tar\"", with: ""))
            }, "its manifest has 1 layers, and its configuration 2"),
        Refusal(
            "a blob under another's digest",
            Sample().layoutMembers().map { member in
                member.contents == Sample().layers[1] ? .file(member.name, Sample(["other"]).layers[0]) : member
            }, "is damaged: its bytes have the digest"),
        Refusal(
            "a manifest under another's digest",
            Sample().layoutMembers().map { member in
                member.contents == Sample().manifest ? .file(member.name, member.contents + [32]) : member
            }, "is damaged: its bytes have the digest"),
        Refusal(
            "a manifest with another size",
            indexed(Sample.descriptor(Sample().manifest, Sample.manifestType).replacing("\"size\":", with: "\"size\":1")),
            "what names it says"),
        Refusal(
            "a layer with another size",
            layout(
                Array(
                    String(decoding: Sample().manifest, as: UTF8.self).replacing("\"size\":\(Sample().layers[0].count)", with: "\"size\":9")
                        .utf8)), "is to have 9"),
        Refusal(
            "a digest that is none", indexed(Sample.descriptor([], Sample.manifestType).replacing("sha256:", with: "sha256:../")),
            "index.json cannot be read"),
        Refusal(
            "a layer with a whiteout of overlay's",
            Sample.withLayer([.file("a", "x"), Member(name: "b", kind: .characterDevice(.init(major: 0, minor: 0)))]).dockerMembers(),
            "overlay's sign for a removed file"),
        Refusal("a layer that climbs", Sample.withLayer([.file("../a", "x")]).dockerMembers(), "'..' in its name"),
    ]

    private static let bounds: [Refusal] = [
        Refusal("a manifest of five mebibytes", manifest(String(repeating: " ", count: 5 << 20)), "at most 4194304", .tooLarge),
        Refusal(
            "a thousand images and more",
            manifest("[" + Array(repeating: #"{"Config":"c","Layers":[]}"#, count: 1025).joined(separator: ",") + "]"),
            "at most 1024", .tooLarge),
        Refusal("indexes in indexes", nested(9), "nested deeper than 8", .tooLarge),
        Refusal(
            "a configuration of three mebibytes that is read thirty times",
            manifest("[" + Array(repeating: #"{"Config":"c","Layers":[]}"#, count: 30).joined(separator: ",") + "]") + [
                .file(
                    "c",
                    #"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#
                        + String(repeating: " ", count: 3 << 20))
            ], "have more than 67108864 bytes together", .tooLarge),
        Refusal("too many members", (0...65_536).map { Member(name: "d\($0)", kind: .directory) }, "more than 65536 members", .tooLarge),
        Refusal(
            "too many layers", Sample(Array(repeating: "x", count: 501)).dockerMembers(), "at most 500 can lie on each other", .tooLarge),
        Refusal("an index that leads to more documents than are read", wide(4097), "more than 4096 documents", .tooLarge),
        Refusal("an index of itself, or what is to be it", circle, "is damaged: its bytes have the digest"),
        Refusal("a thousand images and more in a layout", many(1025), "the archive has 1025 images: at most 1024", .tooLarge),
        Refusal("a member that is larger than the disk", claiming("blobs/x", byteCount: 1 << 43), "there is not enough space", .noSpace),
        Refusal("too many names", Sample().dockerMembers(tags: (0...1024).map { "a:\($0)" }), "at most 1024 are given at once", .tooLarge),
    ]

    static func changed(_ change: (inout [Member]) -> Void) -> [Member] {
        var members = Sample().dockerMembers()
        change(&members)
        return members
    }

    static func manifest(_ text: String) -> [Member] { [.file("manifest.json", text)] }

    static func indexed(_ descriptor: String) -> [Member] {
        Sample().layoutMembers().map { $0.name == "index.json" ? .file("index.json", Sample.index([descriptor])) : $0 }
    }

    static func layout(_ manifest: [UInt8]) -> [Member] {
        Sample().blobs + [Sample.blob(manifest), .file("index.json", Sample.index([Sample.descriptor(manifest, Sample.manifestType)]))]
    }

    /// A layout of so many images without layers.
    private static func many(_ count: Int) -> [Member] {
        let samples = (0..<count).map { number in
            var sample = Sample([])
            sample.configuration = Array(
                String(decoding: sample.configuration, as: UTF8.self).replacing("\"x\":1", with: "\"x\":\(number)").utf8)
            return sample
        }
        return samples.flatMap { $0.blobs + [Sample.blob($0.manifest)] } + [
            .file("index.json", Sample.index(samples.map { Sample.descriptor($0.manifest, Sample.manifestType) }))
        ]
    }

    /// An archive that ends behind the header of a member, which says that it has so many bytes.
    private static func claiming(_ name: String, byteCount: Int) -> [UInt8] {
        var header = Array(archive(of: [.file(name, "")])[..<512])
        header.replaceSubrange(124..<136, with: [0x80, 0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: byteCount >> (56 - 8 * $0)) })
        header.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
        let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
        header.replaceSubrange(148..<156, with: Array((String(repeating: "0", count: 6 - sum.count) + sum + "\0 ").utf8))
        return header
    }

    /// An index of so many indexes of nothing.
    private static func wide(_ count: Int) -> [Member] {
        let inner = (0..<count).map { number in
            Array("{\"schemaVersion\":2,\"manifests\":[],\"number\":\(number)}".utf8)
        }
        let outer = Sample.index(inner.map { Sample.descriptor($0, Sample.indexType) })
        return inner.map(Sample.blob) + [
            Sample.blob(outer), .file("index.json", Sample.index([Sample.descriptor(outer, Sample.indexType)])),
        ]
    }

    /// No index can have its own digest in it: one that is named by it is another.
    private static var circle: [Member] {
        let itself = Sample.descriptor([1], Sample.indexType)
        let index = Sample.index([itself])
        return [
            .file("blobs/sha256/\(Digest(of: [1]).hex)", index),
            .file("index.json", Sample.index([itself])),
        ]
    }

    private static func nested(_ depth: Int) -> [Member] {
        var members = [Sample.blob(Sample().manifest)]
        var descriptor = Sample.descriptor(Sample().manifest, Sample.manifestType)
        for _ in 0..<depth {
            let index = Sample.index([descriptor])
            members.append(Sample.blob(index))
            descriptor = Sample.descriptor(index, Sample.indexType)
        }
        return members + [.file("index.json", Sample.index([descriptor]))]
    }
}

extension Sample {
    /// An image of one layer with these members.
    static func withLayer(_ members: [Member]) -> Sample {
        var sample = Sample(["x"])
        let before = "\(Digest(of: sample.layers[0]))"
        sample.layers = [archive(of: members)]
        sample.configuration = Array(
            String(decoding: sample.configuration, as: UTF8.self).replacing(before, with: "\(Digest(of: sample.layers[0]))").utf8)
        return sample
    }
}
