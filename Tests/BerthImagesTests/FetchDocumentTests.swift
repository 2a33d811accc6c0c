import BerthContent
import BerthImages
import BerthOCI
import BerthState
import Foundation
import Testing

@Suite("Documents that a source gives are those that were named, or nothing is made of them")
struct FetchDocumentTests {
    private func pull(_ room: ImageRoom, _ source: FakeSource) async throws -> FetchedImage {
        try await room.store.fetch(try ImageReference(parsing: "registry.test/sample:1"), from: source).value
    }

    /// What is thrown for what a source has under its tag.
    private func refusal(_ source: FakeSource) async throws -> (image: ImageError?, transfer: TransferError?) {
        let room = try await ImageRoom()
        defer { try? room.remove() }  // only tidiness
        var found: (image: ImageError?, transfer: TransferError?) = (nil, nil)
        do { _ = try await pull(room, source) } catch let error as ImageError { found.image = error } catch let error as TransferError {
            found.transfer = error
        }
        #expect(room.store.count == 0)
        #expect(try room.content.all().isEmpty)
        return found
    }

    /// A source whose tag names the first of these, which is of this kind; the others are manifests.
    private func source(_ first: [UInt8], _ kind: String, _ others: [[UInt8]] = [], blobs: [[UInt8]] = []) -> FakeSource {
        FakeSource(blobs, [(first, kind)] + others.map { ($0, Sample.manifestType) }, tags: ["1": Digest(of: first)])
    }

    private func changed(_ bytes: [UInt8], _ old: String, _ new: String) -> [UInt8] {
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains(old))
        return Array(text.replacing(old, with: new).utf8)
    }

    @Test("A document with other bytes than its digest says is not taken", arguments: ["index", "manifest", "configuration"])
    func otherBytes(what: String) async throws {
        let index = SampleIndex([Platform.host.architecture])
        let sample = index.samples[0]
        let source = FakeSource(index)
        let bytes = ["index": index.documents[0], "manifest": sample.manifest, "configuration": sample.configuration][what] ?? []
        source.replace(bytes, by: bytes.dropLast() + [UInt8(ascii: " ")])
        let error = try await refusal(source).transfer
        #expect(error?.code == .digestMismatch)
        #expect(error?.digest == Digest(of: bytes))
    }

    @Test("A document with another size than what names it says is not taken", arguments: [-1, 1])
    func otherSizes(difference: Int) async throws {
        let sample = Sample()
        let size = sample.configuration.count
        let manifest = changed(sample.manifest, "\"size\":\(size)}", "\"size\":\(size + difference)}")
        let ofConfiguration = try await refusal(
            source(manifest, Sample.manifestType, blobs: sample.layers + [sample.configuration])
        ).transfer
        #expect(ofConfiguration?.code == .sizeMismatch)
        let right = Sample.index([SampleIndex.descriptor(sample)])
        let index = changed(right, "\"size\":\(sample.manifest.count)", "\"size\":\(sample.manifest.count + difference)")
        let ofManifest = try await refusal(
            source(index, Sample.indexType, [sample.manifest], blobs: sample.layers + [sample.configuration])
        )
        .transfer
        #expect(ofManifest?.code == .sizeMismatch)
        #expect(ofManifest?.digest == Digest(of: sample.manifest))
    }

    @Test("A document that is said to be larger than any is not asked for")
    func tooLarge() async throws {
        let sample = Sample()
        let index = changed(
            Sample.index([SampleIndex.descriptor(sample)]), "\"size\":\(sample.manifest.count)", "\"size\":\((4 << 20) + 1)")
        let error = try await refusal(source(index, Sample.indexType, [sample.manifest], blobs: sample.layers + [sample.configuration]))
            .image
        #expect(error?.code == .tooLarge)
        #expect(error?.description.contains("has 4194305 bytes: one of an image has at most 4194304") == true)
    }

    @Test("Indexes in indexes come to an end")
    func nested() async throws {
        let sample = Sample()
        for (depth, isTaken) in [(8, true), (9, false)] {
            var indexes = [Sample.index([SampleIndex.descriptor(sample)])]
            for _ in 1..<depth { indexes.append(Sample.index([Sample.descriptor(indexes[indexes.count - 1], Sample.indexType)])) }
            let source = FakeSource(
                sample.layers + [sample.configuration], indexes.map { ($0, Sample.indexType) } + [(sample.manifest, Sample.manifestType)],
                tags: ["1": Digest(of: indexes[depth - 1])])
            if isTaken {
                let room = try await ImageRoom()
                #expect(try await pull(room, source).image.id == sample.id)
                try room.remove()
            } else {
                let error = try await refusal(source).image
                #expect(error?.code == .tooLarge)
                #expect(error?.description.contains("the indexes of \(Digest(of: indexes[depth - 1])) are nested deeper than 8") == true)
            }
        }
    }

    @Test("What is no image is refused by what it is")
    func kinds() async throws {
        let sample = Sample()
        let text = try await refusal(source(Array("{}".utf8), "text/plain")).image
        #expect(text?.code == .unsupported)
        #expect(text?.description.contains("is of the kind 'text/plain', and no image") == true)
        let chart = changed(sample.manifest, "application/vnd.oci.image.config.v1+json", "application/vnd.cncf.helm.config.v1+json")
        let error = try await refusal(source(chart, Sample.manifestType, blobs: sample.layers + [sample.configuration])).image
        #expect(error?.code == .unsupported)
        #expect(error?.description.contains("its configuration is of the kind 'application/vnd.cncf.helm.config.v1+json'") == true)
    }

    @Test("A document that is here and is damaged comes again")
    func damaged() async throws {
        let (room, sample) = (try await ImageRoom(), Sample())
        let source = FakeSource(sample)
        _ = try await pull(room, source)
        let file = "\(room.path)/content/blobs/sha256/\(sample.id.hex)"
        try FileManager.default.removeItem(atPath: file)
        try Data(sample.configuration.dropLast() + [32]).write(to: URL(fileURLWithPath: file))
        source.forgetFetched()
        _ = try await pull(room, source)
        #expect(source.fetched.map(\.digest) == [sample.id])
        try room.remove()
    }
}
