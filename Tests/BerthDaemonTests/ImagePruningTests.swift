import Berth
import NIOHTTP1
import Testing

@testable import BerthDaemon

@Suite("What a request to prune images means")
struct ImagePruningTests {
    @Test("Each filter, and none")
    func filters() throws {
        #expect(try ImagePruning(filters: [:]) == ImagePruning())
        let query = try ImagePruning(filters: ["label": ["a", "b=c"], "label!": ["d"], "until": ["1970-01-01T00:00:02Z"]])
        #expect(query.labels == ["a", "b=c"] && query.excludedLabels == ["d"] && query.until == Timestamp(nanoseconds: 2_000_000_000))
        #expect(!query.includesNamed)
    }

    @Test(
        "Whether those with names go too",
        arguments: [(["true"], false), (["1"], false), (["false"], true), (["0"], true), (["false", "true"], true)] as [([String], Bool)])
    func dangling(values: [String], includesNamed: Bool) throws {
        #expect(try ImagePruning(filters: ["dangling": values]).includesNamed == includesNamed)
    }

    @Test(
        "What is none removes nothing",
        arguments: [
            (["dangling": ["maybe"]], "invalid filter 'dangling=[maybe]'"), (["dangling": []], "invalid filter 'dangling=[]'"),
            (["dangling": ["true", "x"]], "invalid filter 'dangling=[true x]'"),
            (["until": ["1h", "2h"]], "more than one until filter specified"),
            (["until": []], "invalid filter 'until=[]': one time must be given"),
            (["until": ["soon"]], "invalid filter 'until=soon': it must be a date, a duration as 10m, or seconds since 1970"),
            (["reference": ["x"]], "invalid filter 'reference'"),
        ] as [([String: [String]], String)])
    func refused(filters: [String: [String]], words: String) {
        #expect { try ImagePruning(filters: filters) } throws: {
            ($0 as? APIFailure)?.message == words && ($0 as? APIFailure)?.status == .badRequest
        }
    }
}
