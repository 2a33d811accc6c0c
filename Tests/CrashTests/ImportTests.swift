import BerthContent
import BerthImages
import BerthLayers
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthState
import Foundation
import Testing

/// The stores of one root, opened as an engine opens them.
struct Stores {
    let content: ContentStore
    let snapshots: any Snapshotter
    let images: ImageStore
    let jobs = JobRegistry()

    init(_ root: String) async throws {
        try self.init(uncollected: root)
        try await images.collect()
    }

    init(uncollected root: String) throws {
        content = try ContentStore(directory: root + "/content")
        snapshots = try Snapshotters.open("overlay2", in: root)
        images = try ImageStore(
            .init(
                root: root, content: content, layers: LayerStore(content: content, snapshots: snapshots), snapshots: snapshots,
                events: EventHub(), jobs: jobs))
    }

    static let name = "example/whole:1"

    /// The store is opened as after a kill, and everything in it is as it should be.
    ///
    /// - Parameter containers: those that have a layer of their own.
    static func opened(_ root: String, _ what: @autoclosure () -> String, containers: [StoreUse.Container] = []) async throws -> Stores {
        let stores = try await Stores(root)
        let report = try await stores.check(containers: containers)
        #expect(report.findings.isEmpty, "\(what()): the store does not check clean")
        return stores
    }

    func check(repairing repairs: Bool = false, containers: [StoreUse.Container] = []) async throws -> StoreReport {
        var use = StoreUse()
        (use.containers, use.ids) = (containers, Set(containers.map(\.id)))
        return try await images.check(repairing: repairs) { [use] in use }.value
    }

    func importArchive(_ path: String) async throws -> ImageRecord {
        try await images.importRootFileSystem(fromFile: path, as: try ImageReference(parsing: Self.name)).value
    }
}

/// An archive with every type of entry, made by GNU tar, and what it is once it is unpacked.
final class EveryEntry {
    let folder: String
    var archive: String { folder + "/every.tar.gz" }

