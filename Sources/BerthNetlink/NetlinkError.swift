public import BerthLinux

/// Why the kernel's network was not asked, did not answer, or refused.
///
/// Requests of which one fails are not undone, unless they were a transaction: see the call.
public struct NetlinkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value {
            case notFound, exists, busy, denied, unsupported, invalid, changed, lost, timedOut, malformed, system
        }
        private let value: Value
        /// What the request names is not there.
        public static var notFound: Self { Self(value: .notFound) }
        /// What it would make is there already.
        public static var exists: Self { Self(value: .exists) }
        /// What it names is used by something else.
        public static var busy: Self { Self(value: .busy) }
        /// The right is missing, or another socket owns what would change.
        public static var denied: Self { Self(value: .denied) }
        /// This kernel does not have it.
        public static var unsupported: Self { Self(value: .unsupported) }
        /// The request makes no sense, or cannot be written down.
        public static var invalid: Self { Self(value: .invalid) }
        /// What was read, or is relied upon, has changed meanwhile: asking again may help.
        public static var changed: Self { Self(value: .changed) }
        /// The kernel had no room for its answers: whether the request was done is not known.
        public static var lost: Self { Self(value: .lost) }
        /// The kernel did not answer in time.
        public static var timedOut: Self { Self(value: .timedOut) }
        /// The answer cannot be read.
        public static var malformed: Self { Self(value: .malformed) }
        /// Anything else that the kernel said.
        public static var system: Self { Self(value: .system) }
    }
    /// The kind.
    public let code: Code
    /// What was asked for, to follow "cannot": `make the bridge br0`.
    public let purpose: String
    /// The kernel's number, where it gave one.
    public let underlying: Errno?
    /// The kernel's own sentence, or ours where the kernel was not asked.
    public let explanation: String?
    /// Which of several requests it is, from 0; `nil` where it is all of them.
    public let index: Int?
    /// The type of the attribute that the kernel names as the culprit.
    public let attributeType: UInt16?

    init(
        _ code: Code, _ purpose: String, _ explanation: String? = nil, underlying: Errno? = nil, index: Int? = nil,
        attributeType: UInt16? = nil
    ) {
        (self.code, self.purpose, self.explanation, self.underlying) = (code, purpose, explanation, underlying)
        (self.index, self.attributeType) = (index, attributeType)
    }

    init(_ underlying: Errno, _ purpose: String, _ explanation: String? = nil, index: Int? = nil, attributeType: UInt16? = nil) {
        self.init(
            Code(underlying), purpose, explanation, underlying: underlying, index: index, attributeType: attributeType)
    }

    init(_ error: NetlinkDecodingError, _ purpose: String) { self.init(.malformed, purpose, error.description) }

    /// A sentence for people.
    public var description: String {
        let reasons = [explanation, underlying?.description].compactMap(\.self).filter { !$0.isEmpty }
        let reason = reasons.isEmpty ? "the kernel gave no reason" : reasons.joined(separator: ": ")
        return "cannot \(purpose): \(reason)"
    }
}

extension NetlinkError.Code {
    /// What a number of the kernel's means here.
    init(_ error: Errno) {
        self =
            switch error {
            // A route or a neighbour that is not there is "no such process", an address "not available".
            case .ENOENT, .ENODEV, .ESRCH, .ENXIO, .EADDRNOTAVAIL: .notFound
            case .EEXIST: .exists
            case .EBUSY, .EADDRINUSE: .busy
            case .EPERM, .EACCES: .denied
            case .EOPNOTSUPP, .EPROTONOSUPPORT, .EAFNOSUPPORT, .ENOSYS: .unsupported
            case .EINVAL, .ERANGE, .E2BIG, .ENAMETOOLONG, .EMSGSIZE: .invalid
            case .ERESTART: .changed
            case .ENOBUFS: .lost
            case .EAGAIN: .timedOut
            default: .system
            }
    }
}
