import Berth
import BerthLinux
import Foundation
import Testing

/// A kind of document, and what is said when it cannot be read.
private enum Kind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case container, exit, image, reference, layer, index, engine
    var testDescription: String { rawValue }
}

@Suite("A document that is damaged, or newer, is set aside, told of, and keeps what it names", .kernelTier, .serialized)
struct SetAsideTests {
    /// Everything below a root that is owned by somebody: blobs, layers with their files, containers' directories.
    private func owned(_ scene: Scene) throws -> Set<String> {
        let all = try FileManager.default.subpathsOfDirectory(atPath: scene.root)
        return Set(
            all.filter { path in
                let isLink = path.hasPrefix("overlay2/l/")
                let isOwned = ["content/blobs/", "overlay2/", "vfs/"].contains { path.hasPrefix($0) }
                return isOwned && !isLink && !path.hasSuffix("layer.json")
            })
    }

    private func path(of kind: Kind, _ scene: Scene, _ engine: Engine, _ container: String) throws -> String {
        switch kind {
        case .container: return "containers/\(container)/container.json"
        case .exit: return "containers/\(container)/exit.json"
        case .image: return "images/\(try engine.images.find("box").id.hex).json"
        case .reference:
            let name = try #require(try engine.images.find("box").references.first)
            return "references/\(Digest(of: Array(name.description.utf8)).hex).json"
        case .layer:
            let name = try #require(try engine.images.find("box").topLayer).chainID.description
            let found = try run(
                "/bin/grep", "-rl", "--include=layer.json", "\"chainID\":\"\(name)\"", "\(scene.root)/\(engine.snapshotterName)")
            return String(found.dropFirst(scene.root.count + 1).split(separator: "\n")[0])
        case .index: return "content/index.json"
        case .engine: return "engine.json"
        }
    }

    /// The root of an engine with a container that has run, or, for what is about images, without it; then a document of it is written over.
    private final class Damaged {
        let scene: Scene
        let container: String
        let file: URL
        let original: Data
        let text: Data
        let owned: Set<String>

        init(_ kind: Kind, _ text: String, owned: (Scene) throws -> Set<String>, path: (Scene, Engine, String) throws -> String)
            async throws
        {
            scene = try await Scene()
            let engine = try await scene.open()
            let made = try await engine.containers.create(scene.configuration(["true"]))
            try await made.start()
            _ = try await made.wait()
            container = try made.details().id
            file = URL(fileURLWithPath: "\(scene.root)/\(try path(scene, engine, container))")
            // Nobody but the document that is damaged shall keep what it names.
            if kind == .container || kind == .exit {
                _ = try await engine.removeImage("box", force: true)
            } else {
                try await made.remove()
            }
            // What is left of a container that was removed is gone then as well.
            await engine.close()
            self.owned = try owned(scene)
            original = try Data(contentsOf: file)
            self.text = Data(text.utf8)
            try self.text.write(to: file)
        }

        /// The files beside it that have what was written over it.
        func copies() throws -> [String] {
            let folder = file.deletingLastPathComponent().path
            return try FileManager.default.contentsOfDirectory(atPath: folder).map { "\(folder)/\($0)" }.filter {
                // A folder has no such contents.
                (try? Data(contentsOf: URL(fileURLWithPath: $0))) == text
            }
        }

        func putBack() throws {
            for copy in try copies() { try FileManager.default.removeItem(atPath: copy) }
            try original.write(to: file)
        }
    }

