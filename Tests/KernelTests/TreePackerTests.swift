import BerthLinux
import BerthTar
import Testing

@Suite("Trees are packed as they are", .kernelTier, .serialized)
struct TreePackerTests {
    private func pack(
        _ scratch: Scratch, _ directory: String, _ archive: String,
        decide: @escaping TreePacker.Decide = { (_) throws(TarError) in .pack }
    ) throws -> TreePacker {
        let writer = TarWriter(DescriptorSink(try Directory.open(scratch.path).createFile(try PathBytes(archive))))
        let packer = TreePacker(into: writer, decide: decide)
        try packer.pack(try DetachedMount.reading("\(scratch.path)/\(directory)"))
        try writer.finish()
        return packer
    }

    @Test("Random trees, as GNU tar, bsdtar and we unpack them; twice the same bytes", arguments: 201...210)
    func trees(_ seed: Int) throws {
        let scratch = try Scratch()
        try scratch.makeRandomTree(seed: seed, "tree")
        let packer = try pack(scratch, "tree", "a.tar")
        #expect(packer.changedCount == 0 && packer.socketCount == 0)
        _ = try pack(scratch, "tree", "b.tar")
        try scratch.shell(
            """
            cmp a.tar b.tar; mkdir gnu bsd
            tar --xattrs --xattrs-include='*' --numeric-owner -xpf a.tar -C gnu; bsdtar --numeric-owner -xpf a.tar -C bsd
            """)
        try scratch.unpack("a.tar", into: "ours")
        let tree = try scratch.listing("tree", isDense: true)
        #expect(tree.count > 5)
        expectSame(try scratch.listing("ours", isDense: true), tree, "seed \(seed), ours:")
        expectSame(try scratch.listing("gnu", isDense: true), tree, "seed \(seed), GNU tar:")
        let withoutRoot = { (lines: [String]) in lines.filter { !$0.hasPrefix("'.' ") } }
        expectSame(withoutRoot(try scratch.listing("bsd", isDense: true)), withoutRoot(tree), "seed \(seed), bsdtar:")
    }

    @Test("Files that change, come and go while they are packed never damage the archive")
    func changing() throws {
        let scratch = try Scratch()
        try scratch.shell(
            """
            mkdir -p t/d/gone t/d/link-now; for name in a shorter longer z; do head -c 600000 /dev/zero | tr '\\0' x >t/$name; done
            : >t/d/file; : >t/d/link-now/inside; ln -s /etc t/symlink
            """)
        let packer = try pack(scratch, "t", "a.tar") { (entry) throws(TarError) in
            do {
                switch String(decoding: entry.name, as: UTF8.self) {
                case "shorter": try scratch.shell("truncate -s 1000 t/shorter")
                case "longer": try scratch.shell("echo more >>t/longer; rm t/z; ln -s /etc/passwd t/z")
                case "d/file": try scratch.shell("rmdir t/d/gone; rm -r t/d/link-now; ln -s /etc t/d/link-now")
                default: break
                }
            } catch { throw TarError(.storage, "\(error)") }
            return .pack
        }
        #expect(packer.changedCount == 2)  // what has gone, and what is shorter; what is something else now is packed as that
        #expect(
            try scratch.shell("tar -tvf a.tar | sed -E 's/^(.)[^ ]* +[^ ]+ +([0-9]+) +[^ ]+ +[^ ]+ /\\1 \\2 /'") == """
                d 0 ./
                - 600000 a
                d 0 d/
                - 0 d/file
                l 0 d/link-now -> /etc
                - 600000 longer
                - 600000 shorter
                l 0 symlink -> /etc
                l 0 z -> /etc/passwd

                """)
        #expect(try scratch.shell("tar -xOf a.tar shorter | tr -d '\\0' | wc -c; tar -xOf a.tar longer | tr -d x | wc -c") == "1000\n0\n")
    }

    @Test("Sockets are left out and counted; a device in the tree is packed and never opened")
    func kinds() throws {
        let scratch = try Scratch()
        try scratch.shell(
            """
            mkdir t; mkfifo t/fifo; mknod t/tape b 9 128; /usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("t/socket")'
            """)
        #expect(try pack(scratch, "t", "a.tar").socketCount == 1)
        #expect(try scratch.shell("tar -tf a.tar") == "./\nfifo\ntape\n")
        let root = try DetachedMount.reading("\(scratch.path)/t")
        #expect(throws: Errno.EACCES) { _ = try root.openFile("tape") }
        #expect(throws: Errno.EROFS) { _ = try root.createFile("new") }
    }

    @Test("Names deeper than a path can be, with few files open")
    func depth() throws {
        let scratch = try Scratch()
        try scratch.shell(
            "/usr/bin/python3 -c 'import os; os.mkdir(\"t\"); os.chdir(\"t\"); [(os.mkdir(\"directory\"), os.chdir(\"directory\")) for _ in range(900)]; open(\"file\", \"w\").write(\"text\")'; echo a >t/z"
        )
        _ = try pack(scratch, "t", "a.tar")
        #expect(
            try scratch.shell("tar -tf a.tar | wc -l; tar -tf a.tar | tail -n 1; tar -xOf a.tar --wildcards '*/file'") == "903\nz\ntext")
        #expect(TreeCursor.openLimit < 100)
        try Directory.open(scratch.path).removeTree("t")
    }
}
