import BerthLinux
import BerthTar
import Testing

@Suite("What is written is what other tools read", .kernelTier, .serialized)
struct TarWriterTests {
    @Test("Random trees, read and written again, as GNU tar and bsdtar unpack them", arguments: 1...6)
    func trees(_ seed: Int) throws {
        let scratch = try Scratch()
        try scratch.makeRandomTree(seed: seed, "tree")
        try scratch.shell("tar --format=pax --sparse --xattrs --xattrs-include='*' --numeric-owner -C tree -cf a.tar .")
        do {
            let reader = TarReader(DescriptorSource(try HostFile.open("\(scratch.path)/a.tar")))
            let writer = TarWriter(DescriptorSink(try Directory.open(scratch.path).createFile("ours.tar")))
            while let entry = try reader.next() {
                try writer.append(entry)
                while try unsafe reader.readData(
                    { (data) throws(TarError) in try unsafe writer.write(RawSpan(_unsafeBytes: data)) }, wrapping: { $0 })
                {}
            }
            try writer.finish()
        }
        try scratch.shell(
            """
            mkdir first gnu bsd
            for pair in a:first ours:gnu; do tar --xattrs --xattrs-include='*' --numeric-owner -xpf ${pair%:*}.tar -C ${pair#*:}; done
            bsdtar --numeric-owner -xpf ours.tar -C bsd
            """)
        try scratch.unpack("ours.tar", into: "ours")
        let first = try scratch.listing("first", isDense: true)
        #expect(first.count > 5)
        expectSame(try scratch.listing("ours", isDense: true), first, "seed \(seed), ours:")
        expectSame(try scratch.listing("gnu", isDense: true), first, "seed \(seed), GNU tar:")
        // bsdtar leaves the time of the directory that it unpacks into.
        let withoutRoot = { (lines: [String]) in lines.filter { !$0.hasPrefix("'.' ") } }
        expectSame(withoutRoot(try scratch.listing("bsd", isDense: true)), withoutRoot(first), "seed \(seed), bsdtar:")
    }
}
