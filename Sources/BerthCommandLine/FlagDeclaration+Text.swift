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
        // All marks are ASCII: bytes are compared, not characters.
        let bytes = whole.utf8
        let end = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
        let mark = bytes[..<end].firstIndex { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: "!") } ?? end
        var kind = Kind.boolean(negative: nil)
        if mark < end {
            let rest = String(whole[bytes.index(after: mark)..<end])
            kind = bytes[mark] == UInt8(ascii: "=") ? .value(kind: rest) : .boolean(negative: rest)
        }
        let comma = bytes[..<mark].firstIndex(of: UInt8(ascii: ",")) ?? mark
        var names = bytes[..<comma].split(separator: UInt8(ascii: "|"))[...]
        self.init(
            name: String(Substring(names.popFirst() ?? bytes[..<comma])), aliases: names.map { String(Substring($0)) },
            shorthand: comma < mark ? whole[bytes.index(after: comma)...].first : nil, kind: kind,
            standard: end < bytes.endIndex ? String(whole[bytes.index(after: end)...]) : nil)
    }
}

extension DockerCommand {
    /// The flags that the type declares: as it has written them down, or else as ArgumentParser tells them.
    static func ownFlags() throws(CommandLineError) -> [FlagDeclaration] {
        guard let writtenFlags else { return try DeclaredFlags.of(Self.self) }
        return writtenFlags.utf8.split(separator: UInt8(ascii: " ")).map { FlagDeclaration(text: Substring($0)) }
    }

    /// What ``writtenFlags`` must be: the flags that the type declares.
    public static func flagsToWrite() throws(CommandLineError) -> String {
        try DeclaredFlags.of(Self.self).map(\.text).joined(separator: " ")
    }
}
