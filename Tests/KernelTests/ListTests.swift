import Berth
import BerthNetworking
import Testing

@Suite("Lists of containers", .kernelTier, .serialized, .timeLimit(.minutes(2)))
struct ListTests {
    private func expectSame(_ overview: ContainerOverview, _ details: ContainerDetails) {
        #expect(overview.id == details.id)
        #expect(overview.name == details.name)
        #expect(overview.image == details.configuration.image)
        #expect(overview.createdAt == details.createdAt)
        #expect(overview.imageID == details.imageID)
        #expect(overview.arguments == details.arguments)
        #expect(overview.labels == details.labels)
        #expect(overview.status == details.status)
        #expect(overview.processID == details.processID)
        #expect(overview.startedAt == details.startedAt)
        #expect(overview.lastExit == details.lastExit)
        #expect(overview.health == details.health?.status)
        #expect(overview.network == details.configuration.network)
        #expect(overview.places == details.configuration.endpoints)
        #expect(overview.endpoints == details.endpoints)
        #expect(overview.networkIDs == details.networkIDs)
        #expect(overview.openPorts == details.openPorts)
        #expect(overview.mounts == details.mounts)
    }

    @Test("A list tells the same of a container as its details do, before it runs, while it does and afterwards")
    func details() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(
            scene.configuration(["sleep", "100000"]) { configuration in
                (configuration.name, configuration.network) = ("listed", .default)
                (configuration.entrypoint, configuration.labels) = (["/bin/busybox"], ["a": "b"])
                configuration.mounts = [Mount(volume: "kept", at: "/kept")]
                configuration.networking.exposedPorts = [Port(80, .tcp)]
                configuration.healthcheck = .init(test: ["CMD", "true"])
            })
        func listed() throws -> ContainerOverview { try #require(try engine.containers.list(ContainerQuery(includesAll: true)).first) }
        expectSame(try listed(), try container.details())
        #expect(try engine.containers.list().isEmpty && listed().openPorts.isEmpty)
        try await container.start()
        expectSame(try listed(), try container.details())
        #expect(try engine.containers.list().map(\.openPorts) == [[Port(80, .tcp)]])
        #expect(try listed().mounts.map(\.source) == ["\(scene.root)/volumes/kept/_data"])
        try await container.kill()
        _ = try await container.wait()
        expectSame(try listed(), try container.details())
        #expect(try listed().lastExit?.code == 137)
        try await scene.remove(with: engine)
    }

    @Test("The newest come first, and no more of them than are asked for, of those that the filters let through")
    func order() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        for name in ["one", "two", "three", "four"] {
            _ = try await engine.containers.create(scene.configuration(["true"]) { $0.name = name })
        }
        func names(_ limit: Int?, _ filters: [String: [String]] = [:]) throws -> [String] {
            try engine.containers.list(ContainerQuery(includesAll: true, limit: limit, filters: filters)).map(\.name)
        }
        #expect(try names(nil) == ["four", "three", "two", "one"])
        #expect(try names(0) == names(nil))
        #expect(try names(9) == names(nil))
        #expect(try names(3) == ["four", "three", "two"])
        #expect(try names(2, ["name": ["o"]]) == ["four", "two"])
        try await scene.remove(with: engine)
    }
}
