import Foundation
import Testing

@testable import BerthContainers

@Suite struct SecurityLabelTests {
    private func policy(_ files: [String: String]) throws -> SELinux.Policy {
        let root = FileManager.default.temporaryDirectory.path + "/berth-policy-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: root) }
        for (path, text) in files {
            try FileManager.default.createDirectory(
                atPath: (root + path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: root + path))
        }
        return try SELinux.Policy(below: root)
    }
    private func labels(_ options: [String]) throws -> SecurityLabels {
        let files = ["/etc/selinux/targeted/contexts/lxc_contexts": "process = \"u:r:t:s0\"\nfile = \"u:object_r:f:s0\"\n"]
        return try SecurityLabels(options, try policy(files), level: "s0:c1,c2")
    }

    @Test func theHostsPolicySaysWhatContainersAreCalled() throws {
        let contexts =
            "# of containers\nprocess = \"system_u:system_r:container_t:s0\"\n\nfile=\"system_u:object_r:container_file_t:s0\"\nsandbox = \"x\"\n"
        let found = try policy([
            "/etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=strict\n", "/etc/selinux/strict/contexts/lxc_contexts": contexts,
        ])
        #expect("\(found.process)" == "system_u:system_r:container_t:s0" && "\(found.file)" == "system_u:object_r:container_file_t:s0")
        // The containers' own stands before the host's.
        let both = try policy([
            "/etc/selinux/targeted/contexts/lxc_contexts": contexts,
            "/usr/share/containers/selinux/contexts": "process = \"a:b:c\"\nfile = \"d:e:f:s0\"",
        ])
        #expect("\(both.process)" == "a:b:c" && both.process.level.isEmpty && "\(both.file)" == "d:e:f:s0")
    }

    @Test(
        "A policy without both is no policy",
        arguments: [
            [:], ["/etc/selinux/targeted/contexts/lxc_contexts": "process = \"a:b:c\""],
            ["/usr/share/containers/selinux/contexts": "process = \"a\"\nfile = \"b:c:d\""],
        ])
    func missing(_ files: [String: String]) {
        let error = #expect(throws: ContainerError.self) { try policy(files) }
        #expect(error?.code == .unsupported)
    }

    @Test func optionsChangeThem() throws {
        #expect(try labels([]) == SecurityLabels(process: "u:r:t:s0:c1,c2", mount: "u:object_r:f:s0:c1,c2"))
        #expect(try labels(["user:x"]) == SecurityLabels(process: "x:r:t:s0:c1,c2", mount: "x:object_r:f:s0:c1,c2"))
        #expect(try labels(["role:x", "type:y"]) == SecurityLabels(process: "u:x:y:s0:c1,c2", mount: "u:object_r:f:s0:c1,c2"))
        #expect(try labels(["level:s0:c9"]) == SecurityLabels(process: "u:r:t:s0:c9", mount: "u:object_r:f:s0:c9"))
        #expect(try labels(["filetype:x"]) == SecurityLabels(process: "u:r:t:s0:c1,c2", mount: "u:object_r:x:s0:c1,c2"))
        #expect(try labels(["type:x", "disable"]) == SecurityLabels(process: "", mount: "u:object_r:f:s0:c1022,c1023"))
        #expect(try labels([]).sharedMount == "u:object_r:f:s0")
        for wrong in ["", "type", "colour:red", "Disable"] {
            let error = #expect(throws: ContainerError.self) { try labels([wrong]) }
            #expect(
                error?.code == .invalid && "\(error!)".hasPrefix("Bad label option \"\(wrong)\", valid options 'disable' or"), "\(error!)")
        }
    }

    /// Numbers in turn.
    private struct Turns: RandomNumberGenerator {
        var last: UInt64 = 0
        mutating func next() -> UInt64 {
            last &+= 0x0150_0000_0000_0000
            return last
        }
    }

    @Test func noTwoContainersHaveTheSameCategories() throws {
        var random = Turns()
        var taken: Set<String> = []
        for _ in 0..<200 {
            let level = try #require(SecurityLabels.level(besides: taken, using: &random))
            let numbers = try #require(level.wholeMatch(of: /s0:c(\d+),c(\d+)/))
            #expect(Int(numbers.1)! < Int(numbers.2)! && Int(numbers.2)! < 1024 && level != "s0:c1022,c1023")
            #expect(taken.insert(level).inserted)
        }
        let making = LevelsInTheMaking()
        let first = try making.take(besides: [])
        #expect(try making.take(besides: []) != first)
    }
}
