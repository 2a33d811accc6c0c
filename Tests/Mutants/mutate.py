"""mutate.py FOLDER: gives every check of hostile input in the package below FOLDER a number, and lists them.

Where the environment's BERTH_MUTANT is that number, the check is not made: one build has all of them, and each is tried by running the tests again.
A clause of a `guard`, or a whole `if`, is a check if what it leads to is a `throw`. Clauses that bind a value cannot be left out, and are none.
Only ever on a copy: Tests/Mutants/run makes it.
"""
import pathlib
import re
import sys

FILES = [
    "BerthTar/TarReader", "BerthTar/TarHeader", "BerthTar/PaxRecords", "BerthTar/TreeExtractor", "BerthTar/TreeExtractor+Attributes",
    "BerthArchive/Decompressor", "BerthLayers/LayerRules", "BerthImages/DocumentText", "BerthImages/FoundImage", "BerthImages/FoundArchive",
    "BerthImages/LayoutIndex", "BerthImages/ImageIndex", "BerthImages/DockerManifest", "BerthImages/LegacyRepositories", "BerthImages/ArchiveDocuments",
    "BerthImages/ArchiveReceiver", "BerthImages/ArchiveMembers", "BerthImages/ArchiveLooks", "BerthImages/LayoutDirectory",
    "BerthImages/ImageStore+Making", "BerthImages/ImageFetch", "BerthImages/ImageFetch+Documents", "BerthRegistry/Download",
    "BerthRegistry/Download+Ranges", "BerthRegistry/Conversation", "BerthRegistry/Conversation+Authorization", "BerthRegistry/RegistryRepository+Reading",
    "BerthRegistry/RegistryRepository+Writing", "BerthRegistry/ManifestLook", "BerthRegistry/RegistryAddress", "BerthRegistry/WayOut",
    "BerthRegistry/Upload", "BerthRegistry/Pages", "BerthRegistry/CertificateFacts", "BerthRegistry/CertificateDirectory", "BerthRegistry/ProxySettings",
    "BerthRegistry/IPRange", "BerthOCI/Digest", "BerthOCI/Descriptor", "BerthOCI/Manifest", "BerthOCI/ImageConfiguration", "BerthRegistryServer/ByteRange",
    "BerthRegistryServer/PasswordFile", "BerthRegistryServer/PullThrough", "BerthRegistryServer/Query", "BerthRegistryServer/ReceivedManifest",
    "BerthRegistryServer/RegistryAuthentication", "BerthRegistryServer/RegistryConnection", "BerthRegistryServer/RegistryRights",
    "BerthRegistryServer/RegistryService", "BerthRegistryServer/RegistryService+Discovery", "BerthRegistryServer/RegistryService+Pull",
    "BerthRegistryServer/RegistryService+Push", "BerthRegistryServer/RegistryStore", "BerthRegistryServer/RegistryStore+Collection",
    "BerthRegistryServer/RegistryStore+Manifests", "BerthRegistryServer/RegistryStore+Uploads", "BerthRegistryServer/RepositoryPath",
    "BerthRegistryServer/RequestBody", "BerthRegistryServer/Route", "BerthRegistryServer/TokenAuthority", "BerthRegistryServer/Usage",
]
# What looks like a check and refuses no input: what is then done is told instead of what goes wrong, or the work only ends earlier.
NO_CHECKS = {
    "let error = members.hopeless": "a disk that is full is found out at the end, too",
    "error.code == .storage": "which of a layer's failures end a load before its end",
    "context.isCancelled": "whoever asked has gone",
    "refusal.error.code == .cancelled": "likewise",
    "error.error.code == .cancelled": "likewise",
    "let failure = coming.failure": "a layer that cannot be unpacked need not come to its end",
    "failure.code != .cancelled": "which of two failures is told",
    "endpoint.isInsecure || !authorities.isEmpty || own != nil": "what is said of TLS otherwise is what the library says by itself",
    "error == .EEXIST": "any other of the kernel's answers comes again, or another one",
    "error == .ENOENT || error == .ENOTDIR || error == .ELOOP": "which directories there are no more, whose times could be set",
    "unsafe inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK": "want of memory",
}
SWITCH = """
@_silgen_name("getenv") private func environmentOfMutants(_ name: UnsafePointer<CChar>) -> UnsafeMutablePointer<CChar>?
private let chosenMutant: Int = unsafe environmentOfMutants("BERTH_MUTANT").flatMap { unsafe Int(String(cString: $0)) } ?? 0
private func isOff(_ number: Int) -> Bool { chosenMutant == number }
"""


def letters(text, start=0):
    """Every letter outside of strings, with its place and how many brackets are open before it."""
    at, depth, in_text = start, 0, False
    while at < len(text):
        letter = text[at]
        if in_text and letter == "\\":
            at += 1
        elif letter == '"':
            in_text = not in_text
        elif not in_text:
            depth -= letter in ")]}"
            yield at, letter, depth
            depth += letter in "([{"
        at += 1


def clauses(condition):
    commas = [at for at, letter, depth in letters(condition) if letter == "," and depth == 0]
    return [condition[begin:end] for begin, end in zip([0] + [at + 1 for at in commas], commas + [len(condition)])]


def end_of_condition(text, start, closing):
    return next((at for at, _, depth in letters(text, start) if depth == 0 and text.startswith(closing, at)), start)


def numbered(what, place):
    global number
    number += 1
    print(f"{number}\t{place}\t{' '.join(what.split())}")
    return f"isOff({number})"


def without(condition, kind, passes, place):
    """The condition, in which each clause can be switched off: it is then as good as if it were `passes`."""
    made = []
    for clause in clauses(condition):
        plain = clause.strip()
        if re.match(r"(let|var|case|#)\b", plain) or plain in NO_CHECKS:
            made.append(clause)
        else:
            indent = clause[: len(clause) - len(clause.lstrip())]
            made.append(f"{indent}({numbered(plain, place)} ? {passes} : ({plain}))")
    if kind != "guard" and condition.strip() not in NO_CHECKS and all(a == b for a, b in zip(made, clauses(condition))):
        made.insert(0, f"!{numbered(condition, place)}")
        made[1] = " " + made[1]
    return ",".join(made)


folder = pathlib.Path(sys.argv[1])
number = 0
for name in FILES:
    path = folder / "Sources" / f"{name}.swift"
    text, result, done = path.read_text(), "", 0
    for found in re.finditer(r"^[ ]*(guard|if|\} else if|for) ", text, re.MULTILINE):
        kind, begin = found[1], found.end()
        if begin < done:
            continue
        end = end_of_condition(text, begin, "else {" if kind == "guard" else "{")
        end = begin + len(text[begin:end].rstrip())
        if kind == "for":
            where = text.find(" where ", begin, end)
            if where < 0:
                continue
            begin = where + len(" where ")
        brace = text.index("{", end)
        last = next(at for at, letter, depth in letters(text, brace) if letter == "}" and depth == 0)
        body = text[brace:last]
        throws = re.search(r"\bthrow\b|return nil", body) and (
            kind == "guard" or body.count("\n") <= 4 or body.strip("{ \n").startswith("throw"))
        lets_go = kind == "guard" and body.strip("{ ") == "return" and text[last + 1 :].lstrip().startswith("throw")
        if throws or lets_go:
            place = f"{name}:{text.count(chr(10), 0, begin) + 1}"
            result += text[done:begin] + without(text[begin:end], kind, "true" if kind == "guard" and throws else "false", place)
            done = end
    path.write_text(result + text[done:] + SWITCH)
