import Berth
import BerthLinux
import Foundation
import Testing

@Suite("A container that is edited stays what it is, but for what is edited", .kernelTier, .serialized)
struct EditTests {
    /// Says what it was told and what it finds, and leaves something in its own layer and in its volume.
    static let script = """
        echo run $A $(cat /kept 2>/dev/null) $(cat /data/kept 2>/dev/null); echo layer >/kept; echo volume >/data/kept; exec sleep 100000
        """

    static func configuration(named name: String, _ change: (inout ContainerConfiguration) -> Void = { _ in }) -> ContainerConfiguration {
        var configuration = ContainerConfiguration(image: "one")
        (configuration.name, configuration.command) = (name, ["sh", "-c", script])
        (configuration.network, configuration.environment, configuration.stopTimeoutSeconds) = (.none, ["A=first"], 0)
        change(&configuration)
        return configuration
    }

    /// Two images that have a volume at /data.
    static func makeImages(_ engine: Engine, in scene: Scene) async throws {
        let box = try await engine.containers.create(scene.configuration(["true"]))
        for name in ["one", "two"] {
            var options = CommitOptions(as: try ImageReference(parsing: name))
            options.changes = ["VOLUME /data", "LABEL is=\(name)"]
            _ = try await box.commit(options).value
        }
        try await box.remove()
    }

    private func runs(_ container: Berth.Container) async throws -> [String] {
        var lines: [String] = []
        for try await line in try container.logs() { lines.append(line.text) }
        return lines
    }

