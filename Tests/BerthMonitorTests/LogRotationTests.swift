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

    @Test func fullFilesAreCompressed() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(0..<100, compresses: true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["log", "log.1.gz", "log.2.gz"])
        let numbers = try said().map { Int($0.dropFirst(8).prefix { $0.isNumber }) }
        #expect(numbers == (100 - numbers.count..<100).map { $0 } && numbers.count > 6)
    }

    /// Those that an earlier monitor left plain: one that was killed, or whose log was not compressed.
    @Test func whatWasLeftIsCompressed() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(0..<100)
        let before = try said()
        try write(100..<100, compresses: true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["log", "log.1.gz", "log.2.gz"])
        #expect(try said() == before)
    }

    /// A piece is not a file: one of several is compressed whole.
    @Test func aLargeFileIsCompressedWhole() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let directory = try Directory.open(folder.path)
        let text = (0..<100_000).map { "{\"log\":\"\($0)\"}" }.joined(separator: "\n")
        try text.write(toFile: folder.path + "/log.1", atomically: false, encoding: .utf8)
        let compression = try #require(try LogCompression.next(of: "log", in: directory, fileCount: 2))
        var count = 1
        while try !compression.step() { count += 1 }
        #expect(count > 4)
        #expect(try content("log.1.gz") == text)
        #expect(try LogCompression.next(of: "log", in: directory, fileCount: 2) == nil)
    }

    @Test func whatCannotBeCompressedStaysAsItIs() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        // In the way of what would be made.
        try FileManager.default.createDirectory(atPath: folder.path + "/log.gz.new/x", withIntermediateDirectories: true)
        try write(0..<100, compresses: true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["log", "log.1", "log.2", "log.gz.new"])
    }
}
