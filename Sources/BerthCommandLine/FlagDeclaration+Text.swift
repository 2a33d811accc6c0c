// Flags as a line of text: what ArgumentParser would have to be asked for at each start, which takes longer than everything else that it does.
extension FlagDeclaration {
    /// The flag as one word: `name|alias,letter`, then `=kind` for one that takes a value, or `!name` of its inversion, then `:` and what it is when it is not
    /// given.
    public var text: String {
        let names = ([name] + aliases).joined(separator: "|") + (shorthand.map { ",\($0)" } ?? "")
        let whole =
            switch kind {
            case .boolean(let negative): names + (negative.map { "!\($0)" } ?? "")
            case .value(let kind): "\(names)=\(kind)"
            }
        return whole + (standard.map { ":\($0)" } ?? "")
    }

    /// Reads such a word.
    public init(text whole: Substring) {
        let halves = whole.split(separator: ":", maxSplits: 1)
        let text = halves.first ?? ""
        var kind = Kind.boolean(negative: nil)
        var head = text
        if let mark = text.firstIndex(where: { $0 == "=" || $0 == "!" }) {
            let rest = String(text[text.index(after: mark)...])
            kind = text[mark] == "=" ? .value(kind: rest) : .boolean(negative: rest)
            head = text[..<mark]
        }
        let parts = head.split(separator: ",", maxSplits: 1)
        let names = (parts.first ?? "").split(separator: "|").map(String.init)
        self.init(
            name: names.first ?? "", aliases: Array(names.dropFirst()), shorthand: parts.count == 2 ? parts[1].first : nil, kind: kind,
            standard: halves.count == 2 ? String(halves[1]) : nil)
    }
}

extension DockerCommand {
    /// The flags that the type declares: as it has written them down, or else as ArgumentParser tells them.
    static func ownFlags() throws(CommandLineError) -> [FlagDeclaration] {
        guard let writtenFlags else { return try DeclaredFlags.of(Self.self) }
        return writtenFlags.split(separator: " ").map { FlagDeclaration(text: $0) }
    }

    /// What ``writtenFlags`` must be: the flags that the type declares.
    public static func flagsToWrite() throws(CommandLineError) -> String {
        try DeclaredFlags.of(Self.self).map(\.text).joined(separator: " ")
    }
}
