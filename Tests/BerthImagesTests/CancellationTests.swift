import BerthContent
import BerthImages
import BerthLinux
import BerthState
import Foundation
import Testing

@Suite("Work that waits for whoever sends an archive ends when it is cancelled")
struct CancellationTests {
    enum Work: CaseIterable { case load, importing, layer }

    /// The beginning of a tar, cut off in a file.
    private static let beginning: [UInt8] = {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) { header.replaceSubrange(offset..<(offset + text.utf8.count), with: text.utf8) }
        for (text, offset) in [
            ("file", 0), ("0000644", 100), ("0000000", 108), ("0000000", 116), ("00004000000", 124), ("00000000000", 136),
            ("        ", 148), ("0", 156), ("ustar\u{0}00", 257),
        ] { put(text, at: offset) }
        let sum = header.reduce(0) { $0 + Int($1) }
        put(String(format: "%06o", sum) + "\u{0} ", at: 148)
        return header + [UInt8](repeating: 1, count: 512 << 10)
    }()

    private func begin(_ work: Work, _ room: ImageRoom, _ reading: consuming OwnedDescriptor) throws -> any CancellableWork {
        switch work {
        case .load: room.store.load(from: reading)
        case .importing: try room.store.importRootFileSystem(from: reading)
        case .layer: room.store.keepLayer(from: reading, for: room.store.leases.begin())
        }
    }

    @Test("It ends at once, whether it has had some bytes or none, and nothing is left", arguments: Work.allCases, [true, false])
    func stalled(_ work: Work, _ hasBegun: Bool) async throws {
        let room = try await ImageRoom()
        let before = try room.files
        let (job, raw) = try Pipe().take { (reading, writing) throws in (try begin(work, room, reading), writing.release()) }
        let writer = Mailbox(OwnedDescriptor(adopting: raw))
        // More than the pipe holds: when it is written, most of it has been read.
        if hasBegun { try await Task.detached { try writer.write(Self.beginning) }.value }
        job.cancel()
        // Without its end it would wait for ever: that, too, is to end some time.
        let bound = Task {
            try await Task.sleep(for: .seconds(30))
            writer.close()
        }
        await #expect { try await job.end() } throws: { ($0 as? ImageError)?.code == .cancelled }
        #expect(writer.isOpen, "it waited for the end of the archive")
        bound.cancel()
        #expect(try room.files == before)
        try room.remove()
    }
}

/// A job, whatever comes of it.
private protocol CancellableWork: Sendable {
    func cancel()
    func end() async throws
}

extension Job: CancellableWork {
    fileprivate func end() async throws { _ = try await value }
}

/// An end of a pipe that several tasks have.
private final class Mailbox: @unchecked Sendable {
    private let lock = NSLock()
    private var value: OwnedDescriptor?

    init(_ value: consuming OwnedDescriptor) { self.value = consume value }

    var isOpen: Bool { lock.withLock { value != nil } }
    func close() { lock.withLock { value = nil } }
    func write(_ bytes: [UInt8]) throws { try unsafe value?.writeAll(bytes.span.bytes) }
}
