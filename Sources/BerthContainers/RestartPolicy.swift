internal import BerthOCI

/// Whether a container whose process has ended is started again.
///
/// As text it is what Docker's `--restart` takes: `no`, `always`, `unless-stopped`, `on-failure`, `on-failure:N`.
public struct RestartPolicy: Sendable, Hashable, Codable, CustomStringConvertible {
    /// When.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// Never.
        case no
        /// However it ended, unless somebody has stopped it; and with every start of the engine, also if somebody has.
        case always
        /// However it ended, unless somebody has stopped it; with a start of the engine likewise.
        case unlessStopped = "unless-stopped"
        /// If its exit code was not 0, unless somebody has stopped it.
        case onFailure = "on-failure"
    }

    /// When it is started again.
    public var kind: Kind
    /// How often in a row, of ``Kind/onFailure``; 0 is without end.
    public var maximumRetryCount: Int

    /// A policy of these. Whether they go together, ``ContainerStore/create(_:platform:)`` checks.
    public init(_ kind: Kind, maximumRetryCount: Int = 0) { (self.kind, self.maximumRetryCount) = (kind, maximumRetryCount) }

    /// Never.
    public static var no: Self { Self(.no) }
    /// ``Kind/always``.
    public static var always: Self { Self(.always) }
    /// ``Kind/unlessStopped``.
    public static var unlessStopped: Self { Self(.unlessStopped) }
    /// ``Kind/onFailure``, so many times in a row; 0 is without end.
    public static func onFailure(_ maximumRetryCount: Int = 0) -> Self { Self(.onFailure, maximumRetryCount: maximumRetryCount) }

    /// Docker's text.
    public var description: String { kind.rawValue + (maximumRetryCount > 0 ? ":\(maximumRetryCount)" : "") }

    func check() throws(ContainerError) {
        guard maximumRetryCount >= 0 else {
            throw ContainerError(
                .invalid,
                kind == .onFailure
                    ? "invalid restart policy: maximum retry count cannot be negative"
                    : "invalid restart policy: maximum retry count can only be used with 'on-failure' and cannot be negative")
        }
        guard kind == .onFailure || maximumRetryCount == 0 else {
            throw ContainerError(.invalid, "invalid restart policy: maximum retry count can only be used with 'on-failure'")
        }
    }
}

/// What of a container's runs the next engine has to know, where a policy starts it again. In its document; absent without a policy.
struct RestartMemory: Hashable, Sendable, Codable {
    /// Whether it is meant to run: it has been started, and nobody has stopped it since.
    var isWanted = false
    /// Whether it has ever been started.
    var hasBeenStarted = false
    /// How often it was started again since somebody has started it.
    var count = 0
}

/// Whether and when a container is started again: decided here, performed elsewhere. No clock, no kernel.
struct RestartBackOff: Hashable, Sendable {
    /// The first wait.
    static let firstDelay = Duration.milliseconds(100)
    /// The longest.
    static let longestDelay = Duration.seconds(60)
    /// After a run that was so long the waits begin anew.
    static let resettingRun = Duration.seconds(10)

    /// How often it was started again since somebody has started it.
    private(set) var count: Int
    /// The last wait; `nil` before the first.
    private(set) var delay: Duration?

    init(count: Int = 0) { self.count = count }

    /// A process has ended, or could not be started again.
    ///
    /// - Parameters:
    ///   - isStopped: whether somebody has asked for its end.
    ///   - duration: how long it ran.
    /// - Returns: how long to wait before it is started again; `nil`: it stays as it is.
    mutating func ended(_ policy: RestartPolicy, code: Int32, isStopped: Bool, after duration: Duration) -> Duration? {
        guard !isStopped, Self.restarts(policy, code: code, count: count) else { return nil }
        let next = duration >= Self.resettingRun ? nil : delay.map { min($0 * 2, Self.longestDelay) }
        delay = next ?? Self.firstDelay
        count += 1
        return delay
    }

    /// An engine has started, and it does not run.
    ///
    /// - Parameter code: how it ended.
    /// - Returns: whether it is to.
    mutating func engineStarted(_ policy: RestartPolicy, _ memory: RestartMemory, code: Int32) -> Bool {
        guard memory.hasBeenStarted, policy.kind == .always || memory.isWanted, Self.restarts(policy, code: code, count: memory.count)
        else { return false }
        count = memory.count + 1
        return true
    }

    private static func restarts(_ policy: RestartPolicy, code: Int32, count: Int) -> Bool {
        switch policy.kind {
        case .no: false
        case .always, .unlessStopped: true
        case .onFailure: code != 0 && (policy.maximumRetryCount == 0 || count < policy.maximumRetryCount)
        }
    }
}
