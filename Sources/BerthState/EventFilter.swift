/// Docker's filters of events: of one key any value may match, of several keys all must.
public struct EventFilter: Sendable, Hashable {
    private let wanted: [String: [String]]

    /// The keys that there are.
    private static let keys: Set<String> = [
        "config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope", "secret", "service", "type",
        "volume",
    ]

    /// A filter of these; of none, everything matches.
    ///
    /// - Throws: `invalid` for a key that does not exist.
    public init(_ filters: [String: [String]] = [:]) throws(StateError) {
        for key in filters.keys.sorted() where !Self.keys.contains(key) { throw StateError(.invalid, "invalid filter '\(key)'") }
        wanted = filters
    }

    /// Whether an event is wanted.
    public func matches(_ event: Event) -> Bool {
        wanted.allSatisfy { key, values in values.isEmpty || values.contains { Self.matches(event, key, $0, all: values) } }
    }

    private static func matches(_ event: Event, _ key: String, _ value: String, all values: [String]) -> Bool {
        switch key {
        case "type": return event.type == value
        case "scope": return value == "local"
        // `exec_create: sh` is of the kind `exec_create`.
        case "event": return event.action == value || event.action.hasPrefix(value + ":")
        // Of labels, all must be there.
        case "label": return values.allSatisfy { hasLabel(event, $0) }
        case "image":
            guard event.type == "image" || event.type == "container" else { return false }
            let named = [event.type == "image" ? event.actorID : "", event.attributes[event.type == "image" ? "name" : "image"] ?? ""]
            return named.contains { $0 == value || withoutTag($0) == value }
        default: return event.type == key && (event.actorID.hasPrefix(value) || event.attributes["name"] == value)
        }
    }

    private static func hasLabel(_ event: Event, _ text: String) -> Bool {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let value = event.attributes[String(parts[0])] else { return false }
        return parts.count == 1 || value == parts[1]
    }

    /// A name without what stands behind a colon after its last slash.
    private static func withoutTag(_ name: String) -> Substring {
        let last = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
        return name[..<(name[last...].firstIndex(of: ":") ?? name.endIndex)]
    }
}
