import BerthState
import Foundation
import Testing

struct Thing: Codable, Hashable, Sendable {
    var name: String
    var count = 0
}

/// A directory of a test's own.
final class Folder {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-state-\(UUID().uuidString)").path
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }  // what is left lies in the temporary directory

    func write(_ name: String, _ text: String) throws {
        try FileManager.default.createDirectory(
            atPath: ("\(path)/\(name)" as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
    }
    func read(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }
    var names: [String] { get throws { try FileManager.default.subpathsOfDirectory(atPath: path).sorted() } }
}

@Suite("Documents are whole, versioned, and never lost")
struct DocumentStoreTests {
    @Test("What is written is read, byte for byte the same in every version of this program")
    func golden() throws {
        let folder = try Folder()
        let store = try DocumentStore<Thing>(directory: folder.path)
        try store.write(Thing(name: "a/b", count: 3), id: "one")
        #expect(try folder.read("one.json") == #"{"document":{"count":3,"name":"a/b"},"version":1}"# + "\n")
        try store.write(Thing(name: "second"), id: "one")
        try store.write(Thing(name: "other"), id: "two")
        let (found, setAside) = try DocumentStore<Thing>(directory: folder.path).load()
        #expect(found.map(\.id) == ["one", "two"])
        #expect(found.map(\.document) == [Thing(name: "second"), Thing(name: "other")])
        #expect(setAside.isEmpty)
        try store.remove(id: "one")
        try store.remove(id: "one")
        #expect(try folder.names == ["two.json"])
    }

    @Test("Earlier versions are read, and later ones set aside")
    func versions() throws {
        let folder = try Folder()
        try folder.write("old.json", #"{"version":1,"document":{"name":"old","count":1}}"#)
        try folder.write("new.json", #"{"version":3,"document":{"something":"else"}}"#)
        let (found, setAside) = try DocumentStore<Thing>(directory: folder.path, version: 2).load()
        #expect(found.map(\.id) == ["old"])
        #expect(setAside.map(\.id) == ["new"])
        #expect(setAside.first?.reason.contains("version 3") == true)
        #expect(setAside.first?.reason.contains("up to 2") == true)
        // Nothing of it is lost, and the next opening knows of it as well.
        let aside = try #require(setAside.first?.fileName)
        #expect(try folder.read(aside) == #"{"version":3,"document":{"something":"else"}}"#)
        #expect(try DocumentStore<Thing>(directory: folder.path, version: 2).load().setAside.map(\.id) == ["new"])
    }

    @Test(
        "What is damaged is set aside, keeps its claim, and costs nobody else anything",
        arguments: [
            "", "{", "[]", "null", #"{"version":1}"#, #"{"version":1,"document":{"name":7}}"#, #"{"document":{"name":"x","count":1}}"#,
            "\u{0}",
        ])
    func damage(_ text: String) throws {
        let folder = try Folder()
        try folder.write("bad.json", text)
        try DocumentStore<Thing>(directory: folder.path).write(Thing(name: "good"), id: "good")
        for _ in 0..<2 {
            let (found, setAside) = try DocumentStore<Thing>(directory: folder.path).load()
            #expect(found.map(\.id) == ["good"])
            #expect(setAside.map(\.id) == ["bad"])
            #expect(try folder.read(try #require(setAside.first?.fileName)) == text)
        }
        #expect(try folder.names.count == 2)
    }

    @Test("What a kill has left of a write is removed, and other files are left alone")
    func leftovers() throws {
        let folder = try Folder()
        try folder.write(".tmp-one.json", "{")
        try folder.write("notes.txt", "mine")
        let (found, setAside) = try DocumentStore<Thing>(directory: folder.path).load()
        #expect(found.isEmpty && setAside.isEmpty)
        #expect(try folder.names == ["notes.txt"])
    }

    @Test("In directories: one without its document is no object yet; a damaged one keeps its claim")
    func directories() throws {
        let folder = try Folder()
        let store = try DocumentStore<Thing>(directory: folder.path, layout: .directories(fileName: "thing.json"))
        #expect(throws: StateError.self) { try store.write(Thing(name: "x"), id: "no-directory") }
        try folder.write("a/keep", "")
        try folder.write("b/thing.json", "{")
        try folder.write("c/keep", "")
        try store.write(Thing(name: "a"), id: "a")
        for _ in 0..<2 {
            let (found, setAside) = try store.load()
            #expect(found.map(\.id) == ["a"])
            #expect(setAside.map(\.id) == ["b"])
        }
        try store.remove(id: "a")
        try store.remove(id: "gone")
        #expect(try store.load().found.isEmpty)
    }

    @Test("A first document that has lost its name gets it again, and one that is not whole was never told of")
    func firstDocuments() throws {
        let folder = try Folder()
        let store = try DocumentStore<Thing>(directory: folder.path, layout: .directories(fileName: "thing.json"), version: 2)
        #expect(throws: StateError.self) { try store.create(Thing(name: "x"), id: "no-directory") }
        try folder.write("made/keep", "")
        try store.create(Thing(name: "made"), id: "made", version: 1)
        let whole = #"{"document":{"count":0,"name":"made"},"version":1}"# + "\n"
        #expect(try folder.read("made/thing.json") == whole)
        try folder.write("unnamed/.tmp-thing.json", whole)
        try folder.write("later/.tmp-thing.json", #"{"version":3,"document":{}}"#)
        for (id, text) in [("empty", ""), ("half", String(whole.prefix(20))), ("zeros", "\u{0}\u{0}")] {
            try folder.write("\(id)/.tmp-thing.json", text)
        }
        // What a kill has left of a change.
        try folder.write("changing/thing.json", whole)
        try folder.write("changing/.tmp-thing.json", whole.replacing("made", with: "never"))
        for _ in 0..<2 {
            let (found, setAside) = try store.load()
            #expect(found.map(\.id) == ["changing", "made", "unnamed"])
            #expect(found.allSatisfy { $0.document == Thing(name: "made") })
            #expect(setAside.map(\.id) == ["later"])
        }
        #expect(try folder.names.filter { $0.contains(".tmp-") } == ["empty", "half", "zeros"].map { "\($0)/.tmp-thing.json" })
        // What is removed does not come back by what a failed change has left.
        try folder.write("made/.tmp-thing.json", whole)
        try store.remove(id: "made")
        #expect(try store.load().found.map(\.id) == ["changing", "unnamed"])
    }

    @Test(
        "An id that is no name is refused, and nothing is written",
        arguments: ["../x", "a/b", "..", "", String(repeating: "a", count: 300)])
    func ids(_ id: String) throws {
        let folder = try Folder()
        let store = try DocumentStore<Thing>(directory: folder.path, layout: .directories(fileName: "thing.json"))
        #expect(throws: StateError.self) { try store.write(Thing(name: "x"), id: id) }
        let files = try DocumentStore<Thing>(directory: folder.path)
        if !id.isEmpty && id != ".." { #expect(throws: StateError.self) { try files.write(Thing(name: "x"), id: id) } }
        #expect(try folder.names.allSatisfy { $0 == ".json" || $0 == "...json" })
    }
}

@Suite("Events reach everybody, or say that they do not")
struct EventTests {
    private func event(_ action: String) -> Event { Event(type: "image", action: action, actorID: "x") }

    @Test("Times are unique and rise; who comes late gets what is kept")
    func replay() async throws {
        let hub = EventHub()
        for number in 0..<(EventHub.replayLimit + 10) { hub.publish(event("\(number)")) }
        var seen: [Event] = []
        for try await event in hub.subscribe(since: 0, until: Int64.max - 1).prefix(EventHub.replayLimit) { seen.append(event) }
        #expect(seen.count == EventHub.replayLimit)
        #expect(seen.first?.action == "10")
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.time < $1.time })
        var none: [Event] = []
        for try await event in hub.subscribe(since: 0, until: 5) { none.append(event) }
        #expect(none.isEmpty)
    }

    @Test("A reader that is too slow is told so")
    func slowness() async throws {
        let hub = EventHub()
        let stream = hub.subscribe()
        for number in 0..<5000 { hub.publish(event("\(number)")) }
        var count = 0
        await #expect {
            for try await _ in stream { count += 1 }
        } throws: {
            ($0 as? StateError)?.code == .slowReader
        }
        #expect(count == 4096)
    }
}
