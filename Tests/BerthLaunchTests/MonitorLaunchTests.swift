import BerthLinux
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
            { $0.receiver = receivers[0] },
        ]
        for add in more {
            add(&launch.log)
            let longer = MonitorRequest.launch(launch).encoded(number: 7)
            #expect(longer.starts(with: before) && longer.count > before.count)
            #expect(try MonitorRequest.decode(longer).request == .launch(launch))
            before = longer
        }
    }

    /// The room is beside whether full files are compressed, where an earlier monitor reads only that.
    @Test(arguments: [1, 1 << 20, MonitoredLog.roomByteCountLimit], [false, true]) func theRoomIsSaid(_ room: UInt64, _ compresses: Bool)
        throws
    {
        var launch = plain
        (launch.log.roomByteCount, launch.log.compresses) = (room, compresses)
        #expect(try MonitorRequest.decode(MonitorRequest.launch(launch).encoded(number: 7)).request == .launch(launch))
    }

    private let receivers: [LogReceiver] = {
        let address = InternetEndpoint(address: [127, 0, 0, 1], port: 514)!
        let line = LogReceiver.Syslog(style: .rfc5424, facility: 3, hostname: "h", tag: "t")
        var fluent = LogReceiver(.stream(path: "/s"), name: "unix /s", .fluent(tag: "t", [.init("a", "b")], hasNanoseconds: true))
        var answering = fluent
        answering.format = .fluent(tag: "t", [], hasNanoseconds: false, asksForAnswers: true)
        var relay = LogRelay(program: "/p", endpoint: address, serverName: "host")
        (relay.authorities, relay.certificate, relay.privateKey, relay.verifies) = ("/a", "/c", "/k", false)
        (fluent.isNeededAtStart, fluent.isWaitedFor, fluent.roomByteCount) = (false, false, 7)
        (fluent.retryMilliseconds, fluent.maximumFailureCount) = (8, 9)
        return [
            LogReceiver(.udp(address), name: "udp 127.0.0.1:514", .syslog(line)),
            LogReceiver(.tcp(address), name: "tcp 127.0.0.1:514", .syslog(line)),
            LogReceiver(.datagrams(path: "/j"), name: "unixgram /j", .journal([.init("A", "1"), .init("B", "2\n3")])), fluent,
            answering, LogReceiver(.relayed(relay), name: "tcp+tls host:514", .syslog(line)),
        ]
    }()

    /// What a monitor of a later version is to read as well.
    @Test func aReceiverHasTheseBytes() {
        var out = PlanWriter()
        out.receiver(receivers[0])
        func number(_ value: UInt8) -> [UInt8] { [value, 0, 0, 0, 0, 0, 0, 0] }
        func text(_ text: String) -> [UInt8] { number(UInt8(text.utf8.count)) + Array(text.utf8) + [0] }
        var expected = number(4) + number(4) + [127, 0, 0, 1, 0] + [2, 2, 0, 0, 0, 0, 0, 0] + number(0) + text("udp 127.0.0.1:514")
        expected += number(1) + number(2) + number(3) + text("h") + text("t") + number(1) + number(1)
        expected += [0, 0, 16, 0, 0, 0, 0, 0] + [0xe8, 3, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 255, count: 8)
        #expect(out.bytes == expected)
    }

    @Test func eachReceiverIsReadAsItWasWritten() throws {
        for receiver in receivers {
            var launch = plain
            launch.log.receiver = receiver
            #expect(try MonitorRequest.decode(MonitorRequest.launch(launch).encoded(number: 1)).request == .launch(launch))
        }
    }

    @Test func whatIsCutOffIsNoLaunch() {
        var launch = plain
        let name = MonitorRequest.launch(launch).encoded(number: 7).count
        launch.log.maximumByteCount = 1000
        let bounds = MonitorRequest.launch(launch).encoded(number: 7).count
        launch.log.compresses = true
        let compression = MonitorRequest.launch(launch).encoded(number: 7).count
        launch.log.receiver = receivers[2]
        let bytes = MonitorRequest.launch(launch).encoded(number: 7)
        for end in name + 1..<bytes.count where end != bounds && end != compression {
            #expect(throws: MonitorProtocolError.self) { try MonitorRequest.decode(Array(bytes[..<end])) }
        }
    }
}
