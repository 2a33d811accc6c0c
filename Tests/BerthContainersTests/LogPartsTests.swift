import BerthLinux
import Foundation
import Synchronization
import Testing

@testable import BerthContainers
@testable import BerthMonitor

@Suite("The files of a log while it goes on to others")
struct LogPartsTests {
    /// A log whose files each say the number that they were begun as.
    private final class Rotating: Sendable {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("berth-parts-\(UUID().uuidString)").path
        private let count = Atomic(0)
        private let isStopped = Atomic(false)

        private let compresses: Bool

        init(compresses: Bool = false) throws {
            self.compresses = compresses
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for _ in 0..<6 { try rotate() }
        }
        deinit { try? FileManager.default.removeItem(atPath: folder) }  // what is left lies in the temporary directory

        func rotate() throws {
            let number = count.add(1, ordering: .relaxed).newValue
            let directory = try Directory.open(folder)
            try unsafe LogRotation.rotate("log", in: directory, keeping: 8).writeAll(Array("\(number)".utf8).span.bytes)
            guard compresses, let compression = try LogCompression.next(of: "log", in: directory, fileCount: 8) else { return }
            while try !compression.step() {}
        }

        func stop() { isStopped.store(true, ordering: .relaxed) }
        func rotateUntilStopped() throws { while !isStopped.load(ordering: .relaxed) { try rotate() } }
        /// Many times, and losing none, with nothing done but the moving, which is the fastest that there is.
        func move(times: Int) throws {
            defer { stop() }
            for _ in 0..<times {
                let number = count.add(1, ordering: .relaxed).newValue
                try Data("\(number)".utf8).write(to: URL(fileURLWithPath: folder + "/log.new"))
                for full in (1..<number - 1).reversed() { unsafe rename("\(folder)/log.\(full)", "\(folder)/log.\(full + 1)") }
                unsafe rename("\(folder)/log", "\(folder)/log.1")
                unsafe rename("\(folder)/log.new", "\(folder)/log")
            }
        }
        var isMoving: Bool { !isStopped.load(ordering: .relaxed) }
    }

    private func numbers(of parts: [LogPart]) throws -> [Int] {
        try parts.map { part in
            var bytes = [UInt8](repeating: 0, count: 32)
            let content = try part.content(unpackingIn: try Directory.open("/tmp"))
            try content.value.seek(to: 0)
            let count = try content.value.read(intoArray: &bytes)
            return try #require(Int(String(decoding: bytes[..<count], as: UTF8.self)))
        }
    }

    @Test("They are seen in the order of their making, however fast it goes on", arguments: [false, true])
    func order(compresses: Bool) async throws {
        let log = try Rotating(compresses: compresses)
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

    @Test("The oldest is met, however many rotations move it on while the others are opened")
    func oldest() async throws {
        for _ in 0..<40 {
            let log = try Rotating()
            let directory = try Directory.open(log.folder)
            async let moving: Void = Task.detached { try log.move(times: 100) }.value
            while log.isMoving {
                let found = try numbers(of: try LogParts.open("log", in: directory, attemptLimit: 1))
                // Which of two that were written in the same tick is the younger, a single attempt cannot always tell.
                #expect(found.sorted() == Array(1...(found.max() ?? 0)))
            }
            try await moving
        }
    }

    @Test("Those that are younger than one are told, and none where it is the youngest", arguments: [false, true])
    func younger(compresses: Bool) throws {
        let log = try Rotating(compresses: compresses)
        let directory = try Directory.open(log.folder)
        let all = try LogParts.open("log", in: directory)
        #expect(try numbers(of: all) == [1, 2, 3, 4, 5, 6])
        for (index, part) in all.enumerated() {
            #expect(try numbers(of: try LogParts.open("log", in: directory, after: part)) == Array((index + 2)..<7))
        }
    }

    /// As it is for a moment, or where a kill came between.
    @Test("A file that is there plain and compressed is one")
    func bothForms() throws {
        let log = try Rotating(compresses: true)
        try Data("5".utf8).write(to: URL(fileURLWithPath: log.folder + "/log.1"))
        #expect(try numbers(of: try LogParts.open("log", in: try Directory.open(log.folder))) == [1, 2, 3, 4, 5, 6])
    }

    @Test("A compressed file that is damaged is an error")
    func damaged() throws {
        let log = try Rotating(compresses: true)
        let path = log.folder + "/log.1.gz"
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        bytes[bytes.count - 1] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        #expect(throws: Errno.EIO) { try numbers(of: try LogParts.open("log", in: try Directory.open(log.folder))) }
    }
}
