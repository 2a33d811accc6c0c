import BerthContent
import BerthContracts
import Testing

@testable import BerthRegistry

@Suite("A repository keeps the promises of a source and a destination")
struct ContractTests {
    @Test(arguments: SourceContract.all) func source(_ promise: Promise<any ContentSource>) async throws {
        var registry = SampleRegistry()
        let sample = SampleImage()
        for blob in sample.blobs { _ = registry.add(blob.bytes) }
        _ = registry.addManifest(String(decoding: sample.manifest.bytes, as: UTF8.self), tag: sample.tag)
        let peer = try await Peer.start { [registry] in registry.answer($0) }
        try await promise.check(try peer.repository())
    }

    @Test(arguments: DestinationContract.all) func destination(_ promise: Promise<DestinationContract.Subject>) async throws {
        let writable = WritableSample()
        let peer = try await Peer.start { writable.answer($0) }
        let repository = try peer.repository()
        try await promise.check(.init(repository, repository))
    }
}
