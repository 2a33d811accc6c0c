public import BerthAPI
internal import FoundationEssentials

// What is asked of Berth alone, beside Docker's API.
extension Daemon {
    /// Asks one of Berth's own endpoints, and takes the whole answer.
    ///
    /// - Parameters:
    ///   - type: what is answered.
    ///   - path: one of ``BerthAPI/BerthPath``, with what belongs behind it.
    /// - Throws: ``ClientError/Code/refused`` if the daemon is another one than berthd, or an older, which is said, and for what berthd refuses;
    ///   ``ClientError/Code/malformed`` for an answer of a later version.
    public func document<Document: VersionedDocument>(
        _ type: Document.Type, _ method: String, _ path: String, query: [(String, String)] = [], body: Body = .none,
        headers: [(String, String)] = []
    ) throws(ClientError) -> Document {
        var answer = try openOwn(method, path, query: query, body: body, headers: headers)
        let bytes = try answer.readAll(limit: Self.answerLimit)
        keep(answer)
        return try Self.decode(type, bytes)
    }

    /// The same; `nil` from a daemon that is another one than berthd, or an older.
    public func documentIfKnown<Document: VersionedDocument>(
        _ type: Document.Type, _ method: String, _ path: String, query: [(String, String)] = []
    ) throws(ClientError) -> Document? {
        do throws(ClientError) { return try document(type, method, path, query: query) } catch {
            guard error.code == .refused, error.status == 404 else { throw error }
            return nil
        }
    }

    /// Asks one of Berth's own endpoints, and returns as soon as the answer's head is there.
    ///
    /// - Throws: as ``document(_:_:_:query:)``.
    public func openOwn(
        _ method: String, _ path: String, query: [(String, String)] = [], body: Body = .none, headers: [(String, String)] = []
    ) throws(ClientError) -> ResponseBody {
        do { return try open(method, path, query: query, body: body, headers: headers) } catch {
            guard error.status == 404, error.reason == "page not found" || error.reason.contains("404 page not found") else { throw error }
            throw ClientError(.refused, "\(path) needs berthd; this daemon is \(try name()).", status: 404)
        }
    }

    /// What the daemon calls itself, and its version.
    private func name() throws(ClientError) -> String {
        let answer = try call("GET", "/version")
        let version = answer["Version"]?.text ?? "of an unknown version"
        let name = answer["Platform"]?["Name"]?.text ?? ""
        // Distributions build Docker without a name.
        return "\(name.isEmpty ? "Docker" : name) \(version)" + (name == "Berth" ? ", which does not have it yet" : "")
    }

    /// Reads a document of Berth's.
    ///
    /// - Throws: ``ClientError/Code/malformed``.
    public static func decode<Document: VersionedDocument>(_ type: Document.Type, _ bytes: [UInt8]) throws(ClientError) -> Document {
        do {
            let data = Data(bytes)
            let version = try JSONDecoder().decode(VersionOnly.self, from: data).version
            guard version <= Document.currentVersion else {
                throw ClientError(
                    .malformed,
                    "The daemon is newer than this program: it answers in version \(version), and up to \(Document.currentVersion) is read."
                )
            }
            return try JSONDecoder().decode(Versioned<Document>.self, from: data).document
        } catch let error as ClientError {
            throw error
        } catch {
            throw ClientError(.malformed, "The daemon's answer cannot be read: \(error).")
        }
    }

    private struct VersionOnly: Decodable {
        var version: Int
    }
}

extension JSONTree {
    /// A value as the tree of its JSON, names in order: what templates and `--format json` show.
    public init(of value: some Encodable) throws(ClientError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let bytes: [UInt8]
        do { bytes = Array(try encoder.encode(value)) } catch { throw ClientError(.local, "The answer cannot be shown: \(error).") }
        try self.init(parsing: bytes)
    }
}
