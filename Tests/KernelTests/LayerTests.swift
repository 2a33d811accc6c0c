import BerthArchive
import BerthContent
import BerthLayers
import BerthLinux
import BerthOCI
import BerthSnapshots
import Foundation
import Testing

/// Layers of one snapshotter, in a directory of their own.
final class LayerRoom {
    let scratch: Scratch
    let content: ContentStore
    let snapshots: any Snapshotter
    let layers: LayerStore

    /// - Parameter inMemory: whether nothing of it is on a disk: syncing then costs nothing.
    init(_ snapshotter: String, limits: ArchiveLimits = ArchiveLimits(), inMemory: Bool = false) throws {
        scratch = try Scratch()
        try scratch.shell("mkdir root")
        if inMemory { _ = try scratch.mount("tmpfs", at: "root") }
        content = try ContentStore(directory: scratch.path + "/root/content")
        snapshots = try Snapshotters.open(snapshotter, in: scratch.path + "/root")
        layers = LayerStore(content: content, snapshots: snapshots, limits: limits)
    }

    func take(_ archive: String, on parent: LayerName? = nil) throws -> ImportedLayer {
        let whole = archive.hasPrefix("/") ? archive : "\(scratch.path)/\(archive)"
        return try layers.importLayer(from: try HostFile.open(whole), on: parent, progress: { (_) throws(LayerError) in })
    }

    /// Runs a script in a container's root on a layer, and gives its output. What is mounted goes with the script.
    func look(at layer: LayerName?, _ script: String) throws -> String {
        let writable = try snapshots.makeWritable("look", on: layer)
        defer { try? snapshots.remove(writable) }  // of a test that fails anyway
        switch try snapshots.mounts(of: writable) {
        case .directory(let path): return try scratch.shell("cd '\(path)'; \(script)")
        case .overlay(let base, let lowers, let upper, let work):
            return try scratch.shell(
                """
                mkdir -p merged; cd '\(base)'; mount -t overlay -o 'lowerdir=\(lowers.joined(separator: ":")),upperdir=\(upper),workdir=\(work)' o '\(scratch.path)/merged'
                trap 'cd /; umount "\(scratch.path)/merged"' EXIT
                cd '\(scratch.path)/merged'; \(script)
                """)
        }
    }

    func listing(of layer: LayerName?) throws -> [String] {
        let tool = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Oracle/tree.py"
        return try look(at: layer, "/usr/bin/python3 '\(tool)' list .").split(separator: "\n").map(String.init)
    }
}

