import BerthContracts
import BerthOCI
import BerthSnapshots
import Foundation
import Testing

@Suite("Both snapshotters keep the contract", .kernelTier, .serialized)
struct SnapshotterTests {
    @Test("Promises", arguments: SnapshotterContract.all, ["overlay2", "vfs"])
    func promises(_ promise: Promise<any Snapshotter>, _ name: String) async throws {
        let scratch = try Scratch()
        let store = try Snapshotters.open(name, in: scratch.path)
        #expect(store.name == name)
        try await promise.check(store)
    }

    @Test("Promises about opening again", arguments: SnapshotterContract.reopening, ["overlay2", "vfs"])
    func reopening(_ promise: Promise<@Sendable () throws -> any Snapshotter>, _ name: String) async throws {
        let scratch = try Scratch()
        let path = scratch.path
        try await promise.check { try Snapshotters.open(name, in: path) }
    }

    @Test("A layer whose document cannot be read is kept, and nothing is built on it", arguments: ["overlay2", "vfs"])
    func unreadable(_ name: String) throws {
        let scratch = try Scratch()
        let store = try Snapshotters.open(name, in: scratch.path)
        let layer = LayerName(chainID: try .init(parsing: "sha256:" + String(repeating: "1", count: 64)))
        try store.commit(
            try store.prepareLayer(on: nil), as: LayerInformation(name: layer, diffID: layer.chainID, parent: nil, byteCount: 0))
        for damage in ["", "{", #"{"version":2,"layer":{}}"#] {
            try scratch.shell("printf '%s' '\(damage)' >\(name)/layer-*/layer.json")
            let again = try Snapshotters.open(name, in: scratch.path)
            #expect(again.layers().isEmpty)
            #expect(throws: SnapshotError.self) { _ = try again.prepareLayer(on: layer) }
            #expect(try scratch.shell("ls -d \(name)/layer-* | wc -l") == "1\n")
        }
    }
}
