import BerthLinux
import Foundation
import Testing

@testable import BerthMonitor

/// A log whose file is a pipe: it takes as much as somebody reads.
@Suite struct UnawaitedLogWriterTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("berth-log-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

    private func pipe() throws -> FileHandle {
        try #require(unsafe mkfifo(folder.path + "/log", 0o600) == 0)
        // Open both ways, so that nobody waits for the other end.
        return try #require(FileHandle(forUpdatingAtPath: folder.path + "/log"))
    }

    /// Reads so many entries.
    private func entries(_ count: Int, from reader: FileHandle, after rest: inout Data) throws -> [String] {
        var found: [String] = []
        while found.count < count {
            while found.count < count, let end = rest.firstIndex(of: 10) {
                let entry = try #require(try JSONSerialization.jsonObject(with: rest[..<end]) as? [String: String])
                found.append(try #require(entry["log"]))
                rest = Data(rest[(end + 1)...])
            }
            if found.count < count { rest += reader.availableData }
        }
        return found
    }

    @Test func aFileThatTakesNothingHoldsUpNobodyAndWhatIsMissingIsSaid() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let reader = try pipe()
        var log = try LogFile(appendingTo: "log", in: try Directory.open(folder.path), roomByteCount: 100_000)
        // Pipe and buffer together take the fifth part of this.
        let lines = (0..<1000).map { "line \($0) " + String(repeating: "x", count: 1000) + "\n" }
        for line in lines { log.append(Array(line.utf8).span, isError: false) }
        let hasMissing = log.hasMissing
        #expect(hasMissing)

        // As it is read there is room again, and each entry is in its place: what is missing there is said.
        var rest = Data()
        var (keptCount, missingCount) = (0, 0)
        while keptCount + missingCount < lines.count {
            let entry = try entries(1, from: reader, after: &rest)[0]
            if entry.contains("are missing here") {
                missingCount += try #require(entry.split(separator: " ").compactMap { Int($0) }.last)
            } else {
                try #require(entry == lines[keptCount + missingCount])
                keptCount += 1
            }
            log.append(Array("more\n".utf8).span, isError: false)
        }
        #expect(keptCount < 300)
        log.finish()
    }

    @Test func whatIsWrittenIsWhatWasSaidInItsOrder() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        var log = try LogFile(appendingTo: "log", in: try Directory.open(folder.path), roomByteCount: 1 << 20)
        for number in 0..<500 { log.append(Array("line \(number)\n".utf8).span, isError: number % 2 == 1) }
        log.append(Array("torn".utf8).span, isError: false)
        log.finish()
        var rest = try Data(contentsOf: folder.appendingPathComponent("log"))
        #expect(try entries(501, from: FileHandle.nullDevice, after: &rest) == (0..<500).map { "line \($0)\n" } + ["torn"])
        #expect(rest.isEmpty)
    }
}
