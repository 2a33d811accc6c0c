import BerthLinux
import Foundation
import Testing

@testable import BerthMonitor

@Suite("A log that is killed while it is rotated loses no line", .crashTier)
struct LogRotationTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("berth-rotation-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

    /// What the files say, the oldest first, whatever they are called.
    private func said() throws -> [String] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasSuffix(".new") }
        let ordered = names.sorted { (Int($0.split(separator: ".").last ?? "") ?? 0) > (Int($1.split(separator: ".").last ?? "") ?? 0) }
        return try ordered.flatMap { name in
            try String(contentsOfFile: "\(folder.path)/\(name)", encoding: .utf8).split(separator: "\n").map(String.init)
        }
    }

    private func write(_ numbers: Range<Int>, fileCount: Int = 3) throws {
        var log = try LogFile(
            appendingTo: "log", in: try Directory.open(folder.path), limits: LogLimits(maximumByteCount: 200, fileCount: fileCount))
        for number in numbers { log.append(Array("\(number)\n".utf8).span, isError: false) }
        log.finish()
    }

    /// Killed at each of its calls, and gone on with: no line is lost but those of the oldest file, and none is there twice.
    @Test func aRotationThatIsKilledLosesNothing() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let clean = folder
        var call = 1
        while true {
            try? FileManager.default.removeItem(at: clean)
            try FileManager.default.createDirectory(at: clean, withIntermediateDirectories: true)
            // Two full files, and one that is full as soon as a line is written.
            try write(0..<10)
            let before = try said()
            let directory = try Directory.open(folder.path)
            let at = call
            let (_, calls) = await SystemCallSeam.scripted(at: at, .stop) {
                do throws(Errno) { _ = try LogRotation.rotate("log", in: directory, keeping: 3) } catch {}
            }
            let left = try said()
            #expect(left == Array(before.suffix(left.count)) && left.count >= before.count - 4, "stopped at call \(at)")
            // The next monitor goes on.
            try write(10..<12)
            let after = try said().map { Int($0.dropFirst(8).prefix { $0.isNumber }) ?? -1 }
            #expect(after == Array((12 - after.count)..<12), "stopped at call \(at): \(after)")
            guard calls.count >= at else { break }
            call += 1
        }
        #expect(call > 4)
    }

    /// A directory in which nothing can be made: the old file is written on.
    @Test func aRotationThatCannotBeDoneLosesNoLine() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(0..<4, fileCount: 3)
        let folder = folder
        let outcome = await SystemCallSeam.scripted(at: 1, .failOnce(.ENOSPC)) { () -> Int in
            guard let directory = try? Directory.open(folder.path) else { return -1 }
            do throws(Errno) { _ = try LogRotation.rotate("log", in: directory, keeping: 3) } catch { return Int(error.rawValue) }
            return 0
        }
        #expect(outcome.0 == Int(Errno.ENOSPC.rawValue))
        try write(4..<6)
        #expect(try said().count == 6)
    }
}
