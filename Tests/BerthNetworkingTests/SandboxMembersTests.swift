import Foundation
import Testing

@testable import BerthNetworking

@Suite("Who is in a sandbox, and when it ends")
struct SandboxMembersTests {
    @Test("With its own container alone it ends with that, and was never shared")
    func alone() {
        var members = SandboxMembers()
        members.join("x", ownedBy: "x")
        #expect(members.ids == ["x"] && !members.isShared)
        #expect(members.leave("y") == .wasNotIn)
        #expect(members.leave("x") == .wasLast)
        #expect(members.leave("x") == .wasNotIn)
    }

    @Test("It outlives its own container, which may come back, and ends with whoever is last; once shared it stays so")
    func shared() {
        var members = SandboxMembers()
        for id in ["x", "y", "z", "y"] { members.join(id, ownedBy: "x") }
        #expect(members.ids == ["x", "y", "z"] && members.isShared)
        #expect(members.leave("x") == .othersStay)
        #expect(members.others(than: "x") == ["y", "z"])
        members.join("x", ownedBy: "x")
        #expect(members.ids == ["y", "z", "x"])
        #expect(members.leave("y") == .othersStay)
        #expect(members.leave("z") == .othersStay)
        #expect(members.others(than: "x") == [] && members.isShared)
        #expect(members.leave("x") == .wasLast)
    }

    @Test("After the death of an engine those are in it who have lived on", arguments: [(["y"], true), (["x", "z"], true), ([], false)])
    func recovered(living: [String], isAnybody: Bool) {
        var members = SandboxMembers()
        for id in ["x", "y", "z"] { members.join(id, ownedBy: "x") }
        #expect(members.keep(living.contains) == isAnybody)
        #expect(members.ids == living && members.isShared)
    }

    @Test("A record says who is in its sandbox; one of an engine that did not know is read, and says nothing of it")
    func records() throws {
        var record = SandboxRecord(SandboxRequest(id: "x", name: "web", .endpoints([])))
        record.admit("y", to: "x")
        let bytes = try JSONEncoder().encode(record)
        #expect(try JSONDecoder().decode(SandboxRecord.self, from: bytes).members == record.members)
        #expect(record.members?.ids == ["x", "y"])
        var fields = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        #expect(fields.removeValue(forKey: "members") != nil)
        let earlier = try JSONSerialization.data(withJSONObject: fields)
        let read = try JSONDecoder().decode(SandboxRecord.self, from: earlier)
        #expect(read.members == nil && read.name == "web")
    }
}
