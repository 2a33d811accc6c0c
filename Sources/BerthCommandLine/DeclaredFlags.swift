public import ArgumentParser
internal import FoundationEssentials

/// The flags that a type declares through ArgumentParser's property wrappers.
///
/// What the wrappers hold is private to ArgumentParser; the description that its documentation tools read is not, and says the same.
public enum DeclaredFlags {
    /// The flags in the order of their declaration, `--help` not among them.
    ///
    /// Two flags `name` and `no-name` of which one is the inversion of the other become one boolean `name`: Docker's users write
    /// `--name=false`.
    public static func of(_ type: any ParsableArguments.Type) throws(CommandLineError) -> [FlagDeclaration] {
        let description = type._dumpHelp()
        let tool: Tool
        do {
            tool = try JSONDecoder().decode(Tool.self, from: Data(description.utf8))
        } catch {
            throw CommandLineError(.badSyntax, "the flags of \(type) cannot be read: \(error)")
        }
        let arguments = (tool.command.arguments ?? []).filter { $0.kind != "positional" && $0.longNames.first != "help" }
        let flagNames = Set(arguments.filter { $0.kind == "flag" }.flatMap(\.longNames))
        return arguments.compactMap { argument in
            guard let name = argument.longNames.first else { return nil }
            let kind: FlagDeclaration.Kind
            if argument.kind == "flag" {
                if name.hasPrefix("no-"), flagNames.contains(String(name.dropFirst(3))) { return nil }
                kind = .boolean(negative: flagNames.contains("no-" + name) ? "no-" + name : nil)
            } else {
                kind = .value(kind: argument.valueName ?? "string")
            }
            return FlagDeclaration(
                name: name, aliases: Array(argument.longNames.dropFirst()), shorthand: argument.shortNames.first?.first, kind: kind)
        }
    }

    private struct Tool: Decodable {
        struct Command: Decodable { let arguments: [Argument]? }
        struct Argument: Decodable {
            struct Name: Decodable {
                let kind: String
                let name: String
            }
            let kind: String
            let names: [Name]?
            let valueName: String?

            var longNames: [String] { (names ?? []).filter { $0.kind == "long" }.map(\.name) }
            var shortNames: [String] { (names ?? []).filter { $0.kind == "short" }.map(\.name) }
        }
        let command: Command
    }
}
