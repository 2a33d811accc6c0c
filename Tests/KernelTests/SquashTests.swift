import BerthContent
import BerthImages
import BerthLayers
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthState
import BerthTar
import Foundation
import Testing

@Suite("Layers that become one", .kernelTier, .serialized)
struct SquashTests {
    /// Three layers: a random tree, and what two containers one after the other have made of it.
    private func layers(_ room: LayerRoom, _ seed: Int) throws -> [ImportedLayer] {
        try room.scratch.makeRandomTree(seed: seed, "first")
        try room.scratch.shell("tar --format=pax --xattrs --xattrs-include='*' --numeric-owner -C first -cf first.tar .")
        let oracle = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Oracle"
        var layers = [try room.take("first.tar")]
        for step in 1...2 {
            let container = try room.container(
                "c\(step)", on: layers[step - 1].name, "/usr/bin/python3 '\(oracle)/mutate.py' \(seed * 7 + step) .")
            layers.append(try room.commit(container.layer, on: layers[step - 1].name))
        }
        return layers
    }

    private func squash(_ layers: ArraySlice<ImportedLayer>, keepsRemovals: Bool, _ room: LayerRoom, to archive: String) throws {
        let sink = DescriptorSink(try Directory.open(room.scratch.path).createFile(try PathBytes(archive)))
        try room.layers.writeSquashed(layers.map(\.blob), keepsRemovals: keepsRemovals, to: sink)
    }

