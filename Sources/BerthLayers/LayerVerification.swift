public import BerthOCI
public import BerthSnapshots

/// Whether a layer is what its blob says, file by file.
public struct LayerVerification: Hashable, Sendable {
    /// The layer.
    public let name: LayerName
    /// What its blob should be.
    public let blob: Digest
    /// What is wrong with the blob; `nil` if its bytes have their digest. Then nothing is known of the files.
    public internal(set) var blobFault: String?
    /// In what the files differ from the blob, the first ``maximumFaultCount`` of it.
    public internal(set) var faults: [String] = []
    /// In how much they do.
    public internal(set) var faultCount = 0

    /// What ``blobFault`` is of a blob that was not read, because that of a layer below cannot be: the layer's files are not kept apart from that one's.
    public static let unreadBelow = "the blob of a layer below it cannot be read"

    /// The most faults that are told of one layer.
    public static let maximumFaultCount = 16

    init(_ name: LayerName, _ blob: Digest) { (self.name, self.blob) = (name, blob) }

    mutating func add(_ path: [UInt8], _ what: String) {
        faultCount += 1
        guard faults.count < Self.maximumFaultCount else { return }
        faults.append("/\(String(decoding: path.prefix(512), as: UTF8.self)): \(what)")
    }
}
