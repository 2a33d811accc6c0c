import BerthArchive
import BerthLinux
import BerthTar
import Foundation
import Testing

extension Scratch {
    /// Unpacks an archive as a layer's would be, without a layer's rules.
    func unpack(_ archive: String, into directory: String) throws {
        try FileManager.default.createDirectory(atPath: "\(path)/\(directory)", withIntermediateDirectories: true)
        let source = Decompressor(DescriptorSource(try HostFile.open("\(path)/\(archive)")))
        let reader = TarReader(source)
        try TreeExtractor(into: try Directory.open("\(path)/\(directory)")).extractAll(reader)
        try reader.drain()
    }
}

/// A way of making an archive, and how to read it with another tool.
struct Writer: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let command: String
    /// Whether the format has room for short names and small numbers only.
    let isPlain: Bool

    private init(_ name: String, isPlain: Bool = false, _ command: String) {
        (testDescription, self.isPlain, self.command) = (name, isPlain, command)
    }

    /// GNU tar loses times of directories that are not followed by all of theirs, which is how bsdtar writes them: that is left to bsdtar.
    var reader: String {
        testDescription.hasPrefix("bsdtar") ? "bsdtar --numeric-owner -xpf" : "tar --xattrs --xattrs-include='*' --numeric-owner -xpf"
    }

    static let all: [Writer] = [
        Writer("GNU tar, gnu, sparse", "tar --format=gnu --sparse --numeric-owner -cf A ."),
        Writer("GNU tar, oldgnu", "tar --format=oldgnu --numeric-owner -cf A ."),
        Writer("GNU tar, ustar", isPlain: true, "tar --format=ustar --numeric-owner -cf A ."),
        Writer("GNU tar, v7", isPlain: true, "tar --format=v7 --numeric-owner -cf A . 2>/dev/null || true"),
        Writer("GNU tar, pax, sparse 0.0", "tar --format=pax --sparse-version=0.0 --xattrs --xattrs-include='*' -cf A ."),
        Writer("GNU tar, pax, sparse 0.1", "tar --format=pax --sparse-version=0.1 --xattrs --xattrs-include='*' -cf A ."),
        Writer("GNU tar, pax, sparse 1.0", "tar --format=pax --sparse-version=1.0 --xattrs --xattrs-include='*' -cf A ."),
        Writer("GNU tar, gzip in two members", "tar --format=pax --sparse -cf - . | (head -c 40000 | gzip; gzip) >A"),
        Writer(
            "GNU tar, zstd in two frames and one to skip",
            #"tar --format=pax -cf - . | (head -c 40000 | zstd -q; printf '\x50\x2a\x4d\x18\x03\x00\x00\x00abc'; zstd -q) >A"#),
        Writer("bsdtar, pax", "bsdtar --format=pax --numeric-owner -cf A ."),
        Writer("bsdtar, gnutar", "bsdtar --format=gnutar --numeric-owner -cf A ."),
        Writer("bsdtar, ustar", isPlain: true, "bsdtar --format=ustar --numeric-owner -cf A ."),
        Writer("Python, pax", Self.python("PAX_FORMAT")),
        Writer("Python, gnu", Self.python("GNU_FORMAT")),
    ]

    private static func python(_ format: String) -> String {
        "/usr/bin/python3 -c 'import tarfile; t = tarfile.open(\"A\", \"w\", format=tarfile.\(format)); t.add(\".\"); t.close()'"
    }
}

@Suite("What is unpacked is what other tools unpack", .kernelTier, .serialized)
struct TarOracleTests {
    @Test("Random trees, by every writer, as GNU tar unpacks them", arguments: Writer.all, 1...3)
    func trees(_ writer: Writer, _ seed: Int) throws {
        let scratch = try Scratch()
        try scratch.makeRandomTree(seed: seed, "tree", isPlain: writer.isPlain)
        let command = writer.command.replacingOccurrences(of: " A", with: " ../a.tar").replacingOccurrences(of: ">A", with: ">../a.tar")
            .replacingOccurrences(of: "\"A\"", with: "\"../a.tar\"")
        try scratch.shell("cd tree; \(command)")
        try scratch.unpack("a.tar", into: "ours")
        try scratch.shell(
            "mkdir theirs; (zstd -dcq a.tar 2>/dev/null || gzip -dc a.tar 2>/dev/null || cat a.tar) >plain.tar"
        )
        try scratch.shell("\(writer.reader) plain.tar -C theirs")
        var (ours, theirs) = (try scratch.listing("ours"), try scratch.listing("theirs"))
        #expect(ours.count > 5)
        // bsdtar leaves the time of the directory that it unpacks into.
        if writer.reader.hasPrefix("bsdtar") {
            ours.removeAll { $0.hasPrefix("'.' ") }
            theirs.removeAll { $0.hasPrefix("'.' ") }
        }
        expectSame(ours, theirs, "\(writer.testDescription), seed \(seed):")
    }

