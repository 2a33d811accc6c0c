public import BerthLinux
internal import Glibc

/// A daemon that speaks Docker's Engine API, as one thread talks to it: each call blocks until it is answered.
public final class Daemon {
    /// What a request carries.
    public enum Body {
        /// Nothing.
        case none
        /// A JSON value.
        case json(JSONTree)
        /// All that a file or a pipe holds from where it stands, as a tar archive.
        case archive(OwnedStream)
        /// A tar archive that is made while it is sent. What `make` throws ends the request in the middle, and is thrown.
        case made((BodySink) throws(ClientError) -> Void)
    }

    /// A stream that a request reads while it is sent.
    public final class OwnedStream {
        let descriptor: OwnedDescriptor
        /// How much of it is sent, where that is known ahead.
        let byteCount: Int64?
        /// Told of each piece that was sent, how many bytes it had.
        public var sent: ((Int) -> Void)?

        /// Takes the descriptor.
        public init(_ descriptor: consuming OwnedDescriptor, byteCount: Int64? = nil) {
            self.descriptor = descriptor
            self.byteCount = byteCount
        }
    }

    /// Where it listens.
    public let address: DaemonAddress
    /// The newest version of the API that this client speaks.
    public static var newestVersion: String { "1.51" }
    /// The most that is read of an answer which is taken whole.
    public static var answerLimit: Int { 256 << 20 }

    private let userAgent: String
    private let ownHeaders: [(String, String)]
    private let fixedVersion: String?
    private var agreedVersion: String?
    private var idle: Connection?
    /// A connection on which the version has been asked for, and no answer been read.
    private var greeting: Connection?

    /// A daemon at an address; nothing is sent before the first call.
    ///
    /// - Parameters:
    ///   - version: the API's version, as `DOCKER_API_VERSION` names it; `nil` to take the newest that both sides speak.
    ///   - userAgent: what this program calls itself.
    ///   - headers: what each request has in its head besides; without control characters.
    public init(
        at address: DaemonAddress, version: String? = nil, userAgent: String, headers: [(String, String)] = []
    ) throws(ClientError) {
        if let version {
            let parts = version.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 2, parts.allSatisfy({ UInt16($0) != nil }) else {
                throw ClientError(.address, "DOCKER_API_VERSION is \"\(version)\": it must be two numbers, as \(Self.newestVersion).")
            }
        }
        (self.address, fixedVersion, self.userAgent, ownHeaders) = (address, version, userAgent, headers)
    }

    /// The version that is spoken: the one that was fixed, or the newest that both sides know. Asks the daemon once.
    public func version() throws(ClientError) -> String {
        if let version = fixedVersion ?? agreedVersion { return version }
        var answer: ResponseBody
        if let greeted = try greeted() {
            answer = greeted
        } else {
            answer = try send("HEAD", "/_ping", query: [], body: .none, headers: [])
        }
        _ = try answer.readAll(limit: 1 << 16)
        let offered = answer.head["api-version"] ?? "1.24"
        keep(answer)
        let agreed = Self.isOlder(offered, than: Self.newestVersion) ? offered : Self.newestVersion
        agreedVersion = agreed
        return agreed
    }

    /// Asks for the version and does not wait for the answer: the daemon looks it up while the caller does something else. What goes wrong is left to the
    /// first call, which then begins anew. Repeating does nothing.
    public func greet() {
        guard fixedVersion == nil, agreedVersion == nil, greeting == nil else { return }
        do throws(ClientError) {
            let connection = try Connection(to: address)
            if try connection.write(request("HEAD", "/_ping", query: [], headers: [])) { greeting = consume connection }
        } catch {}  // the first call finds the same, and says it
    }

    private func greeted() throws(ClientError) -> ResponseBody? {
        guard let connection = greeting.take() else { return nil }
        do throws(ClientError) { return try Self.answer(to: "HEAD", isHeard: true, over: connection) } catch {
            guard error.code == .lost else { throw error }
            return nil
        }
    }

