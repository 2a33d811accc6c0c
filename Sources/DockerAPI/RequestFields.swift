public import BerthOCI

/// Why a request cannot be taken.
public struct RequestError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What a caller can branch on.
    public enum Code: Sendable, Hashable {
        /// It is malformed, or says what cannot be.
        case invalid
        /// It asks for what does not exist here.
        case unsupported
    }
    /// The kind.
    public let code: Code
    /// A sentence for the client. What it repeats of the client's own words is cut beyond ``longestDescription``.
    public let description: String

    /// How many characters a description has at most.
    public static var longestDescription: Int { 1024 }

    /// An error of these.
    public init(_ code: Code, _ description: String) {
        (self.code, self.description) = (code, HumanText.ellipsis(description, Self.longestDescription))
    }
}

/// One JSON object of a request, read as Go reads it into a struct: names in any case, `null` and absent alike.
///
/// It knows what has been read: ``unread`` are the members that say something and were not asked for, so that nothing a client asks for is
/// silently left out.
public struct RequestFields: Sendable {
    private var members: [String: (name: String, value: JSONValue)] = [:]
    private let path: String

    /// The members of an object; `nil` and `null` have none.
    ///
    /// - Parameter path: what the object is called in errors; empty for the request itself.
    public init(_ value: JSONValue?, path: String = "") throws(RequestError) {
        self.path = path
        switch value {
        case nil, .null?: break
        case .object(let object)?:
            for (name, value) in object {
                // Which of them Go would take depends on their order: a request that depends on it is a mistake.
                if let other = members.updateValue((name, value), forKey: name.lowercased()) {
                    let names = [other.name, name].sorted().map { "'\($0)'" }.joined(separator: " and ")
                    throw RequestError(.invalid, "invalid JSON: \(path.isEmpty ? "the request" : path) has both \(names)")
                }
            }
        default: throw RequestError(.invalid, "invalid JSON: \(path.isEmpty ? "the request" : path) must be an object")
        }
    }

    /// The members that were not read and are not Go's zero value: what they ask for would be lost.
    public var unread: [String] { members.values.filter { Self.says($0.value) }.map { full($0.name) }.sorted() }

    /// The names of the members that were not read, as the request has them, in order.
    var names: [String] { members.values.map(\.name).sorted() }

    /// Whether there is such a member, and it is not `null`.
    func has(_ name: String) -> Bool { members[name.lowercased()].map { $0.value != .null } ?? false }

    private static func says(_ value: JSONValue) -> Bool {
        switch value {
        case .null, .bool(false), .integer(0), .unsigned(0), .string(""): false
        case .number(let number): number != 0
        case .array(let elements): elements.contains(where: says)
        case .object(let members): members.values.contains(where: says)
        default: true
        }
    }

    private func full(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    private func mismatch(_ name: String, _ kind: String) -> RequestError {
        RequestError(.invalid, "invalid JSON: \(full(name)) must be \(kind)")
    }

    /// A member as it is; `nil` for `null` and absent.
    public mutating func value(_ name: String) -> JSONValue? {
        guard let value = members.removeValue(forKey: name.lowercased())?.value, value != .null else { return nil }
        return value
    }

    /// Text; absent is empty.
    public mutating func string(_ name: String) throws(RequestError) -> String { try optionalString(name) ?? "" }

    /// Text, or nothing.
    public mutating func optionalString(_ name: String) throws(RequestError) -> String? {
        guard let value = value(name) else { return nil }
        guard case .string(let text) = value else { throw mismatch(name, "text") }
        return text
    }

    /// A truth; absent is false.
    public mutating func bool(_ name: String) throws(RequestError) -> Bool { try optionalBool(name) ?? false }

    /// A truth, or nothing.
    public mutating func optionalBool(_ name: String) throws(RequestError) -> Bool? {
        guard let value = value(name) else { return nil }
        guard case .bool(let truth) = value else { throw mismatch(name, "true or false") }
        return truth
    }

    /// A whole number; absent is 0.
    public mutating func integer(_ name: String) throws(RequestError) -> Int64 { try optionalInteger(name) ?? 0 }

    /// A whole number, or nothing.
    public mutating func optionalInteger(_ name: String) throws(RequestError) -> Int64? {
        guard let value = value(name) else { return nil }
        guard case .integer(let number) = value else { throw mismatch(name, "a whole number of 64 bits") }
        return number
    }

    /// Texts, or nothing.
    public mutating func strings(_ name: String) throws(RequestError) -> [String]? {
        guard let value = value(name) else { return nil }
        return try strings(of: value, name)
    }

    /// Texts, or one text that stands for a list of itself, as Docker takes commands.
    public mutating func commandWords(_ name: String) throws(RequestError) -> [String]? {
        guard let value = value(name) else { return nil }
        if case .string(let text) = value { return [text] }
        return try strings(of: value, name)
    }

    private func strings(of value: JSONValue, _ name: String) throws(RequestError) -> [String] {
        guard case .array(let elements) = value else { throw mismatch(name, "a list of texts") }
        return try elements.map { element throws(RequestError) in
            switch element {
            case .string(let text): text
            case .null: ""  // as Go reads it into a list of texts
            default: throw mismatch(name, "a list of texts")
            }
        }
    }

    /// Whole numbers, or nothing.
    public mutating func integers(_ name: String) throws(RequestError) -> [Int64]? {
        guard let value = value(name) else { return nil }
        guard case .array(let elements) = value else { throw mismatch(name, "a list of whole numbers") }
        return try elements.map { element throws(RequestError) in
            guard case .integer(let number) = element else { throw mismatch(name, "a list of whole numbers") }
            return number
        }
    }

    /// Names and texts; absent is empty.
    public mutating func stringMap(_ name: String) throws(RequestError) -> [String: String] {
        guard let value = value(name) else { return [:] }
        guard case .object(let members) = value else { throw mismatch(name, "an object of texts") }
        var result: [String: String] = [:]
        for (key, member) in members {
            switch member {
            case .string(let text): result[key] = text
            case .null: result[key] = ""  // as Go reads it into a map of texts
            default: throw mismatch("\(name).\(key)", "text")
            }
        }
        return result
    }

    /// An object's fields; absent has none.
    public mutating func fields(_ name: String) throws(RequestError) -> RequestFields {
        try RequestFields(value(name), path: full(name))
    }

    /// The fields of each object of a list; absent is none.
    public mutating func fieldsList(_ name: String) throws(RequestError) -> [RequestFields] {
        guard let value = value(name) else { return [] }
        guard case .array(let elements) = value else { throw mismatch(name, "a list of objects") }
        var result: [RequestFields] = []
        for (index, element) in elements.enumerated() { result.append(try RequestFields(element, path: "\(full(name))[\(index)]")) }
        return result
    }

    /// Each member's fields, by name; absent is none.
    public mutating func fieldsMap(_ name: String) throws(RequestError) -> [String: RequestFields] {
        guard let value = value(name) else { return [:] }
        guard case .object(let members) = value else { throw mismatch(name, "an object of objects") }
        var result: [String: RequestFields] = [:]
        for (key, member) in members { result[key] = try RequestFields(member, path: "\(full(name)).\(key)") }
        return result
    }

    /// Refuses what was not read.
    ///
    /// - Throws: `unsupported`, naming the members.
    public func refuseUnread() throws(RequestError) {
        let names = unread
        guard names.isEmpty else {
            throw RequestError(.unsupported, "not supported here: \(names.joined(separator: ", ")) (leave out what sets it)")
        }
    }
}
