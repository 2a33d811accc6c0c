/// A flag that a command declares: what the normaliser has to know of it.
public struct FlagDeclaration: Sendable, Hashable {
    /// What a flag takes.
    public enum Kind: Sendable, Hashable {
        /// Nothing, or `=true` or `=false`. `negative` is the name under which the parser below is told of `false`, where it has one.
        case boolean(negative: String?)
        /// A value. `kind` is its name in the help text, as `bytes`; those that ``ValueKind`` knows are checked.
        case value(kind: String)
    }

    /// The long name, without dashes.
    public let name: String
    /// Further long names of the same flag.
    public let aliases: [String]
    /// The letter behind one dash.
    public let shorthand: Character?
    /// What it takes.
    public let kind: Kind
    /// What it is when it is not given; `nil` is nothing, or `false`.
    public let standard: String?
    /// Why the flag cannot be used, for one that Docker has and this command has not: to use it is an error with these words.
    public let absence: String?

    /// A flag of these.
    public init(
        name: String, aliases: [String] = [], shorthand: Character? = nil, kind: Kind, standard: String? = nil, absence: String? = nil
    ) {
        (self.name, self.aliases, self.shorthand, self.kind) = (name, aliases, shorthand, kind)
        (self.standard, self.absence) = (standard, absence)
    }

    /// The flag as Docker's errors write it: `"-m, --memory"`.
    public var quotedName: String {
        shorthand.map { "\"-\($0), --\(name)\"" } ?? "\"--\(name)\""
    }
}

/// A flag of Docker's that is not here yet.
public struct AbsentFlag: Sendable, Hashable {
    /// As ``FlagDeclaration`` has it.
    public let declaration: FlagDeclaration

    /// A flag that takes a value.
    ///
    /// - Parameter why: what the engine cannot do, as the end of "--name is not available: ".
    public static func value(_ name: String, _ shorthand: Character? = nil, aliases: [String] = [], why: String) -> AbsentFlag {
        AbsentFlag(
            declaration: FlagDeclaration(name: name, aliases: aliases, shorthand: shorthand, kind: .value(kind: "string"), absence: why))
    }

    /// A flag that is on or off.
    public static func boolean(_ name: String, _ shorthand: Character? = nil, why: String) -> AbsentFlag {
        AbsentFlag(declaration: FlagDeclaration(name: name, shorthand: shorthand, kind: .boolean(negative: nil), absence: why))
    }
}
