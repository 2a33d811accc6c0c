internal import Berth
internal import BerthAPI
internal import DockerAPI
internal import FoundationEssentials

extension ImageItem {
    /// An image, as our own endpoints name it.
    init(_ image: ImageRecord) { self.init(id: image.id.description, names: image.references.map(\.familiar)) }
}

extension [ImageLayer] {
    /// The layers, counted from 1.
    var items: [ImageLayerItem] { enumerated().map { ImageLayerItem($1, number: $0 + 1) } }
}

extension ImageLayerItem {
    fileprivate init(_ layer: ImageLayer, number: Int) {
        self.init(
            number: number, digest: layer.blob.digest.description, storedByteCount: layer.blob.byteCount, diffID: layer.diffID.description)
        (createdBy, comment) = (Self.cut(layer.step?.createdBy), Self.cut(layer.step?.comment))
        created = layer.step?.created?.rfc3339
        (entryCount, byteCount) = (layer.effect.entryCount, layer.effect.byteCount)
        (hiddenFileCount, hiddenByteCount) = (layer.effect.hiddenFileCount, layer.effect.hiddenByteCount)
        imageNames = layer.references.map(\.familiar)
    }

    /// Whole scripts may stand there, and a client takes no larger values than 4 MiB; Docker's history has all of them.
    private static func cut(_ text: String?) -> String? { text.map { HumanText.ellipsis($0, 1024) } }
}

extension ImageDifferenceItem {
    fileprivate init(_ difference: TreeDifference) {
        let text = String(validating: difference.path, as: UTF8.self)
        self.init(
            kind: difference.kind.rawValue, path: text ?? String(decoding: difference.path, as: UTF8.self),
            pathBytes: text == nil ? Data(difference.path).base64EncodedString() : nil, layer: difference.layer + 1)
        (byteCountBefore, byteCountAfter) = (difference.byteCountBefore, difference.byteCountAfter)
    }
}

/// A comparison as documents, made one after the other: there may be millions of differences.
struct DifferencePages: Sequence, IteratorProtocol {
    private let comparison: ImageComparison
    /// What has been told: `nil` before what is compared.
    private var position: Int?

    /// How many differences a page has at most, and how long their paths are together, about: a client takes no larger values than 4 MiB.
    private static let (countLimit, byteLimit) = (1000, 128 << 10)

    init(_ comparison: ImageComparison) { self.comparison = comparison }

    mutating func next() -> [UInt8]? {
        guard let start = position else {
            position = 0
            return try? Reply.json(head)  // of texts and numbers, JSON can always be made
        }
        var (end, byteCount) = (start, 0)
        while end < comparison.differences.count, end - start < Self.countLimit, byteCount < Self.byteLimit {
            byteCount += comparison.differences[end].path.count
            end += 1
        }
        guard end > start else { return nil }
        position = end
        return try? Reply.json(ImageDifferencePage(comparison.differences[start..<end].map { ImageDifferenceItem($0) }))  // likewise
    }

    private var head: ImageDifferences {
        var head = ImageDifferences(before: ImageItem(comparison.before), after: ImageItem(comparison.after))
        head.sharedLayerCount = comparison.sharedLayerCount
        (head.layersBefore, head.layersAfter) = (comparison.layersBefore.items, comparison.layersAfter.items)
        head.count = comparison.differences.count
        return head
    }
}
