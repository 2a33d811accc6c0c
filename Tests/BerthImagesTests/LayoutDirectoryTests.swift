import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthState
import Foundation
import Synchronization
import Testing

/// A layout in a directory that somebody else can write to.
struct DirectoryRefusal: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// What is done in the folder of the layout, in which `$manifest`, `$layer` and `$configuration` are files.
    var script: String
    var words: String
    var code: ImageError.Code

    init(_ what: String, _ script: String, _ words: String, _ code: ImageError.Code = .invalid) {
        (testDescription, self.script, self.words, self.code) = (what, script, words, code)
    }

    static let all: [DirectoryRefusal] = [
        Self("an index that is a symbolic link", "mv index.json x; ln -s x index.json", "/index.json' leads through a symbolic link"),
        Self("an index that is a link out", "rm index.json; ln -s ../../outside/secret index.json", "leads through a symbolic link"),
        Self("an index that is a named pipe", "rm index.json; mkfifo index.json", "/index.json' is no file"),
        Self("an index that is a directory", "rm index.json; mkdir index.json", "/index.json' is a directory"),
        Self("a manifest that is a symbolic link", "mv $manifest x; ln -s ../../x $manifest", "leads through a symbolic link"),
        Self("a layer that is a symbolic link", "mv $layer x; ln -s ../../x $layer", "leads through a symbolic link"),
        Self("a layer that is a named pipe", "rm $layer; mkfifo $layer", "is no file, and of a layout"),
        Self("a layer that is a directory", "rm $layer; mkdir $layer", "is a directory, and of a layout"),
        Self("a folder of blobs that is a symbolic link", "mv blobs x; ln -s x blobs", "leads through a symbolic link"),
        Self("a folder of blobs that is a file", "rm -r blobs; echo x >blobs", "does not have the blob"),
        Self("a configuration that is not there", "rm $configuration", "does not have the blob"),
        Self("a layer that is not there", "rm $layer", "which the archive does not have"),
        Self("a layer that is another", "echo more >>$layer", "is damaged"),
        Self(
            "a layer that is another, and as long", "printf X | dd of=$layer bs=1 seek=515 conv=notrunc status=none",
            "is damaged: it has \(Sample().layers[0].count) bytes"),
        Self("a layer that is no tar", "echo text >$layer", "is damaged: it has 5 bytes"),
        Self("a configuration that is damaged", "printf ' ' >>$configuration", "is damaged: its bytes have the digest"),
        Self("an index of five mebibytes", "truncate -s 5M index.json", "has more than 4194304 bytes, the most of a document", .tooLarge),
        Self("nothing", "rm -r *", "neither a manifest.json nor an index.json"),
        Self("blobs alone", "rm index.json", "no index.json that says what they are"),
        Self(
            "a manifest of Docker's that climbs", #"rm index.json; echo '[{"Config":"../../outside/secret","Layers":[]}]' >manifest.json"#,
            "cannot be one of the archive"),
        Self(
            "repositories that climb", #"rm index.json; echo '{"a":{"1":"../../outside"}}' >repositories"#,
            "which cannot be a folder of the archive"),
    ]
}

@Suite("Layouts in directories are as little to be trusted as archives")
struct LayoutDirectoryTests {
    /// A layout, of which a script makes something else.
    private func makeLayout(_ sample: Sample, _ room: ImageRoom, _ script: String) throws -> String {
        let folder = room.path + "/of/layout"
        for member in sample.layoutMembers() + [.file("../../outside/secret", #"{"schemaVersion":2,"manifests":[]}"#)] {
            let url = URL(fileURLWithPath: "\(folder)/\(member.name)")
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(member.contents).write(to: url)
        }
        let names = ["manifest": sample.manifest, "layer": sample.layers[0], "configuration": sample.configuration]
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-euc", "cd '\(folder)'; \(script)"]
        process.environment = names.mapValues { Sample.blob($0).name }.merging(["PATH": "/usr/bin:/bin"]) { $1 }
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return folder
    }

    /// Exchanges two names for as long as it is wanted.
    private final class Swapping: Sendable {
        private let isWanted = Atomic(true)
        private let hasEnded = DispatchSemaphore(value: 0)

        init(_ name: String, _ other: String, in folder: String) throws {
            let directory = try Directory.open(folder)
            let names = (try PathBytes(name), try PathBytes(other))
            Thread.detachNewThread { [self] in
                while isWanted.load(ordering: .relaxed), (try? directory.rename(names.0, to: names.1, replacing: .exchanging)) != nil {}
                hasEnded.signal()
            }
        }

        func end() {
            isWanted.store(false, ordering: .relaxed)
            hasEnded.wait()
        }
    }

    @Test(
        "What is swapped for a link, and back, while it is read is the layout's own, or refused as a link: nothing outside is read",
        .serialized,  // each of these keeps a processor busy
        arguments: ["index.json", "$manifest", "$configuration", "$layer", "blobs"])
    func race(_ part: String) async throws {
        let sample = Sample()
        let room = try await ImageRoom()
        defer { try? room.remove() }  // only tidiness
        // What lies outside is whatever would be told of if it were read: none of it has the digest that is wanted.
        let folder = try makeLayout(
            sample, room,
            "cp -r . ../other; find ../other -type f -exec sh -c 'echo x >>\"$1\"' x {} \\;; mkdir swap; ln -s \"$PWD/../other/\(part)\" swap/link; mv swap/link \"$(dirname \(part))/swapped\"; ls -d \(part) >../name"
        )
        let name = try String(contentsOfFile: folder + "/../name", encoding: .utf8).dropLast()
        let parts = name.split(separator: "/")
        let swapping = try Swapping(String(parts.last ?? ""), "swapped", in: ([folder[...]] + parts.dropLast()).joined(separator: "/"))
        defer { swapping.end() }
        var (loadedCount, refusedCount) = (0, 0)
        for _ in 0..<1000 where loadedCount < 25 || refusedCount < 25 {
            do {
                let image = try await room.store.load(fromFile: folder).value[0].image
                #expect(image.id == sample.id)
                loadedCount += 1
                _ = try await room.rmi(image.id.description, force: true)
            } catch let error as ImageError {
                refusedCount += 1
                #expect(error.code == .invalid && error.description.contains("leads through a symbolic link"), "\(error)")
            }
        }
        #expect(loadedCount > 0 && refusedCount > 0, "\(loadedCount) were loaded, \(refusedCount) refused")
        #expect(try room.content.all().isEmpty && room.snapshots.layers().isEmpty)
    }

    @Test("Each is refused with its reason, follows no link, waits for no pipe, and leaves nothing", arguments: DirectoryRefusal.all)
    func refusal(_ refusal: DirectoryRefusal) async throws {
        let sample = Sample()
        let room = try await ImageRoom()
        defer { try? room.remove() }  // only tidiness
        let folder = try makeLayout(sample, room, refusal.script)
        let before = try room.files
        await #expect {
            try await room.store.load(fromFile: folder).value
        } throws: { error in
            let error = error as? ImageError
            return error?.code == refusal.code && error?.description.contains(refusal.words) ?? false
        }
        #expect(try room.files == before, "something is left")
        #expect(try room.store.list().isEmpty)
    }
}
