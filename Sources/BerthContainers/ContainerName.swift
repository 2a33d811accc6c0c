/// What containers are called.
enum ContainerName {
    static let maximumByteCount = 255

    /// Takes Docker's leading slash off and checks what is left: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`.
    static func checked(_ text: String) throws(ContainerError) -> String {
        let name = text.hasPrefix("/") ? String(text.dropFirst()) : text
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: false
            }
        }
        let isValid =
            name.utf8.count >= 2 && name.utf8.first.map(isAlphanumeric) == true
            && name.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
        guard isValid else {
            throw ContainerError(.invalid, "Invalid container name (\(text)), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        }
        guard name.utf8.count <= maximumByteCount else {
            throw ContainerError(
                .invalid, "Invalid container name: it has \(name.utf8.count) bytes, and the bound is \(maximumByteCount)")
        }
        return name
    }

    /// A name that the engine makes up, each time another.
    ///
    /// - Parameter attempt: how many before it were taken: after a few it ends with a number.
    static func suggestion(_ attempt: Int, using random: inout some RandomNumberGenerator) -> String {
        let name = "\(adjectives.randomElement(using: &random) ?? "plain")_\(surnames.randomElement(using: &random) ?? "doe")"
        return attempt < 6 ? name : "\(name)\(Int.random(in: 2...99_999, using: &random))"
    }

    static let adjectives = [
        "amber", "brave", "breezy", "bright", "calm", "candid", "cheerful", "clever", "coastal", "cosy", "crisp", "daring", "eager",
        "early",
        "earnest", "fair", "fleet", "fond", "frosty", "gentle", "glad", "golden", "grand", "hardy", "hearty", "honest", "jolly", "keen",
        "kind",
        "lively", "loyal", "lucid", "mellow", "merry", "mild", "modest", "neat", "nimble", "noble", "patient", "plucky", "polite", "proud",
        "quick", "quiet", "ready", "robust", "rustic", "serene", "sharp", "silent", "silver", "sincere", "snug", "sober", "spry", "steady",
        "stout", "sunny", "swift", "tidy", "vivid", "warm", "witty",
    ]
    static let surnames = [
        "amundsen", "barents", "baret", "bering", "bligh", "bougainville", "byron", "cabot", "cartier", "cavendish", "chancellor", "cook",
        "cordoba", "cousteau", "dampier", "davis", "dias", "drake", "earle", "fitzroy", "flinders", "franklin", "frobisher", "fuchs",
        "gama",
        "hanno", "hartog", "hawkins", "hudson", "humboldt", "ibnmajid", "janszoon", "kotzebue", "laperouse", "lind", "magellan", "mercator",
        "mawson", "mclure", "moitessier", "nansen", "nares", "parry", "peary", "piccard", "pinzon", "polo", "pytheas", "raleigh", "ross",
        "scoresby", "shackleton", "slocum", "tasman", "tharp", "torres", "urville", "vancouver", "vespucci", "wallis", "weddell", "wilkes",
        "worsley", "zheng",
    ]
}