    private static let texts = ["{\"version\":", #"{"version":99,"schemaVersion":99,"id":"x","snapshotter":"x"}"#]

    @Test("One of each kind, also over a collection, a pruning of everything, and a repair", arguments: Kind.allCases, texts)
    private func document(_ kind: Kind, _ text: String) async throws {
        let damaged = try await Damaged(kind, text, owned: owned) { try path(of: kind, $0, $1, $2) }
        let scene = damaged.scene
        if kind == .engine {
            try await refused(damaged)
        } else {
            for round in 0..<2 {
                let engine = try await scene.open()
                try await engine.images.collect()
                var everything = ImagePruning()
                everything.includesNamed = true
                // While a name is not known, it is not known which image is nobody's.
                // What a repair has made anew is an image like others, which a pruning removes.
                let isPruned = kind != .index && (kind != .layer || round == 0)
                do { if isPruned { _ = try await engine.pruneImages(everything) } } catch {
                    #expect(kind == .reference && error.code == .conflict)
                }
                try await engine.images.collect()
                #expect(try owned(scene).isSuperset(of: damaged.owned), "round \(round): something is gone")
                try expectTold(kind, engine.information(), try await engine.check(repairing: true).value, damaged, engine)
                await engine.close()
                #expect(try owned(scene).isSuperset(of: damaged.owned), "round \(round): something is gone after a repair")
                if kind != .index { #expect(try damaged.copies().count == 1, "round \(round): the document itself is gone") }
            }
            if kind != .index { try damaged.putBack() }
        }
        // Put right by hand, all of it is there again.
        if kind == .layer { try await removeSecond(damaged) }
        let engine = try await scene.open()
        #expect(try await engine.check().value.isSound)
        let facts = engine.information()
        #expect(facts.unreadableContainers.isEmpty && facts.unreadableImages.isEmpty)
        #expect(facts.unreadableReferences.isEmpty && facts.unreadableLayers.isEmpty)
        if kind == .container || kind == .exit {
            let container = try engine.containers.find(damaged.container)
            try await container.start()
            #expect(try await container.wait().code == 0)
        } else {
            #expect(try engine.images.find("box").topLayer != nil)
        }
        try await scene.remove(with: engine)
    }

    /// What a repair has made anew is there a second time with the first: one of them is set aside, until somebody removes it.
    private func removeSecond(_ damaged: Damaged) async throws {
        let engine = try await damaged.scene.open()
        let aside = engine.information().unreadableLayers
        #expect(aside.count == 1 && aside.values.allSatisfy { $0.hasSuffix("which is taken: this directory is not needed") })
        #expect(try engine.images.find("box").topLayer != nil)
        await engine.close()
        for directory in aside.keys {
            try Directory.open("\(damaged.scene.root)/\(engine.snapshotterName)").removeTree(try PathBytes(directory))
        }
    }

    /// Nothing of a root is touched whose resources have names that are not known.
    private func refused(_ damaged: Damaged) async throws {
        let all = try FileManager.default.subpathsOfDirectory(atPath: damaged.scene.root).sorted()
        for _ in 0..<2 {
            await #expect { _ = try await damaged.scene.open() } throws: { error in
                (error as? EngineError)?.code == (damaged.text.last == UInt8(ascii: "}") ? .newer : .storage)
            }
        }
        #expect(try FileManager.default.subpathsOfDirectory(atPath: damaged.scene.root).sorted() == all)
        #expect(try damaged.copies() == [damaged.file.path])
        try damaged.putBack()
    }

    private func expectTold(
        _ kind: Kind, _ facts: EngineInformation, _ report: StoreReport, _ damaged: Damaged, _ engine: Engine
    ) throws {
        let told = Set(report.findings.map(\.kind))
        switch kind {
        case .container:
            #expect(facts.unreadableContainers.keys.sorted() == [damaged.container] && told.contains(.unreadableContainer))
            #expect(throws: ContainerError.self) { try engine.containers.find(damaged.container) }
        case .exit:
            let details = try engine.containers.find(damaged.container).details()
            #expect(details.status == .exited && details.lastExit?.code == 255)
            #expect(details.lastExit?.reason?.hasPrefix("exit unknown: exit.json was set aside as exit.json.unreadable-") == true)
        case .image: #expect(facts.unreadableImages.count == 1 && told.contains(.unreadableImage))
        case .reference: #expect(facts.unreadableReferences.count == 1 && told.contains(.unreadableReference))
        case .layer: #expect(facts.unreadableLayers.count == 1 && told.contains(.unreadableLayer))
        case .index:
            // It is derived: nobody loses anything by it.
            #expect(report.isSound && told.isEmpty)
            #expect(try Data(contentsOf: damaged.file) == damaged.original)
        case .engine: break
        }
    }
}
