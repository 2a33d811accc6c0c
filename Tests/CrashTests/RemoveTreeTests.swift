import BerthLinux
import Foundation
import Testing

@Suite("A tree is removed whole, also while somebody makes something in it", .crashTier)
struct RemoveTreeTests {
    private func make(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: path + "/tree/a/b", withIntermediateDirectories: true)
        for file in ["tree/one", "tree/a/two", "tree/a/b/three"] {
            try "x".write(toFile: "\(path)/\(file)", atomically: false, encoding: .utf8)
        }
    }

    /// A directory that has just been emptied is not empty: as if a file had come into it in between.
    @Test("A directory that is not empty after all is emptied again")
    func notEmpty() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-linux-\(UUID().uuidString)").path
        try make(path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let (_, calls) = await SystemCallSeam.scripted { try? Directory.open(path).removeTree("tree") }
        let removals = calls.indices.filter { calls[$0] == "unlinkat:directory" }
        try #require(removals.count == 3)
        for index in removals {
            try make(path)
            let (error, _) = await SystemCallSeam.scripted(at: index + 1, .failOnce(.ENOTEMPTY)) { () -> Errno? in
                do throws(Errno) { try Directory.open(path).removeTree("tree") } catch { return error }
                return nil
            }
            #expect(error == nil)
            #expect(try Directory.open(path).entries().isEmpty)
            // Whoever goes on and on is told of, not waited for.
            try make(path)
            let (unending, _) = await SystemCallSeam.scripted(at: index + 1, .failFrom(.ENOTEMPTY)) { () -> Errno? in
                do throws(Errno) { try Directory.open(path).removeTree("tree") } catch { return error }
                return nil
            }
            #expect(unending == .ENOTEMPTY)
        }
    }
}
