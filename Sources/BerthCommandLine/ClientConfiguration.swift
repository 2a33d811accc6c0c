public import BerthClient

/// What Docker's `config.json` says of how a command line behaves: formats of lists, keys, proxies, headers, filters.
///
/// Credentials in it are another room's. Members that say something to other programs only are left alone: plugins', `currentContext`, swarm's formats.
public struct ClientConfiguration: Sendable, Hashable {
    /// A list that has a format of its own in it.
    public enum List: String, Sendable {
        case containers = "psFormat"
        case images = "imagesFormat"
        case networks = "networksFormat"
        case volumes = "volumesFormat"
        case statistics = "statsFormat"
    }

    private var formats: [String: String] = [:]
    /// The keys with which one leaves a container; `nil` to take the daemon's.
    public private(set) var detachKeys: String?
    /// What each request to a daemon has in its head besides.
    public private(set) var headers: [Header] = []
    /// Filters of every pruning, as `label=keep`.
    private var pruneFilters: [String] = []
    /// By the daemon's address, or `default`: names of variables, and what they say.
    private var proxies: [String: [Variable]] = [:]

    /// A line of a request's head.
    public struct Header: Sendable, Hashable {
        /// As `X-Meta`.
        public var name: String
        /// Without control characters.
        public var value: String
    }

    private struct Variable: Sendable, Hashable {
        var name: String
        var value: String
    }

    /// One that says nothing.
    public init() {}

    /// Reads the file's bytes.
    ///
    /// - Throws: `malformed` for what is no JSON object, and for a member that is not of its kind.
    public init(parsing bytes: [UInt8]) throws(ClientError) {
        let tree = try JSONTree(parsing: bytes)
        guard case .object = tree else { throw ClientError(.malformed, "it is no JSON object") }
        for list in [List.containers, .images, .networks, .volumes, .statistics] {
            formats[list.rawValue] = try Self.text(tree, list.rawValue)
        }
        detachKeys = try Self.text(tree, "detachKeys")
        for member in try Self.object(tree["HttpHeaders"], "HttpHeaders") {
            guard let value = member.value.text else { throw Self.mistake("HttpHeaders.\(member.name)", "text") }
            guard (member.name + value).utf8.allSatisfy({ $0 >= 32 && $0 != 127 }), !member.name.isEmpty else {
                throw Self.mistake("HttpHeaders.\(member.name)", "a header without control characters")
            }
            // What this program calls itself, it says itself.
            if member.name.lowercased() != "user-agent" { headers.append(Header(name: member.name, value: value)) }
        }
        switch tree["pruneFilters"] {
        case nil, .null: break
        case .array(let elements):
            pruneFilters = try elements.map { element throws(ClientError) in
                guard let text = element.text else { throw Self.mistake("pruneFilters", "a list of texts") }
                return text
            }
        default: throw Self.mistake("pruneFilters", "a list of texts")
        }
        for daemon in try Self.object(tree["proxies"], "proxies") {
            _ = try Self.object(daemon.value, "proxies.\(daemon.name)")
            var variables: [Variable] = []
            for (member, variable) in Self.proxyNames {
                if let value = try Self.text(daemon.value, member) { variables.append(Variable(name: variable, value: value)) }
            }
            proxies[daemon.name] = variables
        }
    }

    /// The members, and the variables that they become.
    private static let proxyNames = [
        ("allProxy", "ALL_PROXY"), ("ftpProxy", "FTP_PROXY"), ("httpProxy", "HTTP_PROXY"), ("httpsProxy", "HTTPS_PROXY"),
        ("noProxy", "NO_PROXY"),
    ]

    /// Nothing where it says nothing: as Docker reads it, an empty text does not.
    private static func text(_ tree: JSONTree, _ name: String) throws(ClientError) -> String? {
        switch tree[name] {
        case nil, .null: return nil
        case .string(let text): return text.isEmpty ? nil : text
        default: throw mistake(name, "text")
        }
    }

    private static func object(_ value: JSONTree?, _ name: String) throws(ClientError) -> [JSONTree.Member] {
        switch value {
        case nil, .null: return []
        case .object(let members): return members
        default: throw mistake(name, "an object")
        }
    }

    private static func mistake(_ name: String, _ kind: String) -> ClientError { ClientError(.malformed, "'\(name)' must be \(kind)") }

    // MARK: What it says

    /// How a list is printed where nobody says how.
    public func format(of list: List) -> String? { formats[list.rawValue] }

    /// A new container's environment, with the variables that lead through proxies, in both spellings. What is given already stays as it is.
    ///
    /// - Parameters:
    ///   - given: `NAME=value`, or a name alone.
    ///   - daemon: the address of the daemon, as `unix:///run/berth/berth.sock`.
    public func environment(_ given: [String], for daemon: String) -> [String] {
        let names = Set(given.map { $0.prefix { $0 != "=" } })
        var result = given
        for variable in proxies[daemon] ?? proxies["default"] ?? [] {
            for name in [variable.name, variable.name.lowercased()] where !names.contains(name[...]) {
                result.append("\(name)=\(variable.value)")
            }
        }
        return result
    }

    /// The filters of a pruning: those that are given, and those of the file that do not say the opposite of one of them.
    public func pruneFilters(_ given: [String]) -> [String] {
        func opposite(of filter: String) -> String? {
            if filter.hasPrefix("label!=") { return "label=" + filter.dropFirst(7) }
            if filter.hasPrefix("label=") { return "label!=" + filter.dropFirst(6) }
            return nil
        }
        return given + pruneFilters.filter { filter in filter.contains("=") && !given.contains { $0 == opposite(of: filter) } }
    }
}
