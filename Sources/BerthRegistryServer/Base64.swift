internal import FoundationEssentials

/// Base64 (RFC 4648).
enum Base64 {
    /// With the usual alphabet and its padding. `nil` for what is none.
    static func decode(_ text: some StringProtocol) -> [UInt8]? { Data(base64Encoded: String(text)).map(Array.init) }

    /// With the alphabet of JSON web tokens, which have no padding. `nil` for what is none.
    static func decodeURL(_ text: some StringProtocol) -> [UInt8]? {
        let characters: [Character] = text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        return decode(String(characters) + String(repeating: "=", count: (4 - characters.count % 4) % 4))
    }
}
