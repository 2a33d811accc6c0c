public import BerthClient

extension GoTemplate {
    /// Carries the template out.
    ///
    /// - Parameters:
    ///   - data: what `.` is.
    ///   - methods: what can be called on it besides its fields.
    /// - Throws: a field that is not there, a function that is called wrongly, or more than ``outputLimit`` bytes.
    public func rendered(_ data: JSONTree, methods: [String: Method] = [:]) throws(TemplateError) -> String {
        var machine = Machine(root: data, methods: methods)
        try machine.run(nodes, dot: data)
        return machine.output
    }

    private struct Machine {
        let root: JSONTree
        let methods: [String: Method]
        var output = ""
        var variables: [(name: String, value: JSONTree)] = []

        init(root: JSONTree, methods: [String: Method]) {
            (self.root, self.methods) = (root, methods)
            variables = [("", root)]
        }

        mutating func run(_ nodes: [Node], dot: JSONTree) throws(TemplateError) {
            let scope = variables.count
            defer { variables.removeSubrange(scope...) }
            for node in nodes {
                switch node {
                case .text(let text): output += text
                case .output(let pipeline):
                    let value = try evaluate(pipeline, dot)
                    if pipeline.variable == nil { output += TemplateFunctions.shown(value) }
                case .branch(let condition, let then, let otherwise, let rebindsDot):
                    let inner = variables.count
                    let value = try evaluate(condition, dot)
                    if TemplateFunctions.isTrue(value) {
                        try run(then, dot: rebindsDot ? value : dot)
                    } else {
                        try run(otherwise, dot: dot)
                    }
                    variables.removeSubrange(inner...)
                case .range(let key, let name, let pipeline, let body, let otherwise):
                    let items = try self.items(of: evaluate(pipeline, dot))
                    if items.isEmpty { try run(otherwise, dot: dot) }
                    for (index, item) in items {
                        let inner = variables.count
                        if let key { variables.append((key, index)) }
                        if let name { variables.append((name, item)) }
                        try run(body, dot: item)
                        variables.removeSubrange(inner...)
                    }
                }
                guard output.utf8.count <= GoTemplate.outputLimit else {
                    throw .executing("the output is larger than \(GoTemplate.outputLimit >> 20) MiB")
                }
            }
        }

        private func items(of value: JSONTree) throws(TemplateError) -> [(JSONTree, JSONTree)] {
            switch value {
            case .array(let elements): return elements.enumerated().map { (.integer($0), $1) }
            // Go walks maps in the order of their keys.
            case .object(let members): return members.sorted { $0.name < $1.name }.map { (.string($0.name), $0.value) }
            case .null: return []
            default: throw .executing("range can't iterate over \(TemplateFunctions.shown(value))")
            }
        }

        private mutating func evaluate(_ pipeline: Pipeline, _ dot: JSONTree) throws(TemplateError) -> JSONTree {
            var piped: JSONTree?
            for command in pipeline.commands { piped = try call(command, piped, dot) }
            let value = piped ?? .null
            if let name = pipeline.variable {
                if pipeline.declares {
                    variables.append((name, value))
                } else if let index = variables.lastIndex(where: { $0.name == name }) {
                    variables[index].value = value
                } else {
                    throw .executing("undefined variable \"$\(name)\"")
                }
            }
            return value
        }

        private mutating func call(_ command: [Operand], _ piped: JSONTree?, _ dot: JSONTree) throws(TemplateError) -> JSONTree {
            var arguments: [JSONTree] = []
            func isMethod(_ operand: Operand) -> String? {
                guard case .field(let path) = operand, path.count == 1, methods[path[0]] != nil, dot == root else { return nil }
                return path[0]
            }
            if case .function(let name) = command[0] {
                // `and` and `or` look at no more than they need.
                if name == "and" || name == "or" {
                    var last = JSONTree.null
                    for operand in command.dropFirst() {
                        last = try value(of: operand, dot)
                        if TemplateFunctions.isTrue(last) == (name == "or") { return last }
                    }
                    return piped ?? last
                }
                for operand in command.dropFirst() { arguments.append(try value(of: operand, dot)) }
                if let piped { arguments.append(piped) }
                return try TemplateFunctions.call(name, arguments)
            }
            if let name = isMethod(command[0]), let method = methods[name] {
                for operand in command.dropFirst() { arguments.append(try value(of: operand, dot)) }
                if let piped { arguments.append(piped) }
                return try method(arguments)
            }
            guard command.count == 1, piped == nil else { throw .executing("can't give argument to non-function") }
            return try value(of: command[0], dot)
        }

        private mutating func value(of operand: Operand, _ dot: JSONTree) throws(TemplateError) -> JSONTree {
            switch operand {
            case .dot: return dot
            case .field(let path):
                if path.count == 1, dot == root, let method = methods[path[0]] { return try method([]) }
                return try Self.follow(path, from: dot)
            case .variable(let name, let path):
                guard let variable = variables.last(where: { $0.name == name }) else {
                    throw .executing("undefined variable \"$\(name)\"")
                }
                return try Self.follow(path, from: variable.value)
            case .literal(let value): return value
            case .function(let name): return try TemplateFunctions.call(name, [])
            case .nested(let pipeline, let path): return try Self.follow(path, from: evaluate(pipeline, dot))
            }
        }

        private static func follow(_ path: [String], from value: JSONTree) throws(TemplateError) -> JSONTree {
            var value = value
            for name in path {
                switch value {
                case .object:
                    // Docker's own structures say ID where its JSON says Id.
                    guard let next = value[name] ?? (name == "ID" ? value["Id"] : nil) else {
                        throw .executing("executing at <.\(path.joined(separator: "."))>: map has no entry for key \"\(name)\"")
                    }
                    value = next
                case .null: throw .executing("executing at <.\(path.joined(separator: "."))>: nil has no field \"\(name)\"")
                default: throw .executing("executing at <.\(path.joined(separator: "."))>: can't evaluate field \(name) in a plain value")
                }
            }
            return value
        }
    }
}
