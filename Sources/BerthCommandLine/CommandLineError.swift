/// Why a command line cannot be read.
public struct CommandLineError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of mistake it is.
    public struct Code: Sendable, Hashable {
        private enum Value { case unknownFlag, badSyntax, missingValue, invalidValue, absentFlag, operands, unknownCommand }
        private let value: Value
        /// A flag that nobody declares.
        public static var unknownFlag: Code { Code(value: .unknownFlag) }
        /// What starts like a flag and cannot be one, as `--=x`.
        public static var badSyntax: Code { Code(value: .badSyntax) }
        /// A flag at the end whose value is missing.
        public static var missingValue: Code { Code(value: .missingValue) }
        /// A value that its flag cannot take.
        public static var invalidValue: Code { Code(value: .invalidValue) }
        /// A flag of Docker's that this command has not.
        public static var absentFlag: Code { Code(value: .absentFlag) }
        /// Too many words or too few.
        public static var operands: Code { Code(value: .operands) }
        /// A command that does not exist.
        public static var unknownCommand: Code { Code(value: .unknownCommand) }
    }

    /// What kind of mistake it is.
    public let code: Code
    /// A sentence in Docker's words, where Docker has them.
    public let description: String
    /// The long flag that nobody declares, without dashes; `nil` for another mistake.
    public let flag: String?

    /// An error of these.
    public init(_ code: Code, _ description: String, flag: String? = nil) {
        (self.code, self.description, self.flag) = (code, description, flag)
    }

    /// With what a program ends that was given such a line: 1 for words, 125 for flags, as Docker has it.
    public var exitStatus: Int32 { code == .operands || code == .unknownCommand ? 1 : 125 }
}
