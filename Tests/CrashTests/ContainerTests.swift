import Berth
import BerthLinux
import Foundation
import Testing

/// A root with an image, and the engines that are opened on it one after the other.
private final class Place: Sendable {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("berth-containers-\(UUID().uuidString)").path
    var root: String { folder + "/root" }

    init() async throws {
        let every = try EveryEntry()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let engine = try await open()
        _ = try await engine.images.importRootFileSystem(fromFile: every.archive, as: try ImageReference(parsing: "box")).value
        await engine.close()
    }
    deinit { try? FileManager.default.removeItem(atPath: folder) }  // what is left lies in the temporary directory

    func open() async throws -> Engine { try await Engine.open(EngineConfiguration(root: root, execRoot: folder + "/run")) }

    /// All that there is of containers and volumes.
    func names() throws -> Set<String> {
        var names: Set<String> = []
        for part in ["containers", "volumes", "overlay2", "sandboxes"] {
            let found = FileManager.default.subpaths(atPath: "\(root)/\(part)") ?? []
            names.formUnion(found.map { "\(part)/\($0)" })
        }
        return names
    }

    /// Waits, ten seconds at most, for what follows the answer to a removal.
    func settle(at clean: Set<String>) async throws {
        for _ in 0..<1000 where try names() != clean { try await Task.sleep(for: .milliseconds(10)) }
    }
}

/// What is done to a container.
private enum Work: String, CaseIterable {
    case creating, renaming, removing

    static let (name, otherName) = ("walked", "renamed")

    static func configuration(_ name: String = name) -> ContainerConfiguration {
        var configuration = ContainerConfiguration(image: "box")
        (configuration.name, configuration.command, configuration.network) = (name, ["true"], .none)
        configuration.volumes = ["/data"]
        return configuration
    }

    func begin(_ engine: Engine) async throws {
        if self != .creating { _ = try await engine.containers.create(Self.configuration()) }
    }

    func perform(_ engine: Engine) async -> (any Error)? {
        do {
            switch self {
            case .creating: _ = try await engine.containers.create(Self.configuration())
            case .renaming: try await engine.containers.find(Self.name).rename(to: Self.otherName)
            case .removing: try await engine.containers.find(Self.name).remove(removingVolumes: true)
            }
            return nil
        } catch { return error }
    }

    /// The names of all containers, before it is done and afterwards.
    var former: [String] { self == .creating ? [] : [Self.name] }
    var outcome: [String] {
        switch self {
        case .creating: [Self.name]
        case .renaming: [Self.otherName]
        case .removing: []
        }
    }
}

@Suite("A container is there or not, whole and under one name, whatever happened at whichever call", .crashTier, .serialized)
struct ContainerTests {
    private func walk(
        _ work: Work, _ outcome: SystemCallSeam.Outcome, check: (Engine, _ error: (any Error)?, Place, Int) async throws -> Void
    ) async throws {
        let place = try await Place()
        var engine = try await place.open()
        let clean = try place.names()
        try await work.begin(engine)
        let (error, calls) = await SystemCallSeam.scripted { [engine] in await work.perform(engine) }
        #expect(error == nil && calls.count > 4)
        try await removeAll(engine)
        try await place.settle(at: clean)
        #expect(try place.names() == clean)
        for at in 1...calls.count {
            try await work.begin(engine)
            let (error, _) = await SystemCallSeam.scripted(at: at, outcome) { [engine] in await work.perform(engine) }
            if outcome == .stop {
                await engine.close()
                engine = try await place.open()
            }
            try await check(engine, error, place, at)
            try await removeAll(engine)
            let isLeftToTheNext = if case .failFrom = outcome { true } else { outcome != .stop && work == .removing }
            if isLeftToTheNext {
                // Where nothing can be written, nothing can be tidied up, and what follows an answer fails for nobody: the next engine does it.
                await engine.close()
                engine = try await place.open()
                // What was made but for its last sync is whole for it.
                try await removeAll(engine)
            }
            try await place.settle(at: clean)
            let left = try place.names().symmetricDifference(clean).sorted()
            #expect(left == [], "call \(at), \(calls[at - 1])")
        }
        await engine.close()
    }

    private func removeAll(_ engine: Engine) async throws {
        for details in engine.containers.all() { try await engine.containers.find(details.id).remove(force: true, removingVolumes: true) }
        // A removal that was stopped may have come to the container and not to its volume.
        for volume in engine.volumes.all() { try await engine.volumes.remove(volume.name) }
    }

    private func names(_ engine: Engine) -> [String] { engine.containers.all().map(\.name) }

    @Test("Stopped there, the next engine has it before or after", arguments: Work.allCases)
    private func stopped(_ work: Work) async throws {
        try await walk(work, .stop) { engine, error, _, at in
            #expect(engine.containers.unreadable.isEmpty && engine.volumes.unreadable.isEmpty, "call \(at)")
            let found = names(engine)
            #expect(found == work.former || found == work.outcome, "call \(at): \(found)")
            // What was answered is true.
            if error == nil { #expect(found == work.outcome, "call \(at)") }
            for name in [Work.name, Work.otherName] where !found.contains(name) {
                _ = try await engine.containers.create(Work.configuration(name))
            }
        }
    }

    @Test(
        "With a full disk, or a failure, that is told, nothing is half made, and the same command then does it", arguments: Work.allCases,
        [SystemCallSeam.Outcome.failFrom(.ENOSPC), .failOnce(.EIO)])
    private func failed(_ work: Work, _ outcome: SystemCallSeam.Outcome) async throws {
        var failed = 0
        try await walk(work, outcome) { engine, error, place, at in
            let found = names(engine)
            guard let error else { return #expect(found == work.outcome, "call \(at)") }
            failed += 1
            let code = (error as? ContainerError)?.code
            #expect(code == .storage || code == .runtime, "call \(at): \(error)")
            #expect(found == work.former, "call \(at): \(found)")
            let again = await work.perform(engine)
            #expect(again == nil && names(engine) == work.outcome, "call \(at): \(again.map { "\($0)" } ?? "done")")
        }
        #expect(failed > 2)
    }
}
