import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthState
import Foundation
import Synchronization
import Testing

/// A repository of one image of two layers: the lower has every type of entry, the upper removes and adds.
private final class ServedImage: ContentSource {
    let folder: String
    let blobs: [Digest: [UInt8]]
    let manifest: FetchedManifest
    let layers: [Digest]
    let repository: RepositoryName? = nil
    /// How many bytes of layers were given.
    let givenByteCount = Mutex(0)

    init(_ saved: SavedImage) throws {
        folder = saved.every.folder
        func read(_ name: String) throws -> [UInt8] {
            Array(try Data(contentsOf: URL(fileURLWithPath: saved.every.folder + "/part-" + name)))
        }
        let (configuration, lower, upper) = (try read("image.json"), try read("1-layer.tar"), try read("2-layer.tar"))
        func descriptor(_ bytes: [UInt8], _ type: String) -> String {
            "{\"mediaType\":\"application/vnd.oci.image.\(type)\",\"digest\":\"\(Digest(of: bytes))\",\"size\":\(bytes.count)}"
        }
        let text = Array(
            "{\"schemaVersion\":2,\"config\":\(descriptor(configuration, "config.v1+json")),\"layers\":[\(descriptor(lower, "layer.v1.tar+gzip")),\(descriptor(upper, "layer.v1.tar"))]}"
                .utf8)
        blobs = Dictionary(uniqueKeysWithValues: [configuration, lower, upper].map { (Digest(of: $0), $0) })
        layers = [Digest(of: lower), Digest(of: upper)]
        manifest = FetchedManifest(
            descriptor: Descriptor(mediaType: .manifest, digest: Digest(of: text), byteCount: UInt64(text.count)), bytes: text)
    }

    func descriptor(of reference: ManifestReference) async throws(TransferError) -> Descriptor { manifest.descriptor }
    func manifest(_ reference: ManifestReference) async throws(TransferError) -> FetchedManifest { manifest }

    func fetch(
        _ blob: Descriptor, from offset: UInt64, into sink: @escaping @Sendable (_ bytes: borrowing RawSpan) throws(TransferError) -> Void
    ) async throws(TransferError) {
        guard let bytes = blobs[blob.digest] else { throw TransferError(.notFound, "no such blob") }
        var rest = bytes[Int(offset)...]
        if layers.contains(blob.digest) { givenByteCount.withLock { $0 += rest.count } }
        while !rest.isEmpty {
            let piece = Array(rest.prefix(600))
            rest = rest.dropFirst(600)
            try unsafe sink(piece.span.bytes)
        }
    }
}

@Suite("A pull is whole or absent, whatever happens at whichever call, and goes on where it was", .crashTier)
struct FetchTests {
    private func withRoot<Result>(_ served: ServedImage, _ body: (String) async throws -> Result) async throws -> Result {
        let root = served.folder + "/root"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let result: Swift.Result<Result, any Error>
        do { result = .success(try await body(root)) } catch { result = .failure(error) }
        try Directory.open(served.folder).removeTree("root")
        return try result.get()
    }

    private func pull(_ stores: Stores, _ served: ServedImage) async -> Result<FetchedImage, any Error> {
        var options = FetchOptions()
        options.downloadWidth = 1
        do {
            return .success(try await stores.images.fetch(try ImageReference(parsing: Stores.name), from: served, options).value)
        } catch { return .failure(error) }
    }

    /// As it was before: partial blobs, which stay for the next pull, are put away.
    private func clean(_ stores: Stores, _ root: String) throws -> [String] {
        _ = try stores.content.removePartialBlobs()
        return try tree(root, named: false)
    }

    @Test(
        "Stopped, with a full disk, or failing once, at each state-changing call",
        arguments: [SystemCallSeam.Outcome.failFrom(.ENOSPC), .failOnce(.EIO), .stop])
    func walk(_ outcome: SystemCallSeam.Outcome) async throws {
        let saved = try SavedImage()
        let served = try ServedImage(saved)
        let layerByteCount = served.layers.reduce(0) { $0 + (served.blobs[$1]?.count ?? 0) }
        let files = LoadTests()
        let (empty, whole, callCount) = try await withRoot(served) { root in
            let stores = try await Stores(root)
            let empty = try tree(root, named: false)
            let (result, calls) = await SystemCallSeam.scripted { await pull(stores, served) }
            let image = try result.get().image
            let whole = try files.files(of: image, stores)
            #expect(whole.map(\.count) == [2, 15])
            _ = try await stores.images.remove(image.id.description, force: true, uses: { _ in [] })
            #expect(try clean(stores, root) == empty)
            return (empty, whole, calls.count)
        }
        #expect(callCount > 50)
        var (failed, absent, present, fewer) = (0, 0, 0, 0)
        for at in 1...callCount {
            try await withRoot(served) { root in
                var stores = try await Stores(root)
                let result = await SystemCallSeam.scripted(at: at, outcome) { [stores] in await pull(stores, served) }.result
                if case .failure(let error) = result {
                    failed += 1
                    #expect(error is ImageError || error is TransferError, "call \(at): \(error)")
                }
                stores = try await Stores.opened(root, "call \(at)")
                let images = try stores.images.list()
                served.givenByteCount.withLock { $0 = 0 }
                if let image = images.first {
                    present += 1
                    #expect(image.references.map(\.familiar) == [Stores.name], "call \(at): an image, and not under its name")
                    #expect(try files.files(of: image, stores) == whole, "call \(at): an image that is not whole")
                } else {
                    absent += 1
                    let before = try tree(root, named: false).count
                    let image = try await pull(stores, served).get().image
                    #expect(try files.files(of: image, stores) == whole, "call \(at): the same pull does not work any more")
                    // What had come does not come again.
                    if served.givenByteCount.withLock({ $0 }) < layerByteCount {
                        fewer += 1
                        #expect(before >= empty.count)
                    }
                }
                for image in try stores.images.list() {
                    for blob in image.layers + [image.manifest] {
                        #expect(try stores.content.read(blob.digest, limit: 64 << 20).count == Int(blob.byteCount))
                    }
                    _ = try await stores.images.remove(image.id.description, force: true, uses: { _ in [] })
                }
                #expect(try clean(stores, root) == empty, "call \(at) has left something")
            }
        }
        // The folder goes with its last reference.
        withExtendedLifetime(saved) {}
        // The walk has been through both sides of the moment that counts, and mostly something had come.
        #expect(failed > 50 && absent > 50, "\(failed) failed, \(absent) absent, \(present) present")
        #expect(fewer > absent / 2, "after \(fewer) of \(absent) less had to come")
        if outcome == .stop { #expect(present > 0) }
    }
}
