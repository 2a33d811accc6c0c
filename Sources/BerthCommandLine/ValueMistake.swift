/// What is wrong with a flag's value, in Docker's words.
public struct ValueMistake: Error, Sendable, Hashable, CustomStringConvertible {
    /// The words.
    public let description: String

    /// These words.
    public init(_ description: String) { self.description = description }

    /// The error of the flag that was given the value.
    ///
    /// - Parameter flag: as ``FlagDeclaration/quotedName`` has it, as `--publish` or `-p, --publish`.
    public func of(_ value: String, for flag: String) -> CommandLineError {
        CommandLineError(.invalidValue, "invalid argument \(ValueKind.quoted(value)) for \"\(flag)\" flag: \(description)")
    }
}