    /// Whether a version is older than another.
    public static func isOlder(_ version: String, than other: String) -> Bool {
        func numbers(_ text: String) -> [Int] { text.split(separator: ".").map { Int($0) ?? 0 } }
        return numbers(version).lexicographicallyPrecedes(numbers(other))
    }

    // MARK: Calls

    /// Asks, and takes the whole answer.
    ///
    /// - Returns: the answer's JSON; ``JSONTree/null`` where the answer has no body.
    /// - Throws: ``ClientError/Code/refused`` with the daemon's words for a status of 400 or more.
    @discardableResult
    public func call(
        _ method: String, _ path: String, query: [(String, String)] = [], body: Body = .none
    ) throws(ClientError) -> JSONTree {
        var answer = try open(method, path, query: query, body: body)
        let bytes = try answer.readAll(limit: Self.answerLimit)
        keep(answer)
        return bytes.isEmpty ? .null : try JSONTree(parsing: bytes)
    }

    /// Asks, and returns as soon as the answer's head is there.
    ///
    /// - Throws: ``ClientError/Code/refused`` as ``call(_:_:query:body:)``.
    public func open(
        _ method: String, _ path: String, query: [(String, String)] = [], body: Body = .none, headers: [(String, String)] = []
    ) throws(ClientError) -> ResponseBody {
        // A line end in one of them would be another request's beginning.
        guard headers.allSatisfy({ ($0.0 + $0.1).utf8.allSatisfy { $0 >= 32 && $0 != 127 } }) else {
            throw ClientError(.local, "A header of the request has a control character in it.")
        }
        var answer = try send(method, "/v\(version())\(path)", query: query, body: body, headers: headers)
        guard answer.head.status < 400 else { throw Self.refusal(&answer) }
        return answer
    }

    /// Asks, and takes the connection over as a stream in both directions (`101 UPGRADED`, or `200` as older daemons say).
    public func hijack(_ path: String, query: [(String, String)] = [], body: Body = .none) throws(ClientError) -> HijackedStream {
        let headers = [("Connection", "Upgrade"), ("Upgrade", "tcp")]
        var answer = try send("POST", "/v\(version())\(path)", query: query, body: body, headers: headers)
        guard answer.head.status < 400 else { throw Self.refusal(&answer) }
        guard answer.head.status == 101 || answer.head.status == 200 else {
            throw ClientError(.malformed, "The daemon answered \(answer.head.status) where it should have handed the connection over.")
        }
        return answer.hijacked()
    }

    private static func refusal(_ answer: inout ResponseBody) -> ClientError {
        let status = answer.head.status
        let bytes: [UInt8]
        do { bytes = try answer.readAll(limit: 1 << 20) } catch { return error }
        // What is not the JSON of an error is shown as it is: another program may be answering.
        let message = (try? JSONTree(parsing: bytes))?["message"]?.text ?? String(decoding: bytes.prefix(400), as: UTF8.self)
        let trimmed = String(message.reversed().drop { $0 == "\n" || $0 == " " }.reversed())
        return ClientError(.refused, trimmed.isEmpty ? "status \(status) without a word" : trimmed, status: status)
    }

    // MARK: Sending

    /// Keeps the connection of an answer that has been read for the next request.
    public func keep(_ answer: consuming ResponseBody) {
        idle = answer.reusable()
    }

