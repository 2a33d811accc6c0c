import BerthLayers
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthTar
import Foundation
import Testing

extension LayerRoom {
    /// A container on a layer in which a script has run, in its root.
    func container(_ id: String, on layer: LayerName, _ script: String) throws -> (layer: WritableLayer, output: String) {
        let writable = try snapshots.makeWritable(id, on: layer)
        return (writable, try run(in: writable, script))
    }

    func diff(of container: WritableLayer, on layer: LayerName, leavingOut mountPoints: MountPoints = .none, to archive: String) throws {
        let sink = DescriptorSink(try Directory.open(scratch.path).createFile(try PathBytes(archive)))
        try layers.writeDiff(of: container, on: layer, leavingOut: mountPoints, to: sink)
    }

    /// Commits, and looks at what was kept with other programs.
    func commit(_ container: WritableLayer, on layer: LayerName) throws -> ImportedLayer {
        let made = try layers.commitLayer(of: container, on: layer, leavingOut: .none, for: lease, progress: { (_) throws(LayerError) in })
        let committed = try #require(made)
        let blob = "root/content/blobs/sha256/\(committed.blob.digest.hex)"
        #expect(
            try scratch.shell("sha256sum <\(blob); stat -c %s \(blob); gzip -dc \(blob) | sha256sum") == """
                \(committed.blob.digest.hex)  -
                \(committed.blob.byteCount)
                \(committed.diffID.hex)  -

                """)
        return committed
    }

    func changes(of container: WritableLayer, on layer: LayerName, leavingOut mountPoints: MountPoints = .none) throws -> [String] {
        try layers.changes(of: container, on: layer, leavingOut: mountPoints).map { change in
            let kind = [.modified: "C", .added: "A", .deleted: "D"][change.kind] ?? "?"
            return "\(kind) \(String(decoding: change.path, as: UTF8.self))"
        }
    }
}

