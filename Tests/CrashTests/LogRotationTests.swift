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
        // A plain file beside its compressed self is the same file.
        let files = names.filter { !$0.hasSuffix(".gz") || !names.contains(String($0.dropLast(3))) }
        return try files.sorted { number($0) > number($1) }.flatMap { name in
            try content(name).split(separator: "\n").map(String.init)
        }
    }

    private func number(_ name: String) -> Int { name.split(separator: ".").dropFirst().first.flatMap { Int($0) } ?? 0 }

    /// What a file says, by gzip's own program where it is compressed.
    private func content(_ name: String) throws -> String {
        guard name.hasSuffix(".gz") else { return try String(contentsOfFile: "\(folder.path)/\(name)", encoding: .utf8) }
        let gzip = Process()
        let output = Foundation.Pipe()
        (gzip.executableURL, gzip.arguments) = (URL(fileURLWithPath: "/bin/gzip"), ["-dc", "\(folder.path)/\(name)"])
        gzip.standardOutput = output
        try gzip.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        gzip.waitUntilExit()
        #expect(gzip.terminationStatus == 0)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func write(_ numbers: Range<Int>, fileCount: Int = 3, compresses: Bool = false) throws {
        var log = try LogFile(
            appendingTo: "log", in: try Directory.open(folder.path),
            limits: LogLimits(maximumByteCount: 200, fileCount: fileCount, compresses: compresses))
        for number in numbers { log.append(Array("\(number)\n".utf8).span, isError: false) }
        log.finish()
    }

    /// Killed at each of its calls, and gone on with: no line is lost but those of the oldest file, and none is there twice.
    @Test(arguments: [false, true]) func aRotationThatIsKilledLosesNothing(compresses: Bool) async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let clean = folder
        var call = 1
        while true {
            try? FileManager.default.removeItem(at: clean)
            try FileManager.default.createDirectory(at: clean, withIntermediateDirectories: true)
            // Two full files, and one that is full as soon as a line is written.
            try write(0..<10, compresses: compresses)
            let before = try said()
            let directory = try Directory.open(folder.path)
            let at = call
            let (_, calls) = await SystemCallSeam.scripted(at: at, .stop) {
                do throws(Errno) { _ = try LogRotation.rotate("log", in: directory, keeping: 3) } catch {}
            }
            let left = try said()
            #expect(left == Array(before.suffix(left.count)) && left.count >= before.count - 4, "stopped at call \(at)")
            // The next monitor goes on.
            try write(10..<12, compresses: compresses)
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

    /// Killed at each of its calls, and gone on with: the file is there, once, plain or compressed.
    @Test func aCompressionThatIsKilledLosesNothing() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        var call = 1
        while true {
            try? FileManager.default.removeItem(at: folder)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try write(0..<10)
            let before = try said()
            let (folder, at) = (folder.path, call)
            let (_, calls) = await SystemCallSeam.scripted(at: at, .stop) {
                do throws(Errno) {
                    let compression = try LogCompression.next(of: "log", in: try Directory.open(folder), fileCount: 3)
                    while let compression, try !compression.step() {}
                } catch {}
            }
            #expect(try said() == before, "stopped at call \(at)")
            try write(10..<12, compresses: true)
            let after = try said().map { Int($0.dropFirst(8).prefix { $0.isNumber }) ?? -1 }
            #expect(after == Array((12 - after.count)..<12), "stopped at call \(at): \(after)")
            guard calls.count >= at else { break }
            call += 1
        }
        #expect(call > 4)
    }
}
