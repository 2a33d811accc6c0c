import Foundation
import Testing

/// The house's picture: what each room may use. A target that is not here, or uses more than this, fails.
///
/// `Berth` alone points down: an embedding program finds `berth-monitor` beside itself only if the library depends on it.
private let rooms: [(name: String, group: Group)] = [
    ("CBerth", .kernel), ("BerthLinux", .kernel), ("BerthReactor", .kernel), ("BerthNetlink", .kernel),
    ("BerthLaunch", .kernel), ("CZlib", .kernel), ("BerthMonitor", .kernel),
    ("BerthOCI", .storage), ("CISAL", .storage), ("CZstd", .storage), ("CArchive", .storage), ("CYaml", .storage),
    ("BerthTar", .storage),
    ("BerthArchive", .storage),
    ("BerthState", .storage), ("BerthContent", .storage), ("BerthSnapshots", .storage), ("BerthLayers", .storage),
    ("BerthCredentials", .storage), ("BerthImages", .storage), ("BerthVolumes", .storage), ("BerthRegistry", .storage),
    ("BerthRuntime", .running), ("BerthNetworking", .running), ("BerthContainers", .running),
    ("BerthLogRelay", .engine), ("BerthEngine", .engine), ("Berth", .engine),
    ("DockerAPI", .edges), ("BerthAPI", .edges), ("BerthDaemon", .edges), ("CCrypt", .edges), ("BerthRegistryServer", .edges),
    ("BerthClient", .edges), ("BerthCommandLine", .edges),
    ("BerthContracts", .edges),
    ("berthd", .programs), ("BerthCommand", .programs), ("berth-monitor", .programs),
]

private enum Group { case kernel, storage, running, engine, edges, programs }

/// Which modules from outside the package each group may import, and the rooms that may import more.
private let foreign: [Group: Set<String>] = [
    .kernel: ["Glibc", "Synchronization"],
    .storage: ["Glibc", "Synchronization", "FoundationEssentials"],
    .running: ["Glibc", "Synchronization", "FoundationEssentials"],
    .engine: ["Glibc", "Synchronization", "FoundationEssentials"],
    .edges: ["Glibc", "Synchronization", "FoundationEssentials"],
    .programs: ["Glibc", "Synchronization", "FoundationEssentials", "ArgumentParser"],
]
private let exceptions: [String: Set<String>] = [
    "BerthContent": ["Crypto"], "BerthLayers": ["Crypto"], "BerthImages": ["Crypto"],
    "BerthRegistry": ["AsyncHTTPClient", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL"],
    "BerthLogRelay": ["NIOCore", "NIOPosix", "NIOSSL", "NIOTLS"],
    "BerthDaemon": ["NIOCore", "NIOPosix", "NIOHTTP1", "NIOWebSocket", "Logging"], "berthd": ["Logging"],
    "BerthRegistryServer": ["NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL", "Logging", "Crypto", "CryptoExtras"],
    "BerthCommandLine": ["ArgumentParser"],
    "BerthContracts": ["Testing"],
]

@Suite("The package is the house that the design draws")
struct ArrowTests {
    private let manifest: Manifest
    private let root: URL

    init() throws {
        root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        // A scratch path of its own: this very test may be running under the lock of the usual one.
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent(
            "berth-dump-\(ProcessInfo.processInfo.processIdentifier)")
        defer { try? FileManager.default.removeItem(at: scratch) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["swift", "package", "--package-path", root.path, "--scratch-path", scratch.path, "dump-package"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        manifest = try JSONDecoder().decode(Manifest.self, from: data)
    }

    @Test("Declared arrows point only to rooms above")
    func declaredArrows() throws {
        let position = Dictionary(uniqueKeysWithValues: rooms.enumerated().map { ($1.name, $0) })
        for target in manifest.targets where target.type != "test" {
            let own = try #require(position[target.name], "\(target.name) is not in the picture")
            for used in target.targetNames {
                let other = try #require(position[used], "\(target.name) uses \(used), which is not in the picture")
                #expect(other < own || (target.name == "Berth" && used == "berth-monitor"), "\(target.name) must not use \(used)")
            }
        }
    }

    @Test("Every import is declared, and foreign modules stay where they belong")
    func imports() throws {
        let names = Set(manifest.targets.map(\.name))
        let groups = Dictionary(uniqueKeysWithValues: rooms.map { ($0.name, $0.group) })
        for target in manifest.targets where target.type == "regular" || target.type == "executable" {
            let declared = Set(target.targetNames)
            let allowed = foreign[try #require(groups[target.name])]!.union(exceptions[target.name] ?? [])
            for (file, module) in try importedModules(of: target.name) {
                if names.contains(module) {
                    #expect(declared.contains(module), "\(file) imports \(module), which \(target.name) does not declare")
                } else {
                    #expect(allowed.contains(module), "\(file) imports \(module), which \(target.name) must not see")
                }
            }
        }
    }

    @Test("House rules hold in every target, and the manifest carries no unsafe flags")
    func houseRules() throws {
        for target in manifest.targets where ["regular", "executable", "test"].contains(target.type) && target.name != "CBerth" {
            let settings = target.settings.map(\.kind.description)
            for rule in [
                "ExistentialAny", "MemberImportVisibility", "InternalImportsByDefault", "NonisolatedNonsendingByDefault",
                "strictMemorySafety",
            ] {
                #expect(settings.contains { $0.contains(rule) }, "\(target.name) lacks \(rule)")
            }
            #expect(!settings.contains { $0.contains("unsafeFlags") }, "\(target.name) carries unsafe flags")
        }
    }

    private func importedModules(of target: String) throws -> [(file: String, module: String)] {
        let folder = root.appendingPathComponent("Sources").appendingPathComponent(target)
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        var result: [(String, String)] = []
        for case let file as URL in files where file.pathExtension == "swift" {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                var words = line.split(separator: " ").map(String.init)
                while let first = words.first,
                    first.hasPrefix("@") || ["public", "internal", "private", "package", "fileprivate"].contains(first)
                {
                    words.removeFirst()
                }
                guard words.count >= 2, words[0] == "import" else { continue }
                let kinds: Set = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
                let module = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
                result.append((file.lastPathComponent, String(module.split(separator: ".")[0])))
            }
        }
        return result
    }
}

private struct Manifest: Decodable {
    struct Target: Decodable {
        struct Setting: Decodable {
            let kind: AnyText
        }
        let name: String
        let type: String
        let settings: [Setting]
        let dependencies: [[String: AnyText]]

        /// The package's own targets among the dependencies: `.byName` and `.target`; products of others are `.product`.
        var targetNames: [String] {
            dependencies.compactMap { ($0["byName"] ?? $0["target"])?.firstString }
        }
    }
    let targets: [Target]
}

/// Any JSON value, kept as its text.
private struct AnyText: Decodable, CustomStringConvertible {
    var description: String
    var firstString: String?

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            (description, firstString) = (text, text)
        } else if let list = try? container.decode([AnyText].self) {
            (description, firstString) = (list.map(\.description).joined(separator: " "), list.first?.firstString)
        } else if let object = try? container.decode([String: AnyText].self) {
            description = object.map { "\($0): \($1.description)" }.joined(separator: " ")
        } else {
            description = ""
        }
    }
}