    init() throws {
        folder = "/var/tmp/berth-crash-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let script = """
            cd '\(folder)'; mkdir -p tree/dir/opaque tree/empty; cd tree
            echo text >dir/file; : >dir/nothing; chmod 4755 dir/file; chown 1000:1001 dir/file
            ln dir/file hard; ln -s ../../anywhere link; mkfifo dir/pipe; mknod character c 1 3; mknod block b 7 0
            touch dir/opaque/.wh..wh..opq dir/.wh.gone "$(printf 'odd\\377name')"
            mkdir dir/$(printf 'long%.0s' $(seq 50)); head -c 300000 /dev/urandom >dir/$(printf 'long%.0s' $(seq 50))/data
            truncate -s 40M sparse; echo end >>sparse; echo middle | dd of=sparse bs=1M seek=20 conv=notrunc status=none
            python3 -c 'import os; os.setxattr("dir/file", "user.note", b"x"); os.setxattr("empty", "trusted.note", b"y")'
            touch -d '2001-02-03 04:05:06.123456789' dir/file; touch -d 1960-01-01 dir
            tar --format=pax --sparse --xattrs --xattrs-include='*' --numeric-owner -czf ../every.tar.gz .
            """
        try #require(bash(script) == 0)
    }

    deinit {
        // Not FileManager: a name in it is no text. What cannot be removed lies in the temporary directory.
        if let directory = try? Directory.open("/var/tmp") { try? directory.removeTree(PathBytes(String(folder.dropFirst(9)))) }
    }
}

/// Runs a script, and gives what wait(2) says of its end. Not Foundation's `Process`: it watches a descriptor of its own by its number, and
/// misses the end where thousands of others are opened and closed beside it.
func bash(_ script: String) -> CInt {
    let words: [String] = ["bash", "-euo", "pipefail", "-c", script]
    let arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { (word: String) in unsafe strdup(word) } + [nil]
    let environment: [UnsafeMutablePointer<CChar>?] = unsafe [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil]
    defer { unsafe (arguments + environment).forEach { unsafe free($0) } }
    var process: pid_t = 0
    guard unsafe posix_spawn(&process, "/bin/bash", nil, nil, arguments, environment) == 0 else { return -1 }
    var status: CInt = -1
    while unsafe waitpid(process, &status, 0) < 0 { if errno != EINTR { return -1 } }
    return status
}

/// Every file below a directory with what it is. Random names of ours are left out, so that two trees can be compared.
func tree(_ root: String, named: Bool = true) throws -> [String] {
    func facts(_ directory: borrowing Directory, _ prefix: String) throws -> [String] {
        var lines: [String] = []
        for entry in try directory.entries() {
            let status = try directory.status(entry.name)
            let path = prefix + "/" + entry.name.bytes.map { String(UnicodeScalar($0)) }.joined()
            if named {
                var line = "\(path) \(status.kind) \(status.permissions) \(status.userID):\(status.groupID) \(status.linkCount)"
                if status.kind != .directory { line += " \(status.byteCount)" }
                // Overlay's sign for a removed file is made when it is unpacked: it has no time of its own.
                if status.kind != .characterDevice(DeviceNumber(major: 0, minor: 0)) { line += " \(status.modificationTime)" }
                if status.kind == .regular { line += " " + Digest(of: try directory.readFile(entry.name, limit: 64 << 20)).hex }
                if status.kind == .symbolicLink { line += " \(try directory.readLink(entry.name))" }
                for attribute in try directory.extendedAttributeNames(entry.name).sorted() {
                    line += " \(attribute)=\(try directory.extendedAttribute(attribute, of: entry.name) ?? [])"
                }
                lines.append(line)
            } else {
                lines.append(path)
            }
            if status.kind == .directory { lines += try facts(try directory.openDirectory(entry.name), path) }
        }
        return lines
    }
    return try facts(try Directory.open(root), "").sorted()
}

@Suite("Importing an image is whole or absent, whatever happens at whichever call", .crashTier)
struct ImportTests {
    private func withRoot<Result>(_ every: EveryEntry, _ body: (String) async throws -> Result) async throws -> Result {
        let root = every.folder + "/root"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        do {
            let result = try await body(root)
            try Directory.open(every.folder).removeTree("root")
            return result
        } catch {
            try Directory.open(every.folder).removeTree("root")
            throw error
        }
    }

    /// The files of an image's only layer.
    private func files(of image: ImageRecord, _ stores: Stores) throws -> [String] {
        let layer = try stores.snapshots.makeWritable("probe", on: image.topLayer)
        defer { try? stores.snapshots.remove(layer) }  // of a test that fails anyway
        guard case .overlay(let base, let lowers, _, _) = try stores.snapshots.mounts(of: layer) else { return [] }
        #expect(lowers.count == 1)
        return try tree("\(base)/\(lowers[0])/.")
    }

    @Test(
        "Stopped, with a full disk, or failing once, at each state-changing call",
        arguments: [SystemCallSeam.Outcome.stop, .failFrom(.ENOSPC), .failOnce(.EIO)])
    func walk(_ outcome: SystemCallSeam.Outcome) async throws {
        let every = try EveryEntry()
        // What an empty store is, what a good import gives, and how many calls it makes.
        let (empty, whole, callCount) = try await withRoot(every) { root in
            let stores = try await Stores(root)
            let empty = try tree(root, named: false)
            let (result, calls) = await SystemCallSeam.scripted { () -> Result<ImageRecord, any Error> in
                do { return .success(try await stores.importArchive(every.archive)) } catch { return .failure(error) }
            }
            let image = try result.get()
            let whole = try files(of: image, stores)
            #expect(whole.count == 15)
            _ = try await stores.images.remove(Stores.name, uses: { _ in [] })
            #expect(try tree(root, named: false) == empty)
            return (empty, whole, calls.count)
        }
        #expect(callCount > 90)
        var (failed, absent, present) = (0, 0, 0)
        for at in 1...callCount {
            try await withRoot(every) { root in
                var stores = try await Stores(root)
                do {
                    let (result, _) = await SystemCallSeam.scripted(at: at, outcome) { [stores] () -> Result<ImageRecord, any Error> in
                        do { return .success(try await stores.importArchive(every.archive)) } catch { return .failure(error) }
                    }
                    if case .failure(let error) = result {
                        failed += 1
                        #expect(error is ImageError, "call \(at): \(error)")
                        if case .failOnce = outcome {
                            // What failed once has left nothing in the way of the same store.
                            #expect(try stores.images.list().isEmpty, "call \(at)")
                            _ = try await stores.importArchive(every.archive)
                            _ = try await stores.images.remove(Stores.name, uses: { _ in [] })
                        }
                    }
                }
                stores = try await Stores.opened(root, "call \(at)")
                let images = try stores.images.list()
                if let image = images.first {
                    present += 1
                    #expect(images.count == 1)
                    #expect(image.references.map(\.familiar) == [Stores.name], "call \(at): an image, and not under its name")
                    #expect(try files(of: image, stores) == whole, "call \(at): an image that is not whole")
                    for blob in image.layers + [image.manifest] {
                        #expect(try stores.content.read(blob.digest, limit: 64 << 20).count == Int(blob.byteCount))
                    }
                    _ = try await stores.images.remove(image.id.description, uses: { _ in [] })
                } else {
                    absent += 1
                }
                #expect(try tree(root, named: false) == empty, "call \(at) has left something")

                let image = try await stores.importArchive(every.archive)
                #expect(try files(of: image, stores) == whole, "call \(at): the same import does not work any more")
                #expect(try stores.images.list().map(\.id) == [image.id])
            }
        }
        // The walk has been through both sides of the moment that counts.
        #expect(failed > 90 && absent > 90, "\(failed) failed, \(absent) absent, \(present) present")
        if outcome == .stop { #expect(present > 0) }
    }

    @Test(
        "Removing an image, whatever happens at each call, leaves it whole or can be done again",
        arguments: [SystemCallSeam.Outcome.stop, .failFrom(.ENOSPC), .failOnce(.EIO)])
    func removal(_ outcome: SystemCallSeam.Outcome) async throws {
        let every = try EveryEntry()
        let remove: @Sendable (Stores) async -> Void = { _ = try? await $0.images.remove(Stores.name, uses: { _ in [] }) }
        let (empty, whole, callCount) = try await withRoot(every) { root in
            let stores = try await Stores(root)
            let empty = try tree(root, named: false)
            let whole = try files(of: try await stores.importArchive(every.archive), stores)
            return (empty, whole, await SystemCallSeam.scripted { await remove(stores) }.calls.count)
        }
        #expect(callCount > 20)
        for at in 1...callCount {
            try await withRoot(every) { root in
                var stores = try await Stores(root)
                _ = try await stores.importArchive(every.archive)
                _ = await SystemCallSeam.scripted(at: at, outcome) { [stores] in await remove(stores) }
                // As it is found, before anything is collected.
                let snapshots = try Snapshotters.open("overlay2", in: root)
                for name in snapshots.layers().keys {
                    let layer = try snapshots.makeWritable("probe", on: name)
                    guard case .overlay(let base, let lowers, _, _) = try snapshots.mounts(of: layer) else { continue }
                    #expect(try tree("\(base)/\(lowers[0])/.") == whole, "call \(at): a layer that is not whole")
                    try snapshots.remove(layer)
                }
                stores = try await Stores.opened(root, "call \(at)")
                if let image = try stores.images.list().first {
                    #expect(try files(of: image, stores) == whole)
                    _ = try await stores.images.remove(image.id.description, uses: { _ in [] })
                }
                #expect(try tree(root, named: false) == empty, "call \(at) has left something")
            }
        }
    }

    @Test("An import that fails leaves a name where it was", arguments: [SystemCallSeam.Outcome.stop, .failFrom(.ENOSPC), .failOnce(.EIO)])
    func names(_ outcome: SystemCallSeam.Outcome) async throws {
        let every = try EveryEntry()
        let callCount = try await withRoot(every) { root in
            let stores = try await Stores(root)
            _ = try await stores.importArchive(every.archive)
            return await SystemCallSeam.scripted { _ = try? await stores.importArchive(every.archive) }.calls.count
        }
        // Only the end of an import is about names.
        for at in (callCount - 60)...callCount {
            try await withRoot(every) { root in
                var stores = try await Stores(root)
                let first = try await stores.importArchive(every.archive).id
                let result = await SystemCallSeam.scripted(at: at, outcome) { [stores] in try? await stores.importArchive(every.archive).id
                }
                stores = try await Stores.opened(root, "call \(at)")
                let named = try stores.images.find(Stores.name).id
                if let second = result.result {
                    #expect(named == second)
                } else {
                    let images = try stores.images.list()
                    // The old one under its name; or, stopped after the new one was there, that one and the old one without.
                    #expect(images.map(\.id) == [first] || (images.count == 2 && named != first), "call \(at): \(images.map(\.references))")
                    #expect(images.contains { $0.id == named })
                }
            }
        }
    }
}