    private func send(
        _ method: String, _ target: String, query: [(String, String)], body: Body, headers: [(String, String)]
    ) throws(ClientError) -> ResponseBody {
        var headers = headers
        var content: [UInt8] = []
        switch body {
        case .none: if method == "POST" || method == "PUT" { headers.append(("Content-Length", "0")) }
        case .json(let value):
            content = Array(value.json().utf8)
            headers += [("Content-Type", "application/json"), ("Content-Length", "\(content.count)")]
        case .archive(let stream):
            headers.append(("Content-Type", "application/x-tar"))
            headers.append(stream.byteCount.map { ("Content-Length", "\($0)") } ?? ("Transfer-Encoding", "chunked"))
        case .made: headers += [("Content-Type", "application/x-tar"), ("Transfer-Encoding", "chunked")]
        }
        let request = request(method, target, query: query, headers: headers) + content
        if let connection = idle.take(), !connection.isStale() {
            // A daemon may close a connection in the very moment in which it is used again: who only asks, asks once more.
            do { return try exchange(method, request, body, over: connection) } catch {
                guard error.code == .lost, method == "GET" || method == "HEAD" else { throw error }
            }
        }
        return try exchange(method, request, body, over: try Connection(to: address))
    }

    private func request(_ method: String, _ target: String, query: [(String, String)], headers: [(String, String)]) -> [UInt8] {
        var head = "\(method) \(target)\(Self.queryText(query)) HTTP/1.1\r\nHost: docker\r\nUser-Agent: \(userAgent)\r\n"
        for (name, value) in ownHeaders + headers { head += "\(name): \(value)\r\n" }
        return Array(head.utf8) + [13, 10]
    }

    /// Sends a request and takes the head of its answer.
    private func exchange(_ method: String, _ request: [UInt8], _ body: Body, over given: consuming Connection) throws(ClientError)
        -> ResponseBody
    {
        var isHeard = try given.write(request)
        if isHeard, case .archive(let stream) = body { isHeard = try Self.send(stream, to: given) }
        if isHeard, case .made(let make) = body { isHeard = try BodySink.send(made: make, to: given) }
        return try Self.answer(to: method, isHeard: isHeard, over: given)
    }

    private static func answer(to method: String, isHeard: Bool, over given: consuming Connection) throws(ClientError) -> ResponseBody {
        var connection = given
        // A daemon that stopped listening may have said why.
        let answer: ResponseHead
        do {
            answer = try ResponseHead.read(from: &connection)
        } catch {
            throw isHeard ? error : ClientError(.lost, "The daemon closed the connection in the middle of the request.")
        }
        let framing = try answer.framing(isHead: method == "HEAD")
        return ResponseBody(head: answer, connection: connection, framing: framing)
    }

    private static func send(_ stream: OwnedStream, to connection: borrowing Connection) throws(ClientError) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        var left = stream.byteCount ?? .max
        while left > 0 {
            let count: Int
            do { count = try stream.descriptor.read(intoArray: &chunk) } catch {
                throw ClientError(.local, "The archive cannot be read: \(error).", underlying: error)
            }
            if count == 0 { break }
            var piece = chunk[..<Int(min(Int64(count), left))]
            left -= Int64(piece.count)
            if stream.byteCount == nil { piece = Array("\(String(count, radix: 16))\r\n".utf8)[...] + piece + [13, 10] }
            guard try connection.write(Array(piece)) else { return false }
            stream.sent?(count)
        }
        if let expected = stream.byteCount {
            guard left == 0 else {
                throw ClientError(.local, "The archive became shorter while it was read: \(left) of \(expected) bytes are missing.")
            }
            return true
        }
        return try connection.write(Array("0\r\n\r\n".utf8))
    }

    static func queryText(_ query: [(String, String)]) -> String {
        query.isEmpty ? "" : "?" + query.map { "\(escaped($0.0))=\(escaped($0.1))" }.joined(separator: "&")
    }

    /// A text as a part of a path in which slashes, colons and `@` are its own, as in the names of images.
    public static func escapedPath(_ text: String) -> String {
        text.split(separator: "/", omittingEmptySubsequences: false).map { part in
            part.split(separator: ":", omittingEmptySubsequences: false).map { piece in
                piece.split(separator: "@", omittingEmptySubsequences: false).map { escaped(String($0)) }.joined(separator: "@")
            }.joined(separator: ":")
        }.joined(separator: "/")
    }

    /// A text as a part of a path or a query.
    public static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
