import BerthArchive
import BerthLayers
import Foundation
import Synchronization

/// What became of an archive that nobody may unpack.
struct HostileOutcome: Sendable {
    /// `nil` where it was taken.
    var code: LayerError.Code?
    var text: String
    var leftNothing: Bool

    private static let known = Mutex<[String: [HostileOutcome]]>([:])

    /// What became of it over each snapshotter. Each is tried only once, however many tests want to know.
    static func all(of hostile: Hostile) throws -> [HostileOutcome] {
        if let known = known.withLock({ $0[hostile.testDescription] }) { return known }
        let found = try ["overlay2", "vfs"].map { try outcome(of: hostile, over: $0) }
        known.withLock { $0[hostile.testDescription] = found }
        return found
    }

    private static func outcome(of hostile: Hostile, over snapshotter: String) throws -> HostileOutcome {
        let room = try LayerRoom(snapshotter, limits: ArchiveLimits(unpackedByteCount: 64 << 20, entryCount: 1000))
        let script = Hostile.prelude + "\n" + hostile.script + "\nopen('a.tar', 'wb').write(out.getvalue())\n"
        try script.write(toFile: room.scratch.path + "/make.py", atomically: false, encoding: .utf8)
        try room.scratch.shell("/usr/bin/python3 make.py")
        let before = try room.scratch.shell("find root | sort")
        var outcome = HostileOutcome(code: nil, text: "it was taken", leftNothing: false)
        do { _ = try room.take("a.tar") } catch let error as LayerError { (outcome.code, outcome.text) = (error.code, error.description) }
        outcome.leftNothing = try room.scratch.shell("find root | sort") == before
        return outcome
    }
}
