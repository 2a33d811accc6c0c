/// The name of an image: a registry, a repository in it, and a tag or a digest or both.
///
/// Parsed and completed as Docker does it: `nginx` is `docker.io/library/nginx:latest`. The grammar is that of the distribution
/// project's reference package, which the field shares.
public struct ImageReference: Hashable, Sendable, CustomStringConvertible {
    /// Why some text is no reference.
    public enum ParseError: Error, Hashable, CustomStringConvertible {
        /// Nothing, or nothing before the tag.
        case empty
        /// The text follows no rule of the grammar.
        case invalidFormat(String)
        /// A repository is lowercase.
        case uppercase(String)
        /// More than 255 characters before the tag.
        case tooLong(byteCount: Int)
        /// 64 hexadecimal digits are an image's id, not a name.
        case looksLikeID(String)
        /// What is behind `@` is no digest.
        case invalidDigest(Digest.ParseError)

        /// A sentence for people.
        public var description: String {
            switch self {
            case .empty: "invalid reference format: the name is empty"
            case .invalidFormat(let text): "invalid reference format: '\(Self.shown(text))'"
            case .uppercase(let name): "invalid reference format: repository name (\(Self.shown(name))) must be lowercase"
            case .tooLong(let count):
                "invalid reference format: repository name must not be more than 255 characters, and this one has \(count)"
            case .looksLikeID(let name): "invalid repository name (\(name)), cannot specify 64-byte hexadecimal strings"
            case .invalidDigest(let error): "invalid reference format: \(error)"
            }
        }

        // No name is as long as this; whoever sends more does not want to read it.
        private static func shown(_ text: String) -> String {
            text.utf8.count <= 512 ? text : "\(Substring(text.unicodeScalars.prefix(512)))…"
        }
    }

    /// The registry's host, with a port where one was given: `docker.io`, `localhost:5000`.
    public let registry: String
    /// The repository in the registry, without a tag: `library/nginx`.
    public let repository: String
    /// The tag. `latest` where the text had neither tag nor digest; `nil` where it had a digest alone.
    public let tag: String?
    /// The digest, if the text had one.
    public let digest: Digest?

    /// Parses and completes a name.
    public init(parsing text: some StringProtocol) throws(ParseError) {
        let text = String(text)
        guard !text.isEmpty else { throw .empty }
        if text.utf8.count == 64, text.utf8.allSatisfy(Self.isLowercaseHex) { throw .looksLikeID(text) }

        var rest = text[...]
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            do { digest = try Digest(parsing: rest[rest.index(after: at)...]) } catch { throw .invalidDigest(error) }
            rest = rest[..<at]
        }
        var tag: String?
        // A colon behind the last slash begins the tag; one before it belongs to a port.
        let lastPart = rest.lastIndex(of: "/").map { rest.index(after: $0) } ?? rest.startIndex
        if let colon = rest[lastPart...].firstIndex(of: ":") {
            let candidate = rest[rest.index(after: colon)...]
            guard Self.isTag(candidate) else { throw .invalidFormat(text) }
            tag = String(candidate)
            rest = rest[..<colon]
        }
        guard !rest.isEmpty else { throw .empty }

        var registry = "docker.io"
        if let slash = rest.firstIndex(of: "/"), Self.namesRegistry(rest[..<slash]) {
            registry = String(rest[..<slash])
            rest = rest[rest.index(after: slash)...]
            guard Self.isRegistry(registry) else { throw .invalidFormat(text) }
        }
        if registry == "index.docker.io" { registry = "docker.io" }
        var repository = String(rest)
        if registry == "docker.io", !repository.contains("/") { repository = "library/" + repository }
        if repository.utf8.contains(where: { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }) { throw .uppercase(String(rest)) }
        guard repository.split(separator: "/", omittingEmptySubsequences: false).allSatisfy(Self.isPathComponent) else {
            throw .invalidFormat(text)
        }
        let length = registry.utf8.count + 1 + repository.utf8.count
        guard length <= 255 else { throw .tooLong(byteCount: length) }

        self.registry = registry
        self.repository = repository
        self.tag = tag ?? (digest == nil ? "latest" : nil)
        self.digest = digest
    }

    private init(registry: String, repository: String, tag: String?, digest: Digest?) {
        (self.registry, self.repository, self.tag, self.digest) = (registry, repository, tag, digest)
    }

    /// The whole name: `docker.io/library/nginx:latest`.
    public var description: String { "\(registry)/\(repository)\(suffix)" }

    /// The name as people know it, without what Docker adds by itself: `nginx:latest`.
    public var familiar: String { familiarName + suffix }

    /// The familiar name without tag and digest: `nginx`, `localhost:5000/a/b`.
    public var familiarName: String {
        guard registry == "docker.io" else { return "\(registry)/\(repository)" }
        return repository.hasPrefix("library/") && !repository.dropFirst(8).contains("/") ? String(repository.dropFirst(8)) : repository
    }

    /// The same repository under this digest alone.
    public func withDigest(_ digest: Digest) -> ImageReference {
        ImageReference(registry: registry, repository: repository, tag: nil, digest: digest)
    }

    private var suffix: String { (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "") }

    // What stands before the first slash names a registry if no repository of the hub could be called that.
    private static func namesRegistry(_ text: Substring) -> Bool {
        text.contains(".") || text.contains(":") || text == "localhost"
            || text.utf8.contains { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
    }

    private static func isRegistry(_ text: String) -> Bool {
        var host = text[...]
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return false }
            let inside = host[host.index(after: host.startIndex)..<end]
            let rest = host[host.index(after: end)...]
            return !inside.isEmpty && inside.utf8.allSatisfy { isHex($0) || $0 == UInt8(ascii: ":") } && (rest.isEmpty || isPort(rest))
        }
        if let colon = host.firstIndex(of: ":") {
            guard isPort(host[colon...]) else { return false }
            host = host[..<colon]
        }
        return host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
            guard let first = part.utf8.first, let last = part.utf8.last else { return false }
            return isAlphanumeric(first) && isAlphanumeric(last) && part.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
        }
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && text.count > 1 && text.dropFirst().utf8.allSatisfy(isDigit)
    }

    /// Lowercase letters and digits, with `.`, `_`, `__` or any number of `-` between them.
    private static func isPathComponent(_ text: Substring) -> Bool {
        var separator: [UInt8] = []
        var wasWord = false
        for byte in text.utf8 {
            if (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || isDigit(byte) {
                if !separator.isEmpty {
                    guard wasWord, separator == [46] || separator == [95] || separator == [95, 95] || separator.allSatisfy({ $0 == 45 })
                    else { return false }
                    separator = []
                }
                wasWord = true
            } else if byte == 46 || byte == 95 || byte == 45 {
                separator.append(byte)
            } else {
                return false
            }
        }
        return wasWord && separator.isEmpty
    }

    private static func isTag(_ text: Substring) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= 128, isAlphanumeric(first) || first == 95 else { return false }
        return bytes.allSatisfy { isAlphanumeric($0) || $0 == 95 || $0 == 46 || $0 == 45 }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private static func isLowercaseHex(_ byte: UInt8) -> Bool { isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte) }
    private static func isHex(_ byte: UInt8) -> Bool { isLowercaseHex(byte) || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte) }
    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
}

extension ImageReference: Codable {
    /// Decodes the whole name.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do { try self.init(parsing: try container.decode(String.self)) } catch let error as ParseError {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    /// Encodes the whole name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
