/// Which system calls are allowed, before it is compiled to what the kernel runs at every call (seccomp(2)).
public struct SeccompPolicy: Hashable, Sendable {
    /// What happens at a call.
    public enum Action: Hashable, Sendable {
        /// The call is made.
        case allow
        /// The call is made, and logged.
        case log
        /// It fails with this error.
        case fail(UInt16)
        /// The thread gets SIGSYS.
        case trap
        /// A tracer is asked, with this number.
        case trace(UInt16)
        /// The thread is killed.
        case killThread
        /// The process is killed.
        case killProcess

        var word: UInt32 {
            switch self {
            case .allow: 0x7fff_0000
            case .log: 0x7ffc_0000
            case .trace(let number): 0x7ff0_0000 | UInt32(number)
            case .fail(let error): 0x0005_0000 | UInt32(error)
            case .trap: 0x0003_0000
            case .killThread: 0
            case .killProcess: 0x8000_0000
            }
        }
    }

    /// How an argument is compared.
    public enum Comparison: Hashable, Sendable {
        /// Equal.
        case equal
        /// Not equal.
        case notEqual
        /// Less, as a number without sign.
        case less
        /// Less or equal.
        case lessOrEqual
        /// Greater.
        case greater
        /// Greater or equal.
        case greaterOrEqual
        /// Equal in the bits of this mask.
        case equalUnder(mask: UInt64)
    }

    /// One comparison.
    public struct Condition: Hashable, Sendable {
        /// Which argument: 0 to 5.
        public var argument: Int
        /// How.
        public var comparison: Comparison
        /// With what.
        public var value: UInt64

        /// A comparison of these.
        public init(argument: Int, _ comparison: Comparison, _ value: UInt64) {
            (self.argument, self.comparison, self.value) = (argument, comparison, value)
        }
    }

    /// What happens at some calls.
    public struct Rule: Hashable, Sendable {
        /// The calls' names. One that an architecture does not have means nothing there.
        public var names: [String]
        /// What happens.
        public var action: Action
        /// All must hold; empty is always.
        public var conditions: [Condition]

        /// A rule of these.
        public init(names: [String], action: Action, conditions: [Condition] = []) {
            (self.names, self.action, self.conditions) = (names, action, conditions)
        }
    }

    /// What happens at calls that no rule names.
    public var defaultAction: Action
    /// The architectures that may call at all; a call of any other kills the thread.
    public var architectures: [SystemCallArchitecture]
    /// The rules. Of several for one call, one without conditions counts more than those with; otherwise the first that holds.
    public var rules: [Rule]
    /// Whether calls newer than all that the rules name fail with `ENOSYS`, so that programs fall back to what they know, as runc does it.
    public var failsNewerCallsAsMissing: Bool

    /// A policy of these.
    public init(defaultAction: Action, architectures: [SystemCallArchitecture], rules: [Rule], failsNewerCallsAsMissing: Bool) {
        (self.defaultAction, self.architectures, self.rules) = (defaultAction, architectures, rules)
        self.failsNewerCallsAsMissing = failsNewerCallsAsMissing
    }

    /// Compiles the policy: the bytes of an array of `struct sock_filter`.
    ///
    /// The program looks a number up by halving, about eight comparisons for any call. Pure: the same policy gives the same bytes.
    /// - Throws: `E2BIG` beyond the kernel's 4,096 instructions, `EINVAL` for an argument beyond the sixth.
    public func compile() throws(Errno) -> [UInt8] {
        try SeccompCompiler(policy: self).program()
    }
}
