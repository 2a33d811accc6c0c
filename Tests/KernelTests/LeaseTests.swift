import Berth
import Foundation
import Testing

@Suite("A container keeps the layers that it lies on, and they go with it", .kernelTier, .serialized)
struct ContainerLeaseTests {
    @Test("Its image goes first; then the container, of this engine or of the next", arguments: [false, true])
    func imageGoesFirst(_ reopened: Bool) async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        func kept() throws -> [String] {
            try ["overlay2", "content/blobs/sha256"].flatMap {
                try FileManager.default.contentsOfDirectory(atPath: "\(scene.root)/\($0)").filter { $0 != "l" }
            }
        }
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
        #expect(try await engine.removeImage("box").count == 3)
        try await scene.remove(with: engine)
    }
}
