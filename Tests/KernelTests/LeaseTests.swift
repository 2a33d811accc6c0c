import Berth
import Foundation
import Testing

@Suite("A container keeps the layers that it lies on, and they go with it", .kernelTier, .serialized)
struct ContainerLeaseTests {
    /// What there is of layers and blobs.
    private func kept(_ scene: Scene) throws -> [String] {
        try ["overlay2", "content/blobs/sha256"].flatMap {
            try FileManager.default.contentsOfDirectory(atPath: "\(scene.root)/\($0)").filter { $0 != "l" }
        }
    }

    @Test("Its image goes first; then the container, of this engine or of the next", arguments: [false, true])
    func imageGoesFirst(_ reopened: Bool) async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        func kept() throws -> [String] { try self.kept(scene) }
        let id = try await engine.containers.create(scene.configuration(["true"])).id
        let removed = try await engine.removeImage("box", force: true)
        #expect(removed.count == 2, "the layer is said to be gone: \(removed)")
        if reopened {
            await engine.close()
            engine = try await scene.open()
        }
        #expect(try kept().count == 2)
        let container = try engine.containers.find(id)
        try await container.start()
        #expect(try await container.wait(.notRunning).code == 0)
        try await container.remove()
        try await until("the layer to have followed") { try kept() == [] }
        try await scene.remove(with: engine)
    }

    @Test("What could not be made holds nothing")
    func failedCreate() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        _ = try await engine.containers.create(scene.configuration(["true"]) { $0.name = "taken" })
        await #expect { try await engine.containers.create(scene.configuration(["true"]) { $0.name = "taken" }) } throws: {
            ($0 as? ContainerError)?.code == .conflict
        }
        try await engine.containers.find("taken").remove()
        // A container that is gone lets go of its layer a moment later.
        _ = try await engine.removeImage("box")
        try await until("nothing to be held") { try kept(scene) == [] }
        try await scene.remove(with: engine)
    }
}
