internal import BerthContent
internal import BerthLayers
public import BerthLinux
internal import BerthOCI
public import BerthReactor
internal import BerthState
internal import BerthTar

/// Why something could not be done with an image. Its words are Docker's where Docker has them.
public struct ImageError: Error, Sendable, CustomStringConvertible, LaneRefusable {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case notFound, conflict, invalid, tooLarge, unsupported, noSpace, storage, cancelled, busy }
        private let value: Value
        /// No such image.
        public static var notFound: Self { Self(value: .notFound) }
        /// Something uses it, or more than one is meant.
        public static var conflict: Self { Self(value: .conflict) }
        /// The question itself is wrong, or the archive is.
        public static var invalid: Self { Self(value: .invalid) }
        /// It is larger than is allowed.
        public static var tooLarge: Self { Self(value: .tooLarge) }
        /// What is asked for does not exist here.
        public static var unsupported: Self { Self(value: .unsupported) }
        /// A file system has no place for it, which was seen before anything was written.
        public static var noSpace: Self { Self(value: .noSpace) }
        /// The disk, or the rights to it.
        public static var storage: Self { Self(value: .storage) }
        /// The work was cancelled.
        public static var cancelled: Self { Self(value: .cancelled) }
        /// Too many calls wait.
        public static var busy: Self { Self(value: .busy) }
    }
    /// The kind.
    public let code: Code
    /// A sentence: what failed, on what, why, what to try.
    public let description: String
    /// The kernel's reason, where it gave one.
    public let underlying: Errno?

    /// An error of these.
    public init(_ code: Code, _ description: String, underlying: Errno? = nil) {
        (self.code, self.description, self.underlying) = (code, description, underlying)
    }

    /// The lane of this name is full.
    public static func busy(lane: String, waitingCount: Int) -> ImageError {
        ImageError(.busy, "\(lane) is busy: \(waitingCount) calls wait already; try again when they are done")
    }

    static func noSuchImage(_ text: String) -> ImageError { ImageError(.notFound, "No such image: \(text)") }

    static func noSuchPlatform(_ platform: Platform, of text: String, _ there: [Platform]) -> ImageError {
        ImageError(
            .notFound,
            "image with reference \(text) was found but does not provide the specified platform (\(platform)): it is for "
                + there.map(\.description).joined(separator: ", "))
    }

    static func invalidTag(_ text: String) -> ImageError { ImageError(.invalid, "invalid tag \"\(text.prefix(512))\"") }

    static func tagWithDigest(_ text: String) -> ImageError {
        ImageError(.invalid, "invalid tag \"\(text.prefix(512))\": it has a digest, which no name that is given can have")
    }

    static func tooManyNames(_ count: Int, of what: String) -> ImageError {
        ImageError(.tooLarge, "\(what) has \(count) names: at most \(FoundImage.maximumNameCount) are given at once")
    }

    init(_ error: TarError) { self.init(LayerError(error)) }
    init(_ error: LayerError) {
        let code: Code =
            switch error.code {
            case .invalid: .invalid
            case .tooLarge: .tooLarge
            case .unsupported: .unsupported
            case .noSpace: .noSpace
            case .cancelled: .cancelled
            case .inUse: .conflict
            case .busy: .busy
            default: .storage
            }
        self.init(code, error.description, underlying: error.underlying)
    }
    init(_ error: ContentError) {
        self.init(error.code == .noSpace ? .noSpace : .storage, error.description, underlying: error.underlying)
    }
    init(_ error: StateError) { self.init(error.code == .busy ? .busy : .storage, error.description, underlying: error.underlying) }
}
