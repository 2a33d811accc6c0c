internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthState

/// Why a request is not answered as asked: a status, and one of the specification's codes (OCI distribution specification, *Error Codes*).
struct RegistryFailure: Error, Sendable, LaneRefusable {
    enum Code: String, Sendable {
        case blobUnknown = "BLOB_UNKNOWN"
        case blobUploadInvalid = "BLOB_UPLOAD_INVALID"
        case blobUploadUnknown = "BLOB_UPLOAD_UNKNOWN"
        case digestInvalid = "DIGEST_INVALID"
        case manifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN"
        case manifestInvalid = "MANIFEST_INVALID"
        case manifestUnknown = "MANIFEST_UNKNOWN"
        case nameInvalid = "NAME_INVALID"
        case nameUnknown = "NAME_UNKNOWN"
        case sizeInvalid = "SIZE_INVALID"
        case unauthorized = "UNAUTHORIZED"
        case denied = "DENIED"
        case unsupported = "UNSUPPORTED"
        case tooManyRequests = "TOOMANYREQUESTS"
        /// Not the client's fault; the specification has no code for it.
        case unknown = "UNKNOWN"
    }

    let status: Int
    let code: Code
    let message: String
    var headers: [(name: String, value: String)] = []

    init(_ status: Int, _ code: Code, _ message: String) { (self.status, self.code, self.message) = (status, code, message) }

    func with(_ name: String, _ value: String) -> RegistryFailure {
        var failure = self
        failure.headers.append((name, value))
        return failure
    }

    static func blobUnknown(_ digest: Digest) -> Self { Self(404, .blobUnknown, "there is no blob \(digest) in this repository") }
    static func manifestUnknown(_ reference: ManifestReference) -> Self {
        Self(404, .manifestUnknown, "there is no manifest '\(reference)' in this repository")
    }
    static func uploadUnknown(_ id: String) -> Self {
        Self(404, .blobUploadUnknown, "there is no upload '\(id.prefix(64))' in this repository")
    }
    static func digestInvalid(_ reason: String) -> Self { Self(400, .digestInvalid, reason) }
    static func manifestInvalid(_ reason: String) -> Self { Self(400, .manifestInvalid, reason) }
    static func tooMany(_ reason: String, retryAfterSeconds: Int) -> Self {
        Self(429, .tooManyRequests, reason).with("Retry-After", String(retryAfterSeconds))
    }
    static func readOnly(_ what: String) -> Self { Self(405, .unsupported, "\(what): this registry is read only") }

    static func busy(lane: String, waitingCount: Int) -> RegistryFailure {
        .tooMany("\(lane) is busy: \(waitingCount) calls wait already; try again when they are done", retryAfterSeconds: 1)
    }

    /// What the disk refused is the server's fault, and its words are for whoever runs the server.
    init(_ error: ContentError) {
        switch error.code {
        case .notFound: self.init(404, .blobUnknown, error.description)
        case .digestMismatch: self.init(400, .digestInvalid, error.description)
        case .busy: self = .tooMany(error.description, retryAfterSeconds: 1)
        default: self.init(error.underlying == .ENOSPC || error.underlying == .EDQUOT ? 507 : 500, .unknown, error.description)
        }
    }

    init(_ error: StateError) {
        if error.code == .busy {
            self = .tooMany(error.description, retryAfterSeconds: 1)
        } else {
            self.init(error.underlying == .ENOSPC || error.underlying == .EDQUOT ? 507 : 500, .unknown, error.description)
        }
    }
}

/// Runs what throws the store's errors, and gives them as the registry's.
func orRefusal<Result: ~Copyable>(_ body: () throws(ContentError) -> Result) throws(RegistryFailure) -> Result {
    do throws(ContentError) { return try body() } catch { throw RegistryFailure(error) }
}
