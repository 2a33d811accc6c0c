import BerthContent
import BerthLayers
import BerthOCI
import BerthSnapshots
import Foundation
import Testing

@testable import BerthImages

@Suite("What has to be fetched is decided before anything is")
struct FetchPlanTests {
    private func image(_ sample: Sample) throws -> FoundImage {
        let manifest = try JSONDecoder().decode(Manifest.self, from: Data(sample.manifest))
        return FoundImage(
            id: sample.id, configuration: try JSONDecoder().decode(ImageConfiguration.self, from: Data(sample.configuration)),
            configurationBytes: sample.configuration, configurationDescriptor: manifest.configuration, manifest: nil,
            layers: manifest.layers.map { FoundImage.Layer(path: "", descriptor: $0) })
    }

    private func needs(_ sample: Sample, blobs: Set<Int> = [], unpacked: Int = 0) throws -> [FetchPlan.Need] {
        let here = Set(blobs.map { Digest(of: sample.layers[$0]) })
        var (chain, top): (Set<LayerName>, LayerName?) = ([], nil)
        for layer in sample.layers.prefix(unpacked) {
            let name = LayerName(chainID: LayerStore.chainID(of: Digest(of: layer), on: top))
            chain.insert(name)
            top = name
        }
        let plan = FetchPlan(of: try image(sample), hasBlob: { here.contains($0) }, hasLayer: { chain.contains($0) })
        #expect(plan.missing.map(\.digest) == plan.layers.filter { $0.need == .fetching }.map(\.descriptor.digest))
        return plan.layers.map(\.need)
    }

    @Test("A layer comes unless its bytes are here; unpacked ones whose bytes are gone come, too")
    func needs() throws {
        let sample = Sample(["a", "b", "c"])
        #expect(try needs(sample) == [.fetching, .fetching, .fetching])
        #expect(try needs(sample, blobs: [0, 1], unpacked: 1) == [.nothing, .unpacking, .fetching])
        #expect(try needs(sample, unpacked: 3) == [.fetching, .fetching, .fetching])
        #expect(try needs(sample, blobs: [0, 1, 2], unpacked: 3) == [.nothing, .nothing, .nothing])
    }

    @Test("A layer that an image has twice comes once")
    func twice() throws {
        var sample = Sample(["a", "b"])
        sample.layers[1] = sample.layers[0]
        sample.configuration = Array(
            String(decoding: sample.configuration, as: UTF8.self).replacing(
                /"diff_ids":\[.*?\]/, with: "\"diff_ids\":[\"\(Digest(of: sample.layers[0]))\",\"\(Digest(of: sample.layers[0]))\"]"
            ).utf8)
        #expect(try needs(sample) == [.fetching])
    }

    @Test("Sizes that overflow are more than any disk has")
    func overflow() throws {
        var found = try image(Sample())
        for at in found.layers.indices { found.layers[at].descriptor?.byteCount = .max - 1 }
        #expect(FetchPlan(of: found, hasBlob: { _ in false }, hasLayer: { _ in false }).missingByteCount == .max)
    }

    @Test("Of an index the best for the platform is chosen, never what is attached; one without platforms by its order")
    func choice() throws {
        let index = try JSONDecoder().decode(Index.self, from: Data(SampleIndex().documents[0]))
        func chosen(_ text: String) -> Int? {
            FetchPlan.choice(of: index, for: Platform(parsing: text)!).flatMap { index.manifests.firstIndex(of: $0) }
        }
        #expect(["linux/amd64", "linux/arm64", "linux/s390x", "linux/riscv64"].map(chosen) == [0, 1, 2, nil])
        var bare = index
        for at in bare.manifests.indices where !bare.manifests[at].isAttachment { bare.manifests[at].platform = nil }
        #expect(FetchPlan.choice(of: bare, for: Platform(parsing: "linux/riscv64")!) == bare.manifests[0])
    }
}
