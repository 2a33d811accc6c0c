import Berth
import BerthArchive
import BerthLayers
import BerthLinux
import BerthOCI
import BerthSnapshots
import Foundation
import Testing

/// An archive that nobody may unpack: Python that makes it, and what is to be said of it.
struct Hostile: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let code: LayerError.Code
    /// All of these are in the error's text.
    let words: [String]
    /// Statements with `tar` (a `tarfile` open for writing), `entry(name, type, **fields)` that adds one, and `raw(bytes)` that appends.
    let script: String

    init(_ name: String, _ code: LayerError.Code = .invalid, saying words: String..., by script: String) {
        (testDescription, self.code, self.words, self.script) = (name, code, words, script)
    }

    static let all: [Hostile] = [
        Hostile("'..' in front", saying: "'../outside'", "'..'", by: "entry('../outside', data=b'x')"),
        Hostile("'..' within", saying: "'a/../../outside'", by: "entry('a', DIRTYPE); entry('a/../../outside', data=b'x')"),
        Hostile("'..' that stays inside", saying: "'a/../b'", by: "entry('a', DIRTYPE); entry('a/../b', data=b'x')"),
        Hostile("'..' alone", saying: "'..'", by: "entry('..', DIRTYPE)"),
        Hostile("an absolute name", saying: "'/etc/outside'", "absolute", by: "entry('/etc/outside', data=b'x')"),
        Hostile("a hard link out by '..'", saying: "'link'", "'..'", by: "entry('link', LNKTYPE, linkname='../../etc/passwd')"),
        Hostile(
            "a hard link to what is not in the archive", saying: "'link'", "'/etc/passwd'",
            by: "entry('link', LNKTYPE, linkname='/etc/passwd')"),
        Hostile(
            "a hard link through a symbolic link", saying: "'link'",
            by: "entry('out', SYMTYPE, linkname='/etc'); entry('link', LNKTYPE, linkname='out/passwd')"),
        Hostile(
            "a hard link to a directory", saying: "'link'", "directory 'd'", by: "entry('d', DIRTYPE); entry('link', LNKTYPE, linkname='d')"
        ),
        Hostile("a hard link to the root", saying: "'link'", by: "entry('link', LNKTYPE, linkname='.')"),
        Hostile("a hard link to itself, which is not there", saying: "'link'", by: "entry('link', LNKTYPE, linkname='link')"),
        Hostile(
            "a file through an absolute symbolic link", saying: "'out/file'", "symbolic link",
            by: "entry('out', SYMTYPE, linkname='/tmp'); entry('out/file', data=b'x')"),
        Hostile(
            "a file through a relative symbolic link", saying: "'out/file'",
            by: "entry('out', SYMTYPE, linkname='../../..'); entry('out/file', data=b'x')"),
        Hostile(
            "a file through a symbolic link that stays inside", saying: "'in/file'",
            by: "entry('d', DIRTYPE); entry('in', SYMTYPE, linkname='d'); entry('in/file', data=b'x')"),
        Hostile(
            "a directory through a symbolic link", saying: "'out/a/'", by: "entry('out', SYMTYPE, linkname='/var'); entry('out/a', DIRTYPE)"
        ),
        Hostile(
            "a directory that has become a symbolic link", saying: "'d/file'",
            by: "entry('d', DIRTYPE); entry('d/x', data=b'x'); entry('d', SYMTYPE, linkname='/tmp'); entry('d/file', data=b'x')"),
        Hostile(
            "a deep directory that has become a symbolic link", saying: "'a/b/c/file'",
            by: "entry('a/b/c/x', data=b'x'); entry('a/b', SYMTYPE, linkname='/tmp'); entry('a/b/c/file', data=b'x')"),
        Hostile("a file below a named pipe", saying: "'p/file'", "no directory", by: "entry('p', FIFOTYPE); entry('p/file', data=b'x')"),
        Hostile("a file below a device", saying: "'c/file'", by: "entry('c', CHRTYPE, devmajor=1, devminor=3); entry('c/file', data=b'x')"),
        Hostile("a file below a file", saying: "'f/file'", by: "entry('f', data=b'x'); entry('f/file', data=b'x')"),
        Hostile(
            "overlay's opaque mark", saying: "'d/'", "trusted.overlay.opaque",
            by: "entry('d', DIRTYPE, pax_headers={'SCHILY.xattr.trusted.overlay.opaque': 'y'})"),
        Hostile(
            "overlay's opaque mark on the root", saying: "trusted.overlay.opaque",
            by: "entry('.', DIRTYPE, pax_headers={'SCHILY.xattr.trusted.overlay.opaque': 'y'})"),
        Hostile(
            "overlay's redirect, as libarchive writes it", saying: "'d/'", "trusted.overlay.redirect",
            by: "entry('d', DIRTYPE, pax_headers={'LIBARCHIVE.xattr.trusted.overlay%2eredirect': 'L2V0Yw=='})"),
        Hostile(
            "overlay's marks for users", saying: "'f'", "user.overlay.metacopy",
            by: "entry('f', data=b'x', pax_headers={'SCHILY.xattr.user.overlay.metacopy': 'y'})"),
        Hostile(
            "overlay's marks for every entry that follows", saying: "'f'",
            by: "raw(TarInfo.create_pax_global_header({'SCHILY.xattr.trusted.overlay.metacopy': 'y'})); entry('f', data=b'x')"),
        Hostile("the device 0:0", saying: "'c'", "0:0", by: "entry('c', CHRTYPE, devmajor=0, devminor=0)"),
        Hostile("a link to a whiteout", saying: "'link'", by: "entry('.wh.gone', data=b''); entry('link', LNKTYPE, linkname='gone')"),
        Hostile("a link to a whiteout's name", saying: "'link'", by: "entry('link', LNKTYPE, linkname='.wh.gone')"),
        Hostile("a file below a whiteout", saying: "'.wh.d/file'", by: "entry('.wh.d/file', data=b'x')"),
        Hostile("a whiteout of nothing", saying: "'.wh.'", by: "entry('.wh.', data=b'')"),
        Hostile("a whiteout of the directory itself", saying: "'d/.wh..'", by: "entry('d/.wh..', data=b'')"),
        Hostile("a whiteout of the directory above", saying: "'d/.wh...'", by: "entry('d/.wh...', data=b'')"),
        Hostile("a root that is a symbolic link", saying: "root", by: "entry('.', SYMTYPE, linkname='/')"),
        Hostile("a root that is a file", saying: "root", by: "entry('./', data=b'x')"),
        Hostile("a symbolic link to nothing", saying: "'l'", "0 bytes", by: "entry('l', SYMTYPE, linkname='')"),
        Hostile("a symbolic link longer than a path", saying: "'l'", "5000", by: "entry('l', SYMTYPE, linkname='a' * 5000)"),
        Hostile("a name that is too long", .tooLarge, saying: "300 bytes", by: "entry('n' * 300, data=b'x')"),
        Hostile("a name of a megabyte", .tooLarge, saying: "bytes", by: "entry('n/' * 600000, DIRTYPE)"),
        Hostile("directories deeper than any", .tooLarge, saying: "1501", "1024", by: "entry('d/' * 1500 + 'f', data=b'x')"),
        Hostile("a size in the header of 8 exabytes", .tooLarge, saying: "'f'", by: "head('f', size=2 ** 63 - 1)"),
        Hostile("a size less than none", .tooLarge, saying: "'f'", by: "head('f', size=-1)"),
        Hostile(
            "a size in the extended header of 8 exabytes", .tooLarge, saying: "'f'",
            by: "entry('f', data=b'', pax_headers={'size': str(2 ** 63)})"),
        Hostile("a size that is no number", saying: "extended header", by: "entry('f', data=b'', pax_headers={'size': '+5'})"),
        Hostile(
            "a time beyond all times", saying: "extended header",
            by: "entry('f', data=b'', pax_headers={'mtime': '-9223372036854775808.5'})"),
        Hostile("an owner that cannot be", saying: "'f'", "owner", by: "entry('f', data=b'', pax_headers={'uid': str(2 ** 32 - 1)})"),
        Hostile(
            "an extended header of ten megabytes", .tooLarge, saying: "extended header",
            by: "entry('f', data=b'', pax_headers={'comment': 'x' * 10_000_000})"),
        Hostile(
            "extended headers that pile up", .tooLarge, saying: "extended headers",
            by: "[raw(TarInfo.create_pax_global_header({'key%d' % i: 'x' * 900})) for i in range(100)]"),
        Hostile(
            "an extended header whose record is longer than it", saying: "extended header",
            by: "head('x', type=b'x', size=20, data=b'999999 path=a\\n'.ljust(20, b' '))"),
        Hostile(
            "an extended header whose record is shorter than its length", saying: "extended header",
            by: "head('x', type=b'x', size=10, data=b'2 path=aa\\n')"),
        Hostile(
            "an extended header with a NUL in a name", saying: "extended header", by: "entry('f', data=b'', pax_headers={'path': 'a\\0b'})"),
        Hostile(
            "an attribute that is no base 64", saying: "extended header",
            by: "entry('f', data=b'', pax_headers={'LIBARCHIVE.xattr.user.a': '!!'})"),
        Hostile(
            "a sparse file that is larger than any", .tooLarge, saying: "sparse file 'f' says", by: "sparse('f', 2 ** 60, [(0, 1)], b'x')"),
        Hostile("a sparse file whose regions overlap", saying: "'f'", "overlap", by: "sparse('f', 100, [(0, 10), (5, 10)], b'x' * 20)"),
        Hostile("a sparse file whose region ends beyond it", saying: "'f'", by: "sparse('f', 100, [(95, 10)], b'x' * 10)"),
        Hostile("a sparse file whose numbers overflow", saying: "'f'", by: "sparse('f', 100, [(2 ** 64 - 1, 10)], b'x' * 10)"),
        Hostile("a sparse file with more data than its regions", saying: "'f'", by: "sparse('f', 100, [(0, 1)], b'x' * 20)"),
        Hostile(
            "a sparse file with a million regions", .tooLarge, saying: "regions",
            by: "sparse('f', 10 ** 7, [(i * 2, 1) for i in range(10 ** 6)], b'x' * 10 ** 6)"),
        Hostile("a device number that cannot be", saying: "'c'", by: "entry('c', CHRTYPE, devmajor=2 ** 20, devminor=3)"),
        Hostile("a type that nobody knows", .unsupported, saying: "'f'", "'Q'", by: "head('f', type=b'Q')"),
        Hostile("no archive at all", saying: "no tar archive", by: "raw(b'hello world, this is text and nothing else\\n' * 100)"),
        Hostile("a few bytes", saying: "cut off", by: "raw(b'hello')"),
        Hostile("a damaged checksum", saying: "checksum", by: "entry('a', data=b'x'); head('b', damage=True)"),
        Hostile("bzip2 of no archive", saying: "no tar archive", by: "import bz2; raw(bz2.compress(b'x' * 1000))"),
        Hostile(
            "xz that is cut off", saying: "archive",
            by:
                "import lzma; entry('f', data=random.randbytes(100000)); d = lzma.compress(out.getvalue()); out.seek(0); out.truncate(); raw(d[:-20])"
        ),
        Hostile("a zip that is none", saying: "archive", by: "raw(b'PK\\3\\4' + b'x' * 1000)"),
        Hostile("a cpio that is cut off", saying: "archive", by: "raw(cpio([('f', b'x' * 1000)])[:-900])"),
        Hostile("a cpio that climbs", saying: "'../f'", "'..'", by: "raw(cpio([('../f', b'x')]))"),
        Hostile("a cpio with a whiteout of overlay's", saying: "'c'", "0:0", by: "raw(cpio([('c', b'')], mode=0o020600))"),
        Hostile("a cpio with an endless name", saying: "archive", by: "raw(cpio([('f' * 300, b'x')]).replace(b'0000012d', b'7fffffff'))"),
        Hostile(
            "a zip with a file under two sizes", saying: "archive",
            by:
                "import zipfile; z = zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED); z.writestr('f', b'x' * 100000); z.close(); d = out.getvalue(); out.seek(0); raw(d.replace((100000).to_bytes(4, 'little'), (90000).to_bytes(4, 'little')))"
        ),
        Hostile(
            "more entries than are allowed", .tooLarge, saying: "1000 entries", by: "[entry('f%d' % i, data=b'') for i in range(1001)]"),
        Hostile("gzip that becomes more than is allowed", .tooLarge, saying: "\(64 << 20)", "limit", by: "pack('gzip', [('f', 70 << 20)])"),
        Hostile("zstd that becomes more than is allowed", .tooLarge, saying: "limit", by: "pack('zstd -q', [('f', 70 << 20)])"),
        Hostile(
            "gzip with a block of no kind", saying: "gzip stream is damaged",
            by: "raw(b'\\x1f\\x8b\\x08' + b'\\0' * 6 + b'\\3' + b'\\7' * 600)"),
        Hostile("gzip that is damaged", saying: "damaged", by: "pack('gzip', [('f', 100000)], flip=60)"),
        Hostile("zstd that is damaged", saying: "zstd", by: "pack('zstd -q', [('f', 100000)], flip=40)"),
        Hostile("gzip that is cut off", saying: "cut off", by: "pack('gzip', [('f', 100000)], cut=20)"),
        Hostile("zstd that is cut off", saying: "cut off", by: "pack('zstd -q', [('f', 100000)], cut=20)"),
        Hostile("gzip whose checksum is of something else", saying: "gzip", by: "pack('gzip', [('f', 100000)], flip=-6)"),
        Hostile(
            "zstd that wants to remember more than is allowed", saying: "zstd",
            by: "pack('zstd -q --ultra --long=30 --no-check', [('f', 1 << 20)], window=True)"),
    ]

    /// What pax and GNU have added to headers, turned against whoever reads it.
    static let ofHeaders: [Hostile] = [
        Hostile(
            "GNU's long name that climbs", saying: "'../x'", "'..'",
            by: "head('l', type=b'L', size=5, data=b'../x\\0'); entry('f', data=b'x')"),
        Hostile(
            "GNU's long link that climbs", saying: "'f'", "'..'",
            by: "head('l', type=b'K', size=5, data=b'../x\\0'); entry('f', LNKTYPE, linkname='a')"),
        Hostile(
            "GNU's long name of two megabytes", .tooLarge, saying: "2000000 bytes",
            by: "head('l', type=b'L', size=2000000, data=b'x' * 2000000)"),
        Hostile("GNU's long link of less than nothing", .tooLarge, saying: "-5 bytes", by: "head('l', type=b'K', size=-5)"),
        Hostile(
            "a volume's label of two megabytes", .tooLarge, saying: "2000000 bytes",
            by: "head('l', type=b'V', size=2000000, data=b'x' * 2000000)"),
        Hostile("a long name and no entry", saying: "cut off", by: "head('l', type=b'L', size=600, data=b'x' * 100)"),
        Hostile("an extended name that climbs", saying: "'../x'", "'..'", by: "entry('f', data=b'x', pax_headers={'path': '../x'})"),
        Hostile(
            "an extended link that climbs", saying: "'f'", "'..'",
            by: "entry('f', LNKTYPE, linkname='a', pax_headers={'linkpath': '../../etc/passwd'})"),
        Hostile(
            "a name for every entry that follows", saying: "'/etc/x'", "absolute",
            by: "raw(TarInfo.create_pax_global_header({'path': '/etc/x'})); entry('f', data=b'x')"),
        Hostile(
            "a size for every entry that follows", .tooLarge, saying: "'f'",
            by: "raw(TarInfo.create_pax_global_header({'size': '99999999999999999'})); entry('f', data=b'x')"),
        Hostile("an extended record without a value", saying: "extended header", by: "head('x', type=b'x', size=7, data=b'7 path\\n')"),
        Hostile("an extended record without an end", saying: "extended header", by: "head('x', type=b'x', size=9, data=b'9 path=ab')"),
        Hostile("an extended record without a length", saying: "extended header", by: "head('x', type=b'x', size=9, data=b'x path=a\\n')"),
        Hostile(
            "an extended link with a NUL", saying: "extended header",
            by: "entry('f', SYMTYPE, linkname='a', pax_headers={'linkpath': 'a\\0b'})"),
        Hostile("a time with letters", saying: "extended header", by: "entry('f', data=b'', pax_headers={'mtime': '1.x'})"),
        Hostile(
            "an attribute whose name ends too early", saying: "extended header",
            by: "entry('f', data=b'', pax_headers={'LIBARCHIVE.xattr.user.%2': 'AA'})"),
        Hostile(
            "an attribute of a kind that there is not", .storage, saying: "'f'", "'nonsense'",
            by: "entry('f', data=b'', pax_headers={'SCHILY.xattr.nonsense': 'x'})"),
        Hostile("a size that is no number at all", saying: "size", "'f'", "no number", by: "head('f', fields=[(124, b'zzzz')])"),
        Hostile(
            "a size of more bits than a number has", saying: "size", "'f'", "no number",
            by: "head('f', fields=[(124, b'\\x80' + b'\\xff' * 11)])"),
        Hostile(
            "a size that goes on behind its end", saying: "size", "'f'", "no number", by: "head('f', fields=[(124, b'0000001 001\\0')])"),
        Hostile(
            "an attribute that is larger than any", .storage, saying: "'f'", "'user.a'",
            by: "entry('f', data=b'', pax_headers={'SCHILY.xattr.user.a': 'x' * 70000})"),
        Hostile("a time that is no number", saying: "time", "'f'", "no number", by: "head('f', fields=[(136, b'zzzz')])"),
        Hostile("an owner less than none", saying: "'f'", "owner", by: "head('f', fields=[(108, b'\\xff' * 8)])"),
        Hostile("a group beyond all", saying: "'f'", "group", by: "head('f', fields=[(116, b'\\x80' + b'\\x7f' * 7)])"),
        Hostile(
            "a device's second number that cannot be", saying: "'c'", "impossible device",
            by: "head('c', type=b'3', fields=[(337, b'7777777\\0')])"),
        Hostile(
            "GNU's old sparse file larger than any", .tooLarge, saying: "sparse file 'f' says",
            by: "head('f', type=b'S', fields=[(483, b'\\x80' + b'\\0' * 4 + b'\\x7f' * 7)])"),
        Hostile(
            "GNU's old sparse file whose map is no map", saying: "extended header", by: "head('f', type=b'S', fields=[(386, b'z' * 24)])"),
        Hostile(
            "GNU's old sparse file whose map has no end", saying: "cut off",
            by: "head('f', type=b'S', fields=[(482, b'\\1')], data=b'00000000000\\0' * 42 + b'\\1' * 8)"),
        Hostile(
            "GNU's old sparse file that says less than it has", saying: "'f'", "its data",
            by:
                "head('f', type=b'S', size=512, data=b'x' * 512, fields=[(386, b'00000000000\\0' b'00000000001\\0'), (483, b'00000001000\\0')])"
        ),
        Hostile(
            "GNU's old sparse file with regions without end", .tooLarge, saying: "regions",
            by: "head('f', type=b'S', fields=[(482, b'\\1')]); [raw(b'00000000000\\0' * 42 + b'\\1' + b'\\0' * 7) for i in range(13000)]"),
        Hostile("a sparse file whose map has an odd end", saying: "extended header", by: "sparse('f', 100, [(0, 1)], b'x', map='0,1,5')"),
        Hostile("a sparse file whose map is of letters", saying: "extended header", by: "sparse('f', 100, [], b'', map='a,b')"),
        Hostile(
            "a sparse file whose map has a line without end", saying: "extended header",
            by: "entry('f', data=b'1' * 512, pax_headers={'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '5'})"),
        Hostile(
            "a sparse file whose map does not lie in it", saying: "extended header",
            by: "entry('f', data=b'9\\n', pax_headers={'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '5'})"),
        Hostile(
            "a sparse file of the first words, whose count has no place", saying: "extended header",
            by: "record('GNU.sparse.numblocks=1', 'GNU.sparse.numbytes=5'); entry('f', data=b'')"),
        Hostile(
            "a sparse file of the first words with more regions than are taken", .tooLarge, saying: "regions",
            by: "[record(*['GNU.sparse.offset=0', 'GNU.sparse.numbytes=0'] * 20000) for i in range(14)]; entry('f', data=b'')"),
    ]

    static let prelude = #"""
        import io, random, subprocess, sys, tarfile
        from tarfile import TarInfo, REGTYPE, DIRTYPE, SYMTYPE, LNKTYPE, FIFOTYPE, CHRTYPE, PAX_FORMAT, USTAR_FORMAT
        out = io.BytesIO()
        def raw(data):
            out.write(data)
        def info(name, type=REGTYPE, data=None, **fields):
            made = TarInfo(name); made.type = type; made.mode = 0o755
            for key, value in fields.items(): setattr(made, key, value)
            if data is not None: made.size = len(data)
            return made
        def entry(name, type=REGTYPE, data=None, **fields):
            raw(info(name, type, data, **fields).tobuf(PAX_FORMAT, "utf-8", "surrogateescape"))
            if data: raw(data + b"\0" * (-len(data) % 512))
        def head(name, type=REGTYPE, size=0, data=b"", damage=False, fields=[]):
            made = info(name); block = bytearray(made.tobuf(USTAR_FORMAT)); block[156:157] = type
            block[124:136] = b"%011o\0" % size if 0 <= size < 8 ** 11 else (b"\x80" if size >= 0 else b"\xff") + size.to_bytes(11, "big", signed=True)
            for at, value in fields: block[at:at + len(value)] = value
            block[148:156] = b" " * 8; block[148:156] = b"%06o\0 " % (sum(block) + (1 if damage else 0))
            raw(bytes(block) + data + b"\0" * (-len(data) % 512))
        def record(*texts):
            lines = b"".join(b"%d %s\n" % (len(text) + 2 + len(str(len(text) + 4)), text.encode()) for text in texts)
            head("x", type=b"x", size=len(lines), data=lines)
        def sparse(name, size, regions, data, map=None):
            map = ",".join("%d,%d" % region for region in regions) if map is None else map
            if len(map) < 900000:
                entry(name, data=data, pax_headers={"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": map, "GNU.sparse.size": str(size), "GNU.sparse.numblocks": str(len(regions))})
            else:
                map = ("%d\n" % len(regions) + "".join("%d\n%d\n" % region for region in regions)).encode()
                map += b"\0" * (-len(map) % 512)
                entry(name, data=map + data, pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(size), "GNU.sparse.name": name})
        def cpio(files, mode=0o100644):
            result = b""
            for name, data in files + [("TRAILER!!!", b"")]:
                fields = [1, mode if name != "TRAILER!!!" else 0, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
                head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
                result += head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
            return result
        def pack(command, files, flip=None, cut=None, window=False):
            plain = io.BytesIO(); tar = tarfile.open(fileobj=plain, mode="w"); chance = random.Random(1)
            for name, size in files:
                made = info(name); made.size = size; tar.addfile(made, io.BytesIO(chance.randbytes(size) if size < 1 << 20 else bytes(size)))
            tar.close()
            packed = bytearray(subprocess.run(command.split(), input=plain.getvalue(), stdout=subprocess.PIPE, check=True).stdout)
            if window: packed[4:6] = b"\x00\xa8"  # a window of 2 GiB
            if flip is not None: packed[flip] ^= 0xff
            raw(bytes(packed[:-cut] if cut else packed))
        """#
}

@Suite("Archives that nobody may unpack", .kernelTier, .serialized)
struct HostileTests {
    @Test("Each is refused with its reason and its entry's name, and leaves nothing", arguments: Hostile.all + Hostile.ofHeaders)
    func refusal(_ hostile: Hostile) throws {
        for outcome in try HostileOutcome.all(of: hostile) {
            #expect(outcome.code == hostile.code, "\(outcome.text)")
            for word in hostile.words { #expect(outcome.text.contains(word), "'\(outcome.text)' does not say '\(word)'") }
            #expect(outcome.leftNothing, "something is left")
        }
    }

    @Test("Two faults that differ have texts that differ, also without the names and numbers in them")
    func texts() throws {
        var cases: [String: Set<String>] = [:]
        for hostile in Hostile.all + Hostile.ofHeaders {
            for outcome in try HostileOutcome.all(of: hostile) {
                cases[FaultText.plain(outcome.text), default: []].insert(hostile.testDescription)
            }
        }
        FaultText.expect(cases, toShareOnly: Hostile.sameFaults)
    }

    @Test("No case is lost, and no two have the same name")
    func count() {
        let names = (Hostile.all + Hostile.ofHeaders).map(\.testDescription)
        #expect(names.count >= 116)
        #expect(Set(names).count == names.count)
    }

    /// What looks dangerous, and is data.
    @Test("Symbolic links with any target are data, and so are pipes and devices", arguments: ["overlay2", "vfs"])
    func harmless(_ snapshotter: String) throws {
        let room = try LayerRoom(snapshotter)
        let script = """
            entry('a', SYMTYPE, linkname='../../../../../../etc/passwd'); entry('b', SYMTYPE, linkname='/'); entry('c', SYMTYPE, linkname='..')
            entry('d', SYMTYPE, linkname='d'); entry('e', LNKTYPE, linkname='a'); entry('f', data=b'x'); entry('f', data=b'yy'); entry('g', DIRTYPE)
            entry('g/in', data=b'x'); entry('g', data=b'file'); entry('h', data=b'x'); entry('h', DIRTYPE); entry('h/in', data=b'x')
            entry('./././i//j', data=b'x'); entry('f', LNKTYPE, linkname='f'); entry('k', LNKTYPE, linkname='/f'); entry('PK\\3\\4', data=b'x')
            """
        try (Hostile.prelude + "\nentry('BZh9', data=b'x')\n" + script + "\nopen('a.tar', 'wb').write(out.getvalue())\n").write(
            toFile: room.scratch.path + "/make.py", atomically: false, encoding: .utf8)
        try room.scratch.shell("/usr/bin/python3 make.py")
        let layer = try room.take("a.tar")
        #expect(
            try room.look(at: layer.name, "readlink a b c d e; cat f g h/in i/j k; stat -c '%h' f a; ls | wc -l") == """
                ../../../../../../etc/passwd
                /
                ..
                d
                ../../../../../../etc/passwd
                yyfilexxyy2
                2
                12

                """)
    }

    @Test("An image of such an archive is an error of the image's, and leaves nothing in the engine's root")
    func engine() async throws {
        let scratch = try Scratch()
        let engine = try await Engine.open(EngineConfiguration(root: scratch.path + "/root", execRoot: scratch.path + "/run"))
        try scratch.shell(
            "mkdir t; echo x >t/f; tar -C t -cf good.tar .; head -c 1200 good.tar >cut.tar; gzip -c good.tar | head -c 50 >cut.tar.gz")
        let before = try scratch.shell("find root | sort")
        for (file, code) in [("cut.tar", ImageError.Code.invalid), ("cut.tar.gz", .invalid), ("missing.tar", .notFound)] {
            await #expect {
                try await engine.images.importRootFileSystem(
                    fromFile: "\(scratch.path)/\(file)", as: try ImageReference(parsing: "bad"), changes: ["CMD x"]
                ).value
            } throws: {
                ($0 as? ImageError)?.code == code
            }
            #expect(try scratch.shell("find root | sort") == before)
        }
        #expect(engine.images.count == 0)
        await engine.close()
    }

    @Test("Archives changed at random never harm: the store is clean, and what is outside is as it was")
    func fuzz() throws {
        let room = try LayerRoom("overlay2", limits: ArchiveLimits(unpackedByteCount: 64 << 20, entryCount: 1000), inMemory: true)
        try room.scratch.makeRandomTree(seed: 77, "tree")
        try room.scratch.shell(
            """
            find tree -size +64k -delete; mkdir seeds; echo untouched >outside; cd tree
            tar --format=pax --sparse --xattrs --xattrs-include='*' -cf ../seeds/1 .; tar --format=gnu --sparse -cf ../seeds/2 .; bsdtar --format=pax -cf ../seeds/3 .
            gzip <../seeds/1 >../seeds/4; zstd -q <../seeds/1 >../seeds/5
            """)
        let seeds = try (1...5).map { [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(room.scratch.path)/seeds/\($0)"))) }
        #expect(seeds.allSatisfy { $0.count > 1000 })
        let before = try room.scratch.shell("find root outside | sort")
        let isLong = ProcessInfo.processInfo.environment["BERTH_LONG"] == "1"
        var chance = Dice(state: 20_260_101)
        var (refused, taken) = (0, 0)
        for round in 0..<(isLong ? 10_000 : 400) {
            var bytes = seeds[Int(chance.next(below: UInt64(seeds.count)))]
            for _ in 0..<(1 + chance.next(below: 4)) { Self.mutate(&bytes, &chance) }
            try Data(bytes).write(to: URL(fileURLWithPath: room.scratch.path + "/mutant"))
            do {
                let layer = try room.take("mutant")
                taken += 1
                try room.snapshots.removeLayer(layer.name)
                try room.content.remove(layer.blob.digest)
            } catch let error as LayerError {
                refused += 1
                #expect(!error.description.isEmpty)
            }
            if round % 50 == 0 || isLong && round % 500 == 0 {
                #expect(try room.scratch.shell("find root outside | sort") == before, "round \(round)")
            }
        }
        #expect(refused > 50 && taken > 20, "\(refused) refused, \(taken) taken")
        #expect(try room.scratch.shell("find root outside | sort; cat outside") == before + "untouched\n")
    }

    /// Changes a byte, a number's field, a name, a block or the length; headers get their checksum again, so that what is in them is looked at.
    private static func mutate(_ bytes: inout [UInt8], _ chance: inout Dice) {
        guard bytes.count > 1024 else { return }
        let block = Int(chance.next(below: UInt64(bytes.count / 512))) * 512
        switch chance.next(below: 9) {
        case 0: bytes[Int(chance.next(below: UInt64(bytes.count)))] = UInt8(truncatingIfNeeded: chance.next())
        case 1: bytes.removeLast(Int(chance.next(below: UInt64(bytes.count / 2))))
        case 2: bytes.removeSubrange(block..<min(block + 512, bytes.count))
        case 3: bytes.insert(contentsOf: Array(bytes[block..<min(block + 512, bytes.count)]), at: block)
        case 4: bytes[Int(chance.next(below: UInt64(bytes.count)))] ^= 1 << UInt8(chance.next(below: 8))
        default:
            // A header, if there is one: a field of it becomes something else.
            guard
                let start = (0..<(bytes.count / 512)).map({ (block + $0 * 512) % (bytes.count / 512 * 512) }).first(where: {
                    bytes[($0 + 257)..<($0 + 262)].elementsEqual("ustar".utf8)
                })
            else { return }
            let names = ["../../x", "/etc/x", ".wh.x", ".wh..wh..opq", "a/b/c/d", "", ".", "x/", "\u{1}\u{2}"]
            let field = [(0, 100), (100, 8), (108, 8), (124, 12), (136, 12), (156, 1), (157, 100), (329, 8), (345, 155)].randomElement(
                using: &chance)!
            let value: [UInt8] =
                switch chance.next(below: 4) {
                case 0: Array(names.randomElement(using: &chance)!.utf8)
                case 1: (0..<field.1).map { _ in UInt8(truncatingIfNeeded: chance.next()) }
                case 2: [UInt8](repeating: UInt8(ascii: "7"), count: field.1)
                default:
                    [
                        [UInt8(ascii: "0") + UInt8(chance.next(below: 8))], [0x80] + [UInt8](repeating: 0xff, count: 11),
                        Array("xgLKSV".utf8),
                    ].randomElement(using: &chance)!
                }
            for offset in 0..<field.1 { bytes[start + field.0 + offset] = offset < value.count ? value[offset] : 0 }
            for offset in 148..<156 { bytes[start + offset] = UInt8(ascii: " ") }
            let sum = bytes[start..<(start + 512)].reduce(0) { $0 + Int($1) }
            let text = Array((String(repeating: "0", count: 6) + String(sum, radix: 8)).suffix(6).utf8) + [0, UInt8(ascii: " ")]
            bytes.replaceSubrange((start + 148)..<(start + 156), with: text)
        }
    }
}

/// The same numbers each time.
struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        // splitmix64
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
    mutating func next(below bound: UInt64) -> UInt64 { next() % bound }
}
