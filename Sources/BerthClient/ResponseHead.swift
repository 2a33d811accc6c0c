/// The first part of an HTTP answer.
public struct ResponseHead: Sendable, Hashable {
    /// As 200.
    public let status: Int
    /// Names in small letters, in the order of the answer.
    public let fields: [(name: String, value: String)]

    /// What is taken of one answer's head.
    static let lineLimit = 16 << 10
    /// How many fields.
    static let fieldLimit = 100

    /// The first field of a name, which is given in small letters.
    public subscript(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    /// Two heads are equal if everything in them is.
    public static func == (a: ResponseHead, b: ResponseHead) -> Bool {
        a.status == b.status && a.fields.elementsEqual(b.fields) { $0 == $1 }
    }

    /// By the status alone.
    public func hash(into hasher: inout Hasher) { hasher.combine(status) }

    /// Reads a head; interim answers (100) are skipped.
    ///
    /// - Throws: ``ClientError/Code/lost`` where the connection ends before it.
    static func read(from connection: inout Connection) throws(ClientError) -> ResponseHead {
        while true {
            let head = try readOne(from: &connection)
            if head.status >= 200 || head.status == 101 { return head }
        }
    }

    private static func readOne(from connection: inout Connection) throws(ClientError) -> ResponseHead {
        guard let first = try connection.takeLine(limit: lineLimit) else {
            throw ClientError(.lost, "The daemon closed the connection without an answer.")
        }
        let words = first.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), words[1].utf8.count == 3, let status = Int(words[1]), status >= 100 else {
            throw ClientError(.malformed, "What answers is not a daemon: its first line is \"\(first.prefix(60))\".")
        }
        var fields: [(String, String)] = []
        while true {
            guard let line = try connection.takeLine(limit: lineLimit) else {
                throw ClientError(.lost, "The daemon closed the connection in the middle of an answer's head.")
            }
            if line.isEmpty { return ResponseHead(status: status, fields: fields) }
            guard fields.count < fieldLimit else {
                throw ClientError(.limit, "The daemon's answer has more than \(fieldLimit) header fields.")
            }
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else {
                throw ClientError(.malformed, "The daemon's answer has a header line without a name: \"\(line.prefix(60))\".")
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            fields.append((line[..<colon].lowercased(), String(value)))
        }
    }

    /// How the body ends.
    enum Framing: Hashable { case none, length(Int64), chunked, untilClose }

    func framing(isHead: Bool) throws(ClientError) -> Framing {
        if isHead || status == 204 || status == 304 { return .none }
        if let coding = self["transfer-encoding"] {
            guard coding.lowercased() == "chunked" else {
                throw ClientError(
                    .malformed, "The daemon's answer is in the transfer coding \"\(coding.prefix(40))\", which was not asked for.")
            }
            return .chunked
        }
        guard let text = self["content-length"] else { return .untilClose }
        guard let length = Int64(text), length >= 0 else {
            throw ClientError(.malformed, "The daemon's answer has the length \"\(text.prefix(40))\".")
        }
        return .length(length)
    }
}
