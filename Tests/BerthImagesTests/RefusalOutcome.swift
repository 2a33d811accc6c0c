import BerthImages
import Foundation
import Testing

/// What became of something that is to be refused.
struct RefusalOutcome: Sendable {
    /// `nil` where it was taken.
    var code: ImageError.Code?
    var text: String
    /// Whether all is as it was: what the store has, and what lies around it.
    var leftNothing: Bool
    /// Whether the store takes a good image afterwards.
    var storeIsGood: Bool

    /// Tries it, with files about that whatever climbs out of the store comes upon.
    static func of(_ refusal: Refusal) async throws -> RefusalOutcome {
        let outside = FileManager.default.temporaryDirectory.appendingPathComponent("berth-outside-\(UUID().uuidString)")
        for name in ["etc/passwd", "a/etc/passwd", "a/b/etc/passwd", "x", "a/x", "a/b/x"] {
            let url = outside.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("untouched".utf8).write(to: url)
        }
        defer { try? FileManager.default.removeItem(at: outside) }  // only tidiness
        let room = try await ImageRoom(at: outside.path + "/a/b/room")
        let before = try everything(below: outside)
        var outcome = RefusalOutcome(code: nil, text: "it was loaded", leftNothing: false, storeIsGood: false)
        do { _ = try await room.load(refusal.bytes, platform: refusal.platform) } catch let error as ImageError {
            (outcome.code, outcome.text) = (error.code, error.description)
        }
        outcome.leftNothing = try everything(below: outside) == before && room.store.list().isEmpty
        outcome.storeIsGood = try await room.load(Sample().dockerMembers()).count == 1
        try room.remove()
        return outcome
    }

    /// Every path, and of files outside of the store what is in them.
    private static func everything(below folder: URL) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted().map { name in
            name.hasPrefix("a/b/room") ? name : "\(name) \(FileManager.default.contents(atPath: "\(folder.path)/\(name)") ?? Data())"
        }
    }
}

/// Tries each only once, however many tests want to know what became of it.
actor RefusalOutcomes {
    static let shared = RefusalOutcomes()
    private var found: [String: Task<RefusalOutcome, any Error>] = [:]

    func outcome(of refusal: Refusal) async throws -> RefusalOutcome {
        if let known = found[refusal.what] { return try await known.value }
        let task = Task { try await RefusalOutcome.of(refusal) }
        found[refusal.what] = task
        return try await task.value
    }
}
