internal import BerthLinux
internal import BerthOCI
internal import FoundationEssentials

/// A blob that is open for reading.
final class OpenedBlob: Sendable {
    let file: OwnedDescriptor
    init(_ file: consuming OwnedDescriptor) { self.file = file }
}

/// An answer, as a value: it is written by the connection.
struct Response: Sendable {
    enum Body: Sendable {
        case none
        case bytes([UInt8])
        case blob(OpenedBlob, Range<UInt64>)
        /// So many bytes, which a HEAD does not get.
        case unsent(byteCount: UInt64)
    }
    var status: Int
    var headers: [(name: String, value: String)]
    var body: Body

    init(_ status: Int, _ headers: [(name: String, value: String)] = [], _ body: Body = .none) {
        (self.status, self.headers, self.body) = (status, headers, body)
    }

    /// JSON of a value of ours.
    init(_ status: Int, json value: some Encodable, type: String = "application/json", _ headers: [(name: String, value: String)] = [])
        throws(RegistryFailure)
    {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { self.init(status, [("Content-Type", type)] + headers, .bytes(Array(try encoder.encode(value)))) } catch {
            throw RegistryFailure(500, .unknown, "the answer cannot be encoded: \(error)")
        }
    }

    private struct Failures: Encodable {
        struct Failure: Encodable {
            var code: String
            var message: String
        }
        var errors: [Failure]
    }

    /// What the specification has a client told (*Error Codes*).
    init(_ failure: RegistryFailure) {
        // Why a disk does not work is for whoever runs the server.
        let message = failure.status >= 500 ? "the registry cannot do this now; its log says why" : failure.message
        let body = Failures(errors: [.init(code: failure.code.rawValue, message: message)])
        let encoder = JSONEncoder()
        // The same bytes for the same failure: a difference would tell something.
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Text encodes: why it did not is nothing that a client could act on.
        let bytes = (try? encoder.encode(body)).map(Array.init) ?? []
        self.init(failure.status, [("Content-Type", "application/json")] + failure.headers, .bytes(bytes))
    }

    var byteCount: UInt64 {
        switch body {
        case .none: 0
        case .bytes(let bytes): UInt64(bytes.count)
        case .blob(_, let range): UInt64(range.count)
        case .unsent(let byteCount): byteCount
        }
    }
}
