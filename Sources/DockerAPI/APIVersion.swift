/// A version of Docker's Engine API.
public struct APIVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The part before the point.
    public let major: Int
    /// The part behind it.
    public let minor: Int

    /// A version of these.
    public init(_ major: Int, _ minor: Int) { (self.major, self.minor) = (major, minor) }

    /// Parses `1.51`.
    ///
    /// - Returns: `nil` for anything but two numbers of at most four digits with a point between.
    public init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ (1...4).contains($0.utf8.count) && $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let major = Int(parts[0]), let minor = Int(parts[1])
        else { return nil }
        self.init(major, minor)
    }

    /// The newest that is spoken here.
    public static var newest: APIVersion { APIVersion(1, 51) }
    /// The oldest that is.
    public static var oldest: APIVersion { APIVersion(1, 21) }

    /// `1.51`.
    public var description: String { "\(major).\(minor)" }

    /// The older is the smaller.
    public static func < (a: Self, b: Self) -> Bool { (a.major, a.minor) < (b.major, b.minor) }

    /// Whether images' sizes are told a second time, as `VirtualSize`.
    public var tellsVirtualSize: Bool { self < APIVersion(1, 44) }

    /// Whether images are told with what names them.
    public var tellsDescriptors: Bool { self >= APIVersion(1, 48) }
}
