internal import BerthContent

/// Where a registry answers: a scheme, a host, a port, and a path under which `/v2/` is.
public struct RegistryAddress: Hashable, Sendable, CustomStringConvertible {
    /// How it is spoken to.
    public enum Scheme: String, Hashable, Sendable { case https, http }
    /// How it is spoken to.
    public let scheme: Scheme
    /// The name or address, without brackets.
    public let host: String
    /// The port; `nil` for the scheme's own.
    public let port: UInt16?
    /// What stands before `/v2/`: empty, or `/a/b` without a slash at its end.
    public let path: String

    init(_ scheme: Scheme, host: String, port: UInt16?, path: String = "") {
        (self.scheme, self.host, self.port, self.path) = (scheme, host, port, path)
    }

    /// An address as an operator writes it: `https://mirror.example/hub`. `nil` if it is none: another scheme, a user, a query, an invalid host.
    public init?(parsing text: some StringProtocol) {
        guard let parts = URLParts(parsing: String(text)), parts.query.isEmpty, parts.userInformation == nil else { return nil }
        var path = parts.path
        while path.hasSuffix("/") { path.removeLast() }
        self.init(parts.scheme, host: parts.host, port: parts.port, path: path)
    }

    /// The host and port as they stand in a URL: `[::1]:5000`.
    public var authority: String { hostText + (port.map { ":\($0)" } ?? "") }
    private var hostText: String { host.contains(":") ? "[\(host)]" : host }

    /// The address as a URL.
    public var description: String { "\(scheme.rawValue)://\(authority)\(path)" }

    /// The port that is connected to.
    var effectivePort: UInt16 { port ?? (scheme == .https ? 443 : 80) }

    /// Whether it is this machine itself, by its name or address.
    var isLoopback: Bool { Self.isLoopback(host) }

    static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || IPNumber(host).map { number in IPRange.loopbacks.contains { $0.contains(number) } } ?? false
    }

    /// The address of a registry by its name in references.
    static func splitting(registry: String) -> (host: String, port: UInt16?) {
        if registry.hasPrefix("["), let end = registry.firstIndex(of: "]") {
            let host = String(registry[registry.index(after: registry.startIndex)..<end])
            let rest = registry[registry.index(after: end)...]
            return (host, rest.hasPrefix(":") ? UInt16(rest.dropFirst()) : nil)
        }
        guard let colon = registry.lastIndex(of: ":"), let port = UInt16(registry[registry.index(after: colon)...]) else {
            return (registry, nil)
        }
        return (String(registry[..<colon]), port)
    }
}

/// The parts of an absolute URL, or what a relative one leads to. Only http and https; no fragment.
struct URLParts: Hashable, Sendable {
    var scheme: RegistryAddress.Scheme
    var userInformation: String?
    var host: String
    var port: UInt16?
    /// Begins with a slash, or is empty.
    var path: String
    /// Without the question mark.
    var query: String

    /// The most bytes of a URL that is followed.
    static let maximumByteCount = 16 << 10

    init?(parsing text: String) {
        guard text.utf8.count <= Self.maximumByteCount, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        guard let colon = text.firstRange(of: "://") else { return nil }
        guard let scheme = RegistryAddress.Scheme(rawValue: text[..<colon.lowerBound].lowercased()) else { return nil }
        let rest = text[colon.upperBound...].prefix { $0 != "#" }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        var authority = rest[..<end]
        var user: String?
        if let at = authority.lastIndex(of: "@") {
            user = String(authority[..<at])
            authority = authority[authority.index(after: at)...]
        }
        let isBracketed = authority.hasPrefix("[")
        let (host, port) = RegistryAddress.splitting(registry: String(authority))
        guard !host.isEmpty, isBracketed ? IPNumber(host)?.isVersion6 == true : host.utf8.allSatisfy(Self.isHostByte) else { return nil }
        guard port != 0 else { return nil }
        let pathAndQuery = rest[end...]
        let mark = pathAndQuery.firstIndex(of: "?")
        self.scheme = scheme
        (userInformation, self.host, self.port) = (user, host.lowercased(), port)
        path = String(pathAndQuery[..<(mark ?? pathAndQuery.endIndex)])
        query = mark.map { String(pathAndQuery[pathAndQuery.index(after: $0)...]) } ?? ""
    }

    /// What a `Location` or `Link` means that came from here; `nil` if it is no URL of http or https.
    func resolving(_ reference: String) -> URLParts? {
        if reference.contains("://") { return URLParts(parsing: reference) }
        if reference.hasPrefix("//") { return URLParts(parsing: "\(scheme.rawValue):\(reference)") }
        var base = origin
        if reference.hasPrefix("/") {
            base += reference
        } else if reference.hasPrefix("?") {
            base += path + reference
        } else {
            base += path[..<(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.endIndex)] + reference
        }
        return URLParts(parsing: base)
    }

    /// Scheme, host and port.
    var origin: String {
        "\(scheme.rawValue)://\(authority)"
    }

    /// Whether credentials for the one may be shown to the other.
    func isSameOrigin(as other: URLParts) -> Bool {
        scheme == other.scheme && host == other.host && effectivePort == other.effectivePort
    }
    /// The port that is connected to.
    var effectivePort: UInt16 { port ?? (scheme == .https ? 443 : 80) }
    /// The host and port as they stand in a URL.
    var authority: String { (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "") }

    /// The whole, with all that it has.
    var text: String { origin + path + (query.isEmpty ? "" : "?\(query)") }
    /// The whole without what may be secret: user, password, query.
    var shown: String { origin + path }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
            || byte == UInt8(ascii: "_")
    }
}
