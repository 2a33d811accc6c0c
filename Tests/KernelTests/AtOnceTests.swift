import Berth
import BerthLinux
import Foundation
import Testing

/// What several ask of one container at the same moment.
@Suite(.kernelTier, .serialized) struct AtOnceTests {
    private let isLong = ProcessInfo.processInfo.environment["BERTH_LONG"] != nil

    private func succeeded(_ count: Int, _ body: @escaping @Sendable (Int) async throws -> Void) async -> Int {
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<count { group.addTask { (try? await body(number)) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
    }

    /// It has one name afterwards, and all others are free.
    @Test func renamesLeaveOneName() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        for round in 0..<10 {
            let container = try await engine.containers.create(scene.configuration(["true"]) { $0.name = "first" })
            #expect(await succeeded(8) { try await container.rename(to: "name\($0)") } > 0)
            let name = try container.details().name
            for other in ["first"] + (0..<8).map({ "name\($0)" }) where other != name {
                try await engine.containers.create(scene.configuration(["true"]) { $0.name = other }).remove()
            }
            #expect(try engine.containers.find(name).id == container.id, "round \(round)")
            try await container.remove()
        }
        try await scene.remove(with: engine)
    }

    /// One of them pauses it, and paused it is found by the next engine.
    @Test func pausesAreOnePause() async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        let id = try await engine.containers.create(scene.configuration(["sleep", "1000"])).id
        try await engine.containers.find(id).start()
        for round in 0..<5 {
            let container = try engine.containers.find(id)
            #expect(await succeeded(8) { _ in try await container.pause() } == 1, "round \(round)")
            await engine.close()
            engine = try await scene.open()
            let again = try engine.containers.find(id)
            #expect(try again.details().status == .paused, "round \(round)")
            #expect(await succeeded(8) { _ in try await again.unpause() } == 1, "round \(round)")
            let execution = try await again.makeExecution(ExecutionConfiguration(command: ["true"]))
            _ = try await execution.start()
            #expect(try await execution.wait() == 0, "round \(round): it moves")
        }
        try await scene.remove(with: engine)
    }

    /// What is paused while it is being killed ends all the same.
    @Test func aPauseKeepsNothingFromItsEnd() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        for _ in 0..<10 {
            let container = try await engine.containers.create(scene.configuration(["sleep", "1000"]))
            try await container.start()
            async let paused = succeeded(4) { _ in try await container.pause() }
            try await container.kill()
            _ = await paused
            #expect(try container.details().status == .exited)
            // It is not taken for one that stands still when it runs again.
            try await container.start()
            try await container.pause()
            try await container.remove(force: true)
        }
        try await scene.remove(with: engine)
    }

    /// What several copy into a container at once is there, whether or not it runs, and also where it ends in the meantime: nobody's mount of its layer
    /// disturbs another's.
    @Test(arguments: [false, true]) func copiesIntoItAreAllThere(endsMeanwhile: Bool) async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let count = 12
        for number in 0..<count {
            let folder = "\(scene.folder)/given\(number)"
            try FileManager.default.createDirectory(atPath: folder + "/bin", withIntermediateDirectories: true)
            // One that replaces what the image has, and others beside it.
            for name in ["busybox", "own\(number)"] { try Data("given".utf8).write(to: URL(fileURLWithPath: folder + "/bin/" + name)) }
            try FileManager.default.createSymbolicLink(atPath: folder + "/bin/link", withDestinationPath: "own\(number)")
            try run("/bin/tar", "-C", folder, "-cf", folder + ".tar", "bin")
        }
        for round in 0..<(isLong ? 500 : 20) {
            let container = try await engine.containers.create(scene.configuration(["sleep", "1000"]))
            if endsMeanwhile { try await container.start() }
            async let done = succeeded(count) { number in
                let archive = try Directory.open(scene.folder).openFile(try PathBytes("given\(number).tar"))
                do { try await container.unpack(archive, into: "/") } catch {
                    Issue.record("\(number): \(error)")
                    throw error
                }
            }
            if endsMeanwhile { try await container.kill() }
            #expect(await done == count, "round \(round)")
            for number in 0..<count { #expect(try await container.status(ofPath: "/bin/own\(number)").byteCount == 5, "round \(round)") }
            try await container.remove(force: true)
        }
        try await scene.remove(with: engine)
    }
}
