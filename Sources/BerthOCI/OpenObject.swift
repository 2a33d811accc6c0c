/// A type whose JSON object may hold more than its properties: the rest is kept in ``unknown`` and written back.
///
/// Its members are said once, as a table, for reading and for writing.
protocol OpenObject {
    var unknown: UnknownFields { get set }
    /// What reading begins with: every member that must be there is put over it.
    static var blank: Self { get }
    static var members: [Member<Self>] { get }
}

/// A member of a JSON object, and the property that it is.
struct Member<Root> {
    let name: String
    let read: (KeyedDecodingContainer<AnyKey>, inout Root) throws -> Void
    let write: (Root, inout KeyedEncodingContainer<AnyKey>) throws -> Void
    let get: (Root) -> Any?

    /// One that must be there.
    static func required<Value: Codable>(_ name: String, _ property: WritableKeyPath<Root, Value>) -> Member {
        Member(
            name: name, read: { $1[keyPath: property] = try $0.decode(Value.self, forKey: AnyKey(name)) },
            write: { try $1.encode($0[keyPath: property], forKey: AnyKey(name)) }, get: { $0[keyPath: property] })
    }

    /// One that may be absent or `null`, which are the same.
    static func optional<Value: Codable>(_ name: String, _ property: WritableKeyPath<Root, Value?>) -> Member {
        Member(
            name: name, read: { $1[keyPath: property] = try $0.decodeIfPresent(Value.self, forKey: AnyKey(name)) },
            write: { try $1.encodeIfPresent($0[keyPath: property], forKey: AnyKey(name)) }, get: { $0[keyPath: property] })
    }
}

extension OpenObject {
    static func read(from decoder: any Decoder) throws -> Self {
        let values = try decoder.container(keyedBy: AnyKey.self)
        let members = Self.members
        var result = blank
        for member in members { try member.read(values, &result) }
        result.unknown = try UnknownFields(in: values, except: Set(members.map(\.name)))
        return result
    }

    func write(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: AnyKey.self)
        for member in Self.members { try member.write(self, &values) }
        try unknown.encode(to: encoder)
    }

    /// Where this and what is in it has members that are not known.
    func unknownMembers(in path: String) -> [String] {
        unknown.fields.keys.sorted().map { path + $0 }
            + Self.members.flatMap { member -> [String] in
                switch member.get(self) {
                case let object as any OpenObject: object.unknownMembers(in: "\(path)\(member.name).")
                case let list as [any OpenObject]:
                    list.enumerated().flatMap { $1.unknownMembers(in: "\(path)\(member.name)[\($0)].") }
                default: []
                }
            }
    }
}
