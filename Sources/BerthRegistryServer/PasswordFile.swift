internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import CCrypt
internal import Synchronization

/// Users and what their passwords hash to, as `htpasswd -B` writes them: a line `NAME:HASH` each, by bcrypt.
public final class PasswordFile: Sendable {
    /// The most bytes of a file.
    public static let maximumByteCount = 1 << 20

    private let hashes: [String: String]
    private let lane = Lane(named: "logging in")
    /// A login that was right is right for a while: the hash is slow so that guessing is, and a push is a hundred requests.
    private struct Known {
        var until: ContinuousClock.Instant
        var user: String
    }
    private let known = Mutex<[Digest: Known]>([:])
    private let salt: [UInt8]
    private static let knownLimit = 1024
    private static let knownFor = Duration.seconds(60)

    /// Reads a file's text. Empty lines and lines that begin with `#` mean nothing.
    ///
    /// - Throws: `invalid` for a line that is none, and for a hash that is not of bcrypt.
    public init(text: String) throws(RegistryServerError) {
        var hashes: [String: String] = [:]
        for (index, line) in text.split(whereSeparator: \.isNewline).enumerated() {
            let line = String(line).trimmingSpaces()
            if line.isEmpty || line.hasPrefix("#") { continue }
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw RegistryServerError(.invalid, "line \(index + 1) of the password file is not of the form NAME:HASH")
            }
            guard ["$2y$", "$2b$", "$2a$"].contains(String(parts[1].prefix(4))), parts[1].utf8.count == 60 else {
                throw RegistryServerError(.invalid, "the password of '\(parts[0])' is not hashed by bcrypt: write it with htpasswd -B")
            }
            hashes[String(parts[0])] = String(parts[1])
        }
        self.hashes = hashes
        var random = SystemRandomNumberGenerator()
        salt = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    /// Reads a file, once.
    ///
    /// - Throws: `storage`, `invalid`.
    public convenience init(path: String) throws(RegistryServerError) {
        let bytes: [UInt8]
        do throws(Errno) {
            let isAbsolute = path.hasPrefix("/")
            bytes = try Directory.open(isAbsolute ? "/" : ".").readFile(
                try PathBytes(path), limit: Self.maximumByteCount, isAbsolute ? .inRoot : .beneath)
        } catch { throw RegistryServerError(.storage, "cannot read the password file '\(path)': \(error)") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw RegistryServerError(.invalid, "the password file '\(path)' is no text")
        }
        try self.init(text: text)
    }

    /// The user of a `Basic` header's value (RFC 7617), if the password is right.
    func user(ofBasic value: String) async throws(RegistryFailure) -> String? {
        guard let bytes = Base64.decode(value), let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else { return nil }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { return nil }
        let key = Digest(of: salt + bytes)
        if let user = known.withLock({ $0[key].flatMap { $0.until > .now ? $0.user : nil } }) { return user }
        // Somebody who is not there takes as long as somebody who is.
        let hash = hashes[parts[0]]
        guard let setting = hash ?? hashes.values.first else { return nil }
        let isRight = try await lane.run { () throws(RegistryFailure) in Self.hash(parts[1], setting) == setting }
        guard hash != nil, isRight else { return nil }
        known.withLock { known in
            if known.count >= Self.knownLimit { known.removeAll() }
            known[key] = Known(until: .now + Self.knownFor, user: parts[0])
        }
        return parts[0]
    }

    /// crypt(3).
    private static func hash(_ password: String, _ setting: String) -> String? {
        let byteCount = MemoryLayout<crypt_data>.size
        return unsafe withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 16) { buffer in
            unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
            guard let result = unsafe crypt_rn(password, setting, buffer.baseAddress!, CInt(byteCount)) else { return nil }
            return unsafe String(cString: result)
        }
    }
}
