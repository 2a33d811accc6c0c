import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthState
import Foundation
import Testing

/// A disk that forgets, when its power goes, what was not flushed: ext4 in a file, which is shut down without writing its journal.
final class ForgetfulDisk {
    private let folder = "/var/tmp/berth-crash-\(UUID().uuidString.prefix(8))"
    private var image: String { folder + "/disk.img" }
    /// Where it is mounted.
    var path: String { folder + "/disk" }
    /// Where the stores lie.
    var root: String { path + "/root" }

    /// A disk as `fill` leaves it, without power.
    init(_ fill: (String) async throws -> Void) async throws {
        try #require(
            bash(
                "mkdir -p '\(path)'; truncate -s 256M '\(image)'; mkfs.ext4 -q -F -J size=8 '\(image)'; mount -o loop '\(image)' '\(path)'")
                == 0)
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        try await fill(root)
        try unmount()
        try #require(bash("cp --sparse=always '\(image)' '\(folder)/full.img'") == 0)
    }

    deinit { _ = bash("umount -l '\(path)' 2>&- || true; rm -rf '\(folder)'") }

    /// As it was at first. No journal is written by the clock: what nobody asks to be flushed is not.
    func begin() throws {
        try #require(bash("cp --sparse=always '\(folder)/full.img' '\(image)'; mount -o loop,commit=300 '\(image)' '\(path)'") == 0)
    }

    /// Takes the power away, and gives it back.
    func cutPower() throws {
        let opened = unsafe open(path, O_RDONLY | O_CLOEXEC)
        try #require(opened >= 0)
        var withoutJournal: UInt32 = 2
        let isDown = unsafe ioctl(opened, 0x8004_587d, &withoutJournal) == 0  // EXT4_IOC_SHUTDOWN
        try #require(isDown, "the file system cannot be shut down: \(Errno.current)")
        _ = close(opened)
        try unmount()
        try #require(bash("mount -o loop,commit=300 '\(image)' '\(path)'") == 0)
    }

    /// Ends a round.
    func unmount() throws {
        // A thread that has come to its end may still be closing what it had open.
        try #require(bash("for try in {1..200}; do umount '\(path)' 2>&- && exit; sleep 0.02; done; fuser -vm '\(path)'; exit 1") == 0)
    }
}

@Suite("What was answered as done is there after a power cut, and everything else is whole or absent", .crashTier)
struct PowerCutTests {
    /// At which calls the power goes; the last is behind all of them.
    private func points(_ callCount: Int) -> [Int] {
        let count = ProcessInfo.processInfo.environment["BERTH_LONG"] == nil ? 10 : 50
        return (0..<count).map { 1 + $0 * callCount / (count - 1) }
    }

    @Test func firstDocumentOfAnObject() async throws {
        let disk = try await ForgetfulDisk { _ in }
        func make() async -> Result<Void, any Error> {
            Result {
                let directory = try Directory.open(disk.root).makeDirectories("things", permissions: 0o700)
                let store = try DocumentStore<[String]>(directory: disk.root + "/things", layout: .directories(fileName: "thing.json"))
                try directory.makeDirectory("one", permissions: 0o700)
                try store.create(["its", "words"], id: "one")
            }
        }
        try disk.begin()
        let (whole, calls) = await SystemCallSeam.scripted { await make() }
        try whole.get()
        try disk.unmount()
        var (answered, absent) = (0, 0)
        for at in 1...calls.count + 1 {
            try disk.begin()
            let result = await SystemCallSeam.scripted(at: at, .stop) { await make() }.result
            let isAnswered = (try? result.get()) != nil
            try disk.cutPower()
            try {
                let store = try DocumentStore<[String]>(
                    directory: disk.root + "/things", layout: .directories(fileName: "thing.json"))
                for _ in 0..<2 {
                    let (found, setAside) = try store.load()
                    #expect(setAside.isEmpty, "call \(at): what nobody was told of is taken for damage")
                    #expect(found.map(\.document) == [["its", "words"]] || found.isEmpty && !isAnswered, "call \(at)")
                    if isAnswered { answered += 1 }
                    if found.isEmpty { absent += 1 }
                }
            }()
            try disk.unmount()
        }
        #expect(answered > 0 && absent > 0, "\(answered) answered, \(absent) absent")
    }

