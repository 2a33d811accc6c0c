public import ArgumentParser
internal import BerthClient

/// The flags that a type declares through ArgumentParser's property wrappers.
///
/// What the wrappers hold is private to ArgumentParser; the description that its documentation tools read is not, and says the same.
public enum DeclaredFlags {
    /// The flags in the order of their declaration, `--help` not among them.
    ///
    /// Two flags `name` and `no-name` of which one is the inversion of the other become one boolean `name`: Docker's users write
    /// `--name=false`.
    public static func of(_ type: any ParsableArguments.Type) throws(CommandLineError) -> [FlagDeclaration] {
        let tool: JSONTree
        do {
            tool = try JSONTree(parsing: Array(type._dumpHelp().utf8))
        } catch {
            throw CommandLineError(.badSyntax, "the flags of \(type) cannot be read: \(error)")
        }
        let arguments = (tool["command"]?["arguments"]?.elements ?? []).map(Argument.init)
            .filter { $0.kind != "positional" && $0.longNames.first != "help" }
        let flagNames = Set(arguments.filter { $0.kind == "flag" }.flatMap(\.longNames))
        return arguments.compactMap { argument in
            guard let name = argument.longNames.first else { return nil }
            let kind: FlagDeclaration.Kind
            var standard = argument.standard
            if argument.kind == "flag" {
                if name.hasPrefix("no-"), flagNames.contains(String(name.dropFirst(3))) { return nil }
                kind = .boolean(negative: flagNames.contains("no-" + name) ? "no-" + name : nil)
                standard = standard.map { $0.hasPrefix("--no-") ? "false" : "true" }
            } else {
                kind = .value(kind: argument.valueName)
            }
            return FlagDeclaration(
                name: name, aliases: Array(argument.longNames.dropFirst()), shorthand: argument.shorthand, kind: kind, standard: standard)
        }
    }

    private struct Argument {
        let kind: String
        let valueName: String
        let standard: String?
        var longNames: [String] = []
        var shorthand: Character?

        init(_ tree: JSONTree) {
            kind = tree["kind"]?.text ?? ""
            valueName = tree["valueName"]?.text ?? "string"
            standard = tree["defaultValue"]?.text
            for name in tree["names"]?.elements ?? [] {
                guard let text = name["name"]?.text else { continue }
                switch name["kind"]?.text {
                case "long": longNames.append(text)
                case "short": shorthand = shorthand ?? text.first
                default: continue
                }
            }
        }
    }
}
