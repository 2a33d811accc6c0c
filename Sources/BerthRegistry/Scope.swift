/// What a token allows: some actions on one thing (distribution project, *Token Scope Documentation*).
struct Scope: Hashable, Sendable, CustomStringConvertible {
    /// The kind and the name of the thing: `repository:library/nginx`.
    let resource: String
    var actions: Set<String>

    static func repository(_ path: String, _ actions: Set<String>) -> Scope { Scope(resource: "repository:\(path)", actions: actions) }
    static let catalogue = Scope(resource: "registry:catalog", actions: ["*"])

    init(resource: String, actions: Set<String>) { (self.resource, self.actions) = (resource, actions) }

    /// `nil` for what is no scope. A resource's name may have colons in it.
    init?(parsing text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), text[..<colon].contains(":") else { return nil }
        resource = String(text[..<colon])
        actions = Set(text[text.index(after: colon)...].split(separator: ",").map { String($0) })
    }

    var description: String { "\(resource):\(actions.sorted().joined(separator: ","))" }

    /// All that either allows, each thing once, in one order.
    static func union(_ first: [Scope], _ second: [Scope]) -> [Scope] {
        var actions: [String: Set<String>] = [:]
        for scope in first + second { actions[scope.resource, default: []].formUnion(scope.actions) }
        return actions.sorted { $0.key < $1.key }.map { Scope(resource: $0.key, actions: $0.value) }
    }
}
