internal import BerthOCI
internal import FoundationEssentials

/// The Dockerfile instructions that change nothing but an image's configuration: `docker import --change`, `docker commit --change`.
enum ImageChanges {
    /// The most bytes of one instruction.
    static let maximumByteCount = 64 << 10

    /// What the image of a container says: the changes on what is said of it, laid over what the container does. As with Docker, what they leave empty is the
    /// container's again, and its command goes with its entry point.
    static func apply(
        changes: [String], to said: ImageConfiguration.Execution?, over container: ImageConfiguration.Execution
    ) throws(ImageError) -> ImageConfiguration.Execution {
        var execution = try apply(changes, to: said ?? container)
        if execution.entrypoint?.isEmpty ?? true, execution.command?.isEmpty ?? true { execution.command = container.command }
        if execution.entrypoint == nil { execution.entrypoint = container.entrypoint }
        if execution.user?.isEmpty ?? true { execution.user = container.user }
        if execution.workingDirectory?.isEmpty ?? true { execution.workingDirectory = container.workingDirectory }
        if execution.stopSignal?.isEmpty ?? true { execution.stopSignal = container.stopSignal }
        let names = Set(execution.environment.map { $0.prefix { $0 != "=" } })
        execution.environment += container.environment.filter { !names.contains($0.prefix { $0 != "=" }) }
        execution.labels.merge(container.labels) { said, _ in said }
        execution.exposedPorts += container.exposedPorts.filter { !execution.exposedPorts.contains($0) }
        execution.volumes += container.volumes.filter { !execution.volumes.contains($0) }
        execution.healthcheck = execution.healthcheck.map { merged($0, container.healthcheck) } ?? container.healthcheck
        return execution
    }

    private static func merged(
        _ said: ImageConfiguration.Healthcheck, _ container: ImageConfiguration.Healthcheck?
    ) -> ImageConfiguration.Healthcheck {
        guard let container else { return said }
        var check = said
        if check.test?.isEmpty ?? true { check.test = container.test }
        (check.interval, check.timeout) = (check.interval ?? container.interval, check.timeout ?? container.timeout)
        (check.startPeriod, check.retries) = (check.startPeriod ?? container.startPeriod, check.retries ?? container.retries)
        check.startInterval = check.startInterval ?? container.startInterval
        return check
    }

    static func apply(_ changes: [String], to execution: ImageConfiguration.Execution) throws(ImageError) -> ImageConfiguration.Execution {
        var execution = execution
        var isCommandSet = false
        for change in changes {
            guard change.utf8.count <= maximumByteCount else {
                throw ImageError(.invalid, "a change has \(change.utf8.count) bytes: at most \(maximumByteCount) are taken")
            }
            // A line that ends in a backslash goes on in the next.
            let joined = change.replacing("\\\n", with: "")
            for line in joined.split(separator: "\n") {
                let trimmed = line.trimming()
                guard !trimmed.isEmpty, !trimmed.hasPrefix("#") else { continue }
                try apply(trimmed, to: &execution, &isCommandSet)
            }
        }
        return execution
    }

