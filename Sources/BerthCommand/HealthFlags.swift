internal import BerthClient
internal import BerthCommandLine

/// What the flags of `run` and `create` say of checks.
enum HealthFlags {
    /// `nil`: nothing.
    static func request(_ flags: ContainerFlags) throws(Failure) -> JSONTree? {
        let times: [(String, String, String?)] = [
            ("Interval", "--health-interval", flags.healthInterval), ("Timeout", "--health-timeout", flags.healthTimeout),
            ("StartPeriod", "--health-start-period", flags.healthStartPeriod),
            ("StartInterval", "--health-start-interval", flags.healthStartInterval),
        ]
        let command = flags.healthCmd.flatMap { $0.isEmpty ? nil : $0 }
        let saysMore = command != nil || times.contains { $0.2 != nil } || (flags.healthRetries ?? 0) != 0
        if flags.noHealthcheck {
            guard !saysMore, flags.healthOnFailure == nil else {
                throw Failure("--no-healthcheck conflicts with --health-* options", status: 125)
            }
            return .object([("Test", JSONTree.texts(["NONE"]))])
        }
        guard saysMore || flags.healthOnFailure != nil else { return nil }
        var members: [(String, JSONTree?)] = [("Test", command.map { .texts(["CMD-SHELL", $0]) })]
        for (name, flag, text) in times {
            guard let text else { continue }
            guard let nanoseconds = GoDuration.nanoseconds(text) else {
                throw Failure("invalid argument \"\(text)\" for \"\(flag)\" flag: time: invalid duration \"\(text)\"", status: 125)
            }
            guard nanoseconds >= 0 else { throw Failure("\(flag) cannot be negative", status: 125) }
            members.append((name, .integer(nanoseconds)))
        }
        guard flags.healthRetries ?? 0 >= 0 else { throw Failure("--health-retries cannot be negative", status: 125) }
        members.append(("Retries", flags.healthRetries.map(JSONTree.integer)))
        if let action = flags.healthOnFailure {
            guard ["none", "restart", "stop", "kill"].contains(action) else {
                throw Failure(
                    "invalid argument \"\(action)\" for \"--health-on-failure\" flag: it must be none, restart, stop or kill", status: 125)
            }
            members.append(("OnFailure", action == "none" ? nil : .string(action)))
        }
        return .object(members)
    }
}

/// Durations as Go's flags take them: `1h2m3.5s`, `300ms`, `0`.
enum GoDuration {
    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]

    /// `nil`: it is none, or longer than Go has one.
    static func nanoseconds(_ text: String) -> Int64? {
        var rest = Substring(text)
        let isNegative = rest.hasPrefix("-")
        if isNegative || rest.hasPrefix("+") { rest = rest.dropFirst() }
        if rest == "0" { return 0 }
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { ($0.isASCII && $0.isNumber) || $0 == "." }
            guard let number = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !$0.isNumber && $0 != "." }
            guard let unit = units.first(where: { $0.name == name }) else { return nil }
            rest = rest.dropFirst(name.count)
            total += number * unit.nanoseconds
        }
        guard total < 9.2e18 else { return nil }
        return isNegative ? -Int64(total) : Int64(total)
    }
}
