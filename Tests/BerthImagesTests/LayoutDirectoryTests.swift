import BerthImages
import BerthLinux
import BerthOCI
import BerthState
import Foundation
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
    @Test("Each is refused with its reason, follows no link, waits for no pipe, and leaves nothing", arguments: DirectoryRefusal.all)
    func refusal(_ refusal: DirectoryRefusal) async throws {
        let sample = Sample()
        let room = try await ImageRoom()
        defer { try? room.remove() }  // only tidiness
        let folder = room.path + "/of/layout"
        for member in sample.layoutMembers() + [.file("../../outside/secret", #"{"schemaVersion":2,"manifests":[]}"#)] {
            let url = URL(fileURLWithPath: "\(folder)/\(member.name)")
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(member.contents).write(to: url)
        }
        let names = ["manifest": sample.manifest, "layer": sample.layers[0], "configuration": sample.configuration]
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-euc", "cd '\(folder)'; \(refusal.script)"]
        process.environment = names.mapValues { Sample.blob($0).name }.merging(["PATH": "/usr/bin:/bin"]) { $1 }
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)

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
