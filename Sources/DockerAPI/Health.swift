/// How a container is checked (`HealthConfig`). Times are nanoseconds; 0 is inherited.
public struct HealthConfig: Sendable, Hashable, JSONWritable {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`; empty is inherited.
    public var test: [String] = []
    /// Between two checks.
    public var interval: Int64 = 0
    /// For one check.
    public var timeout: Int64 = 0
    /// During which failures do not count.
    public var startPeriod: Int64 = 0
    /// Between two checks of that time.
    public var startInterval: Int64 = 0
    /// Failures in a row that mean unhealthy.
    public var retries: Int64 = 0
    /// What is done then, which Docker does not know: `restart`, `stop`, `kill`; empty is nothing.
    public var onFailure = ""

    /// Nothing said.
    public init() {}

    /// Takes it from a request.
    public init(reading fields: inout RequestFields) throws(RequestError) {
        test = try fields.strings("Test") ?? []
        interval = try fields.integer("Interval")
        timeout = try fields.integer("Timeout")
        startPeriod = try fields.integer("StartPeriod")
        startInterval = try fields.integer("StartInterval")
        retries = try fields.integer("Retries")
        onFailure = try fields.string("OnFailure")
        try fields.refuseUnread()
    }

    /// Writes what is said, as Docker does.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            if !test.isEmpty { writer.member("Test", test) }
            if interval != 0 { writer.member("Interval", interval) }
            if timeout != 0 { writer.member("Timeout", timeout) }
            if startPeriod != 0 { writer.member("StartPeriod", startPeriod) }
            if startInterval != 0 { writer.member("StartInterval", startInterval) }
            if retries != 0 { writer.member("Retries", retries) }
            if !onFailure.isEmpty { writer.member("OnFailure", onFailure) }
        }
    }
}

/// How a container does that is checked (`Health`).
public struct HealthState: Sendable, Hashable, JSONWritable {
    /// One check.
    public struct Probe: Sendable, Hashable, JSONWritable {
        /// When it began, as RFC 3339 text.
        public var start: String
        /// When it had ended, likewise.
        public var end: String
        /// Its exit code.
        public var exitCode: Int32
        /// What it wrote.
        public var output: String

        /// A check that went so.
        public init(start: String, end: String, exitCode: Int32, output: String) {
            (self.start, self.end, self.exitCode, self.output) = (start, end, exitCode, output)
        }

        /// Writes it.
        public func write(to writer: inout JSONWriter) {
            writer.object { writer in
                writer.member("Start", start)
                writer.member("End", end)
                writer.member("ExitCode", exitCode)
                writer.member("Output", output)
            }
        }
    }

    /// `starting`, `healthy`, `unhealthy`.
    public var status: String
    /// How many checks have failed in a row.
    public var failingStreak: Int
    /// The last checks.
    public var log: [Probe]

    /// One of these.
    public init(status: String, failingStreak: Int, log: [Probe]) {
        (self.status, self.failingStreak, self.log) = (status, failingStreak, log)
    }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Status", status)
            writer.member("FailingStreak", failingStreak)
            writer.member("Log", list: log)
        }
    }
}
