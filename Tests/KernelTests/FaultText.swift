import Testing

/// What an error says, without what it says it of.
enum FaultText {
    /// The text without quoted names, digests, numbers and paths.
    static func plain(_ text: String) -> String {
        text.replacing(#/'[^']*'|"[^"]*"/#, with: "NAME").replacing(#/sha(256|512):[0-9a-f]*/#, with: "DIGEST").replacing(
            #/-?[0-9]+/#, with: "N")
    }

    /// Whoever has one text, and is not said to be of one fault, is told.
    ///
    /// - Parameters:
    ///   - cases: the cases that have each text.
    ///   - same: cases of one fault each.
    static func expect(_ cases: [String: Set<String>], toShareOnly same: [Set<String>]) {
        for (text, names) in cases where names.count > 1 {
            #expect(same.contains { names.isSubset(of: $0) }, "these have the text \"\(text)\": \(names.sorted())")
        }
        let all = cases.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        for group in same {
            #expect(group.isSubset(of: all), "there are no such cases: \(group.subtracting(all).sorted())")
        }
    }
}