    private func layers(_ scene: Scene) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: scene.root + "/overlay2").filter { $0.count >= 64 && !$0.hasPrefix("layer-") }
    }

    @Test("Its environment, then its image: id, name, log and volumes stay, and of another image its layer is new")
    func environmentAndImage() async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        try await Self.makeImages(engine, in: scene)
        var container = try await engine.containers.create(Self.configuration(named: "web"))
        try await container.start()
        try await until("the first run") { try await runs(container) == ["run first"] }
        let volume = try #require(try container.details().mounts.first?.volume)
        // What is only tried changes nothing.
        let process = try container.details().processID
        let trial = try await container.edit(image: "two", onlyTrying: true) { $0.environment = ["A=second"] }
        #expect(trial == ContainerEdited(isRestarted: true, hasNewLayer: true))
        #expect(try container.details().processID == process)
        #expect(try container.details().configuration.environment == ["A=first"])

        #expect(
            try await container.edit { $0.environment = ["A=second"] } == ContainerEdited(isRestarted: true, hasNewLayer: false))
        try await until("the second run") { try await runs(container) == ["run first", "run second layer volume"] }
        #expect(try container.details().name == "web")
        #expect(try container.details().status == .running)

        #expect(try await container.edit(image: "two") == ContainerEdited(isRestarted: true, hasNewLayer: true))
        try await until("the third run") { try await runs(container).last == "run second volume" }
        #expect(try container.details().labels["is"] == "two")
        #expect(try container.details().mounts.map(\.volume) == [volume])
        let written = try layers(scene).filter { $0.hasPrefix(container.id) }
        #expect(written.count == 1 && written[0] != container.id, "the layer of the former image has gone: \(written)")

        // The next engine finds it so, and it can be looked at, edited again and removed.
        await engine.close()
        engine = try await scene.open()
        container = try engine.containers.find("web")
        #expect(try layers(scene).filter { $0.hasPrefix(container.id) } == written)
        #expect(try await container.changes().contains { $0.path == Array("/kept".utf8) })
        try await container.stop(timeoutSeconds: 0)
        #expect(try await container.edit { $0.environment = ["A=fourth"] } == ContainerEdited(isRestarted: false, hasNewLayer: false))
        #expect(try container.details().status == .exited)
        try await container.start()
        try await until("the fourth run") { try await runs(container).last == "run fourth layer volume" }
        try await container.remove(force: true, removingVolumes: true)
        #expect(engine.volumes.all().isEmpty)
        try await until("its layers to have followed") { try layers(scene).filter { $0.hasPrefix(container.id) } == [] }
        try await scene.remove(with: engine)
    }

    @Test("What cannot be started is as it was, and runs; what makes no sense does not stop it")
    func refused() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        try await Self.makeImages(engine, in: scene)
        let container = try await engine.containers.create(Self.configuration(named: "web") { $0.removesItself = true })
        try await container.start()
        try await until("the first run") { try await runs(container).count == 1 }
        let former = try container.details()
        for change in [
            { $0.workingDirectory = "relative" }, { $0.network = .named("nowhere") }, { $0.restart = .always },
            { $0.mounts = [Mount(.bind, source: "/not/there", target: "/m")] },
            { $0.mounts = [Mount(volume: "a", at: "/m"), Mount(volume: "b", at: "/m")] }, { $0.environment = ["=x"] },
        ] as [@Sendable (inout ContainerConfiguration) -> Void] {
            await #expect(throws: ContainerError.self) { try await container.edit(change) }
            #expect(try container.details() == former, "it was not touched")
        }
        let missing = await #expect(throws: ContainerError.self) { try await container.edit(image: "nothing") }
        #expect(missing?.code == .imageNotFound)
        // The whole of it, and back: with another image, another volume, and a command that is not there.
        let error = await #expect(throws: ContainerError.self) {
            try await container.edit(image: "two") {
                $0.command = ["not-there"]
                $0.mounts.append(Mount(.volume, target: "/more"))
            }
        }
        #expect(error?.code == .commandNotFound && error?.description.hasSuffix("is as it was before") == true)
        try await until("it to run again") { try await runs(container) == ["run first", "run first layer volume"] }
        let now = try container.details()
        #expect(now.configuration == former.configuration && now.imageID == former.imageID && now.mounts == former.mounts)
        #expect(engine.volumes.all().count == 1, "the volume that it was to have has gone")
        #expect(try layers(scene).filter { $0.hasPrefix(container.id) } == [container.id])
        try await container.stop()
        try await until("it to be gone, as it removes itself") { engine.containers.all().isEmpty }
        try await scene.remove(with: engine)
    }

    @Test("Its addresses stay, said or not, and so do its names; a network more and a network less are had")
    func addresses() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        try await traffic.network("back", 2)
        let web = try await traffic.start("web", in: ["front"]) {
            ($0.endpoints[0].aliases, $0.stopTimeoutSeconds) = (["shop"], 0)
        }
        try await traffic.start("asker", in: ["front"])
        let former = try #require(try web.details().endpoints.first)
        _ = try await web.edit {
            $0.environment = ["A=1"]
            $0.endpoints.append(EndpointConfiguration(network: "back"))
        }
        try traffic.place("web", at: web)
        let places = try web.details().endpoints
        #expect(places.map(\.networkName) == ["front", "back"])
        #expect(places[0].addresses == former.addresses && places[0].hardwareAddress == former.hardwareAddress)
        #expect(try traffic.dig(at: "asker", "shop") == [try traffic.address("web", in: "front")])
        // Who shares its network keeps that from being changed, and nothing else.
        let guest = try await traffic.engine.containers.create(
            traffic.scene.configuration(["sleep", "100000"]) { $0.network = .container(web.id) })
        try await guest.start()
        await #expect(throws: ContainerError.self) {
            try await web.edit { configuration in configuration.endpoints.removeAll { $0.network == "back" } }
        }
        _ = try await web.edit { $0.environment = ["A=2"] }
        try await guest.remove(force: true)
        _ = try await web.edit { configuration in configuration.endpoints.removeAll { $0.network == "back" } }
        #expect(try web.details().endpoints.map(\.networkName) == ["front"])
        #expect(try web.details().endpoints.first?.addresses == former.addresses)
        try await traffic.remove()
    }

    // MARK: Killed

    @Test("Killed at whichever call, it is the one or the other, whole, and nothing else is left")
    func killedAtEachCall() async throws {
        let isLong = ProcessInfo.processInfo.environment["BERTH_LONG"] != nil
        let scene = try await Scene()
        var engine = try await scene.open()
        try await Self.makeImages(engine, in: scene)
        let id = try await engine.containers.create(Self.configuration(named: "web")).id
        await engine.close()
        // Without a kill it makes so many calls.
        let count = try await walk(scene, 0)
        try #require(count > 8)
        engine = try await scene.open()
        for call in stride(from: 1, through: count, by: isLong ? 1 : max(1, count / 10)) {
            await engine.close()
            _ = try await walk(scene, call)
            engine = try await scene.open()
            let all = engine.containers.all()
            let details = try #require(all.first)
            #expect(all.count == 1 && engine.containers.unreadable.isEmpty && details.name == "web" && details.id == id, "call \(call)")
            // The whole of the one or of the other: what the document says of image, environment and volumes belongs together.
            let image = try #require(details.labels["is"])
            #expect(details.configuration.image == image && details.environment.contains("B=\(image)"), "call \(call)")
            #expect(details.mounts.map(\.target) == (image == "two" ? ["/data", "/more"] : ["/data"]), "call \(call)")
            let container = try engine.containers.find(id)
            try await container.start()
            try await container.kill()
            let left = try layers(scene)
            #expect(left.count == 1 && left[0].hasPrefix(id), "call \(call): \(left)")
        }
        try await scene.remove(with: engine)
    }

    /// Edits the container in another engine, which comes no further than to a call.
    ///
    /// - Returns: how many calls there were.
    private func walk(_ scene: Scene, _ call: Int) async throws -> Int {
        let host = try EngineHost("edit", at: scene, count: call)
        let report = try await host.ready()
        host.kill()
        return report.pod.count
    }

    /// In a process of its own: one edit, which is stopped at a call.
    static func host(_ engine: Engine, call: Int, answer: String) async throws {
        let container = try engine.containers.find("web")
        let (_, calls) = await SystemCallSeam.scripted(at: call > 0 ? call : nil, .stop) { try? await turn(container) }
        try JSONEncoder().encode(HostReport(pod: calls)).write(to: URL(fileURLWithPath: answer), options: .atomic)
        try await Task.sleep(for: .seconds(3600))
    }

    /// Likewise: one edit after the other, until it is killed.
    static func hostForEver(_ engine: Engine) async throws {
        let container = try engine.containers.find("web")
        while true { try await turn(container) }
    }

    /// The container becomes one of the other image, with another variable and a volume more or less.
    private static func turn(_ container: Berth.Container) async throws {
        let next = try container.details().labels["is"] == "one" ? "two" : "one"
        _ = try await container.edit(image: next) {
            $0.environment = ["A=first", "B=\(next)"]
            $0.mounts = next == "two" ? [Mount(volume: "more", at: "/more")] : []
        }
    }

    @Test("Killed while it is stopped and started for it, it is whole, and can be started")
    func killedWhileItRuns() async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        try await Self.makeImages(engine, in: scene)
        let first = try await engine.containers.create(Self.configuration(named: "web") { $0.environment = ["A=first", "B=one"] })
        try await first.start()
        let id = first.id
        await engine.close()
        let log = "\(scene.root)/containers/\(id)/\(id)-json.log"
        func runCount() -> Int { ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").split(separator: "\n").count }
        for round in 1...5 {
            let before = runCount()
            let host = try EngineHost("editing", at: scene)
            try await until("\(round) runs more") { runCount() >= before + round }
            host.kill()
            engine = try await scene.open()
            let all = engine.containers.all()
            let details = try #require(all.first)
            #expect(all.count == 1 && engine.containers.unreadable.isEmpty && details.name == "web" && details.id == id, "round \(round)")
            let image = try #require(details.labels["is"])
            #expect(details.configuration.image == image && details.environment.contains("B=\(image)"), "round \(round)")
            let container = try engine.containers.find(id)
            if details.status != .running { try await container.start() }
            let left = try layers(scene)
            #expect(left.count == 1 && left[0].hasPrefix(id), "round \(round): \(left)")
            await engine.close()
        }
        engine = try await scene.open()
        try await scene.remove(with: engine)
    }
}
