internal import BerthClient

extension GoTemplate {
    /// Makes a tree of the pieces.
    struct Parser {
        private var pieces: ArraySlice<Piece>
        private var depth = 0

        init(tokens: [Piece]) { pieces = tokens[...] }

        mutating func template() throws(TemplateError) -> [Node] {
            let (nodes, end) = try nodes()
            if let end { throw .parsing("unexpected {{\(end.first.map(Self.shown) ?? "")}}") }
            return nodes
        }

        private static func shown(_ token: Token) -> String { if case .word(let word) = token { word } else { "" } }

        /// The nodes up to `end` or `else`, whose words are given as well; `nil` at the end of the text.
        private mutating func nodes() throws(TemplateError) -> ([Node], [Token]?) {
            depth += 1
            defer { depth -= 1 }
            guard depth < 100 else { throw .parsing("nested deeper than 100 levels") }
            var result: [Node] = []
            while let piece = pieces.popFirst() {
                switch piece {
                case .text(let text): result.append(.text(text))
                case .action(var tokens):
                    while tokens.first == .space { tokens.removeFirst() }
                    while tokens.last == .space { tokens.removeLast() }
                    guard case .word(let word)? = tokens.first else {
                        result.append(.output(try Self.pipeline(tokens)))
                        continue
                    }
                    switch word {
                    case "end", "else": return (result, tokens)
                    case "if", "with": result.append(try branch(Array(tokens.dropFirst()), rebindsDot: word == "with"))
                    case "range": result.append(try range(Array(tokens.dropFirst())))
                    case "define", "template", "block", "break", "continue":
                        throw .parsing("{{\(word)}} is not supported")
                    default: result.append(.output(try Self.pipeline(tokens)))
                    }
                }
            }
            return (result, nil)
        }

        private mutating func branch(_ tokens: [Token], rebindsDot: Bool) throws(TemplateError) -> Node {
            let condition = try Self.pipeline(tokens)
            let (then, end) = try nodes()
            return .branch(condition, then: then, otherwise: try otherwise(end), rebindsDot: rebindsDot)
        }

        private mutating func otherwise(_ end: [Token]?) throws(TemplateError) -> [Node] {
            guard let end else { throw .parsing("unexpected EOF") }
            guard end.first == .word("else") else { return [] }
            let more = end.dropFirst().filter { $0 != .space }
            if more.isEmpty {
                let (nodes, last) = try nodes()
                guard let last else { throw .parsing("unexpected EOF") }
                guard last.first == .word("end") else { throw .parsing("expected end; found {{else}}") }
                return nodes
            }
            guard more.first == .word("if") || more.first == .word("with"), let start = end.firstIndex(of: more[0]) else {
                throw .parsing("unexpected word behind {{else}}")
            }
            return [try branch(Array(end[(start + 1)...]), rebindsDot: more.first == .word("with"))]
        }

        private mutating func range(_ tokens: [Token]) throws(TemplateError) -> Node {
            var names: [String] = []
            var tokens = tokens
            if let declaration = tokens.firstIndex(of: .declare) {
                for token in tokens[..<declaration] {
                    switch token {
                    case .variable(let name) where !name.isEmpty: names.append(name)
                    case .space, .symbol(","): continue
                    default: throw .parsing("range can only declare variables")
                    }
                }
                guard (1...2).contains(names.count) else { throw .parsing("too many declarations in range") }
                tokens = Array(tokens[(declaration + 1)...])
            }
            let pipeline = try Self.pipeline(tokens)
            let (body, end) = try nodes()
            return .range(
                key: names.count == 2 ? names[0] : nil, value: names.last, pipeline, body: body, otherwise: try otherwise(end))
        }

        // MARK: Pipelines

        static func pipeline(_ tokens: [Token]) throws(TemplateError) -> Pipeline {
            var rest = tokens[...]
            while rest.first == .space { rest.removeFirst() }
            var result = Pipeline(commands: [])
            if case .variable(let name)? = rest.first {
                let behind = rest.dropFirst().drop { $0 == .space }
                if behind.first == .declare || behind.first == .symbol("=") {
                    (result.variable, result.declares) = (name, behind.first == .declare)
                    rest = behind.dropFirst()
                }
            }
            result.commands = try commands(&rest, depth: 0)
            guard rest.isEmpty else { throw .parsing("unexpected \")\" in action") }
            return result
        }

        private static func commands(_ rest: inout ArraySlice<Token>, depth: Int) throws(TemplateError) -> [[Operand]] {
            guard depth < 100 else { throw .parsing("nested deeper than 100 levels") }
            var result: [[Operand]] = [[]]
            var isParted = true
            while let token = rest.first, token != .symbol(")") {
                rest.removeFirst()
                if token == .space {
                    isParted = true
                    continue
                }
                if token == .symbol("|") {
                    guard !result[result.count - 1].isEmpty else { throw .parsing("missing value for command") }
                    result.append([])
                    isParted = true
                    continue
                }
                let operand = try operand(token, &rest, isParted: isParted, previous: result[result.count - 1].last, depth: depth)
                if !isParted { result[result.count - 1].removeLast() }
                result[result.count - 1].append(operand)
                isParted = false
            }
            guard result.allSatisfy({ !$0.isEmpty }) else { throw .parsing("missing value for command") }
            return result
        }

        /// One operand; what is not parted from the one before by a space continues it, as `.A.B`.
        private static func operand(
            _ token: Token, _ rest: inout ArraySlice<Token>, isParted: Bool, previous: Operand?, depth: Int
        ) throws(TemplateError) -> Operand {
            if !isParted, let previous {
                guard case .field(let name) = token else { throw .parsing("unexpected word in operand") }
                switch previous {
                case .field(let path): return .field(path: path + [name])
                case .variable(let variable, let path): return .variable(variable, path: path + [name])
                case .nested(let pipeline, let path): return .nested(pipeline, path: path + [name])
                case .dot, .literal, .function: throw .parsing("unexpected .\(name) in operand")
                }
            }
            switch token {
            case .dot: return .dot
            case .field(let name): return .field(path: [name])
            case .variable(let name): return .variable(name, path: [])
            case .string(let text): return .literal(.string(text))
            case .number(let digits): return .literal(.number(digits))
            case .word("true"): return .literal(.bool(true))
            case .word("false"): return .literal(.bool(false))
            case .word("nil"): return .literal(.null)
            case .word(let name):
                guard TemplateFunctions.names.contains(name) else { throw .parsing("function \"\(name)\" not defined") }
                return .function(name)
            case .symbol("("):
                let inner = try commands(&rest, depth: depth + 1)
                guard rest.popFirst() == .symbol(")") else { throw .parsing("unclosed left paren") }
                return .nested(Pipeline(commands: inner), path: [])
            case .symbol(let symbol): throw .parsing("unexpected \"\(symbol)\" in operand")
            case .declare: throw .parsing("unexpected \":=\" in operand")
            case .space: throw .parsing("missing value for command")
            }
        }
    }
}
