import BerthLinux
import BerthState
import BerthVolumes
import Foundation
import Testing

@Suite("A volume is there or not, filled or empty, whatever happened at whichever call", .crashTier)
struct VolumeTests {
    private final class Root {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-volumes-\(UUID().uuidString)").path
        init() throws {
            for folder in ["image/sub", "root"] {
                try FileManager.default.createDirectory(atPath: "\(path)/\(folder)", withIntermediateDirectories: true)
            }
            for file in ["one", "two", "sub/three"] { try file.write(toFile: "\(path)/image/\(file)", atomically: false, encoding: .utf8) }
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }  // what is left lies in the temporary directory

        func clear() throws {
            try FileManager.default.removeItem(atPath: path + "/root")
            try FileManager.default.createDirectory(atPath: path + "/root", withIntermediateDirectories: true)
        }
        func open() throws -> VolumeStore { try VolumeStore(root: path + "/root", events: EventHub()) }
        /// What lies below the volumes' directory.
        func names() throws -> [String] { try FileManager.default.subpathsOfDirectory(atPath: path + "/root/volumes").sorted() }
    }

    private static let outcomes: [SystemCallSeam.Outcome] = [.stop, .failFrom(.ENOSPC), .failOnce(.EIO)]
    private static let made = ["data", "data/_data", "data/volume.json"]
    private static let filled = made + ["data/_data/one", "data/_data/sub", "data/_data/sub/three", "data/_data/two"]

    /// Does something at a store, and opens it again as after a kill.
    private func walk(
        _ outcome: SystemCallSeam.Outcome, in root: Root, begin: (VolumeStore) async throws -> Void,
        _ work: @escaping @Sendable (VolumeStore) async throws -> Void,
        check: (_ names: [String], _ hasSucceeded: Bool, _ at: Int) throws -> Void
    ) async throws {
        func started() async throws -> VolumeStore {
            try root.clear()
            let store = try root.open()
            try await begin(store)
            return store
        }
        var store = try await started()
        let (_, calls) = await SystemCallSeam.scripted { [store] in try? await work(store) }
        #expect(calls.count > 4)
        for at in 1...calls.count {
            store = try await started()
            let (hasSucceeded, _) = await SystemCallSeam.scripted(at: at, outcome) { [store] () -> Bool in
                do { try await work(store) } catch {
                    #expect(error is VolumeError, "call \(at): \(error)")
                    return false
                }
                return true
            }
            let next = try root.open()
            #expect(next.unreadable.isEmpty, "call \(at)")
            try check(root.names(), hasSucceeded, at)
            // It can be done again.
            try await work(next)
        }
    }

    @Test("Making", arguments: outcomes)
    func make(_ outcome: SystemCallSeam.Outcome) async throws {
        try await walk(outcome, in: Root(), begin: { _ in }) { store in
            _ = try await store.create(VolumeConfiguration(name: "data"))
        } check: { names, hasSucceeded, at in
            #expect(names == [] || names == Self.made, "call \(at)")
            if hasSucceeded { #expect(names == Self.made, "call \(at)") }
        }
    }

    @Test("Removing", arguments: outcomes)
    func remove(_ outcome: SystemCallSeam.Outcome) async throws {
        let root = try Root()
        let image = root.path + "/image"
        try await walk(
            outcome, in: root,
            begin: { store in
                _ = try await store.create(VolumeConfiguration(name: "data"))
                try store.fill("data", from: try Directory.open(image))
            }
        ) { store in
            try await store.remove("data", force: true)
        } check: { names, hasSucceeded, at in
            #expect(names == [] || names == Self.filled.sorted(), "call \(at)")
            if hasSucceeded { #expect(names == [], "call \(at)") }
        }
    }

    @Test("Filling", arguments: outcomes)
    func fill(_ outcome: SystemCallSeam.Outcome) async throws {
        let root = try Root()
        let image = root.path + "/image"
        try await walk(outcome, in: root, begin: { store in _ = try await store.create(VolumeConfiguration(name: "data")) }) { store in
            try store.fill("data", from: try Directory.open(image))
        } check: { names, hasSucceeded, at in
            // Never a part of it.
            #expect(names == Self.made || names == Self.filled.sorted(), "call \(at): \(names)")
            if hasSucceeded { #expect(names == Self.filled.sorted(), "call \(at)") }
        }
    }
}
