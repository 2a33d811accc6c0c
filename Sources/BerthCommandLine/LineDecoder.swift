internal import ArgumentParser

/// Makes a command of a line that the grammar has read and of what the command has written down of its flags.
///
/// ArgumentParser would find out at each start what ``DockerCommand/writtenFlags`` says already: with the flags of `run` that takes longer than all else that
/// the program does. A command asks for the values of its properties in the order of their declaration, in which its flags are written down as well.
final class LineDecoder: Decoder {
    /// Something that only ArgumentParser reads, or can say what is wrong with.
    struct Unread: Error {
        let what: String
    }

    private let line: Grammar.Line
    private var flags: ArraySlice<FlagDeclaration>
    private var words: ArraySlice<String>

    /// - Parameter flags: all that the command declares.
    init(_ line: Grammar.Line, _ flags: [FlagDeclaration]) {
        (self.line, self.flags, words) = (line, flags[...], line.words[...])
    }

    /// A command that all of the line has gone into.
    ///
    /// - Throws: ``Unread``.
    func command<Command: DockerCommand>(_ type: Command.Type) throws -> Command {
        let command = try Command(from: self)
        guard words.isEmpty, flags.isEmpty else { throw Unread(what: "\(words) \(flags)") }
        return command
    }

    fileprivate func value<Value>(_ type: Value.Type, named property: String) throws -> Value {
        func found<Found>(_ value: Found) throws -> Value {
            guard let value = value as? Value else { throw Unread(what: property) }
            return value
        }
        func all() throws -> [String] { try take(property).values }
        func last() throws -> String? {
            let (flag, values) = try take(property)
            return values.last ?? flag.standard
        }
        // A type is made when it is first named, which takes longer than all that is done with it: what comes most often is asked for first. Commands declare
        // their words last, when no flag is left.
        switch flags.first?.kind {
        case nil:
            if type == Argument<[String]>.self {
                defer { words = [] }
                return try found(Argument(holding: Array(words)))
            }
            if type == Argument<String>.self { return try found(Argument(holding: try Self.some(words.popFirst(), property))) }
            if type == Argument<String?>.self { return try found(Argument(holding: words.popFirst())) }
        case .value:
            if type == ArgumentParser.Option<String?>.self { return try found(ArgumentParser.Option(holding: try last())) }
            if type == ArgumentParser.Option<[String]>.self { return try found(ArgumentParser.Option(holding: try all())) }
            if type == ArgumentParser.Option<String>.self {
                return try found(ArgumentParser.Option(holding: try Self.some(last(), property)))
            }
            if type == ArgumentParser.Option<Int64?>.self {
                return try found(ArgumentParser.Option(holding: try last().map { try Self.some(Int64($0), property) }))
            }
            if type == ArgumentParser.Option<Int64>.self {
                return try found(ArgumentParser.Option(holding: try Self.some(last().flatMap { Int64($0) }, property)))
            }
        case .boolean:
            if type == Flag<Bool>.self { return try found(Flag(holding: try last() == "true")) }
            if type == Flag<Bool?>.self { return try found(Flag(holding: try last().map { $0 == "true" })) }
        }
        // Looked up last, for it is looked for in the whole program.
        guard let group = type as? any LineGroup.Type else { throw Unread(what: "\(property), a \(type)") }
        return try found(try group.init(readBy: self))
    }

    /// The next flag, and what the line says of it.
    private func take(_ property: String) throws -> (flag: FlagDeclaration, values: [String]) {
        let flag = try Self.some(flags.popFirst(), property)
        return (flag, line.occurrences.filter { $0.name == flag.name }.map(\.value))
    }

    private static func some<Value>(_ value: Value?, _ property: String) throws -> Value {
        guard let value else { throw Unread(what: property) }
        return value
    }

    // MARK: Decoder

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(LineContainer<Key>(decoder: self))
    }
    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw Unread(what: "a list") }
    func singleValueContainer() throws -> any SingleValueDecodingContainer { throw Unread(what: "a value") }
}

/// The properties of a command, or of a group of its flags: all are property wrappers.
private struct LineContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: LineDecoder

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try decoder.value(type, named: key.stringValue)
    }

    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { [] }
    func contains(_ key: Key) -> Bool { true }
    func decodeNil(forKey key: Key) throws -> Bool { false }
    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) throws -> KeyedDecodingContainer<Nested> {
        throw LineDecoder.Unread(what: "a nested container")
    }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw LineDecoder.Unread(what: "a list") }
    func superDecoder() throws -> any Decoder { throw LineDecoder.Unread(what: "a nested container") }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw LineDecoder.Unread(what: "a nested container") }
}

/// Flags that several commands have.
private protocol LineGroup {
    init(readBy decoder: LineDecoder) throws
}

extension OptionGroup: LineGroup {
    fileprivate init(readBy decoder: LineDecoder) throws {
        self.init()
        wrappedValue = try Value(from: decoder)
    }
}

// Wrappers that hold a value: a wrapper that is only declared has none. No name is made for them: it would be made anew for each of a hundred flags.
extension ArgumentParser.Option {
    fileprivate init(holding value: Value) where Value == [String] {
        self.init(name: [], parsing: .singleValue)
        wrappedValue = value
    }
    fileprivate init<Element: ExpressibleByArgument>(holding value: Value) where Value == Element? {
        self.init(name: [])
        wrappedValue = value
    }
    fileprivate init(holding value: Value) where Value: ExpressibleByArgument {
        self.init(name: [])
        wrappedValue = value
    }
}

extension Flag {
    fileprivate init(holding value: Value) where Value == Bool {
        self.init(wrappedValue: false, name: [])
        wrappedValue = value
    }
    fileprivate init(holding value: Value) where Value == Bool? {
        self.init(name: [], inversion: .prefixedNo)
        wrappedValue = value
    }
}

extension Argument {
    fileprivate init(holding value: Value) where Value == [String] {
        self.init(help: nil)
        wrappedValue = value
    }
    fileprivate init(holding value: Value) where Value == String? {
        self.init(help: nil)
        wrappedValue = value
    }
    fileprivate init(holding value: Value) where Value == String {
        self.init(help: nil)
        wrappedValue = value
    }
}
