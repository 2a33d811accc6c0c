internal import BerthContent
public import BerthLinux
public import BerthReactor
internal import BerthSnapshots
public import BerthTar

/// Why a layer could not be taken in.
public struct LayerError: Error, Sendable, CustomStringConvertible, LaneRefusable {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case invalid, tooLarge, unsupported, noSpace, storage, cancelled, inUse, busy }
        private let value: Value
        /// The archive is damaged, or says what a layer may not.
        public static var invalid: Self { Self(value: .invalid) }
        /// It is larger than is allowed.
        public static var tooLarge: Self { Self(value: .tooLarge) }
        /// Its format does not exist here.
        public static var unsupported: Self { Self(value: .unsupported) }
        /// The file system has no place for it, which was seen before anything was written.
        public static var noSpace: Self { Self(value: .noSpace) }
        /// The disk, or the rights to it.
        public static var storage: Self { Self(value: .storage) }
        /// Nobody wants it any more.
        public static var cancelled: Self { Self(value: .cancelled) }
        /// Another layer, or a container, lies on it.
        public static var inUse: Self { Self(value: .inUse) }
        /// Too many calls wait for the same lane.
        public static var busy: Self { Self(value: .busy) }
    }
    /// The kind.
    public let code: Code
    /// A sentence: what failed, on which entry, why.
    public let description: String
    /// The kernel's reason, where it gave one.
    public let underlying: Errno?

    /// An error of these.
    public init(_ code: Code, _ description: String, underlying: Errno? = nil) {
        (self.code, self.description, self.underlying) = (code, description, underlying)
    }

    /// The lane of this name is full.
    public static func busy(lane: String, waitingCount: Int) -> LayerError {
        LayerError(.busy, "\(lane) is busy: \(waitingCount) calls wait already; try again when they are done")
    }

    /// The same, of the archive that a layer is.
    public init(_ error: TarError) {
        let code: Code =
            switch error.code {
            case .truncated, .corrupt, .escapes, .unrepresentable: .invalid
            case .tooLarge: .tooLarge
            case .unsupported: .unsupported
            case .storage, .wrongLength: .storage
            case .sink(let kind): kind == .cancelled ? .cancelled : .storage
            case .source(let kind):
                switch kind {
                case .corrupt: .invalid
                case .tooLarge: .tooLarge
                case .unsupported: .unsupported
                case .storage: .storage
                case .cancelled: .cancelled
                }
            }
        self.init(code, error.description, underlying: error.underlying)
    }
    init(_ error: ContentError) { self.init(error.code == .noSpace ? .noSpace : .storage, error.description, underlying: error.underlying) }
    init(_ error: SnapshotError) { self.init(error.code == .inUse ? .inUse : .storage, error.description, underlying: error.underlying) }
}
