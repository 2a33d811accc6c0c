internal import BerthContent
internal import FoundationEssentials

/// What a registry writes about a failure (OCI distribution specification, *Error Codes*), and what token servers write instead.
struct ErrorDocument: Decodable {
    struct Entry: Decodable {
        let code: String?
        let message: String?
    }
    let code: String?
    let message: String?

    private enum Keys: String, CodingKey { case errors, error, errorDescription = "error_description", details, message }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Keys.self)
        // Each form is looked for; what is of another form is passed over.
        if let first = (try? values.decode([Entry].self, forKey: .errors))?.first {
            (code, message) = (first.code, first.message)
            return
        }
        code = try? values.decode(String.self, forKey: .error)
        message =
            (try? values.decode(String.self, forKey: .errorDescription)) ?? (try? values.decode(String.self, forKey: .message))
            ?? (try? values.decode(String.self, forKey: .details))
    }

    /// The most bytes of such a document that are read.
    static let maximumByteCount = 64 << 10

    /// What an answer says: with code and message where the body has them.
    static func answer(status: Int, _ body: [UInt8]) -> TransferError.Answer {
        // A body of another form says nothing that a program could read.
        let document = try? JSONDecoder().decode(ErrorDocument.self, from: Data(body))
        return TransferError.Answer(status: status, code: document?.code, message: document?.message)
    }
}

extension TransferError {
    static func cancelled() -> TransferError { TransferError(.cancelled, "the work was cancelled") }

    /// What an answer that is no success means.
    ///
    /// - Parameters:
    ///   - what: what could not be done, for people: "cannot read the manifest of 'docker.io/library/nginx:latest'".
    ///   - isKnown: whether credentials were shown.
    static func refusal(_ what: String, _ answer: Answer, request: String, registry: String, isKnown: Bool, after: Duration? = nil)
        -> TransferError
    {
        let code: Code =
            switch answer.status {
            case 401: .unauthorized
            case 403: .denied
            case 404, 410: .notFound
            case 429: .tooManyRequests
            case 413: .tooLarge
            case 405, 501: .unsupported
            case 500...: .unavailable
            case 400..<500: answer.code == "UNSUPPORTED" ? .unsupported : answer.code == "DIGEST_INVALID" ? .digestMismatch : .refused
            default: .badAnswer
            }
        let words = [answer.code?.lowercased().replacing("_", with: " "), answer.message].compactMap(\.self).joined(separator: ": ")
        let said = words.isEmpty ? "the registry answered with the status \(answer.status)" : words
        let login = registry == "docker.io" ? "berth login" : "berth login \(registry)"
        let advice: String? =
            switch code {
            case .unauthorized, .denied:
                isKnown
                    ? "the credentials for \(registry) do not allow it; with others, run: \(login)"
                    : "you are not logged in to \(registry); run: \(login)"
            case .tooManyRequests:
                (after.map { "the registry asks to wait \($0.components.seconds) seconds" } ?? "try again later")
                    + (isKnown ? "" : "; who is logged in may be allowed more: \(login)")
            case .unavailable: "try again later"
            default: nil
            }
        return TransferError(code, "\(said): \(what)", advice: advice, request: request, answer: answer)
    }
}
