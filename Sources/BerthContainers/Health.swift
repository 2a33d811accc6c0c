public import BerthOCI

/// How a container that is checked does, in Docker's words.
public enum HealthStatus: String, Sendable, Hashable, Codable, CaseIterable {
    /// It is not checked.
    case none
    /// Nothing is known yet: no check has succeeded, and not enough have failed.
    case starting
    /// The last checks that counted have succeeded.
    case healthy
    /// So many have failed in a row that it is given up.
    case unhealthy
}

/// What is done when a container becomes unhealthy.
public enum UnhealthyAction: String, Sendable, Hashable, Codable, CaseIterable {
    /// Nothing: it is told.
    case none
    /// It is stopped and started.
    case restart
    /// It is stopped, and its policy does not start it again.
    case stop
    /// It is killed; its policy may start it again.
    case kill
}

/// One check, as it went.
public struct HealthProbe: Sendable, Hashable {
    /// When it began.
    public var startedAt: Timestamp
    /// When it had ended.
    public var finishedAt: Timestamp
    /// Its exit code: 0 is well; -1 for one that did not end in time, or could not be started.
    public var exitCode: Int32
    /// What it has written, at most 4,096 bytes and then `...`; or why there is nothing.
    public var output: String

    /// The most of the output that is kept, in bytes.
    public static var outputByteLimit: Int { 4096 }
}

/// How a container does that is checked: a value that is told how each check went. No clock, no process.
public struct Health: Sendable, Hashable {
    /// How it does.
    public private(set) var status = HealthStatus.starting
    /// How many checks have failed in a row.
    public private(set) var failingStreak = 0
    /// The last checks, the oldest first; at most ``logLimit``.
    public private(set) var log: [HealthProbe] = []

    /// How many checks are kept.
    public static var logLimit: Int { 5 }

    init() {}

    /// A check has been made.
    ///
    /// - Parameter age: how long the container had been running when it began.
    /// - Returns: whether the status is another now.
    mutating func record(_ probe: HealthProbe, _ plan: HealthPlan, age: Duration) -> Bool {
        log = log.suffix(Self.logLimit - 1) + [probe]
        let former = status
        if probe.exitCode == 0 {
            (failingStreak, status) = (0, .healthy)
        } else if status != .starting || age >= plan.startPeriod {
            failingStreak += 1
            if failingStreak >= plan.retries { status = .unhealthy }
        }
        return status != former
    }

    /// Its process has ended: it is not well any more, as Docker says of what does not run.
    mutating func ended() { status = .unhealthy }
}

/// How a container is checked: its maker's words over its image's, with Docker's defaults.
struct HealthPlan: Sendable, Hashable {
    /// The command and its arguments.
    var command: [String]
    var interval: Duration
    var timeout: Duration
    /// For how long failures do not count while no check has succeeded.
    var startPeriod: Duration
    /// Between checks of that time.
    var startInterval: Duration
    /// Failures in a row that mean unhealthy.
    var retries: Int

    /// `nil`: it is not checked.
    init?(_ said: ImageConfiguration.Healthcheck?, image: ImageConfiguration.Execution) {
        let check = Self.merged(said, image: image.healthcheck)
        guard let test = check?.test, let kind = test.first, test.count > 1 else { return nil }
        switch kind {
        case "CMD": command = Array(test.dropFirst())
        case "CMD-SHELL": command = (image.shell ?? ["/bin/sh", "-c"]) + [test.dropFirst().joined(separator: " ")]
        default: return nil
        }
        func duration(_ nanoseconds: Int64?, or standard: Duration) -> Duration {
            nanoseconds.flatMap { $0 > 0 ? .nanoseconds($0) : nil } ?? standard
        }
        (interval, timeout) = (duration(check?.interval, or: .seconds(30)), duration(check?.timeout, or: .seconds(30)))
        (startPeriod, startInterval) = (duration(check?.startPeriod, or: .zero), duration(check?.startInterval, or: .seconds(5)))
        retries = check?.retries.flatMap { $0 > 0 ? $0 : nil } ?? 3
    }

    /// How long to wait for the next check.
    ///
    /// - Parameter age: how long the container has been running.
    func pause(_ status: HealthStatus, age: Duration) -> Duration {
        // The start's rhythm holds where a start is spoken of, until the first success.
        status == .starting && age < startPeriod ? min(startInterval, interval) : interval
    }

    /// The maker's words, and where they say nothing the image's.
    static func merged(
        _ said: ImageConfiguration.Healthcheck?, image: ImageConfiguration.Healthcheck?
    ) -> ImageConfiguration.Healthcheck? {
        guard var check = said else { return image }
        func first<Value: BinaryInteger>(_ own: Value?, _ other: Value?) -> Value? { own.flatMap { $0 == 0 ? nil : $0 } ?? other }
        if check.test?.isEmpty ?? true { check.test = image?.test }
        check.interval = first(check.interval, image?.interval)
        check.timeout = first(check.timeout, image?.timeout)
        check.startPeriod = first(check.startPeriod, image?.startPeriod)
        check.startInterval = first(check.startInterval, image?.startInterval)
        check.retries = first(check.retries, image?.retries)
        return check
    }

    /// Docker's checks, in its words.
    static func check(_ said: ImageConfiguration.Healthcheck?) throws(ContainerError) {
        guard let said else { return }
        for (name, value) in [
            ("Interval", said.interval), ("Timeout", said.timeout), ("StartPeriod", said.startPeriod),
            ("StartInterval", said.startInterval),
        ] {
            guard let value, value != 0 else { continue }
            guard value >= 1_000_000 else { throw ContainerError(.invalid, "\(name) in Healthcheck cannot be less than 1ms") }
        }
        guard said.retries ?? 0 >= 0 else { throw ContainerError(.invalid, "Retries in Healthcheck cannot be negative") }
        switch said.test?.first {
        case nil, "", "NONE", "CMD", "CMD-SHELL": break
        case let kind?:
            throw ContainerError(.invalid, "Unknown type '\(kind)' in Healthcheck: it must be NONE, CMD or CMD-SHELL")
        }
    }
}
