import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthState
import BerthTar
import Foundation
import Testing

extension ImageRoom {
    func save(_ names: String...) async throws -> [UInt8] {
        let file = path + "/saved.tar"
        try #require(FileManager.default.createFile(atPath: file, contents: nil))
        defer { try? FileManager.default.removeItem(atPath: file) }  // only tidiness
        let place = try HostPlace(file)
        try await store.save(names, to: try place.directory.openForWriting(place.name)).value
        return Array(try Data(contentsOf: URL(fileURLWithPath: file)))
    }
}

@Suite("Saved images are the same bytes each time, and the same images again")
struct SaveTests {
    private func members(_ bytes: [UInt8]) throws -> [String: [UInt8]] {
        final class Bytes: ByteSource {
            var rest: ArraySlice<UInt8>
            init(_ bytes: [UInt8]) { rest = bytes[...] }
            func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
                let piece = rest.prefix(buffer.count)
                unsafe buffer.copyBytes(from: piece)
                rest = rest.dropFirst(piece.count)
                return piece.count
            }
        }
        var result: [String: [UInt8]] = [:]
        let reader = TarReader(Bytes(bytes))
        while let entry = try reader.next() {
            var contents: [UInt8] = []
            while try unsafe reader.readData({ (bytes) throws(TarError) in unsafe contents.append(contentsOf: bytes) }, wrapping: { $0 }) {}
            #expect(entry.modificationTime == FileTime(seconds: 0))
            result[entry.displayName] = contents
        }
        return result
    }

    @Test("What was loaded is saved byte for byte, whatever the order, and loaded elsewhere")
    func again() async throws {
        let (room, other) = (try await ImageRoom(), try await ImageRoom())
        let (one, two) = (Sample(["same", "one"]), Sample(["same", "two"]))
        _ = try await room.load(one.layoutMembers(name: "docker.io/library/one:1"))
        _ = try await room.load(two.dockerMembers(tags: ["two:1", "two:2"]))
        let saved = try await room.save("one:1", "two:2", "two:1")
        #expect(try await room.save("two:1", "two:2", "one:1", "one:1") == saved)
        let members = try members(saved)
        for blob in [one.configuration, one.manifest, two.configuration] + one.layers + two.layers {
            #expect(members["blobs/sha256/\(Digest(of: blob).hex)"] == blob)
        }
        #expect(try await other.load(saved).count == 2)
        for name in ["one:1", "two:1", "two:2"] {
            let (here, there) = (try room.store.find(name), try other.store.find(name))
            #expect(here.id == there.id && here.manifest.digest == there.manifest.digest && here.layers == there.layers)
        }
        #expect(try await other.save("one:1", "two") == saved)
        for room in [room, other] { try room.remove() }
    }

    @Test("By name it keeps the name, by a repository all its tags, by id none; what is not here is said at once")
    func names() async throws {
        let room = try await ImageRoom()
        let sample = Sample()
        _ = try await room.load(sample.dockerMembers(tags: ["a:1", "a:2", "a:latest", "b:1"]))
        func tags(_ names: String...) async throws -> [String] {
            let other = try await ImageRoom()
            defer { try? other.remove() }  // only tidiness
            let file = other.path + "/x.tar"
            try #require(FileManager.default.createFile(atPath: file, contents: nil))
            let place = try HostPlace(file)
            try await room.store.save(names, to: try place.directory.openForWriting(place.name)).value
            return try await other.store.load(fromFile: file).value.flatMap(\.names).map(\.familiar).sorted()
        }
        #expect(try await tags("a:1") == ["a:1"])
        #expect(try await tags("a:2", "b:1") == ["a:2", "b:1"])
        #expect(try await tags("a") == ["a:1", "a:2", "a:latest"])
        #expect(try await tags(sample.id.description) == [])
        #expect(try await tags(String(sample.id.hex.prefix(12)), "b") == ["b:1"])
        for name in ["missing", "a:3", "sha256:" + String(repeating: "0", count: 64)] {
            await #expect { try await room.save("a:1", name) } throws: {
                ($0 as? ImageError)?.code == .notFound && "\($0)".hasPrefix("No such image: \(name)")
            }
        }
        await #expect { try await room.save() } throws: { ($0 as? ImageError)?.code == .invalid }
        try room.remove()
    }

    @Test("A layout in a directory is whole, and is not written over anything")
    func layout() async throws {
        let (room, other) = (try await ImageRoom(), try await ImageRoom())
        let image = try await room.load(Sample().layoutMembers())[0].image
        let folder = room.path + "/layout"
        try await room.store.save(["sample:1"], toLayout: folder).value
        #expect(try await other.store.load(fromFile: folder).value.map(\.image.manifest.digest) == [image.manifest.digest])
        #expect(try other.store.find("sample:1").id == image.id)
        await #expect { try await room.store.save(["sample:1"], toLayout: folder).value } throws: { ($0 as? ImageError)?.code == .conflict }
        await #expect { try await room.store.save(["sample:1"], toLayout: room.path + "/no/where").value } throws: {
            ($0 as? ImageError)?.code == .notFound
        }
        for room in [room, other] { try room.remove() }
    }
}
