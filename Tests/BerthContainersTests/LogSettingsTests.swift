import Testing

@testable import BerthContainers
@testable import BerthLaunch

@Suite("Options of logs") struct LogSettingsTests {
    private let facts = LogAttributes.Facts(
        labels: ["a": "\"1\"", "b": "2", "com.x": "3", "com.y": "4"], environment: ["A=0", "B=x=y", "AB=5"],
        names: [.name: "web", .shortID: "abc"])

    private func log(_ driver: LogDriver, _ options: [String: String]) throws -> MonitoredLog {
        try LogSettings(driver, options).log(named: "l", hostname: "host", facts)
    }

    @Test func aLogIsBoundedUnlessToldOtherwise() throws {
        let settings = try LogSettings(.jsonFile, [:])
        #expect(settings.maximumByteCount == 20_000_000 && settings.fileCount == 5 && !settings.compresses)
        #expect(try LogSettings(.jsonFile, ["max-size": "-1"]).maximumByteCount == nil)
    }

    @Test func localCompressesUnlessToldOtherwise() throws {
        #expect(try log(.local, [:]).compresses)
        #expect(try !log(.local, ["compress": "false", "max-file": "1"]).compresses)
        #expect(try log(.jsonFile, ["compress": "true"]).compresses)
    }

    @Test(arguments: [("10m", 10_000_000), ("1.5k", 1500), ("3", 3), ("2GB", 2_000_000_000), ("1 MiB", 1_000_000)] as [(String, UInt64)])
    func sizesAreDecimal(_ text: String, _ expected: UInt64) throws { #expect(try OptionText.size(text, of: "x") == expected) }

    @Test func aFileIsWaitedForUnlessToldOtherwise() throws {
        #expect(try log(.jsonFile, ["mode": "blocking"]).roomByteCount == 0)
        #expect(try log(.local, ["mode": "non-blocking"]).roomByteCount == 1 << 20)
        #expect(try log(.jsonFile, ["mode": "non-blocking", "max-buffer-size": "4m"]).roomByteCount == 4 << 20)
        #expect(try log(.jsonFile, ["mode": "non-blocking", "max-buffer-size": "0"]).roomByteCount == 1)
    }

    @Test func sizesOfMemoryAreBinary() throws { #expect(try OptionText.memorySize("4m") == 4 << 20) }

    @Test(
        arguments: [
            (.jsonFile, ["max-size": "x"], "invalid size: 'x'"), (.jsonFile, ["max-size": "0"], "max-size must be a positive number"),
            (.jsonFile, ["max-size": "-2"], "invalid size"), (.jsonFile, ["max-file": "0"], "max-file cannot be less than 1"),
            (.jsonFile, ["max-file": "x"], "invalid value for max-file"), (.jsonFile, ["max-file": "1001"], "at most 1000"),
            (.jsonFile, ["nope": "1"], "unknown log opt 'nope' for json-file log driver"),
            (.local, ["labels": "1"], "unknown log opt 'labels' for log driver local"),
            (.jsonFile, ["compress": "x"], "strconv.ParseBool: parsing \"x\": invalid syntax"),
            (
                .jsonFile, ["compress": "true", "max-file": "1"],
                "compress cannot be true when max-file is less than 2 or max-size is not set"
            ),
            (
                .jsonFile, ["compress": "true", "max-size": "-1"],
                "compress cannot be true when max-file is less than 2 or max-size is not set"
            ),
            (.local, ["max-file": "1"], "compression cannot be enabled when max file count is 1"),
            (.jsonFile, ["tag": "{{.Nope}}"], "{{.Nope}}"), (.jsonFile, ["tag": "{{.ID"], "does not end"),
            (.jsonFile, ["mode": "bad"], "logger: logging mode not supported: bad"),
            (.jsonFile, ["max-buffer-size": "1m"], "logger: max-buffer-size option is only supported with 'mode=non-blocking'"),
            (.jsonFile, ["labels-regex": "("], "error parsing regexp"), (.jsonFile, ["env-regex": "a{2,1}"], "error parsing regexp"),
        ] as [(LogDriver, [String: String], String)])
    func whatCannotBeIsSaid(_ driver: LogDriver, _ options: [String: String], _ words: String) throws {
        let error = #expect(throws: ContainerError.self) { try LogSettings(driver, options) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func attributesAreThoseThatAreNamed() throws {
        #expect(
            try log(.jsonFile, ["labels": "a,none", "env": "B", "tag": "{{.Name}}-{{ .ID }}"]).attributes
                == #""attrs":{"B":"x=y","a":"\"1\"","tag":"web-abc"}"#)
        #expect(try log(.jsonFile, [:]).attributes == "")
        let many = LogAttributes.Facts(labels: ["a": String(repeating: "x", count: 17 << 10)], environment: [], names: [:])
        #expect(throws: ContainerError.self) { try LogSettings(.jsonFile, ["labels": "a"]).log(named: "l", hostname: "host", many) }
    }

    /// As Go's, a pattern need not match a whole name.
    @Test func attributesAreThoseThatMatch() throws {
        #expect(
            try log(.jsonFile, ["labels-regex": "^com\\.", "env-regex": "B$", "labels": "b"]).attributes
                == #""attrs":{"AB":"5","B":"x=y","b":"2","com.x":"3","com.y":"4"}"#)
    }

    @Test func aTagNamesWhatAContainerHas() throws {
        #expect(try LogTag(parsing: "a{{ .Name }}b{{.ID}}").filled(facts.names) == "awebbabc")
        #expect(LogTag.standard.filled(facts.names) == "abc")
    }

    @Test func linesWithAttributesAreRead() {
        let text = #"{"log":"hi\n","stream":"stdout","attrs":{"a":"1","tag":"x"},"time":"2026-11-24T10:00:00.5Z"}"#
        let line = LogLineParser.parse(Array(text.utf8)[...])
        #expect(line?.attributes == ["a": "1", "tag": "x"] && line?.text == "hi")
        #expect(LogLineParser.parse(Array(text.replacing("}", with: "", maxReplacements: 1).utf8)[...]) == nil)
    }
}
