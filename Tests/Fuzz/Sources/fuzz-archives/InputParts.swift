internal import BerthContent
@testable internal import BerthImages
internal import BerthLayers
internal import BerthOCI

/// The files of an archive: of each its path, the end of the line, and what is in it, up to a byte that no text has. One without a path is a blob of a
/// layout, whose path is its digest.
///
/// In a file, `@3` is the digest of the fourth one and `#3` how many bytes that has, if it comes before: no input could have a digest right otherwise.
struct InputParts: ImageParts {
    private let files: [String: [UInt8]]

    init(_ input: ArraySlice<UInt8>) {
        var (files, sofar) = ([String: [UInt8]](), [(digest: Digest, byteCount: Int)]())
        for part in input.split(separator: 0xff, maxSplits: 15, omittingEmptySubsequences: false) {
            let path = String(decoding: part.prefix { $0 != 10 }, as: UTF8.self)
            let bytes = Self.resolved(part.drop { $0 != 10 }.dropFirst(), sofar)
            let digest = Digest(of: bytes)
            files[path.isEmpty ? SavedImages.path(of: digest) : path] = bytes
            sofar.append((digest, bytes.count))
        }
        self.files = files
    }

    private static func resolved(_ text: ArraySlice<UInt8>, _ sofar: [(digest: Digest, byteCount: Int)]) -> [UInt8] {
        var (result, rest) = ([UInt8](), text)
        while let byte = rest.popFirst() {
            let isDigest = byte == UInt8(ascii: "@")
            guard isDigest || byte == UInt8(ascii: "#"), let digit = rest.first, (0x30...0x39).contains(digit),
                Int(digit) - 0x30 < sofar.count
            else {
                result.append(byte)
                continue
            }
            rest.removeFirst()
            let file = sofar[Int(digit) - 0x30]
            result += Array((isDigest ? file.digest.description : String(file.byteCount)).utf8)
        }
        return result
    }

    func document(at path: String) -> [UInt8]? { files[path] }
    func diffID(ofLayerAt path: String) -> Digest? { files[path].map { Digest(of: $0) } }
    func contains(_ path: String) -> Bool { files[path] != nil }
    var paths: Set<String> { Set(files.keys) }
    // Nothing is made of what is found.
    func layer(at path: String) -> UnpackedLayer? { nil }
    func keep(_ blob: Descriptor, in content: ContentStore, for lease: Lease) {}
    func requireSpace(for images: [FoundImage], in content: ContentStore) {}
    func drop() {}
}
