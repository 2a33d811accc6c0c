import BerthArchive
import BerthContent
import BerthLayers
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthTar
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

    /// Nothing is collected here: any will do.
    var lease: Lease { content.leases.begin() }

    func take(_ archive: String, on parent: LayerName? = nil) throws -> ImportedLayer {
        let whole = archive.hasPrefix("/") ? archive : "\(scratch.path)/\(archive)"
        return try layers.importLayer(
            from: try HostFile.open(whole), on: parent, for: lease, progress: { (_) throws(LayerError) in })
    }

    /// Runs a script in a container's root on a layer, and gives its output. What is mounted goes with the script.
    func look(at layer: LayerName?, _ script: String) throws -> String {
        let writable = try snapshots.makeWritable("look", on: layer)
        defer { try? snapshots.remove(writable) }  // of a test that fails anyway
        return try run(in: writable, script)
    }

    /// Runs a script in a container's root. What is mounted goes with the script.
    func run(in writable: WritableLayer, _ script: String) throws -> String {
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

    func listing(of layer: LayerName?, isDense: Bool = false) throws -> [String] {
        let tool = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Oracle/tree.py"
        return try look(at: layer, "/usr/bin/python3 '\(tool)' \(isDense ? "dense" : "list") .").split(separator: "\n").map(String.init)
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
        let blob = "root/content/blobs/sha256/\(layer.blob.digest.hex)"
        #expect(try room.scratch.shell("sha256sum <\(blob)") == layer.blob.digest.hex + "  -\n")
        #expect(try room.scratch.shell("sha256sum <plain.tar") == layer.diffID.hex + "  -\n")
        #expect(try room.scratch.shell("stat -c %s \(blob)") == "\(layer.blob.byteCount)\n")
        #expect(layer.blob.mediaType == [MediaType.layerGzip, .layerZstd, .layerGzip][seed % 3])
        // What came compressed is kept as it came; what did not is compressed.
        #expect(try room.scratch.shell(packing == "cat" ? "gzip -dc \(blob) | cmp - plain.tar" : "cmp a.tar \(blob)") == "")
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

    @Test("Layers that come in any order, and at the same time, are the same as one after the other", arguments: ["overlay2", "vfs"])
    func anyOrder(_ snapshotter: String) async throws {
        let room = try LayerRoom(snapshotter)
        try room.scratch.shell(
            """
            mkdir -p 1/d 2/d 3; echo 1 | tee 1/d/a 1/b 1/c; echo 2 >2/d/a; : >2/.wh.b; echo 3 >3/c; python3 -c 'import os; os.setxattr("1", "user.root", b"1")'; chmod 700 1
            touch -d @1000000000 1; touch -d @7 1/d
            tar --xattrs --xattrs-include='*' -C 1 -cf 1.tar .; tar -C 2 -cf - d .wh.b | gzip >2.tar; tar -C 3 -cf - c | zstd -q >3.tar
            """)
        let expected = try {
            let one = try room.take("1.tar")
            let two = try room.take("2.tar", on: one.name)
            return [one, two, try room.take("3.tar", on: two.name)]
        }()
        let listing = try room.listing(of: expected[2].name)
        for layer in expected.reversed() { try room.snapshots.removeLayer(layer.name) }
        for layer in expected { try room.content.remove(layer.blob.digest) }

        // The uppermost first; each is read behind the one who brings it.
        let layers = room.layers
        var unpacked: [UnpackedLayer] = []
        for number in [3, 2, 1] {
            let arrival = try layers.makeArrival(for: room.lease)
            let reading = Task.detached { try layers.unpack(arrival) }
            let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(room.scratch.path)/\(number).tar"))
            for byte in stride(from: 0, to: bytes.count, by: 100) {
                try unsafe Array(bytes[byte..<min(byte + 100, bytes.count)]).withUnsafeBytes { try unsafe arrival.write($0) }
            }
            _ = try arrival.end()
            unpacked.insert(try await reading.value, at: 0)
        }
        #expect(room.snapshots.layers().isEmpty)
        #expect(try room.content.all().isEmpty)
        let imported = try layers.commit(zip(unpacked, expected).map { ($0, $1.diffID) }, on: nil, for: room.lease)
        #expect(imported.map(\.name) == expected.map(\.name) && imported.map(\.diffID) == expected.map(\.diffID))
        #expect(imported.map(\.unpackedByteCount) == expected.map(\.unpackedByteCount))
        #expect(try room.listing(of: imported[2].name) == listing)
        // The root is as the last layer that says it, which is the lowest.
        #expect(room.snapshots.layers()[imported[2].name]?.parent == imported[1].name)

        // What is there is not unpacked again, and what lies on another parent is, from what came.
        let same = try layers.commit(
            [(try layers.hold(imported[0].blob.digest, for: room.lease), imported[0].diffID)], on: nil, for: room.lease)
        #expect(same == [imported[0]])
        let other = try layers.commit([(unpacked[2], imported[2].diffID)], on: imported[0].name, for: room.lease)
        #expect(try room.look(at: other[0].name, "cat c b") == "3\n1\n")
    }

    @Test(
        "An archive of another kind gives the files that bsdtar unpacks of it, and the layer that is kept is a tar",
        arguments: ["newc", "odc", "zip", "7zip"], ["cat", "xz -0", "gzip -1"])
    func otherArchives(_ format: String, _ packing: String) throws {
        let room = try LayerRoom("overlay2")
        try room.scratch.shell(
            """
            mkdir -p t/dir/deep; cd t; echo text >dir/file; head -c 300000 /dev/urandom >dir/deep/data; ln -s ../anywhere dir/link; chmod 4750 dir/file
            [ \(format) = zip ] || [ \(format) = 7zip ] || { ln dir/deep/data dir/again; ln dir/deep/data third; chown 1000:1001 dir/file; }
            touch -d '2001-02-03 04:05:06' dir/file dir/deep/data; chmod 750 dir; touch -d '2002-03-04 05:06:08' dir dir/deep; cd ..
            bsdtar -c --format \(format) -f plain.archive -C t dir $(ls t | grep third || true); \(packing) <plain.archive >a.archive
            mkdir theirs; bsdtar -xpf plain.archive -C theirs
            """)
        let layer = try room.take("a.archive")
        let tool = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Oracle/tree.py"
        try room.scratch.shell("touch -d @0 theirs")
        let ours = try room.look(at: layer.name, "touch -d @0 .; /usr/bin/python3 '\(tool)' list .").split(separator: "\n").map(String.init)
        expectSame(ours, try room.scratch.listing("theirs"), "\(format), \(packing):")
        #expect(layer.blob.mediaType == .layerGzip)
        let blob = "root/content/blobs/sha256/\(layer.blob.digest.hex)"
        #expect(try room.scratch.shell("gzip -dc \(blob) | sha256sum") == "\(layer.diffID.hex)  -\n")
        #expect(try room.scratch.shell("gzip -dc \(blob) | tar t | grep dir/deep/data") != "")
        #expect(try room.scratch.shell("ls root/content/ingest") == "")
    }

    @Test("A folder that a layer only passes through stays what it is below", arguments: ["overlay2", "vfs"])
    func impliedDirectories(_ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter)
        try room.scratch.shell(
            """
            mkdir -p 1/a/b 1/opaque/c 1/gone/d 2; echo low | tee 1/a/b/low >1/opaque/c/low
            chmod 1711 1/a; chmod 700 1/a/b; chown 5:6 1/a/b; chmod 700 1/opaque/c 1/gone/d
            python3 -c 'import os; os.setxattr("1/a/b", "user.note", b"low")'; touch -d @1000 1/a 1/a/b
            mkdir -p 2/a/b 2/opaque/c 2/gone/d 3/a/b; : >2/opaque/.wh..wh..opq; : >2/.wh.gone; echo up | tee 2/a/b/up 2/opaque/c/up >2/gone/d/up; echo top >3/a/b/top
            tar --xattrs --xattrs-include='*' -C 1 -cf 1.tar .; tar -C 2 -cf 2.tar opaque/.wh..wh..opq opaque/c/up .wh.gone --no-recursion gone gone/d/up; tar -C 3 -cf 3.tar a/b/top
            """)
        var layer = try room.take("1.tar")
        for archive in ["2.tar", "3.tar"] { layer = try room.take(archive, on: layer.name) }
        let facts = try room.look(
            at: layer.name,
            """
            stat -c '%n %a %u:%g' a a/b opaque/c gone/d
            python3 -c 'import os; print(os.getxattr("a/b", "user.note").decode())'
            """)
        #expect(facts.hasPrefix("a 1711 0:0\na/b 700 5:6\nopaque/c 755 0:0\ngone/d 755 0:0\nlow"), "\(facts)")
        if snapshotter == "overlay2" { #expect(try room.look(at: layer.name, "stat -c %Y a a/b") == "1000\n1000\n") }
    }

    @Test("Names in a layer that begin with a slash are the root's, and so are the targets of hard links", arguments: ["overlay2", "vfs"])
    func absoluteNames(_ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter)
        try room.scratch.shell(
            """
            mkdir -p t/etc; echo text >t/etc/file; ln t/etc/file t/again
            tar -C t -P --transform='s,^\\./,/,' -cf a.tar ./etc ./again; tar tvf a.tar
            """)
        let source = DescriptorSource(try HostFile.open("\(room.scratch.path)/a.tar"))
        let layer = try #require(
            try room.layers.commit([(try room.layers.unpack(from: source, for: room.lease), nil)], on: nil, for: room.lease).first)
        #expect(try room.look(at: layer.name, "cat etc/file again; stat -c %h again") == "text\ntext\n2\n")
        #expect { try room.take("a.tar") } throws: { "\($0)".contains("absolute") }
        #expect(try room.scratch.shell("tar tPf a.tar").hasPrefix("/etc/\n/etc/file\n/again\n"))
    }

    @Test("What does not come whole, or is another's, leaves nothing", arguments: ["overlay2", "vfs"])
    func nothingLeft(_ snapshotter: String) async throws {
        let room = try LayerRoom(snapshotter)
        try room.scratch.shell("mkdir t; echo text >t/file; tar -C t -cf a.tar .; head -c 1000 a.tar >cut.tar")
        let before = try room.scratch.shell("find root | sort")
        let layers = room.layers
        let arrival = try layers.makeArrival(for: room.lease)
        let reading = Task.detached { try layers.unpack(arrival) }
        arrival.abandon()
        await #expect(throws: LayerError.self) { _ = try await reading.value }
        // It could be that it is cut off where nobody looks: with vfs, when it is laid on.
        #expect(throws: LayerError.self) {
            let cut = try layers.unpack(from: DescriptorSource(try HostFile.open("\(room.scratch.path)/cut.tar")), for: room.lease)
            _ = try layers.commit([(cut, nil)], on: nil, for: room.lease)
        }
        do {
            let whole = try layers.unpack(from: DescriptorSource(try HostFile.open("\(room.scratch.path)/a.tar")), for: room.lease)
            #expect {
                _ = try layers.commit([(whole, Digest(of: [1]))], on: nil, for: room.lease)
            } throws: { "\($0)".contains("is damaged, or another image's") && ($0 as? LayerError)?.code == .invalid }
        }
        #expect(room.snapshots.layers().isEmpty)
        #expect(try room.scratch.shell("find root | sort") == before)
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
        let (layers, leases, path) = (room.layers, room.content.leases, room.scratch.path + "/a.tar")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    _ = try layers.importLayer(
                        from: try HostFile.open(path), on: nil, for: leases.begin(), progress: { (_) throws(LayerError) in })
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
