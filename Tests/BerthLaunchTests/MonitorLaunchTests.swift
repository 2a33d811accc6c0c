import Testing

@testable import BerthLaunch

@Suite struct MonitorLaunchTests {
    private let plain = MonitorRequest.Launch(log: MonitoredLog(name: "l"), input: .none, memoryEventsPath: "m")

    /// What an engine says that knows nothing of bounds, and what one says that has none, is the same; and so it is with all that came later.
    @Test func whatIsNotUsedIsNotSaid() throws {
        var launch = plain
        var before = MonitorRequest.launch(launch).encoded(number: 7)
        #expect(try MonitorRequest.decode(before).request == .launch(launch))
        let more: [(inout MonitoredLog) -> Void] = [
            { ($0.maximumByteCount, $0.fileCount, $0.attributes) = (1000, 3, #""attrs":{"a":"b"}"#) }, { $0.compresses = true },
        ]
        for add in more {
            add(&launch.log)
            let longer = MonitorRequest.launch(launch).encoded(number: 7)
            #expect(longer.starts(with: before) && longer.count > before.count)
            #expect(try MonitorRequest.decode(longer).request == .launch(launch))
            before = longer
        }
    }

    @Test func whatIsCutOffIsNoLaunch() {
        var launch = plain
        let name = MonitorRequest.launch(launch).encoded(number: 7).count
        launch.log.maximumByteCount = 1000
        let bounds = MonitorRequest.launch(launch).encoded(number: 7).count
        launch.log.compresses = true
        let bytes = MonitorRequest.launch(launch).encoded(number: 7)
        for end in name + 1..<bytes.count where end != bounds {
            #expect(throws: MonitorProtocolError.self) { try MonitorRequest.decode(Array(bytes[..<end])) }
        }
    }
}