    @Test("Random layers, all as one and some as one, give the same tree", arguments: 201...204, ["overlay2", "vfs"])
    func property(_ seed: Int, _ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter)
        let layers = try layers(room, seed)
        let expected = try room.listing(of: layers[2].name, isDense: true)
        try squash(layers[...], keepsRemovals: false, room, to: "all.tar")
        try squash(layers[...], keepsRemovals: false, room, to: "again.tar")
        try room.scratch.shell("cmp all.tar again.tar; ! tar -tf all.tar | grep -q '[.]wh[.]'")
        expectSame(try room.listing(of: try room.take("all.tar").name, isDense: true), expected, "seed \(seed), all:")
        try squash(layers[1...], keepsRemovals: true, room, to: "upper.tar")
        let upper = try room.take("upper.tar", on: layers[0].name)
        expectSame(try room.listing(of: upper.name, isDense: true), expected, "seed \(seed), the upper two:")
        // Told of each other, the image and what it was squashed to are the same.
        let (before, after) = (
            try room.layers.tree(of: layers.map(\.blob), hashesContents: true),
            try room.layers.tree(of: [layers[0].blob, upper.blob], hashesContents: true)
        )
        #expect(before.differences(to: after) == [])
    }

    @Test("Images that are made of values: layers unpack side by side, and squashed they show the same", arguments: [211, 212])
    func images(_ seed: Int) async throws {
        let room = try LayerRoom("overlay2")
        let layers = try layers(room, seed)
        let store = try ImageStore(
            .init(
                root: room.scratch.path + "/root", content: room.content, layers: room.layers, snapshots: room.snapshots,
                events: EventHub(), jobs: JobRegistry()))
        let expected = try room.listing(of: layers[2].name, isDense: true)
        let (whole, flat, upper) = try await store.withLease { lease in
            var draft = ImageDraft()
            for layer in layers {
                // Kept anew: from the stream that they came as.
                let blob = try room.content.open(layer.blob.digest)
                draft.append(try await store.keepLayer(from: blob, for: lease).value, step: .init(created: nil, createdBy: "ADD"))
            }
            #expect(draft.layers.map(\.blob.digest) == layers.map(\.blob.digest) && draft.layers.map(\.diffID) == layers.map(\.diffID))
            let flat = try await store.squash(draft, for: lease).value
            let upper = try await store.squash(draft, from: 1, for: lease).value
            // What is unpacked already is not wanted: the layers are to be unpacked of the blobs.
            for layer in layers.reversed() { try room.snapshots.removeLayer(layer.name) }
            #expect(room.snapshots.layers().isEmpty)
            return (try await store.write(draft).value, try await store.write(flat).value, try await store.write(upper).value)
        }
        for image in [whole, flat, upper] {
            expectSame(try room.listing(of: image.topLayer, isDense: true), expected, "seed \(seed), \(image.layers.count) layers:")
        }
        #expect([whole, flat, upper].map(\.layers.count) == [3, 1, 2])
        for other in [flat, upper] {
            let compared = try await store.compare(whole.id.description, with: other.id.description).value
            #expect(compared.differences == [])
        }
        // A tree that goes its own way leaves the one it comes from as it is: several names of a file included.
        let below = try room.layers.tree(of: [layers[0].blob], hashesContents: true)
        let above = try room.layers.tree(of: layers.dropFirst().map(\.blob), above: below, hashesContents: true)
        let again = try room.layers.tree(of: layers.map(\.blob), hashesContents: true)
        #expect(above.differences(to: again) == [] && above.effects == again.effects)
        #expect(below.differences(to: try room.layers.tree(of: [layers[0].blob], hashesContents: true)) == [])
    }

    @Test("What lies below a directory that an upper layer only implies, in the place of a link, shows the same")
    func impliedInPlaceOfALink() throws {
        let room = try LayerRoom("overlay2")
        try room.scratch.shell(
            """
            mkdir -p i/usr/lib; echo a >i/usr/lib/a; ln -s usr/lib i/lib; touch -d @5 i/usr/lib/a i/usr/lib i/usr i; tar -C i -cf i.tar .
            mkdir -p u/lib; echo x >u/lib/x; touch -d @7 u/lib/x; tar -C u -cf u.tar lib/x
            """)
        let first = try room.take("i.tar")
        let second = try room.take("u.tar", on: first.name)
        /// Nobody has said when the directory was made: it is when it was unpacked.
        func shown(_ layer: ImportedLayer) throws -> [String] {
            try room.listing(of: layer.name, isDense: true).map { $0.hasPrefix("'lib' ") ? String($0.prefix { $0 != ":" }) : $0 }
        }
        try squash([first, second][...], keepsRemovals: false, room, to: "all.tar")
        expectSame(try shown(try room.take("all.tar")), try shown(second), "all:")
        // Seen from above what was squashed: the link is still hidden by what is left of the upper layer.
        try squash([second][...], keepsRemovals: true, room, to: "upper.tar")
        expectSame(try shown(try room.take("upper.tar", on: first.name)), try shown(second), "upper:")
        try room.scratch.shell("tar -tf all.tar | sort | tr '\\n' ' ' | grep -qx '[.]/ lib/x usr/ usr/lib/ usr/lib/a '")
    }

    @Test("What is hidden is counted, and what differs is told with its layer")
    func effects() throws {
        let room = try LayerRoom("overlay2")
        try room.scratch.shell(
            "mkdir -p i/a; head -c 1000 /dev/zero >i/a/one; head -c 200 /dev/zero >i/a/two; echo x >i/same; tar -C i -cf i.tar .")
        let first = try room.take("i.tar")
        let container = try room.container("c", on: first.name, "rm a/one; echo changed >a/two; mkdir b; echo new >b/new")
        let second = try room.commit(container.layer, on: first.name)
        let (below, above) = (
            try room.layers.tree(of: [first.blob], hashesContents: true),
            try room.layers.tree(of: [first.blob, second.blob], hashesContents: true)
        )
        #expect(above.effects.map(\.hiddenFileCount) == [0, 2] && above.effects.map(\.hiddenByteCount) == [0, 1200])
        #expect(above.effects.map(\.byteCount) == [1202, 12])
        let told = below.differences(to: above).map {
            "\($0.kind.rawValue) \(String(decoding: $0.path, as: UTF8.self)) \($0.byteCountBefore.map(String.init) ?? "-") \($0.byteCountAfter.map(String.init) ?? "-") \($0.layer)"
        }
        #expect(told == ["C /a - - 1", "D /a/one 1000 - 0", "C /a/two 200 8 1", "A /b - - 1", "A /b/new - 4 1"])
    }
}
