internal import BerthAPI
internal import BerthClient
internal import DockerAPI

/// Work of a daemon's that is followed: how far it is, on a terminal, then what came of it.
enum LongWork {
    /// Hands each document on as it comes; a failure is thrown.
    static func follow(_ answer: inout ResponseBody, _ body: (JSONTree) throws -> Void) throws {
        var isShown = false
        func clear() throws {
            if isShown { try Meter.clear() }
            isShown = false
        }
        try JSONLines.each(&answer) { line in
            if let error = line["errorDetail"]?["message"]?.text ?? line["error"]?.text {
                try clear()
                throw Failure(error)
            }
            if let document = line["aux"] {
                try clear()
                try body(document)
            } else if let status = line["status"]?.text, Terminal.isTerminal(2) {
                let detail = line["progressDetail"]
                let sizes = [detail?["current"], detail?["total"]].compactMap { $0?.integer }.map { HumanText.size($0, digits: 4) }
                let size = sizes.isEmpty ? "" : " " + sizes.joined(separator: "/")
                try Output.write(Array("\r\(VisibleText.of(status))\(size)\u{1b}[K".utf8)[...], to: 2)
                isShown = true
            }
        }
    }

    /// Follows work of which one document comes.
    static func result<Document: VersionedDocument>(
        _ type: Document.Type, _ daemon: Daemon, _ method: String, _ path: String, query: [(String, String)] = []
    ) throws -> Document {
        var answer = try daemon.openOwn(method, path, query: query)
        var result: Document?
        try follow(&answer) { result = try Daemon.decode(type, Array($0.json().utf8)) }
        guard let result else { throw Failure("the daemon has not said what came of it: unexpected EOF") }
        return result
    }
}

/// Text from images, made harmless to terminals: what cannot be seen, and what is no UTF-8, as `\xNN`, and a backslash as two.
enum VisibleText {
    /// Of bytes.
    ///
    /// - Parameter backslash: what stands for one. As two, the text says exactly which bytes it is of.
    static func of(_ bytes: [UInt8], backslash: String = "\\\\") -> String {
        var (result, position) = ("", 0)
        var (parser, rest) = (Unicode.UTF8.ForwardParser(), bytes.makeIterator())
        while true {
            switch parser.parseScalar(from: &rest) {
            case .emptyInput: return result
            case .error(let length):
                for byte in bytes[position..<position + length] { escape(byte, &result) }
                position += length
            case .valid(let encoded):
                let scalar = Unicode.UTF8.decode(encoded)
                if scalar == "\\" {
                    result += backslash
                } else if isVisible(scalar) {
                    result.unicodeScalars.append(scalar)
                } else {
                    for byte in encoded { escape(byte, &result) }
                }
                position += encoded.count
            }
        }
    }

    /// Of text.
    static func of(_ text: String) -> String { of(Array(text.utf8)) }

    /// A command on one line: what parts its words is a space each.
    static func command(_ text: String) -> String {
        of(Array(text.split { $0.isWhitespace }.joined(separator: " ").utf8), backslash: "\\")
    }

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }

    private static func escape(_ byte: UInt8, _ result: inout String) {
        let digits = String(byte, radix: 16)
        result += "\\x" + (digits.utf8.count == 1 ? "0" : "") + digits
    }
}