    @Test func load() async throws {
        let (saved, loads) = (try SavedImage(), LoadTests())
        let disk = try await ForgetfulDisk { _ in }
        try disk.begin()
        let (empty, whole, callCount) = try await {
            let stores = try await Stores(disk.root)
            let empty = try tree(disk.root, named: false)
            let (result, calls) = await SystemCallSeam.scripted { await loads.load(stores, saved) }
            return (empty, try loads.files(of: try result.get()[0].image, stores), calls.count)
        }()
        try disk.unmount()
        var (answered, absent) = (0, 0)
        for at in points(callCount) {
            try disk.begin()
            let isAnswered = try await {
                let stores = try await Stores(disk.root)
                let result = await SystemCallSeam.scripted(at: at, .stop) { await loads.load(stores, saved) }.result
                if case .success = result { return true } else { return false }
            }()
            try disk.cutPower()
            try await {
                let stores = try await Stores(disk.root)
                let images = try stores.images.list()
                if isAnswered { answered += 1 }
                if images.isEmpty { absent += 1 }
                #expect(!images.isEmpty || !isAnswered, "call \(at): the image that was answered as loaded is gone")
                for image in images {
                    if isAnswered { #expect(image.references.map(\.familiar) == [Stores.name, "second:2"], "call \(at)") }
                    #expect(try loads.files(of: image, stores) == whole, "call \(at): an image that is not whole")
                    for blob in image.layers + [image.manifest] {
                        #expect(try stores.content.read(blob.digest, limit: 64 << 20).count == Int(blob.byteCount), "call \(at)")
                    }
                    _ = try await stores.images.remove(image.id.description, force: true, uses: { _ in [] })
                }
                let left = Set(try tree(disk.root, named: false)).symmetricDifference(empty)
                #expect(left.isEmpty, "call \(at) has left something")
                let again = try await loads.load(stores, saved).get()[0].image
                #expect(try loads.files(of: again, stores) == whole, "call \(at): the same load does not work any more")
            }()
            try disk.unmount()
        }
        #expect(answered > 0 && absent > 0, "\(answered) answered, \(absent) absent")
    }

    @Test func commit() async throws {
        let (every, commits) = (try EveryEntry(), CommitTests())
        let disk = try await ForgetfulDisk { try await commits.prepare(every, in: $0) }
        try disk.begin()
        let (before, whole, callCount) = try await {
            let stores = try await Stores(disk.root)
            let before = try tree(disk.root, named: false)
            let (result, calls) = await SystemCallSeam.scripted { await commits.commit(stores) }
            return (before, try commits.files(of: try result.get(), stores), calls.count)
        }()
        try disk.unmount()
        var (answered, absent) = (0, 0)
        for at in points(callCount) {
            try disk.begin()
            let isAnswered = try await {
                let stores = try await Stores(disk.root)
                let result = await SystemCallSeam.scripted(at: at, .stop) { await commits.commit(stores) }.result
                if case .success = result { return true } else { return false }
            }()
            try disk.cutPower()
            try await {
                let stores = try await Stores(disk.root)
                let image = try stores.images.list().first { $0.references.map(\.familiar) == [CommitTests.name] }
                if isAnswered { answered += 1 }
                #expect(image != nil || !isAnswered, "call \(at): the image that was answered as committed is gone")
                if let image {
                    #expect(try commits.files(of: image, stores) == whole, "call \(at): an image that is not whole")
                    for blob in image.layers + [image.manifest] {
                        #expect(try stores.content.read(blob.digest, limit: 64 << 20).count == Int(blob.byteCount), "call \(at)")
                    }
                    try await commits.remove(stores)
                } else {
                    absent += 1
                }
                let left = Set(try tree(disk.root, named: false)).symmetricDifference(before)
                #expect(left.isEmpty, "call \(at) has left something")
                let again = try await commits.commit(stores).get()
                #expect(try commits.files(of: again, stores) == whole, "call \(at): the same commit does not work any more")
            }()
            try disk.unmount()
        }
        #expect(answered > 0 && absent > 0, "\(answered) answered, \(absent) absent")
    }
}
