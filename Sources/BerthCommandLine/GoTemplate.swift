public import BerthClient

/// Why a template cannot be read or carried out.
public struct TemplateError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A sentence, in Docker's form.
    public let description: String

    /// An error of these words.
    public init(_ reason: String) { description = reason }

    static func parsing(_ reason: String) -> TemplateError { TemplateError("template parsing error: \(reason)") }
    static func executing(_ reason: String) -> TemplateError { TemplateError("template: \(reason)") }
}

/// A template in the language of `--format`: Go's text/template with the functions that Docker adds.
///
/// Fields, variables, pipelines, `if`, `with`, `range`, comments and trimmed spaces are there, and every function that Docker documents.
/// What is not there (`define`, `template`, `block`, `break`, `continue`, `call`, `html`, `js`, `urlquery`) is an error that names it.
public struct GoTemplate: Sendable {
    /// A method that a template can call on its data, as `{{.Label "name"}}`.
    public typealias Method = @Sendable ([JSONTree]) throws(TemplateError) -> JSONTree

    let nodes: [Node]

    /// What a template prints is at most so many bytes.
    public static var outputLimit: Int { 64 << 20 }

    indirect enum Node: Sendable {
        case text(String)
        case output(Pipeline)
        case branch(Pipeline, then: [Node], otherwise: [Node], rebindsDot: Bool)
        case range(key: String?, value: String?, Pipeline, body: [Node], otherwise: [Node])
    }

    struct Pipeline: Sendable {
        var variable: String?
        var declares = false
        var commands: [[Operand]]
    }

    indirect enum Operand: Sendable {
        case dot
        case field(path: [String])
        case variable(String, path: [String])
        case literal(JSONTree)
        case function(String)
        case nested(Pipeline, path: [String])
    }

    /// Parses a template.
    public init(parsing text: String) throws(TemplateError) {
        var parser = Parser(tokens: try Lexer.pieces(of: text))
        nodes = try parser.template()
    }
}

extension GoTemplate {
    /// A piece of a template: text as it is, or the words of an action.
    enum Piece: Sendable {
        case text(String)
        case action([Token])
    }

    enum Token: Sendable, Hashable {
        case field(String)
        case dot
        case variable(String)
        case word(String)
        case string(String)
        case number(String)
        case symbol(Character)
        case declare
        /// Spaces, which part `.A .B` from `.A.B`.
        case space
    }

    enum Lexer {
        static func pieces(of text: String) throws(TemplateError) -> [Piece] {
            var result: [Piece] = []
            var rest = text[...]
            var trimsNext = false
            func add(_ piece: Substring, trimsEnd: Bool) {
                var piece = piece
                if trimsNext { piece = piece.drop(while: \.isWhitespace) }
                if trimsEnd { while piece.last?.isWhitespace == true { piece.removeLast() } }
                if !piece.isEmpty { result.append(.text(String(piece))) }
            }
            while let start = rest.firstIndex(of: "{{") {
                var body = rest[rest.index(start, offsetBy: 2)...]
                let trims = body.hasPrefix("- ")
                add(rest[..<start], trimsEnd: trims)
                if trims { body = body.dropFirst(2) }
                if body.hasPrefix("/*") {
                    guard let end = body.firstIndex(of: "*/") else { throw .parsing("unclosed comment") }
                    body = body[body.index(end, offsetBy: 2)...]
                    trimsNext = body.hasPrefix(" -}}")
                    guard trimsNext || body.hasPrefix("}}") else { throw .parsing("comment ends before closing delimiter") }
                    rest = body.dropFirst(trimsNext ? 4 : 2)
                    continue
                }
                let tokens = try words(&body)
                trimsNext = body.hasPrefix("-}}")
                rest = body.dropFirst(trimsNext ? 3 : 2)
                result.append(.action(tokens))
            }
            add(rest, trimsEnd: false)
            return result
        }

        /// Takes the words of an action up to its closing braces.
        private static func words(_ rest: inout Substring) throws(TemplateError) -> [Token] {
            var tokens: [Token] = []
            func isName(_ character: Character) -> Bool { character.isLetter || character.isNumber || character == "_" }
            while true {
                guard let first = rest.first else { throw .parsing("unclosed action") }
                if rest.hasPrefix("}}") { return tokens }
                if first.isWhitespace {
                    rest = rest.drop(while: \.isWhitespace)
                    if rest.hasPrefix("-}}") { return tokens }
                    tokens.append(.space)
                } else if first == "." {
                    rest.removeFirst()
                    let name = rest.prefix(while: isName)
                    if let digit = name.first, digit.isNumber { throw .parsing("bad number syntax: \".\(name)\"") }
                    rest = rest.dropFirst(name.count)
                    tokens.append(name.isEmpty ? .dot : .field(String(name)))
                } else if first == "$" {
                    let name = rest.dropFirst().prefix(while: isName)
                    rest = rest.dropFirst(name.count + 1)
                    tokens.append(.variable(String(name)))
                } else if first == "\"" || first == "`" {
                    tokens.append(.string(try string(&rest)))
                } else if first.isNumber || (first == "-" || first == "+") && rest.dropFirst().first?.isNumber == true {
                    let digits = rest.dropFirst().prefix { $0.isNumber || $0 == "." }
                    tokens.append(.number((first == "+" ? "" : String(first)) + digits))
                    rest = rest.dropFirst(digits.count + 1)
                } else if isName(first) {
                    let name = rest.prefix(while: isName)
                    rest = rest.dropFirst(name.count)
                    tokens.append(.word(String(name)))
                } else if rest.hasPrefix(":=") {
                    rest = rest.dropFirst(2)
                    tokens.append(.declare)
                } else if "|(),=".contains(first) {
                    rest.removeFirst()
                    tokens.append(.symbol(first))
                } else {
                    throw .parsing("unexpected \"\(first)\" in action")
                }
            }
        }

        private static func string(_ rest: inout Substring) throws(TemplateError) -> String {
            let quote = rest.removeFirst()
            var result = ""
            while let character = rest.popFirst() {
                if character == quote { return result }
                guard quote == "\"" else {
                    result.append(character)
                    continue
                }
                if character == "\n" { break }
                guard character == "\\" else {
                    result.append(character)
                    continue
                }
                switch rest.popFirst() {
                case "n": result.append("\n")
                case "t": result.append("\t")
                case "r": result.append("\r")
                case "\"": result.append("\"")
                case "\\": result.append("\\")
                case let other: throw .parsing("the escape \\\(other.map(String.init) ?? "") is not supported")
                }
            }
            throw .parsing("unterminated quoted string")
        }
    }
}

extension Substring {
    /// Where a text of two characters first stands.
    fileprivate func firstIndex(of pair: String) -> Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(pair) { return index }
            index = self.index(after: index)
        }
        return nil
    }
}
