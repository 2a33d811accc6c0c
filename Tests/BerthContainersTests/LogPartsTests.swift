import BerthLinux
import Foundation
import Synchronization
import Testing

@testable import BerthContainers

@Suite("The files of a log while it goes on to others")
struct LogPartsTests {
    /// A log whose files each say the number that they were begun as.
    private final class Rotating: Sendable {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("berth-parts-\(UUID().uuidString)").path
        private let count = Atomic(0)
        private let isStopped = Atomic(false)

        init() throws {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for _ in 0..<6 { try rotate() }
        }
        deinit { try? FileManager.default.removeItem(atPath: folder) }  // what is left lies in the temporary directory

        /// As the monitor does it: the oldest first, the log itself last.
        func rotate() throws {
            let number = count.add(1, ordering: .relaxed).newValue
            try "\(number)".write(toFile: folder + "/log.new", atomically: false, encoding: .utf8)
            rename(folder + "/log.6", folder + "/log.7")
            for old in (1...5).reversed() { rename(folder + "/log.\(old)", folder + "/log.\(old + 1)") }
            rename(folder + "/log", folder + "/log.1")
            rename(folder + "/log.new", folder + "/log")
        }

        func stop() { isStopped.store(true, ordering: .relaxed) }
        func rotateUntilStopped() throws { while !isStopped.load(ordering: .relaxed) { try rotate() } }
    }

    private func numbers(of parts: [LogPart]) throws -> [Int] {
        try parts.map { part in
            var bytes = [UInt8](repeating: 0, count: 32)
            try part.file.value.seek(to: 0)
            let count = try part.file.value.read(intoArray: &bytes)
            return try #require(Int(String(decoding: bytes[..<count], as: UTF8.self)))
        }
    }

    @Test("They are seen in the order of their making, however fast it goes on")
    func order() async throws {
        let log = try Rotating()
        let directory = try Directory.open(log.folder)
        async let rotation: Void = Task.detached { try log.rotateUntilStopped() }.value
        defer { log.stop() }
        var last: LogPart?
        for _ in 0..<2_000 {
            let found = try numbers(of: try LogParts.open("log", in: directory))
            #expect(found == found.sorted() && Set(found).count == found.count)
            let younger = try LogParts.open("log", in: directory, after: last)
            if let known = last {
                let (before, after) = (try numbers(of: [known]), try numbers(of: younger))
                #expect(after == after.sorted() && after.allSatisfy { $0 > before[0] })
            }
            last = younger.last ?? last
        }
        log.stop()
        try await rotation
    }

    @Test("Those that are younger than one are told, and none where it is the youngest")
    func younger() throws {
        let log = try Rotating()
        let directory = try Directory.open(log.folder)
        let all = try LogParts.open("log", in: directory)
        #expect(try numbers(of: all) == [1, 2, 3, 4, 5, 6])
        for (index, part) in all.enumerated() {
            #expect(try numbers(of: try LogParts.open("log", in: directory, after: part)) == Array((index + 2)..<7))
        }
    }
}
