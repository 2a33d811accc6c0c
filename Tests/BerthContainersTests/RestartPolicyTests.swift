import BerthOCI
import Foundation
import Testing

@testable import BerthContainers

@Suite("Whether a container is started again is decided by one value")
struct RestartPolicyTests {
    /// - Returns: the waits after ends with these codes, of runs that were so long.
    private func waits(_ policy: RestartPolicy, _ codes: [Int32], after run: Duration = .zero) -> [Duration?] {
        var backOff = RestartBackOff()
        return codes.map { backOff.ended(policy, code: $0, isStopped: false, after: run) }
    }

    @Test(
        "Which ends it is started again after",
        arguments: [
            (RestartPolicy.no, Int32(1), false, false), (.always, 0, false, true), (.always, 1, false, true), (.always, 1, true, false),
            (.unlessStopped, 0, false, true), (.unlessStopped, 137, true, false), (.onFailure(), 0, false, false),
            (.onFailure(), 1, false, true), (.onFailure(), 1, true, false), (.onFailure(3), 255, false, true),
        ])
    func ends(policy: RestartPolicy, code: Int32, isStopped: Bool, restarts: Bool) {
        var backOff = RestartBackOff()
        let delay = backOff.ended(policy, code: code, isStopped: isStopped, after: .zero)
        #expect((delay != nil) == restarts)
        #expect(backOff.count == (restarts ? 1 : 0))
    }

    @Test("The waits double from a tenth of a second to a minute, and begin anew after a run of ten seconds")
    func doubling() {
        let short = waits(.always, Array(repeating: 1, count: 13))
        #expect(Array(short[..<5]) == [100, 200, 400, 800, 1600].map { .milliseconds($0) })
        #expect(short[9] == .milliseconds(51200) && short[10] == .seconds(60) && short[12] == .seconds(60))
        #expect(waits(.always, [1, 1, 1], after: .seconds(10)) == Array(repeating: .milliseconds(100), count: 3))
        var backOff = RestartBackOff()
        _ = backOff.ended(.always, code: 1, isStopped: false, after: .zero)
        #expect(backOff.ended(.always, code: 1, isStopped: false, after: .milliseconds(9999)) == .milliseconds(200))
        #expect(backOff.ended(.always, code: 1, isStopped: false, after: .seconds(11)) == .milliseconds(100))
        #expect(backOff.count == 3, "the count is of all of them")
    }

    @Test("So many failures in a row, and no more")
    func bounded() {
        #expect(waits(.onFailure(2), [1, 1, 1]).map { $0 != nil } == [true, true, false])
        #expect(waits(.onFailure(0), Array(repeating: 1, count: 50)).allSatisfy { $0 != nil })
    }

    @Test(
        "What an engine starts that has just started",
        arguments: [
            // policy, wanted, started before, count, code, starts
            (RestartPolicy.no, true, true, 0, Int32(255), false), (.always, true, true, 0, 0, true), (.always, false, true, 0, 0, true),
            (.always, false, false, 0, 0, false), (.unlessStopped, true, true, 0, 0, true), (.unlessStopped, false, true, 0, 1, false),
            (.onFailure(), true, true, 0, 0, false), (.onFailure(), true, true, 5, 255, true), (.onFailure(), false, true, 0, 137, false),
            (.onFailure(2), true, true, 2, 1, false),
        ])
    func engineStarts(policy: RestartPolicy, isWanted: Bool, hasBeenStarted: Bool, count: Int, code: Int32, starts: Bool) {
        var backOff = RestartBackOff(count: count)
        let memory = RestartMemory(isWanted: isWanted, hasBeenStarted: hasBeenStarted, count: count)
        #expect(backOff.engineStarted(policy, memory, code: code) == starts)
        #expect(backOff.count == count + (starts ? 1 : 0))
    }

    @Test("What makes no sense is refused in Docker's words")
    func refused() throws {
        for policy in [RestartPolicy(.always, maximumRetryCount: 1), RestartPolicy(.no, maximumRetryCount: 3)] {
            let error = #expect(throws: ContainerError.self) { try policy.check() }
            #expect(error?.description == "invalid restart policy: maximum retry count can only be used with 'on-failure'")
        }
        #expect(throws: ContainerError.self) { try RestartPolicy.onFailure(-1).check() }
        try RestartPolicy.onFailure(3).check()
        #expect(RestartPolicy.onFailure(3).description == "on-failure:3" && RestartPolicy.unlessStopped.description == "unless-stopped")
    }

    @Test("What is kept of it: these bytes, and documents without them are read")
    func golden() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        func text(_ value: some Encodable) throws -> String { String(decoding: try encoder.encode(value), as: UTF8.self) }
        let memory = RestartMemory(isWanted: true, hasBeenStarted: true, count: 3)
        #expect(try text(memory) == #"{"count":3,"hasBeenStarted":true,"isWanted":true}"#)
        #expect(try text(RestartPolicy.onFailure(3)) == #"{"kind":"on-failure","maximumRetryCount":3}"#)
        var configuration = ContainerConfiguration(image: "box")
        (configuration.restart, configuration.unhealthyAction) = (.unlessStopped, .kill)
        configuration.healthcheck = ImageConfiguration.Healthcheck(test: ["CMD", "true"])
        configuration.healthcheck?.interval = 1_000_000
        let bytes = try encoder.encode(configuration)
        let written = String(decoding: bytes, as: UTF8.self)
        #expect(written.contains(#""healthcheck":{"Interval":1000000,"Test":["CMD","true"]}"#))
        #expect(written.contains(#""restart":{"kind":"unless-stopped","maximumRetryCount":0}"#))
        #expect(written.contains(#""unhealthyAction":"kill""#))
        #expect(try JSONDecoder().decode(ContainerConfiguration.self, from: bytes) == configuration)
        let older = try JSONDecoder().decode(ContainerConfiguration.self, from: Data(#"{"image":"box"}"#.utf8))
        #expect(older == ContainerConfiguration(image: "box"))
    }
}
