import BerthClient
import Testing

@testable import BerthCommandLine

@Suite struct CopyPlanTests {
    @Test(arguments: [
        ("/a/./b/../c//", "/a/c"), ("", "."), ("../x/..", ".."), ("/..", "/"), ("a/", "a"), ("./a", "a"),
    ])
    func cleaned(_ path: String, _ expected: String) { #expect(GoPath.clean(path) == expected) }

    @Test func partsOfPaths() {
        #expect(GoPath.base("/a/b/") == "b" && GoPath.base("/") == "/" && GoPath.base("") == ".")
        #expect(GoPath.directory("/a/b") == "/a" && GoPath.directory("b") == "." && GoPath.directory("/b") == "/")
        #expect(GoPath.split("/a/b/.") == ("/a/b", ".") && GoPath.split("/a/b/") == ("/a", "b"))
        #expect(GoPath.keepingEnd("/a", of: "a/.") == "/a/." && GoPath.keepingEnd("/a", of: "a/") == "/a/")
        #expect(GoPath.join("/a", "../b") == "/b" && GoPath.join("", "b/") == "b")
    }

    @Test(arguments: [
        ("c:/x", "c", "/x"), ("/c:/x", "", "/c:/x"), ("./c:x", "", "./c:x"), ("c:x:y", "c", "x:y"), ("-", "", "-"), (":x", "", "x"),
    ])
    func arguments(_ text: String, _ container: String, _ path: String) {
        let parts = CopyPlan.parts(of: text)
        #expect(parts.container == container && parts.path == path || text == ":x")
    }

    @Test func plans() throws {
        let (file, directory) = (CopySource(path: "/s/a", isDirectory: false), CopySource(path: "/s/d", isDirectory: true))
        let there = CopyDestination(path: "/t/x", exists: true, isDirectory: true)
        #expect(try CopyPlan(directory, to: there).directory == "/t/x")
        #expect(try CopyPlan(directory, to: there).newBase == nil)
        let missing = CopyDestination(path: "/t/x")
        #expect(try CopyPlan(directory, to: missing).newBase == "x" && CopyPlan(file, to: missing).directory == "/t")
        let onto = CopyDestination(path: "/t/x", exists: true)
        #expect(try CopyPlan(file, to: onto).newBase == "x")
        #expect(throws: CopyPlan.Mistake.self) { try CopyPlan(directory, to: onto) }
        #expect(throws: CopyPlan.Mistake.self) { try CopyPlan(file, to: CopyDestination(path: "/t/x/")) }
        #expect(try CopyPlan(directory, to: CopyDestination(path: "/t/x/")).newBase == "x")
    }

    @Test func names() {
        func renamed(_ name: String, _ old: String, _ new: String) -> String {
            String(decoding: CopyPlan.renamed(Array(name.utf8), from: old, to: new), as: UTF8.self)
        }
        #expect(renamed("a/a/b", "a", "x") == "x/a/b" && renamed("./b", ".", "x") == "x/b" && renamed("/bin", "/", "x") == "x/bin")
        #expect(CopySource.renamed(asked: "/l/", found: "/real").path == "/real/")
        #expect(CopySource.renamed(asked: "/l", found: "/real").entryName == "l")
    }

    @Test func usageIsComputedAsDockerDoes() throws {
        let before = try JSONTree(
            parsing: Array(#"{"cpu_stats":{"cpu_usage":{"total_usage":1000},"system_cpu_usage":10000,"online_cpus":2}}"#.utf8))
        let now = try JSONTree(
            parsing: Array(
                #"{"cpu_stats":{"cpu_usage":{"total_usage":2000},"system_cpu_usage":20000,"online_cpus":2},"memory_stats":{"usage":100,"limit":400,"stats":{"total_inactive_file":20,"inactive_file":5}},"networks":{"eth0":{"rx_bytes":1,"tx_bytes":2},"eth1":{"rx_bytes":3,"tx_bytes":4}},"blkio_stats":{"io_service_bytes_recursive":[{"op":"Read","value":5},{"op":"write","value":6},{"op":"Sync","value":9}]},"pids_stats":{"current":3}}"#
                    .utf8))
        let sample = UsageSample(now, before: before)
        #expect(sample.processorPercent == 20 && sample.memoryByteCount == 80 && sample.memoryPercent == 20)
        #expect(sample.received == 4 && sample.sent == 6 && sample.read == 5 && sample.written == 6 && sample.taskCount == 3)
    }
}