    private static func apply(
        _ line: Substring, to execution: inout ImageConfiguration.Execution, _ isCommandSet: inout Bool
    ) throws(ImageError) {
        let instruction = line.prefix { !$0.isWhitespace }.uppercased()
        let rest = line.dropFirst(instruction.count).trimming()
        let words = ChangeWords(environment: execution.environment)
        func required() throws(ImageError) {
            guard !rest.isEmpty else { throw ImageError(.invalid, "\(instruction) requires at least one argument") }
        }
        switch instruction {
        case "CMD":
            execution.command = command(rest)
            isCommandSet = isCommandSet || execution.command?.isEmpty == false
        case "ENTRYPOINT":
            execution.entrypoint = rest.isEmpty ? nil : command(rest)
            // The command that was there was another entry point's.
            if !isCommandSet { execution.command = nil }
        case "ENV":
            try required()
            for (name, value) in try words.pairs(rest, of: instruction) {
                execution.environment.removeAll { $0.hasPrefix("\(name)=") }
                execution.environment.append("\(name)=\(value)")
            }
        case "LABEL":
            try required()
            for (name, value) in try words.pairs(rest, of: instruction) { execution.labels[name] = value }
        case "EXPOSE":
            try required()
            for word in try words.list(rest) {
                for port in try ports(word) where !execution.exposedPorts.contains(port) { execution.exposedPorts.append(port) }
            }
        case "ONBUILD":
            try required()
            let trigger = rest.prefix { !$0.isWhitespace }.uppercased()
            guard trigger != "ONBUILD" else { throw ImageError(.invalid, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed") }
            guard trigger != "FROM", trigger != "MAINTAINER" else {
                throw ImageError(.invalid, "\(trigger) isn't allowed as an ONBUILD trigger")
            }
            execution.onBuild.append(String(rest))
        case "STOPSIGNAL":
            try required()
            execution.stopSignal = try words.one(rest, of: instruction)
        case "USER":
            try required()
            execution.user = try words.one(rest, of: instruction)
        case "VOLUME":
            try required()
            let paths = if let list = jsonList(rest) { list } else { try words.list(rest) }
            for path in paths {
                guard !path.trimming().isEmpty else { throw ImageError(.invalid, "VOLUME specified can not be an empty string") }
                if !execution.volumes.contains(path) { execution.volumes.append(path) }
            }
        case "WORKDIR":
            try required()
            let path = try words.one(rest, of: instruction)
            let current = execution.workingDirectory ?? ""
            execution.workingDirectory = cleaned(path.hasPrefix("/") ? path : "/\(current)/\(path)")
        case "HEALTHCHECK": execution.healthcheck = try healthcheck(rest)
        default:
            throw ImageError(.invalid, "\(instruction) is not a valid change command")
        }
    }

    /// A JSON list as it is; anything else is for the shell.
    private static func command(_ text: Substring) -> [String] {
        if let list = jsonList(text) { return list }
        return text.isEmpty ? [] : ["/bin/sh", "-c", String(text)]
    }

    private static func jsonList(_ text: Substring) -> [String]? {
        guard text.hasPrefix("[") else { return nil }
        return try? JSONDecoder().decode([String].self, from: Data(text.utf8))  // what is no list is for the shell
    }

    private static func ports(_ word: String) throws(ImageError) -> [String] {
        let parts = word.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let proto = parts.count > 1 ? parts[1].lowercased() : "tcp"
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard ["tcp", "udp", "sctp"].contains(proto), (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
            first > 0, first <= last
        else { throw ImageError(.invalid, "invalid containerPort: \(word)") }
        return (first...last).map { "\($0)/\(proto)" }
    }

    private static func cleaned(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    private static func healthcheck(_ text: Substring) throws(ImageError) -> ImageConfiguration.Healthcheck {
        var rest = text
        var check = ImageConfiguration.Healthcheck(test: nil)
        while rest.hasPrefix("--") {
            let flag = rest.prefix { !$0.isWhitespace }
            rest = rest.dropFirst(flag.count).trimming()
            let parts = flag.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw ImageError(.invalid, "Missing a value on flag: \(flag)") }
            if parts[0] == "retries" {
                guard let count = Int(parts[1]), count >= 1 else {
                    throw ImageError(.invalid, "--retries must be at least 1 (not \(parts[1]))")
                }
                check.retries = count
                continue
            }
            guard let time = GoDuration.nanoseconds(parts[1]) else { throw ImageError(.invalid, "time: invalid duration \"\(parts[1])\"") }
            switch parts[0] {
            case "interval": check.interval = time
            case "timeout": check.timeout = time
            case "start-period": check.startPeriod = time
            case "start-interval": check.startInterval = time
            default: throw ImageError(.invalid, "Unknown flag: \(parts[0])")
            }
        }
        let type = rest.prefix { !$0.isWhitespace }.uppercased()
        let arguments = rest.dropFirst(type.count).trimming()
        switch type {
        case "NONE":
            guard arguments.isEmpty else { throw ImageError(.invalid, "HEALTHCHECK NONE takes no arguments") }
            check.test = ["NONE"]
        case "CMD":
            guard !arguments.isEmpty else { throw ImageError(.invalid, "Missing command after HEALTHCHECK CMD") }
            check.test = jsonList(arguments).map { ["CMD"] + $0 } ?? ["CMD-SHELL", String(arguments)]
        default: throw ImageError(.invalid, "Unknown type \"\(type)\" in HEALTHCHECK (try CMD)")
        }
        return check
    }
}

/// Words of an instruction: quotation marks, backslashes and variables.
struct ChangeWords {
    private let environment: [String]

    init(environment: [String]) { self.environment = environment }

    func one(_ text: Substring, of instruction: String) throws(ImageError) -> String {
        let words = try list(text)
        guard words.count == 1 else { throw ImageError(.invalid, "\(instruction) requires exactly one argument") }
        return words[0]
    }

    func list(_ text: Substring) throws(ImageError) -> [String] {
        var words: [String] = []
        for raw in split(text) { words.append(try processed(raw)) }
        return words
    }

    /// `name=value name2="value 2"`, or the old `name value with spaces`.
    func pairs(_ text: Substring, of instruction: String) throws(ImageError) -> [(String, String)] {
        let raw = split(text)
        guard let first = raw.first else { return [] }
        if !first.contains("=") {
            guard raw.count > 1 else { throw ImageError(.invalid, "\(instruction) must have two arguments") }
            return [(try processed(first), try processed(text.dropFirst(first.count).trimming()))]
        }
        var result: [(String, String)] = []
        for word in raw {
            guard let equals = word.firstIndex(of: "=") else {
                throw ImageError(.invalid, "Syntax error - can't find = in \"\(word)\". Must be of the form: name=value")
            }
            let name = try processed(word[..<equals])
            guard !name.isEmpty else { throw ImageError(.invalid, "\(instruction) names can not be blank") }
            result.append((name, try processed(word[word.index(after: equals)...])))
        }
        return result
    }

    /// Cuts at blanks that are neither quoted nor escaped; marks stay.
    private func split(_ text: Substring) -> [Substring] {
        var words: [Substring] = []
        var (start, quote, isEscaped): (Substring.Index?, Character?, Bool) = (nil, nil, false)
        for index in text.indices {
            let character = text[index]
            if isEscaped {
                isEscaped = false
            } else if character == "\\" && quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if character.isWhitespace {
                if let begin = start { words.append(text[begin..<index]) }
                start = nil
                continue
            }
            if start == nil { start = index }
        }
        if let start { words.append(text[start...]) }
        return words
    }

    private func processed(_ word: Substring) throws(ImageError) -> String {
        var (result, rest): (String, Substring) = ("", word)
        var quote: Character?
        while let character = rest.popFirst() {
            switch character {
            case "\\" where quote != "'":
                guard let next = rest.first else {
                    result.append("\\")
                    continue
                }
                // Between double marks a backslash is itself, but before these.
                if quote == "\"", !"\"$\\".contains(next) { result.append("\\") }
                result.append(next)
                rest = rest.dropFirst()
            case "'" where quote != "\"", "\"" where quote != "'": quote = quote == nil ? character : nil
            case "$" where quote != "'": result += try variable(&rest)
            default: result.append(character)
            }
        }
        guard quote == nil else {
            throw ImageError(.invalid, "unexpected end of statement while looking for matching \(quote == "'" ? "single" : "double")-quote")
        }
        return result
    }

    private func variable(_ rest: inout Substring) throws(ImageError) -> String {
        func isName(_ character: Character) -> Bool { character == "_" || character.isASCII && (character.isLetter || character.isNumber) }
        if rest.first != "{" {
            let name = rest.prefix(while: isName)
            guard !name.isEmpty else { return "$" }
            rest = rest.dropFirst(name.count)
            return value(of: name) ?? ""
        }
        guard let end = rest.firstIndex(of: "}") else { throw ImageError(.invalid, "syntax error: missing '}' in a variable") }
        let inside = rest[rest.index(after: rest.startIndex)..<end]
        rest = rest[rest.index(after: end)...]
        let name = inside.prefix(while: isName)
        let modifier = inside.dropFirst(name.count)
        let found = value(of: name).flatMap { $0.isEmpty ? nil : $0 }
        if modifier.isEmpty { return found ?? "" }
        let word = try processed(modifier.dropFirst(2))
        switch modifier.prefix(2) {
        case ":-": return found ?? word
        case ":+": return found == nil ? "" : word
        default: throw ImageError(.invalid, "unsupported modifier (\(modifier)) in substitution")
        }
    }

    private func value(of name: Substring) -> String? {
        environment.last { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
    }
}

extension StringProtocol {
    /// Without blanks at either end.
    func trimming() -> Substring {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return text
    }
}
