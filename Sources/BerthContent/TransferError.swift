public import BerthLinux
public import BerthOCI
public import BerthReactor

/// Why an image could not be brought or taken. It holds no credentials: neither do its parts.
public struct TransferError: Error, Sendable, CustomStringConvertible, LaneRefusable {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String {
            case notFound, unauthorized, denied, tooManyRequests, unavailable, unreachable, untrusted, timedOut
            case digestMismatch, sizeMismatch, tooLarge, unsupported, invalid, badAnswer, refused, offline
            case noSpace, storage, cancelled, busy
        }
        private let value: Value
        /// There is no such repository, manifest or blob, or the caller may not know of it.
        public static var notFound: Self { Self(value: .notFound) }
        /// The registry wants credentials, or other ones than it was given.
        public static var unauthorized: Self { Self(value: .unauthorized) }
        /// The registry knows who asks, and does not allow it.
        public static var denied: Self { Self(value: .denied) }
        /// The registry asks to come back later, and has been asked again as often as is allowed.
        public static var tooManyRequests: Self { Self(value: .tooManyRequests) }
        /// The registry answers that it cannot answer (5xx), again and again.
        public static var unavailable: Self { Self(value: .unavailable) }
        /// The host has no address, or nobody answers there, or the connection breaks again and again.
        public static var unreachable: Self { Self(value: .unreachable) }
        /// The registry's certificate is not trusted, or not for this host.
        public static var untrusted: Self { Self(value: .untrusted) }
        /// Nothing has come for too long.
        public static var timedOut: Self { Self(value: .timedOut) }
        /// The bytes are not those of the digest.
        public static var digestMismatch: Self { Self(value: .digestMismatch) }
        /// There are more or fewer bytes than the descriptor says.
        public static var sizeMismatch: Self { Self(value: .sizeMismatch) }
        /// There are more bytes than a bound allows; the description names it.
        public static var tooLarge: Self { Self(value: .tooLarge) }
        /// It is of a kind that is not supported: schema 1, a foreign layer, an unknown media type, something that the registry does not offer.
        public static var unsupported: Self { Self(value: .unsupported) }
        /// The question is wrong: a name, a tag, a configuration.
        public static var invalid: Self { Self(value: .invalid) }
        /// The registry's answer follows no specification.
        public static var badAnswer: Self { Self(value: .badAnswer) }
        /// The registry does not take what it was asked to (a 4xx that is none of the above).
        public static var refused: Self { Self(value: .refused) }
        /// Nothing is asked of registries: the configuration says so.
        public static var offline: Self { Self(value: .offline) }
        /// The file system has no place for it.
        public static var noSpace: Self { Self(value: .noSpace) }
        /// The disk, or the rights to it.
        public static var storage: Self { Self(value: .storage) }
        /// The work was cancelled.
        public static var cancelled: Self { Self(value: .cancelled) }
        /// Too many calls wait for the same lane.
        public static var busy: Self { Self(value: .busy) }
        /// The code's name.
        public var description: String { value.rawValue }
    }

    /// What a registry answered.
    public struct Answer: Hashable, Sendable {
        /// The HTTP status.
        public let status: Int
        /// The registry's own code, such as `MANIFEST_UNKNOWN`, where it gave one (OCI distribution specification, *Error Codes*).
        public let code: String?
        /// The registry's own message, where it gave one, shortened to ``maximumMessageLength`` characters and without control characters.
        public let message: String?
        /// The most characters of a registry's message that are kept.
        public static let maximumMessageLength = 512

        /// An answer of these.
        public init(status: Int, code: String? = nil, message: String? = nil) {
            (self.status, self.code) = (status, code)
            self.message = message.map { text in
                String(
                    String.UnicodeScalarView(
                        text.unicodeScalars.prefix(Self.maximumMessageLength).map { $0.properties.generalCategory == .control ? " " : $0 }))
            }
        }
    }

    /// The kind.
    public let code: Code
    /// What failed, on what, why.
    public let reason: String
    /// What can be done about it, if anything is known.
    public let advice: String?
    /// The request that failed: its method and its URL, without user, password and query. `nil` where it is not about one request.
    public let request: String?
    /// What the registry answered, if it did.
    public let answer: Answer?
    /// The content, where it is about some.
    public let digest: Digest?
    /// The kernel's reason, where it gave one.
    public let underlying: Errno?

    /// An error of these.
    public init(
        _ code: Code, _ reason: String, advice: String? = nil, request: String? = nil, answer: Answer? = nil, digest: Digest? = nil,
        underlying: Errno? = nil
    ) {
        (self.code, self.reason, self.advice, self.request) = (code, reason, advice, request)
        (self.answer, self.digest, self.underlying) = (answer, digest, underlying)
    }

    /// Sentences: what failed, on what, why, by which request, what to try.
    public var description: String {
        reason + (request.map { " (\($0)\(answer.map { ": status \($0.status)" } ?? ""))" } ?? "") + (advice.map { "; \($0)" } ?? "")
    }

    /// The lane of this name is full.
    public static func busy(lane: String, waitingCount: Int) -> TransferError {
        TransferError(.busy, "\(lane) is busy: \(waitingCount) calls wait already", advice: "try again when they are done")
    }

    /// The same of the content store's.
    public init(_ error: ContentError) {
        let code: Code =
            switch error.code {
            case .notFound: .notFound
            case .digestMismatch: .digestMismatch
            case .tooLarge: .tooLarge
            case .noSpace: .noSpace
            case .cancelled: .cancelled
            case .busy: .busy
            default: error.underlying == .ENOSPC ? .noSpace : .storage
            }
        self.init(code, error.description, digest: error.digest, underlying: error.underlying)
    }
}
