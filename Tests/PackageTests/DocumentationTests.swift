import Foundation
import Testing

@Suite("What is written for people is what is there")
struct DocumentationTests {
    private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func text(_ path: String) throws -> String { try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8) }

    private func guides() throws -> [URL] {
        let files = try #require(
            FileManager.default.enumerator(at: root.appendingPathComponent("Sources"), includingPropertiesForKeys: nil))
        return files.compactMap { $0 as? URL }.filter { $0.pathExtension == "md" }
    }

    @Test(
        "The program in the README and in the guide is the example that is built and run",
        arguments: ["README.md", "Sources/Berth/Berth.docc/GettingStarted.md"])
    func program(file: String) throws {
        #expect(try text(file).contains("```swift\n\(text("Examples/embedding/Sources/embedding/main.swift"))```"))
    }

    @Test("The program of the article about making images is the one that is tested")
    func makingImages() throws {
        let article = try text("Sources/BerthImages/BerthImages.docc/MakingImages.md")
        #expect(try article.contains("```swift\n\(text("Tests/BerthImagesTests/MakingImages.swift"))```"))
    }

    @Test("The README is short, its picture has every room, and what it says to run is there")
    func readme() throws {
        let readme = try text("README.md")
        #expect(readme.split(separator: "\n", omittingEmptySubsequences: false).count <= 150)
        let rooms = try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("Sources").path)
        let words = Set(readme.split { !$0.isLetter && !$0.isNumber && $0 != "-" }.map(String.init))
        for room in rooms { #expect(words.contains(room), "\(room) is not in the README") }
        for program in ["Examples/quickstart.sh", "Tests/run", "Benchmarks/run", "Examples/build.sh", "Examples/debian-tar.sh"] {
            #expect(readme.contains(program))
            #expect(FileManager.default.isExecutableFile(atPath: root.appendingPathComponent(program).path), "\(program)")
        }
    }

    @Test("Every flag of berthd is in its guide, and the guide has no other")
    func flags() throws {
        let guide = try text("Sources/BerthDaemon/BerthDaemon.docc/RunningBerthd.md")
        let program = try ["Program", "LogFlags", "DefaultFlags", "NetworkFlags", "RegistryFlags", "ImagesRegistryFlags"].map {
            try text("Sources/berthd/\($0).swift")
        }
        .joined()
        // A declaration's own name, or the names that it gives itself, in ArgumentParser's words.
        let declared = program.matches(of: /@(?:Option|Flag)\([^@]*?var (\w+)/).flatMap { match -> [String] in
            let named = match.0.matches(of: /customLong\("([a-z0-9-]+)"\)/).map { String($0.1) }
            guard named.isEmpty else { return named }
            return [match.1.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()]
        }
        let written = guide.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap {
            $0.matches(of: /`--([a-z0-9-]+)/).map { String($0.1) }
        }
        #expect(declared.count > 8)
        #expect(Set(declared) == Set(written))
    }

    @Test("Guides link only to guides that are there, each catalogue has its module's page, and every guide is linked")
    func links() throws {
        let guides = try guides()
        #expect(guides.count >= 9)
        let names = Set(guides.map { $0.deletingPathExtension().lastPathComponent })
        var linked: Set<String> = []
        for guide in guides {
            let module = guide.deletingLastPathComponent().deletingPathExtension().lastPathComponent
            #expect(guide.deletingLastPathComponent().lastPathComponent == "\(module).docc")
            #expect(names.contains(module))
            for match in try String(contentsOf: guide, encoding: .utf8).matches(of: /<doc:(\w+)>/) {
                #expect(names.contains(String(match.1)), "\(guide.lastPathComponent) links to \(match.1)")
                linked.insert(String(match.1))
            }
        }
        let modules = Set(try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("Sources").path))
        #expect(names.subtracting(modules).subtracting(linked) == [])
    }
}
