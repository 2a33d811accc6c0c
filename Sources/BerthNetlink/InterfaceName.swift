/// A name that the kernel gives to an interface: 1 to 15 bytes, none of them a slash, a colon, a percent sign, white space or zero; not `.` or `..`.
///
/// The percent sign is the kernel's own: with it, it makes a name of a pattern.
public struct InterfaceName: Hashable, Sendable, CustomStringConvertible {
    /// The name.
    public let description: String

    /// The name, if it is one.
    public init?(_ name: some StringProtocol) {
        let bytes = name.utf8
        guard (1...15).contains(bytes.count), name != ".", name != "..",
            // What the kernel takes for white space: of Latin-1, also the byte 0xa0, which is a part of many letters in UTF-8.
            !bytes.contains(where: { $0 <= 32 || [UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "%"), 0xa0].contains($0) })
        else { return nil }
        description = String(name)
    }

    /// The name as the kernel compares it: 16 bytes, filled with zeros.
    var padded: [UInt8] { Array(description.utf8) + [UInt8](repeating: 0, count: 16 - description.utf8.count) }
}
