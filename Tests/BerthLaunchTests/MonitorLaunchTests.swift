import Testing

@testable import BerthLaunch

@Suite struct MonitorLaunchTests {
    /// What an engine says that knows nothing of bounds, and what one says that has none, is the same.
    @Test func aLogWithoutABoundIsSaidAsBefore() throws {
        let launch = MonitorRequest.Launch(logName: "l", input: .none, memoryEventsPath: "m")
        let bytes = MonitorRequest.launch(launch).encoded(number: 7)
        #expect(try MonitorRequest.decode(bytes).request == .launch(launch))
        var bounded = launch
        (bounded.logMaximumByteCount, bounded.logFileCount, bounded.logAttributes) = (1000, 3, #""attrs":{"a":"b"}"#)
        let longer = MonitorRequest.launch(bounded).encoded(number: 7)
        #expect(longer.starts(with: bytes) && longer.count > bytes.count)
        #expect(try MonitorRequest.decode(longer).request == .launch(bounded))
    }

    @Test func whatIsCutOffIsNoLaunch() {
        var launch = MonitorRequest.Launch(logName: "l", input: .none, memoryEventsPath: "m")
        launch.logMaximumByteCount = 1000
        let bytes = MonitorRequest.launch(launch).encoded(number: 7)
        let whole = MonitorRequest.launch(MonitorRequest.Launch(logName: "l", input: .none, memoryEventsPath: "m")).encoded(number: 7)
        for end in whole.count + 1..<bytes.count {
            #expect(throws: MonitorProtocolError.self) { try MonitorRequest.decode(Array(bytes[..<end])) }
        }
    }
}
