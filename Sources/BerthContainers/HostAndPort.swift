/// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`, as Go splits them.
struct HostAndPort: Hashable, Sendable {
    var host: String
    /// `nil` where none is said.
    var port: UInt16?

    /// - Throws: `invalid`.
    init(parsing text: String) throws(ContainerError) {
        let host: Substring
        var rest: Substring
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw ContainerError(.invalid, "address \(text): missing ']' in address") }
            (host, rest) = (text[text.index(after: text.startIndex)..<end], text[text.index(after: end)...])
        } else {
            guard text.count(where: { $0 == ":" }) < 2 else {
                throw ContainerError(.invalid, "address \(text): too many colons in address")
            }
            let end = text.firstIndex(of: ":") ?? text.endIndex
            (host, rest) = (text[..<end], text[end...])
        }
        self.host = String(host)
        guard !rest.isEmpty else { return }
        guard rest.removeFirst() == ":", let port = UInt16(rest) else {
            throw ContainerError(.invalid, "address \(text): invalid port '\(rest)'")
        }
        self.port = port
    }
}
