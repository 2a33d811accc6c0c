import BerthLinux
import BerthOCI
import BerthState
import Foundation
import Testing

@testable import BerthVolumes

/// A root of a test's own.
private final class Root {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-volumes-\(UUID().uuidString)").path
    let events = EventHub()
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }  // what is left lies in the temporary directory

    func open() throws -> VolumeStore { try VolumeStore(root: path, events: events) }
    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path + "/volumes").sorted() }
    func write(_ name: String, _ text: String) throws {
        try FileManager.default.createDirectory(
            atPath: ("\(path)/\(name)" as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
    }
    func read(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }
    func happened() async throws -> [String] {
        var all: [String] = []
        for try await event in events.subscribe(since: 0, until: realtimeNanoseconds()) where event.type == "volume" {
            all.append("\(event.action) \(event.actorID)")
        }
        return all
    }
}

@Suite("Volumes are made, found, filled and removed, whole or not at all")
struct VolumeStoreTests {
    @Test("A volume's document has these bytes, and one that an engine wrote is read")
    func golden() throws {
        let root = try Root()
        try root.write(
            "volumes/data/volume.json",
            #"{"document":{"createdAt":"2026-01-02T03:04:05.000000006Z","driver":"local","labels":{"a":"b"},"options":{"device":"tmpfs","type":"tmpfs"}},"version":1}"#
        )
        try root.write("volumes/data/_data/file", "x")
        let volume = try root.open().find("data")
        #expect(volume.labels == ["a": "b"] && volume.options == ["device": "tmpfs", "type": "tmpfs"] && volume.driver == "local")
        #expect(volume.createdAt.rfc3339 == "2026-01-02T03:04:05.000000006Z" && volume.mountPoint == root.path + "/volumes/data/_data")
        let store = try root.open()
        try store.documents.write(
            VolumeDocument(createdAt: volume.createdAt, driver: "local", options: nil, labels: nil), id: "data")
        #expect(
            try root.read("volumes/data/volume.json")
                == #"{"document":{"createdAt":"2026-01-02T03:04:05.000000006Z","driver":"local"},"version":1}"# + "\n")
    }

    @Test("One of a name that is there is the answer as it is, and one without a name is anonymous")
    func create() async throws {
        let root = try Root()
        let store = try root.open()
        let first = try await store.create(VolumeConfiguration(name: "data", labels: ["a": "b"]))
        #expect(try await store.create(VolumeConfiguration(name: "data", labels: ["c": "d"])) == first)
        let anonymous = try await store.create(VolumeConfiguration())
        #expect(anonymous.isAnonymous && RandomID.isValid(anonymous.name) && !first.isAnonymous)
        #expect(try root.open().all() == [anonymous, first].sorted { $0.name < $1.name })
        #expect(try await root.happened() == ["create data", "create \(anonymous.name)"])
        let status = try Directory.open(root.path + "/volumes/data").status("_data")
        #expect(status.permissions == 0o755)
    }

    @Test("Of many that make one at once, one makes it, and all have it")
    func race() async throws {
        let root = try Root()
        let store = try root.open()
        let made = try await withThrowingTaskGroup(of: Volume.self) { group in
            for _ in 0..<32 { group.addTask { try await store.create(VolumeConfiguration(name: "one")) } }
            return try await group.reduce(into: Set<Volume>()) { $0.insert($1) }
        }
        #expect(made.count == 1)
        #expect(try await root.happened() == ["create one"])
    }

    @Test(
        "What cannot be is refused, in Docker's words, and nothing is made",
        arguments: [
            (VolumeConfiguration(name: "a"), "create a: volume name is too short, names should be at least two alphanumeric characters"),
            (VolumeConfiguration(name: "a/b"), "includes invalid characters for a local volume name"),
            (VolumeConfiguration(name: ".ab"), "includes invalid characters"), (VolumeConfiguration(name: "a\u{1b}b"), "\\x1b"),
            (VolumeConfiguration(name: String(repeating: "a", count: 256)), "too long"),
            (VolumeConfiguration(name: "ab", driver: "other"), "error looking up volume plugin other: plugin \"other\" not found"),
            (VolumeConfiguration(name: "ab", options: ["odd": "1"]), "create ab: invalid option: \"odd\""),
            (VolumeConfiguration(name: "ab", options: ["type": "nfs"]), "create ab: missing required option: \"device\""),
            (VolumeConfiguration(name: "ab", options: ["o": "ro"]), "create ab: missing required option: \"device\""),
            (VolumeConfiguration(name: "ab", options: ["device": "/x"]), "create ab: missing required option: \"type\""),
            (VolumeConfiguration(name: "ab", options: ["size": "1g"]), "quota size requested but no quota support"),
            (VolumeConfiguration(name: "ab", options: ["type": "none", "o": "bind", "device": "x"]), "must be an absolute path"),
        ])
    func refused(configuration: VolumeConfiguration, words: String) async throws {
        let root = try Root()
        let store = try root.open()
        let error = await #expect(throws: VolumeError.self) { try await store.create(configuration) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        #expect(error?.code == (configuration.driver == "local" ? .invalid : .notFound))
        #expect(try root.names() == [] && store.all().isEmpty)
    }

    @Test("A volume that a container has stays, and the container is named; afterwards it goes with its files")
    func remove() async throws {
        let root = try Root()
        let store = try root.open()
        _ = try await store.create(VolumeConfiguration(name: "data"), for: "c1")
        store.hold("data", by: "c2")
        try root.write("volumes/data/_data/deep/file", "x")
        let error = await #expect(throws: VolumeError.self) { try await store.remove("data", force: true) }
        #expect(error?.code == .inUse && error?.description == "remove data: volume is in use - [c1, c2]")
        #expect(store.users(of: "data") == ["c1", "c2"])
        store.release("data", by: "c1")
        store.release("data", by: "c2")
        try await store.remove("data")
        #expect(try root.names() == [] && store.all().isEmpty)
        let missing = await #expect(throws: VolumeError.self) { try await store.remove("data") }
        #expect(missing?.code == .notFound && missing?.description == "get data: no such volume")
        try await store.remove("data", force: true)
        #expect(try await root.happened() == ["create data", "destroy data"])
        // The name is free.
        _ = try await store.create(VolumeConfiguration(name: "data"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: root.path + "/volumes/data/_data") == [])
    }

    @Test("As long as a container's document cannot be read, no volume is removed")
    func claim() async throws {
        let root = try Root()
        let store = try root.open()
        _ = try await store.create(VolumeConfiguration(name: "data"))
        store.holdAll(for: "unreadable")
        let error = await #expect(throws: VolumeError.self) { try await store.remove("data") }
        #expect(error?.code == .inUse && error?.description.contains("[unreadable]") == true)
        #expect(try await store.prune(keeping: { _ in false }).names == [])
        #expect(store.all().count == 1)
    }

    @Test("What is pruned is told, with how much it was")
    func prune() async throws {
        let root = try Root()
        let store = try root.open()
        for name in ["keep", "used", "gone"] { _ = try await store.create(VolumeConfiguration(name: name)) }
        _ = try await store.create(VolumeConfiguration(name: "elsewhere", options: ["type": "tmpfs", "device": "tmpfs"]))
        store.hold("used", by: "c")
        try root.write("volumes/gone/_data/a", "12345")
        try FileManager.default.linkItem(atPath: root.path + "/volumes/gone/_data/a", toPath: root.path + "/volumes/gone/_data/b")
        #expect(try await store.byteCount(of: "gone") == 5)
        let pruned = try await store.prune { $0.name == "keep" }
        #expect(pruned.names == ["gone"] && pruned.reclaimedByteCount == 5)
        #expect(store.all().map(\.name) == ["elsewhere", "keep", "used"])
        #expect(try await root.happened().suffix(2) == ["destroy gone", "prune "])
    }

    @Test("A damaged document is set aside and keeps its name and files; a directory without one is left alone; both are told of")
    func setAside() async throws {
        let root = try Root()
        _ = try root.open()
        try root.write("volumes/bad/volume.json", "{")
        try root.write("volumes/bad/_data/file", "mine")
        try root.write("volumes/newer/volume.json", #"{"document":{},"version":99}"#)
        try root.write("volumes/bare/_data/file", "mine too")
        for _ in 0..<2 {
            let store = try root.open()
            #expect(Set(store.unreadable.keys) == ["bad", "newer", "bare"] && store.all().isEmpty)
            for name in ["bad", "newer", "bare"] {
                for work in [
                    { _ = try await store.create(VolumeConfiguration(name: name)) }, { try await store.remove(name, force: true) },
                    { _ = try store.find(name) },
                ] as [() async throws -> Void] {
                    let error = await #expect(throws: VolumeError.self) { try await work() }
                    #expect(error?.code == .conflict)
                }
            }
        }
        #expect(try root.read("volumes/bad/_data/file") == "mine" && root.read("volumes/bare/_data/file") == "mine too")
    }

    @Test(
        "What kills have left half made or half removed is gone at the next start; what was half filled is empty, what was filled is moved")
    func leftovers() async throws {
        let root = try Root()
        _ = try await root.open().create(VolumeConfiguration(name: "data"))
        try root.write("volumes/.making-1/_data/x", "x")
        try root.write("volumes/.removing-1/_data/x", "x")
        try root.write("volumes/data/.filling-1/half", "x")
        _ = try root.open()
        #expect(try root.names() == ["data"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: root.path + "/volumes/data").sorted() == ["_data", "volume.json"])
        try root.write("volumes/data/.filled-1/one", "1")
        try root.write("volumes/data/.filled-1/two", "2")
        try root.write("volumes/data/_data/two", "somebody's")
        _ = try root.open()
        #expect(try FileManager.default.contentsOfDirectory(atPath: root.path + "/volumes/data").sorted() == ["_data", "volume.json"])
        #expect(try root.read("volumes/data/_data/one") == "1" && root.read("volumes/data/_data/two") == "somebody's")
    }

    @Test(
        "An empty volume gets a directory's content, mode and links, of many at once from one; one with something in it, or with options, stays as it is"
    )
    func fill() async throws {
        let root = try Root()
        let store = try root.open()
        _ = try await store.create(VolumeConfiguration(name: "data"))
        try root.write("image/sub/file", "from the image")
        try FileManager.default.createSymbolicLink(atPath: root.path + "/image/link", withDestinationPath: "/etc/passwd")
        try FileManager.default.setAttributes([.posixPermissions: 0o750], ofItemAtPath: root.path + "/image")
        #expect(try store.canBeFilled("data"))
        let image = root.path + "/image"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { try store.fill("data", from: try Directory.open(image)) } }
            try await group.waitForAll()
        }
        #expect(try root.read("volumes/data/_data/sub/file") == "from the image" && !store.canBeFilled("data"))
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: root.path + "/volumes/data/_data/link") == "/etc/passwd")
        #expect(try Directory.open(root.path + "/volumes/data").status("_data").permissions == 0o750)
        #expect(try FileManager.default.contentsOfDirectory(atPath: root.path + "/volumes/data").sorted() == ["_data", "volume.json"])
        try root.write("image/more", "x")
        try store.fill("data", from: try Directory.open(root.path + "/image"))
        #expect(!FileManager.default.fileExists(atPath: root.path + "/volumes/data/_data/more"))
        _ = try await store.create(VolumeConfiguration(name: "memory", options: ["type": "tmpfs", "device": "tmpfs"]))
        try store.fill("memory", from: try Directory.open(root.path + "/image"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: root.path + "/volumes/memory/_data") == [])
    }

    @Test(
        "What options mean",
        arguments: [
            ([:], VolumeSource.directory("/d")),
            (["type": "none", "o": "bind,ro", "device": "/srv"], .bind(path: "/srv", options: ["bind", "ro"])),
            (["type": "tmpfs", "device": "tmpfs"], .fileSystem(type: "tmpfs", device: "tmpfs", options: [])),
            (
                ["type": "nfs", "o": "addr=192.0.2.1,rw", "device": ":/export"],
                .fileSystem(type: "nfs", device: ":/export", options: ["addr=192.0.2.1", "rw"])
            ),
        ] as [([String: String], VolumeSource)])
    func sources(options: [String: String], source: VolumeSource) { #expect(VolumeSource.source(options, directory: "/d") == source) }

    @Test("A check finds what a volume has lost; a repair makes it, and deletes nothing")
    func check() async throws {
        let root = try Root()
        for name in ["whole", "bare", "without", "gone"] {
            _ = try await root.open().create(VolumeConfiguration(name: name, labels: ["a": "b"]))
        }
        try root.write("volumes/without/_data/file", "x")
        try root.write("volumes/alone/_data/file", "y")
        try root.write("volumes/odd/volume.json", "{")
        try root.write("volumes/odd/_data/file", "z")
        let store = try root.open()
        let manager = FileManager.default
        for lost in ["bare/_data", "without/volume.json", "gone"] { try manager.removeItem(atPath: "\(root.path)/volumes/\(lost)") }
        let found = try await store.check()
        #expect(found.map(\.name) == ["bare", "gone", "without", "alone", "odd"])
        #expect(found.map(\.isUnreadable) == [false, false, false, true, true])
        #expect(found.allSatisfy { $0.outcome == .found } && !manager.fileExists(atPath: root.path + "/volumes/bare/_data"))
        let repaired = try await store.check(repairing: true)
        #expect(repaired.map(\.outcome) == [.repaired, .repaired, .repaired, .repaired, .found])
        #expect(try await store.check().map(\.name) == ["odd"])
        // What the next engine finds.
        let next = try root.open()
        #expect(next.all().map(\.name) == ["alone", "bare", "gone", "whole", "without"] && next.unreadable.keys.sorted() == ["odd"])
        #expect(try next.find("without").labels == ["a": "b"])
        #expect(
            try root.read("volumes/without/_data/file") + root.read("volumes/alone/_data/file") + root.read("volumes/odd/_data/file")
                == "xyz")
    }

    @Test("A name in addr= becomes an address, where another machine is mounted; all else stays")
    func addresses() throws {
        func source(_ type: String, _ options: String) -> VolumeSource {
            .source(["type": type, "device": ":/x", "o": options], directory: "/")
        }
        #expect(try source("nfs", "addr=localhost,rw,nolock").resolved() == source("nfs", "addr=127.0.0.1,rw,nolock"))
        #expect(try source("nfs", "rw,addr=192.0.2.7").resolved() == source("nfs", "rw,addr=192.0.2.7"))
        #expect(try source("nfs4", "addr=::1").resolved() == source("nfs4", "addr=::1"))
        #expect(try source("ext4", "addr=localhost").resolved() == source("ext4", "addr=localhost"))
        // So long a part of a name no server is asked for.
        let nobody = String(repeating: "a", count: 64) + ".invalid"
        let error = #expect(throws: VolumeError.self) { try source("nfs", "addr=\(nobody)").resolved() }
        #expect(error?.code == .invalid)
        #expect(error?.description.hasPrefix("error resolving passed in network volume address: lookup \(nobody): ") == true)
    }

    @Test("A volume that is a directory of the host's is filled as any other, and only once; what a kill has left there goes")
    func bound() async throws {
        let root = try Root()
        try root.write("image/sub/file", "from the image")
        try root.write("host/.berth.filling-0123/half", "x")
        try root.write("host/.berth.filled-0123/whole", "of a kill")
        let store = try root.open()
        func make(_ name: String, _ path: String, _ options: String) async throws {
            _ = try await store.create(
                VolumeConfiguration(name: name, options: ["type": "none", "device": root.path + "/" + path, "o": options]))
        }
        try await make("left", "host", "bind")
        #expect(try store.canBeFilled("left"))
        try store.fill("left", from: try Directory.open(root.path + "/image"))
        #expect(try FileManager.default.subpathsOfDirectory(atPath: root.path + "/host") == ["whole"], "it was filled before the kill")
        try FileManager.default.removeItem(atPath: root.path + "/host/whole")
        try store.fill("left", from: try Directory.open(root.path + "/image"))
        #expect(try FileManager.default.subpathsOfDirectory(atPath: root.path + "/host").sorted() == ["sub", "sub/file"])
        try root.write("image/more", "x")
        try store.fill("left", from: try Directory.open(root.path + "/image"))
        #expect(try !store.canBeFilled("left") && !FileManager.default.fileExists(atPath: root.path + "/host/more"))
        // Nothing is made for one that is missing, or must not be written.
        try FileManager.default.createDirectory(atPath: root.path + "/still", withIntermediateDirectories: true)
        try await make("still", "still", "bind,ro")
        try await make("missing", "missing", "bind")
        for name in ["still", "missing"] {
            #expect(try !store.canBeFilled(name))
            try store.fill(name, from: try Directory.open(root.path + "/image"))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: root.path + "/still") == [])
        #expect(!FileManager.default.fileExists(atPath: root.path + "/missing"))
    }
}
