internal import BerthOCI

/// Who a client is towards a registry, as a request says it: in `X-Registry-Auth`, and as the body of `POST /auth` (`AuthConfig`). It holds secrets.
public struct RegistryAuth: Hashable, Sendable {
    /// The user's name.
    public var user = ""
    /// The user's password.
    public var password = ""
    /// The registry.
    public var serverAddress = ""
    /// Stands for a password.
    public var identityToken = ""
    /// Is shown to the registry as it is.
    public var registryToken = ""

    /// Nobody.
    public init() {}

    /// Whether it shows anything.
    public var isEmpty: Bool { user.isEmpty && password.isEmpty && identityToken.isEmpty && registryToken.isEmpty }

    /// The most bytes of one that are read.
    static let maximumByteCount = 64 << 10

    /// Reads what a header says: JSON in the URL's base64. The empty text is nobody.
    ///
    /// - Throws: `invalid`, which repeats nothing of it.
    public init(header text: String) throws(RequestError) {
        self.init()
        let wrong = RequestError(.invalid, "invalid X-Registry-Auth header: it must be JSON in URL-safe base64")
        guard text.utf8.count <= Self.maximumByteCount else {
            throw RequestError(.invalid, "invalid X-Registry-Auth header: it has more than \(Self.maximumByteCount) bytes")
        }
        if text.isEmpty { return }
        guard let bytes = Base64.decode(text) else { throw wrong }
        do throws(JSONText.ParseError) { self = try RegistryAuth(reading: try JSONText.parse(bytes)) } catch { throw wrong }
    }

    /// Reads the body of a request.
    public init(body: [UInt8]) throws(RequestError) {
        self.init()
        do throws(JSONText.ParseError) { self = try RegistryAuth(reading: try JSONText.parse(body)) } catch {
            throw RequestError(.invalid, "invalid JSON: the request must be an object with username, password and serveraddress")
        }
    }

    private init(reading value: JSONValue) throws(JSONText.ParseError) {
        guard case .object(let members) = value else { throw JSONText.ParseError(offset: 0, reason: "it is no object") }
        func text(_ name: String) -> String {
            for (key, value) in members where key.lowercased() == name { if case .string(let text) = value { return text } }
            return ""
        }
        (user, password, serverAddress) = (text("username"), text("password"), text("serveraddress"))
        (identityToken, registryToken) = (text("identitytoken"), text("registrytoken"))
        // The old form: name and password in one.
        if user.isEmpty, password.isEmpty, let bytes = Base64.decode(text("auth")) {
            let pair = String(decoding: bytes, as: UTF8.self).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2 { (user, password) = (String(pair[0]), String(pair[1])) }
        }
    }

    /// The header's text.
    public var header: String { Base64.encode(json, isURLSafe: true) }
}

extension RegistryAuth: JSONWritable {
    /// Writes it: what is empty is left out.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            for (name, text) in [
                ("username", user), ("password", password), ("serveraddress", serverAddress), ("identitytoken", identityToken),
                ("registrytoken", registryToken),
            ] where !text.isEmpty { writer.member(name, text) }
        }
    }
}

extension RegistryAuth: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Nothing of what it holds.
    public var description: String { "credentials for '\(serverAddress)'" }
    /// The same.
    public var debugDescription: String { description }
    /// Nothing of what it holds.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Base64 (RFC 4648), in both alphabets.
enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)

    /// `nil` for what is none. Padding may be missing, as some clients leave it out.
    static func decode(_ text: String) -> [UInt8]? {
        var (result, bits, count): ([UInt8], UInt32, Int) = ([], 0, 0)
        var digitCount = 0
        let body = text.utf8.reversed().drop { $0 == UInt8(ascii: "=") }.reversed()
        guard text.utf8.count - body.count <= 2 else { return nil }
        for byte in body {
            let value: UInt32
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = UInt32(byte - UInt8(ascii: "A"))
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = UInt32(byte - UInt8(ascii: "a")) + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = UInt32(byte - UInt8(ascii: "0")) + 52
            case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
            default: return nil
            }
            (bits, count, digitCount) = (bits << 6 | value, count + 6, digitCount + 1)
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return digitCount % 4 == 1 ? nil : result
    }

    static func encode(_ bytes: [UInt8], isURLSafe: Bool) -> String {
        let digits = digits + (isURLSafe ? "-_" : "+/").utf8
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                result.append(place <= group.count ? digits[Int(bits >> UInt32(18 - 6 * place) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
