internal import BerthOCI

/// Docker's filters, as the parameter `filters` of lists has them: of each name, the values that were asked for.
public enum Filters {
    /// The most names and values together.
    public static var countLimit: Int { 1024 }

    /// Parses `{"name": {"value": true}}`, or `{"name": ["value"]}` as old clients write it. The empty text has none.
    ///
    /// - Throws: `invalid`.
    public static func parse(_ text: String) throws(RequestError) -> [String: [String]] {
        guard !text.isEmpty else { return [:] }
        let value: JSONValue
        do throws(JSONText.ParseError) { value = try JSONText.parse(Array(text.utf8)) } catch {
            throw RequestError(.invalid, "invalid filter: \(error)")
        }
        if value == .null { return [:] }
        guard case .object(let names) = value else { throw RequestError(.invalid, "invalid filter: it must be an object") }
        var (result, count): ([String: [String]], Int) = ([:], 0)
        for (name, values) in names {
            switch values {
            case .object(let set):
                // A value that is set to false is not asked for.
                var asked: [String] = []
                for (text, isAsked) in set {
                    guard case .bool(let truth) = isAsked else { throw Self.malformed(name) }
                    if truth { asked.append(text) }
                }
                result[name] = asked.sorted()
            case .array(let list):
                result[name] = try list.map { element throws(RequestError) in
                    guard case .string(let text) = element else { throw Self.malformed(name) }
                    return text
                }
            default: throw Self.malformed(name)
            }
            count += 1 + (result[name]?.count ?? 0)
            guard count <= countLimit else { throw RequestError(.invalid, "invalid filter: more than \(countLimit) names and values") }
        }
        return result
    }

    private static func malformed(_ name: String) -> RequestError {
        RequestError(.invalid, "invalid filter '\(name)': its values must be a list of texts, or an object of truths")
    }
}