    @Test("A real root file system, as bsdtar unpacks it")
    func libarchive() throws {
        let scratch = try Scratch()
        try scratch.shell("tar --numeric-owner -C / -cf a.tar etc bin/busybox usr/share/perl5 2>/dev/null || [ -s a.tar ]")
        try scratch.unpack("a.tar", into: "ours")
        try scratch.shell("mkdir theirs; bsdtar --numeric-owner -xpf a.tar -C theirs")
        let ours = try scratch.listing("ours").filter { !$0.hasPrefix("'.' ") && !$0.hasPrefix("'bin' ") && !$0.contains("'usr") }
        let theirs = try scratch.listing("theirs").filter { !$0.hasPrefix("'.' ") && !$0.hasPrefix("'bin' ") && !$0.contains("'usr") }
        #expect(ours.count > 100)
        expectSame(ours, theirs)
    }

    @Test("Later entries replace earlier ones, directories stay and get the later attributes")
    func duplicates() throws {
        let scratch = try Scratch()
        try scratch.shell(
            """
            mkdir -p a/d a/e b c; echo 1 >a/f; echo deep >a/e/x; touch -d @100 a/d; chmod 700 a/d
            echo 2 >b/f; mkdir b/d; touch -d @200 b/d; chmod 755 b/d; echo file >b/e
            mkdir c/e c/f; echo in >c/e/y; ln -s d c/l
            tar -cf t.tar -C a . ; tar -rf t.tar -C b . ; tar -rf t.tar -C c .
            """)
        try scratch.unpack("t.tar", into: "ours")
        #expect(
            try scratch.shell("cd ours; stat -c '%n %a %F' d e f l; stat -c %Y d; cat e/y; ls e") == """
                d 755 directory
                e 755 directory
                f 755 directory
                l 777 symbolic link
                200
                in
                y

                """)
    }

    @Test("Names deeper than a path can be are unpacked, and removed again")
    func depth() throws {
        let scratch = try Scratch()
        try scratch.shell(
            """
            /usr/bin/python3 - <<'END'
            import io, tarfile
            with tarfile.open("deep.tar", "w", format=tarfile.PAX_FORMAT) as tar:
                name = "/".join(["directory"] * 900)
                entry = tarfile.TarInfo(name); entry.type = tarfile.DIRTYPE; entry.mode = 0o700; entry.mtime = 5; tar.addfile(entry)
                entry = tarfile.TarInfo(name + "/file"); entry.size = 4; tar.addfile(entry, io.BytesIO(b"text"))
                entry = tarfile.TarInfo("link"); entry.type = tarfile.LNKTYPE; entry.linkname = name + "/file"; tar.addfile(entry)
            END
            """)
        var limit = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let old = limit.rlim_cur
        limit.rlim_cur = 256
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        defer {
            limit.rlim_cur = old
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        try scratch.unpack("deep.tar", into: "ours")
        #expect(try scratch.shell("cat ours/link; stat -c %h ours/link") == "text2\n")
        try Directory.open(scratch.path).removeTree("ours")
        #expect(try !Directory.open(scratch.path).contains("ours"))
    }

    @Test("The process's umask is nobody's business")
    func umask() throws {
        let scratch = try Scratch()
        try scratch.shell("mkdir -p tree/implied/dir; echo x >tree/implied/dir/file; tar -cf t.tar -C tree implied/dir/file")
        let old = Glibc.umask(0o077)
        defer { _ = Glibc.umask(old) }
        try scratch.unpack("t.tar", into: "ours")
        #expect(try scratch.shell("stat -c %a ours/implied ours/implied/dir") == "755\n755\n")
    }
}