@Suite("Layers, as both snapshotters keep them", .kernelTier, .serialized)
struct LayerTests {
    @Test("A random tree that is imported and mounted is what GNU tar unpacks", arguments: 11...22, ["overlay2", "vfs"])
    func property(_ seed: Int, _ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter)
        try room.scratch.makeRandomTree(seed: seed, "tree")
        let packing = ["gzip -1", "zstd -q -1", "cat"][seed % 3]
        try room.scratch.shell(
            """
            tar --format=pax --sparse --xattrs --xattrs-include='*' --numeric-owner -C tree -cf plain.tar .
            \(packing) <plain.tar >a.tar; mkdir theirs
            tar --xattrs --xattrs-include='*' --numeric-owner -xpf plain.tar -C theirs
            """)
        let layer = try room.take("a.tar")
        expectSame(try room.listing(of: layer.name), try room.scratch.listing("theirs"), "seed \(seed):")
        // The digests are those of the bytes, as another program counts them.
        #expect(try room.scratch.shell("sha256sum <a.tar") == layer.blob.digest.hex + "  -\n")
        #expect(try room.scratch.shell("sha256sum <plain.tar") == layer.diffID.hex + "  -\n")
        #expect(try room.scratch.shell("stat -c %s a.tar") == "\(layer.blob.byteCount)\n")
        #expect(layer.blob.mediaType == [MediaType.layerGzip, .layerZstd, .layer][seed % 3])
        #expect(try room.scratch.shell("cmp a.tar root/content/blobs/sha256/\(layer.blob.digest.hex)") == "")
    }

    @Test("Random changes between two trees, as a layer with whiteouts, give the second tree", arguments: 31...38, ["overlay2", "vfs"])
    func changes(_ seed: Int, _ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter)
        try room.scratch.makeRandomTree(seed: seed, "first")
        // The second tree is the first, with some taken away, some made anew, and a new one on top.
        try room.scratch.makeRandomTree(seed: seed + 1000, "new")
        let tool = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Oracle/changes.py"
        try room.scratch.shell(
            """
            tar --format=pax --sparse --xattrs --xattrs-include='*' --numeric-owner -C first -cf first.tar .
            for tree in first second; do rm -rf $tree; mkdir $tree; tar --xattrs --xattrs-include='*' --numeric-owner -xpf first.tar -C $tree; done
            /usr/bin/python3 '\(tool)' \(seed) second new upper
            tar --format=pax --sparse --xattrs --xattrs-include='*' --numeric-owner --no-recursion -C upper -cf second.tar --null --verbatim-files-from -T upper.list
            """)
        let lower = try room.take("first.tar")
        let upper = try room.take("second.tar", on: lower.name)
        expectSame(try room.listing(of: upper.name), try room.scratch.listing("second"), "seed \(seed):")
        expectSame(try room.listing(of: lower.name), try room.scratch.listing("first"), "the layer below, seed \(seed):")
    }

    @Test(
        "Whiteouts and opaque directories are about what lies below, and about nothing of their own layer, in whatever order",
        arguments: ["overlay2", "vfs"])
    func whiteouts(_ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter)
        try room.scratch.shell(
            """
            mkdir -p l/opaque/sub l/again l/kept l/other l/file-to-directory; echo low | tee l/opaque/low l/opaque/sub/low l/again/low l/kept/low l/gone >l/other/low
            echo low >l/directory-to-file.old; mkdir l/directory-to-file; echo low >l/directory-to-file/low; echo low >l/becomes; ln -s kept l/link
            mkdir -p u/opaque/sub u/again u/before u/mixed/deep; echo up | tee u/opaque/up u/opaque/sub/up u/again/up u/gone-not >u/directory-to-file
            mkdir u/becomes; echo up >u/becomes/up
            mkdir -p l/mixed/deep; echo low | tee l/mixed/low >l/mixed/deep/low; echo up >u/mixed/deep/up
            : >u/opaque/.wh..wh..opq; : >u/.wh.gone; : >u/.wh.again; : >u/.wh.never; : >u/.wh.other; : >u/.wh.gone-not; : >u/.wh.becomes
            mkdir -p u/.wh..wh.plnk; : >u/.wh..wh.plnk/1.2; : >u/.wh..wh.aufs; : >u/.wh.link; : >u/mixed/.wh..wh..opq
            tar -C l -cf l.tar .
            # Instructions first, last, and in the middle of what they are about.
            tar -C u --no-recursion -cf u.tar . opaque/.wh..wh..opq opaque opaque/up opaque/sub opaque/sub/up .wh.again again again/up gone-not \
                .wh.gone-not .wh.gone .wh.never .wh.other .wh.link .wh.becomes becomes becomes/up directory-to-file .wh..wh.plnk .wh..wh.plnk/1.2 .wh..wh.aufs \
                mixed/deep/up mixed/.wh..wh..opq
            tar -C u --no-recursion -cf v.tar opaque/up opaque opaque/sub/up opaque/.wh..wh..opq again/up .wh.again gone-not .wh.gone-not .wh.gone .wh.other \
                .wh.becomes becomes becomes/up .wh.link directory-to-file mixed/.wh..wh..opq mixed/deep/up
            """)
        let lower = try room.take("l.tar")
        let before = try room.listing(of: lower.name)
        for archive in ["u.tar", "v.tar"] {
            let upper = try room.take(archive, on: lower.name)
            let seen = try room.look(at: upper.name, "find . -mindepth 1 | sort; cat gone-not opaque/up; stat -c %F directory-to-file")
            #expect(
                seen == """
                    ./again
                    ./again/up
                    ./becomes
                    ./becomes/up
                    ./directory-to-file
                    ./directory-to-file.old
                    ./file-to-directory
                    ./gone-not
                    ./kept
                    ./kept/low
                    ./mixed
                    ./mixed/deep
                    ./mixed/deep/up
                    ./opaque
                    ./opaque/sub
                    ./opaque/sub/up
                    ./opaque/up
                    up
                    up
                    regular file

                    """, "\(archive)")
        }
        // What lies below is as it was.
        #expect(try room.listing(of: lower.name) == before)
    }

    @Test("The name of a chain is the image specification's")
    func chainID() throws {
        let first = try Digest(parsing: "sha256:" + String(repeating: "a", count: 64))
        let second = try Digest(parsing: "sha256:" + String(repeating: "b", count: 64))
        #expect(LayerStore.chainID(of: first, on: nil) == first)
        let hash = try Scratch().shell("printf '%s' '\(first) \(second)' | sha256sum").prefix(64)
        #expect(LayerStore.chainID(of: second, on: LayerName(chainID: first)).hex == hash)
    }

    @Test("The same layer taken in by several at once is there once", arguments: ["overlay2", "vfs"])
    func concurrent(_ snapshotter: String) async throws {
        let room = try LayerRoom(snapshotter)
        try room.scratch.shell("mkdir tree; seq 100000 >tree/file; tar -C tree -cf a.tar .")
        let (layers, path) = (room.layers, room.scratch.path + "/a.tar")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    _ = try layers.importLayer(from: try HostFile.open(path), on: nil, progress: { (_) throws(LayerError) in })
                }
            }
            try await group.waitForAll()
        }
        #expect(
            try room.scratch.shell(
                "ls -d root/\(snapshotter)/layer-* | wc -l; ls root/content/blobs/sha256 | wc -l; ls root/content/ingest | wc -l")
                == "1\n1\n0\n")
    }
}
