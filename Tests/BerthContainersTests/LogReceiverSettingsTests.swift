import BerthLinux
import Testing

@testable import BerthContainers
@testable import BerthLaunch

@Suite("Options of logs that go to other programs") struct LogReceiverSettingsTests {
    private let facts = LogAttributes.Facts(
        labels: ["com.x": "1", "__": "2", "log": "3"], environment: ["E=4"],
        names: [.name: "web", .shortID: "abc", .id: "abcdef", .image: "box"])

    private func receiver(_ driver: LogDriver, _ options: [String: String]) throws -> LogReceiver {
        try #require(try LogSettings(driver, options).log(named: "l", hostname: "host", facts).receiver)
    }

    private func endpoint(_ port: UInt16) -> InternetEndpoint { InternetEndpoint(address: [127, 0, 0, 1], port: port)! }

    @Test func syslogIsTold() throws {
        let plain = try receiver(.syslog, ["syslog-address": "udp://127.0.0.1"])
        let line = LogReceiver.Syslog(style: .local, facility: 3, hostname: "host", tag: "abc")
        #expect(plain == LogReceiver(.udp(endpoint(514)), name: "udp 127.0.0.1:514", .syslog(line)))
        let told = try receiver(
            .syslog,
            ["syslog-address": "tcp://[::1]:99", "syslog-facility": "local7", "syslog-format": "rfc5424micro", "tag": "{{.Name}}"])
        #expect(told.place == .tcp(InternetEndpoint(address: [UInt8](repeating: 0, count: 15) + [1], port: 99)!))
        #expect(told.format == .syslog(LogReceiver.Syslog(style: .rfc5424Micro, facility: 23, hostname: "host", tag: "web")))
        #expect(try receiver(.syslog, ["syslog-address": "unixgram:///dev/null"]).place == .datagrams(path: "/dev/null"))
        #expect(try receiver(.syslog, ["syslog-address": "unix:///dev/null"]).place == .stream(path: "/dev/null"))
    }

    @Test func whatIsNotWaitedForHasItsRoom() throws {
        let told = try receiver(.syslog, ["syslog-address": "udp://127.0.0.1", "mode": "non-blocking", "max-buffer-size": "4m"])
        #expect(!told.isWaitedFor && told.roomByteCount == 4 << 20)
    }

