import Berth
import BerthLinux
import Foundation
import Testing

/// File systems that cannot carry an overlay: an overlay, and one without extended attributes.
enum PoorFileSystem: String, CaseIterable {
    case overlay, ramfs

    func mount(in scratch: Scratch) throws -> String {
        switch self {
        case .overlay:
            try scratch.shell("mkdir lower upper work")
            let parts = ["lower", "upper", "work"].map { "\(scratch.path)/\($0)" }
            return try scratch.mount("overlay", at: "poor", options: "lowerdir=\(parts[0]),upperdir=\(parts[1]),workdir=\(parts[2])")
        case .ramfs: return try scratch.mount("ramfs", at: "poor")
        }
    }
}

@Suite(.kernelTier, .serialized)
struct VfsTests {
    @Test(
        "Where the root cannot carry an overlay, containers run on vfs, and the engine says so and why", arguments: PoorFileSystem.allCases)
    func container(_ fileSystem: PoorFileSystem) async throws {
        let scratch = try Scratch()
        let root = try fileSystem.mount(in: scratch) + "/root"
        let engine = try await Engine.open(EngineConfiguration(root: root, execRoot: scratch.path + "/run"))
        let information = engine.information()
        #expect(information.snapshotter == "vfs")
        #expect(information.snapshotterObstacle?.contains("'\(root)' cannot carry an overlay") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: root).sorted().contains("vfs"))
        #expect(try !FileManager.default.contentsOfDirectory(atPath: root).contains { $0.hasPrefix(".") || $0 == "overlay2" })

        let archive = try HostFile.open(try TestEngine.archive(in: scratch.path))
        _ = try await engine.images.importRootFileSystem(from: archive, as: try ImageReference(parsing: "busybox")).value
        for round in 1...2 {
            var configuration = ContainerConfiguration(image: "busybox")
            configuration.command = ["sh", "-c", "ls /; touch /mine; stat -c %a /"]
            configuration.network = .none
            let container = try await engine.containers.create(configuration)
            try await container.start()
            #expect(try await container.wait().code == 0)
            var lines: [String] = []
            for try await line in try container.logs() { lines.append(line.text) }
            // What one container writes is in its own copy.
            #expect(lines == ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "755"], "round \(round): \(lines)")
            try await container.remove()
        }
        try await until("the containers' layers to have followed") {
            try FileManager.default.contentsOfDirectory(atPath: root + "/vfs").count == 1
        }
        await engine.close()

        // Another engine on it goes on with vfs.
        let second = try await Engine.open(EngineConfiguration(root: root, execRoot: scratch.path + "/run"))
        #expect(second.information().snapshotter == "vfs")
        #expect(try second.images.find("busybox").references.count == 1)
        await second.close()
    }

    @Test("Where the root can carry an overlay, it is overlay2, and nothing is left of the trial")
    func overlay() async throws {
        let scratch = try Scratch()
        let engine = try await Engine.open(EngineConfiguration(root: scratch.path + "/root", execRoot: scratch.path + "/run"))
        #expect(engine.information().snapshotter == "overlay2")
        #expect(engine.information().snapshotterObstacle == nil)
        #expect(try !FileManager.default.contentsOfDirectory(atPath: scratch.path + "/root").contains { $0.hasPrefix(".") })
        await engine.close()
    }

    @Test("A layer on another has all of it, with everything that files have", arguments: 1...8)
    func copy(seed: Int) throws {
        let scratch = try Scratch()
        let store = try Vfs(directory: scratch.path + "/vfs")
        let prepared = try store.prepareLayer(on: nil)
        try scratch.makeRandomTree(seed: seed, "tree")
        try scratch.shell("cp -a --sparse=always tree/. '\(prepared.path)/'")
        let name = LayerName(chainID: try Digest(parsing: "sha256:" + String(repeating: "1", count: 64)))
        try store.commit(prepared, as: LayerInformation(name: name, diffID: name.chainID, parent: nil, byteCount: 0))
        let before = try scratch.listing(prepared.path)
        #expect(before.count > 5)
        _ = try store.makeWritable("c", on: name)
        #expect(try store.mounts(of: WritableLayer(id: "c")) == .directory(scratch.path + "/vfs/c/dir"))
        expectSame(try scratch.listing("vfs/c/dir"), before)
    }
}
