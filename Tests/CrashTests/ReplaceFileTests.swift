import BerthLinux
import Foundation
import Testing

@Suite("Writing a file whole survives a stop at each call", .crashTier)
struct ReplaceFileTests {
    @Test("A file is replaced whole, or not at all, whichever call fails")
    func replacement() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-linux-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let write: @Sendable (String) throws -> Void = { try unsafe Directory.open(path).replaceFile("file", with: $0.utf8Span.span.bytes) }
        try write("old")
        let (_, calls) = await SystemCallSeam.scripted { try? write("old") }
        #expect(calls.suffix(5) == ["openat:create", "write", "fsync", "renameat2", "fsync"])
        for at in 1...calls.count {
            for outcome in [SystemCallSeam.Outcome.stop, .failFrom(.ENOSPC), .failOnce(.EIO)] {
                _ = await SystemCallSeam.scripted(at: at, outcome) { try? write("new") }
                let now = try Directory.open(path).readFile("file", limit: 10)
                #expect(now == Array("old".utf8) || now == Array("new".utf8))
                try write("old")
                #expect(try Directory.open(path).entries().map(\.name.description) == ["file"])
            }
        }
    }
}
