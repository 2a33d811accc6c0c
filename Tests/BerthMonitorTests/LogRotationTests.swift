import BerthLinux
import Foundation
import Testing

@testable import BerthMonitor

@Suite(.serialized) struct LogRotationTests {
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

    @Test func aFullFileMakesRoomForTheNext() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(0..<100)
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(files == ["log", "log.1", "log.2"])
        for file in files {
            #expect(try FileManager.default.attributesOfItem(atPath: "\(folder.path)/\(file)")[.size] as? Int ?? 0 < 300)
        }
        let numbers = try said().map { Int($0.dropFirst(8).prefix { $0.isNumber }) }
        #expect(numbers.count > 6)
        #expect(numbers == (100 - numbers.count..<100).map { $0 })
    }

    @Test func oneFileIsBoundedToo() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(0..<100, fileCount: 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["log"])
        #expect(try said().last?.hasPrefix(#"{"log":"99\n""#) == true)
    }

    @Test func attributesAreInEachEntry() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        var log = try LogFile(
            appendingTo: "log", in: try Directory.open(folder.path), attributes: #""attrs":{"tag":"x"}"#)
        log.append(Array("hi\n".utf8).span, isError: true)
        #expect(try said()[0].hasPrefix(#"{"log":"hi\n","stream":"stderr","attrs":{"tag":"x"},"time":""#))
    }
}
