public import BerthOCI

/// The parameter `platform` of newer calls about images: `{"os": …, "architecture": …, "variant": …}` (Engine API, 1.48 and later).
public enum PlatformParameter {
    /// Parses it; also `os/architecture/variant`, as other calls write it. Empty text is none.
    ///
    /// - Throws: `invalid`.
    public static func parse(_ text: String) throws(RequestError) -> Platform? {
        guard !text.isEmpty else { return nil }
        guard text.utf8.first == UInt8(ascii: "{") else {
            guard let platform = Platform(parsing: text) else { throw malformed(text) }
            return platform
        }
        let value: JSONValue
        do throws(JSONText.ParseError) { value = try JSONText.parse(Array(text.utf8)) } catch { throw malformed(text) }
        var fields = try RequestFields(value, path: "platform")
        let (os, architecture) = (try fields.string("os"), try fields.string("architecture"))
        let variant = try fields.string("variant")
        let (version, features) = (try fields.string("os.version"), try fields.strings("os.features") ?? [])
        let words = [os, architecture] + (variant.isEmpty ? [] : [variant])
        guard var platform = Platform(parsing: words.joined(separator: "/")), fields.unread.isEmpty else { throw malformed(text) }
        if !version.isEmpty { platform.osVersion = version }
        if !features.isEmpty { platform.osFeatures = features }
        return platform
    }

    private static func malformed(_ text: String) -> RequestError { RequestError(.invalid, "invalid platform: \(text)") }
}