@Suite("What a container has changed", .kernelTier, .serialized)
struct DiffTests {
    @Test("Where there is no space for a layer of it, that is said before anything is written", arguments: ["overlay2", "vfs"])
    func space(_ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter, inMemory: true)
        try room.scratch.shell("mkdir l; echo lower >l/file; tar -C l -cf lower.tar .")
        let lower = try room.take("lower.tar")
        // A file that has two names, and a hole, take no more than they do.
        let container = try room.container(
            "c", on: lower.name, "head -c 4M /dev/urandom >random; ln random link; truncate -s 2M hole; rm file"
        ).layer
        func leave(_ byteCount: Int) throws {
            try room.scratch.shell(
                "mount -o remount,size=$((($(stat -f -c '%b - %f' root)) * $(stat -f -c %S root) + \(byteCount))) root")
        }
        try leave(4 << 20 - 8192)
        let before = try room.scratch.shell("find root | sort; stat -f -c %a root")
        #expect {
            try room.commit(container, on: lower.name)
        } throws: { error in
            let error = error as? LayerError
            return error?.code == .noSpace && error?.underlying == .ENOSPC
                && error?.description.contains(
                    "not enough space for what the container has changed: it needs at least 4194304 bytes, and the file system of '\(room.snapshots.path)' has "
                ) ?? false
        }
        #expect(try room.scratch.shell("find root | sort; stat -f -c %a root") == before)
        try leave(32 << 20)
        let layer = try room.commit(container, on: lower.name)
        #expect(try room.look(at: layer.name, "stat -c '%s %h' random hole; ls") == "4194304 2\n2097152 1\nhole\nlink\nrandom\n")
    }

    @Test("Random changes, as a layer on the same image, give the same tree", arguments: 101...120, ["overlay2", "vfs"])
    func property(_ seed: Int, _ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter, inMemory: seed % 5 != 0)
        try room.scratch.makeRandomTree(seed: seed, "first")
        try room.scratch.shell("tar --format=pax --xattrs --xattrs-include='*' --numeric-owner -C first -cf first.tar .")
        let lower = try room.take("first.tar")
        let oracle = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Oracle"
        let container = try room.container(
            "c", on: lower.name, "/usr/bin/python3 '\(oracle)/mutate.py' \(seed) .; /usr/bin/python3 '\(oracle)/tree.py' dense .")
        let expected = container.output.split(separator: "\n").map(String.init)
        try room.diff(of: container.layer, on: lower.name, to: "diff.tar")
        try room.diff(of: container.layer, on: lower.name, to: "again.tar")
        try room.scratch.shell("cmp diff.tar again.tar")
        let upper = try seed % 2 == 0 ? room.take("diff.tar", on: lower.name) : room.commit(container.layer, on: lower.name)
        #expect(try room.scratch.shell("sha256sum <diff.tar") == upper.diffID.hex + "  -\n")
        expectSame(try room.listing(of: upper.name, isDense: true), expected, "seed \(seed):")
        // And from there nothing has changed.
        let unchanged = try room.container("d", on: upper.name, "true")
        #expect(try room.changes(of: unchanged.layer, on: upper.name) == [])
        try room.diff(of: unchanged.layer, on: upper.name, to: "empty.tar")
        #expect(try room.scratch.shell("stat -c %s empty.tar") == "1024\n")
    }

    @Test("A container's bytes are those of whole changed files, each once", arguments: ["overlay2", "vfs"])
    func usage(_ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter)
        try room.scratch.shell(
            "mkdir -p root-of/a; head -c 5000 /dev/zero >root-of/a/old; : >root-of/a/gone; tar -C root-of -cf lower.tar .")
        let image = try room.take("lower.tar")
        func count(_ id: String, _ script: String) throws -> UInt64 {
            try room.layers.changedByteCount(of: try room.container(id, on: image.name, script).layer, on: image.name)
        }
        #expect(try count("nothing", "true") == 0)
        #expect(try count("added", "head -c 1000 /dev/zero >new; ln new other; ln -s new link; mkdir b; head -c 20 /dev/zero >b/x") == 1023)
        #expect(try count("changed", "echo >>a/old; rm a/gone") == 5001)
        #expect(try count("sparse", "truncate -s 1000000 hole") == 1_000_000)
        #expect {
            let deep = "python3 -c \"import os\nfor i in range(\(TreePacker.maximumDepth + 1)): os.mkdir('d'); os.chdir('d')\""
            _ = try count("deep", deep)
        } throws: { ($0 as? LayerError)?.code == .tooLarge && "\($0)".contains("\(TreePacker.maximumDepth)") }
    }

    @Test("A commit that fails leaves no layer; one of nothing makes none", arguments: ["overlay2", "vfs"])
    func failedCommit(_ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter)
        let image = try image(room)
        let before = try room.scratch.shell("ls root/\(snapshotter) | sort")
        let wrong = try room.container("c", on: image, "head -c 3000000 /dev/urandom >a/big; : >z; mv z .wh.z")
        #expect { try room.commit(wrong.layer, on: image) } throws: { "\($0)".contains("'/.wh.z'") }
        let large = try room.container("d", on: image, "head -c 3000000 /dev/urandom >a/big")
        #expect { () throws in
            _ = try room.layers.commitLayer(
                of: large.layer, on: image, leavingOut: .none, for: room.lease,
                progress: { (count) throws(LayerError) in if count > 1 << 20 { throw LayerError(.cancelled, "enough") } })
        } throws: { ($0 as? LayerError)?.code == .cancelled }
        for container in [wrong.layer, large.layer] { try room.snapshots.remove(container) }
        #expect(try room.scratch.shell("ls root/\(snapshotter) | sort; ls root/content/ingest") == before)
        let nothing = try room.snapshots.makeWritable("e", on: image)
        #expect(
            try room.layers.commitLayer(of: nothing, on: image, leavingOut: .none, for: room.lease, progress: { (_) throws(LayerError) in })
                == nil)
    }

    /// An image with all that the next tests change.
    private func image(_ room: LayerRoom) throws -> LayerName {
        try room.scratch.shell(
            """
            mkdir -p i/a/deep/er i/gone/in i/again i/etc i/same i/owner; echo x | tee i/a/deep/er/file i/a/file i/gone/in/file i/gone/file >i/again/file
            echo x | tee i/etc/passwd i/one i/becomes >i/same/file; ln i/one i/two; mkdir i/becomes-file; echo x >i/becomes-file/inside
            chmod 751 i; find i -exec touch -h -d @1000000000 {} +; tar --numeric-owner -C i -cf i.tar .
            """)
        return try room.take("i.tar").name
    }

    @Test("What is told, and in which order, is what Docker tells with overlay2")
    func told() throws {
        let room = try LayerRoom("overlay2")
        let image = try image(room)
        let container = try room.container(
            "c", on: image,
            """
            echo y >>a/deep/er/file; rm -r gone; rm -r again; mkdir again; echo x >again/file; echo x >again/new; mkdir -p new/inside; : >new/inside/file
            rm becomes; mkdir becomes; rm -r becomes-file; : >becomes-file; chmod 700 etc; ln one same/three; chmod 755 same/.
            """)
        #expect(
            try room.changes(of: container.layer, on: image) == [
                "C /a/deep/er/file", "D /again", "C /again/file", "A /again/new", "D /becomes", "C /becomes-file", "C /etc", "D /gone",
                "A /new", "A /new/inside", "A /new/inside/file", "C /one", "C /same", "A /same/three",
            ])
    }

    @Test("And with a driver that copies")
    func toldOfCopies() throws {
        let room = try LayerRoom("vfs")
        let image = try image(room)
        let container = try room.container(
            "c", on: image,
            """
            echo y >>a/deep/er/file; rm -r gone; rm -r again; mkdir again; echo x >again/file; mkdir -p new/inside; : >new/inside/file
            rm becomes; mkdir becomes; rm -r becomes-file; : >becomes-file; chmod 700 etc; touch same; chown 5 owner
            """)
        #expect(
            try room.changes(of: container.layer, on: image) == [
                "C /a", "C /a/deep", "C /a/deep/er", "C /a/deep/er/file", "C /again", "C /again/file", "C /becomes", "C /becomes-file",
                "C /etc",
                "A /new", "A /new/inside", "A /new/inside/file", "C /owner", "D /gone",
            ])
    }

    @Test("What the engine makes to mount something over is no change, unless it is more than that", arguments: ["overlay2", "vfs"])
    func mountPoints(_ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter)
        let image = try image(room)
        let points = MountPoints(directories: ["dev", "proc", "etc"], files: ["etc/hosts", "etc/hostname"])
        let untouched = try room.container("c", on: image, "mkdir dev proc; : >etc/hosts; : >etc/hostname")
        #expect(try room.changes(of: untouched.layer, on: image, leavingOut: points) == [])
        try room.diff(of: untouched.layer, on: image, leavingOut: points, to: "empty.tar")
        #expect(try room.scratch.shell("stat -c %s empty.tar") == "1024\n")
        let root = try room.container("e", on: image, "chmod 700 .")
        #expect(try room.changes(of: root.layer, on: image, leavingOut: points) == [])
        try room.diff(of: root.layer, on: image, leavingOut: points, to: "e.tar")
        #expect(try room.scratch.shell("tar -tf e.tar") == "./\n")
        let touched = try room.container("d", on: image, "mkdir dev proc; echo own >etc/hosts; : >etc/hostname; : >dev/file")
        #expect(
            try room.changes(of: touched.layer, on: image, leavingOut: points) == ["C /dev", "A /dev/file", "C /etc", "A /etc/hosts"])
        try room.diff(of: touched.layer, on: image, leavingOut: points, to: "d.tar")
        #expect(try room.scratch.shell("tar -tf d.tar") == "./\ndev/\ndev/file\netc/\netc/hosts\n")
    }

    @Test("A name that no layer can have is an error with its path", arguments: ["overlay2", "vfs"])
    func unrepresentable(_ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter)
        let image = try image(room)
        let container = try room.container("c", on: image, ": >a/deep/.wh.file")
        #expect { try room.diff(of: container.layer, on: image, to: "d.tar") } throws: { error in
            (error as? LayerError)?.code == .invalid && "\(error)".contains("'/a/deep/.wh.file'")
        }
    }

    @Test("A root is exported without what is mounted in it", arguments: ["overlay2", "vfs"])
    func export(_ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter)
        try room.scratch.makeRandomTree(seed: 77, "first")
        try room.scratch.shell("tar --format=pax --xattrs --xattrs-include='*' --numeric-owner -C first -cf first.tar .")
        let lower = try room.take("first.tar")
        let oracle = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Oracle"
        let container = try room.container(
            "c", on: lower.name, "/usr/bin/python3 '\(oracle)/mutate.py' 77 .; /usr/bin/python3 '\(oracle)/tree.py' dense .")
        try room.layers.writeRoot(
            of: container.layer, to: DescriptorSink(try Directory.open(room.scratch.path).createFile("root.tar")))
        try room.scratch.shell("mkdir theirs; tar --xattrs --xattrs-include='*' --numeric-owner -xpf root.tar -C theirs")
        let withoutRoot = { (lines: [String]) in lines.filter { !$0.hasPrefix("'.' ") } }
        expectSame(
            withoutRoot(try room.scratch.listing("theirs", isDense: true)),
            withoutRoot(container.output.split(separator: "\n").map(String.init)))
    }
}