    @Test func fluentdIsTold() throws {
        let fields = [LogReceiver.Field("E", "4"), .init("container_id", "abcdef"), .init("container_name", "/web")]
        let plain = try receiver(.fluentd, ["env": "E", "labels": "log"])
        #expect(
            plain
                == LogReceiver(.tcp(endpoint(24224)), name: "tcp 127.0.0.1:24224", .fluent(tag: "abc", fields, hasNanoseconds: false)).with
            {
                $0.maximumFailureCount = UInt64(Int32.max)
            })
        let told = try receiver(
            .fluentd,
            [
                "fluentd-address": "unix:///f", "fluentd-async": "true", "fluentd-buffer-limit": "2k", "fluentd-retry-wait": "1m0.5s",
                "fluentd-max-retries": "5", "fluentd-sub-second-precision": "1", "env": "E",
                "fluentd-request-ack": "true",
            ])
        var expected = LogReceiver(
            .stream(path: "/f"), name: "unix /f", .fluent(tag: "abc", fields, hasNanoseconds: true, asksForAnswers: true))
        (expected.isNeededAtStart, expected.isWaitedFor, expected.roomByteCount) = (false, false, 2048)
        (expected.retryMilliseconds, expected.maximumFailureCount) = (60_500, 5)
        #expect(told == expected)
    }

    @Test(arguments: [("a_b.c-d", "A_B_C_D"), ("_x", "X"), ("__", ""), ("9é", "9_")])
    func namesOfTheJournal(_ name: String, _ expected: String) { #expect(JournalSettings.name(name) == expected) }

    @Test("What speaks TLS is the running program, and is told where, with whom and by which certificates")
    func tls() throws {
        // This program links it.
        let program = try #require(HostFile.ownProgram())
        func relay(_ driver: LogDriver, _ options: [String: String]) throws -> LogRelay {
            let log = try LogSettings(driver, options).log(named: "l", hostname: "host", facts)
            guard case .relayed(let relay)? = log.receiver?.place else { throw CancellationError() }
            return relay
        }
        let endpoint = try #require(InternetEndpoint(address: [127, 0, 0, 1], port: 514))
        var expected = LogRelay(program: program, endpoint: endpoint, serverName: "127.0.0.1")
        #expect(try relay(.syslog, ["syslog-address": "tcp+tls://127.0.0.1"]) == expected)
        #expect(try relay(.syslog, ["syslog-address": "tcp+tls://:514"]) == expected)
        (expected.authorities, expected.certificate, expected.privateKey, expected.verifies) = ("/a", "/c", "/k", false)
        let options = ["syslog-tls-ca-cert": "/a", "syslog-tls-cert": "/c", "syslog-tls-key": "/k", "syslog-tls-skip-verify": "false"]
        let found = try relay(.syslog, options.merging(["syslog-address": "tcp+tls://127.0.0.1:514"]) { $1 })
        #expect(found == expected)
        #expect(LogRelay(program: program, arguments: found.arguments) == found)
        for index in 0..<5 where index != 3 {
            var wrong = found.arguments
            wrong[index] = "x"
            #expect(LogRelay(program: program, arguments: wrong) == nil)
        }
        expected = LogRelay(
            program: program, endpoint: try #require(InternetEndpoint(address: [127, 0, 0, 1], port: 24224)), serverName: "127.0.0.1")
        #expect(try relay(.fluentd, ["fluentd-address": "tls://127.0.0.1"]) == expected)
        // Without TLS they do nothing, as with Docker.
        let plain = try LogSettings(.syslog, options.merging(["syslog-address": "tcp://127.0.0.1"]) { $1 })
        guard case .tcp? = try plain.log(named: "l", hostname: "host", facts).receiver?.place else { throw CancellationError() }
    }

    /// What is kept beside a receiver has bounds of its own, and is compressed unless told otherwise.
    @Test func theCopy() throws {
        func log(_ options: [String: String]) throws -> MonitoredLog {
            try LogSettings(.syslog, options.merging(["syslog-address": "udp://127.0.0.1"]) { $1 }).log(
                named: "l", hostname: "host", facts)
        }
        var kept = try log([:])
        #expect(kept.name == "l" && kept.maximumByteCount == 20_000_000 && kept.fileCount == 5 && kept.compresses)
        kept = try log(["cache-max-size": "1m", "cache-max-file": "2", "cache-compress": "false", "labels": "com.x"])
        #expect(kept.maximumByteCount == 1_000_000 && kept.fileCount == 2 && !kept.compresses && kept.attributes.isEmpty)
        #expect(try log(["cache-disabled": "true"]).name == "")
    }

    @Test(
        arguments: [
            (.syslog, "syslog-address", "foo", "syslog-address should be in form proto://address, got foo"),
            (.syslog, "syslog-address", "udp://a:1:2", "too many colons in address"),
            (.syslog, "syslog-address", "udp://a:x", "invalid port"),
            (.syslog, "syslog-address", "unix:///nope", "stat /nope: no such file or directory"),
            (.syslog, "syslog-address", "tcp+tls://a:x", "invalid port"), (.fluentd, "fluentd-address", "tls://a:x", "invalid port"),
            (.syslog, "syslog-facility", "24", "invalid syslog facility"), (.syslog, "syslog-facility", "", ""),
            (.syslog, "syslog-format", "x", "Invalid syslog format"), (.syslog, "max-size", "1m", "unknown log opt 'max-size' for syslog"),
            (.journald, "cache-max-file", "1", "compression cannot be enabled when max file count is 1"),
            (.journald, "cache-disabled", "x", "invalid value for option cache-disabled: x"),
            (.fluentd, "fluentd-address", "foo://x", "invalid fluentd-address foo://x"),
            (.fluentd, "fluentd-address", "unix://", "invalid fluentd-address unix://"),
            (.fluentd, "fluentd-address", "a:x", "invalid fluentd-address a:x"),
            (.fluentd, "fluentd-retry-wait", "x", "time: invalid duration \"x\""),
            (.fluentd, "fluentd-max-retries", "-1", "strconv.ParseUint: parsing \"-1\": invalid syntax"),
            (.none, "anything", "x", ""),
        ] as [(LogDriver, String, String, String)])
    func whatCannotBeIsSaid(_ driver: LogDriver, _ option: String, _ value: String, _ words: String) throws {
        let found = Result { try LogSettings(driver, [option: value]) }
        guard case .failure(let error) = found else {
            #expect(words.isEmpty)
            return
        }
        #expect(!words.isEmpty && "\(error)".contains(words), "\(error)")
    }
}

extension LogReceiver {
    fileprivate func with(_ change: (inout LogReceiver) -> Void) -> LogReceiver {
        var changed = self
        change(&changed)
        return changed
    }
}
