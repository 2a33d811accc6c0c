internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials

/// A server that says who may do what, in JSON web tokens (RFC 7519) as registries have them: the Docker registry's token authentication.
public struct TokenAuthority: Sendable {
    /// Where clients get their tokens.
    public let realm: String
    /// This registry's name in them.
    public let service: String
    /// The authority's name in them.
    public let issuer: String
    private let key: Key
    private let now: @Sendable () -> Int64

    private enum Key: Sendable {
        case p256(P256.Signing.PublicKey)
        case p384(P384.Signing.PublicKey)
        case rsa(_RSA.Signing.PublicKey)
    }

    /// Clocks may differ by so many seconds.
    static let leeway: Int64 = 60
    /// The most bytes of a token.
    static let maximumByteCount = 16384

    /// An authority of these.
    ///
    /// - Parameter publicKey: in PEM (`BEGIN PUBLIC KEY`): of RSA for tokens signed by `RS256`, of the curves P-256 and P-384 for `ES256` and `ES384`.
    /// - Throws: `invalid` for any other key, and for names that no header can have.
    public init(realm: String, service: String, issuer: String, publicKey: String) throws(RegistryServerError) {
        try self.init(realm: realm, service: service, issuer: issuer, publicKey: publicKey, now: { Self.seconds() })
    }

    init(realm: String, service: String, issuer: String, publicKey: String, now: @escaping @Sendable () -> Int64)
        throws(RegistryServerError)
    {
        for (what, text) in [("realm", realm), ("service", service), ("issuer", issuer)] {
            guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") })
            else {
                throw RegistryServerError(
                    .invalid, "'\(text)' cannot be the \(what) of a token: it has characters without spaces and quotes")
            }
        }
        (self.realm, self.service, self.issuer, self.now) = (realm, service, issuer, now)
        if let key = try? P256.Signing.PublicKey(pemRepresentation: publicKey) {  // another kind, perhaps
            self.key = .p256(key)
        } else if let key = try? P384.Signing.PublicKey(pemRepresentation: publicKey) {  // likewise
            self.key = .p384(key)
        } else if let key = try? _RSA.Signing.PublicKey(pemRepresentation: publicKey) {  // said below
            self.key = .rsa(key)
        } else {
            throw RegistryServerError(
                .invalid,
                "the token server's key is no public key in PEM, of RSA or of the curves P-256 and P-384; of a certificate, openssl x509 -pubkey -noout gives it"
            )
        }
    }

    private static func seconds() -> Int64 { Int64(Date().timeIntervalSince1970) }

    private struct Header: Decodable {
        var alg: String
    }
    private struct Claims: Decodable {
        struct Access: Decodable {
            var type: String
            var name: String
            var actions: [String]
        }
        enum Audience: Decodable {
            case names([String])
            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                do { self = .names([try container.decode(String.self)]) } catch { self = .names(try container.decode([String].self)) }
            }
            func has(_ name: String) -> Bool {
                switch self {
                case .names(let names): names.contains(name)
                }
            }
        }
        var iss: String
        var aud: Audience
        var exp: Double
        var nbf: Double?
        var access: [Access]?
    }

    /// What a token allows; `nil` for one that is not this authority's, not for this registry, or not valid now.
    func grant(of token: String) -> TokenGrant? {
        guard token.utf8.count <= Self.maximumByteCount else { return nil }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64.decodeURL(parts[0]), let payload = Base64.decodeURL(parts[1]),
            let signature = Base64.decodeURL(parts[2]),
            let algorithm = try? JSONDecoder().decode(Header.self, from: Data(header)).alg,  // what is none is not valid
            isValid(signature, of: Data("\(parts[0]).\(parts[1])".utf8), algorithm),
            let claims = try? JSONDecoder().decode(Claims.self, from: Data(payload))  // likewise
        else { return nil }
        let time = Double(now())
        let leeway = Double(Self.leeway)
        guard claims.iss == issuer, claims.aud.has(service), time < claims.exp + leeway, time > (claims.nbf ?? 0) - leeway else {
            return nil
        }
        var grant = TokenGrant()
        for access in claims.access ?? [] {
            let rights = access.actions.compactMap { RegistryRights(word: $0) }.reduce(into: RegistryRights()) { $0.formUnion($1) }
            if access.type == "repository" { grant.repositories[access.name, default: []].formUnion(rights) }
            if access.type == "registry", access.name == "catalog", access.actions.contains("*") { grant.mayList = true }
        }
        return grant
    }

    /// The algorithm is the key's: a token that names another, or none, is not valid.
    private func isValid(_ signature: [UInt8], of message: Data, _ algorithm: String) -> Bool {
        switch (key, algorithm) {
        case (.p256(let key), "ES256"):
            guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }  // no signature
            return key.isValidSignature(signature, for: message)
        case (.p384(let key), "ES384"):
            guard let signature = try? P384.Signing.ECDSASignature(rawRepresentation: signature) else { return false }  // no signature
            return key.isValidSignature(signature, for: message)
        case (.rsa(let key), "RS256"):
            let signature = _RSA.Signing.RSASignature(rawRepresentation: signature)
            return key.isValidSignature(signature, for: SHA256.hash(data: message), padding: .insecurePKCS1v1_5)
        default: return false
        }
    }

    func challenge(for route: Route, _ needs: RegistryRights, error: String?) -> String {
        var text = "Bearer realm=\"\(realm)\",service=\"\(service)\""
        if let path = route.repository {
            // Who brings or removes something looks first.
            text += ",scope=\"repository:\(path):\(needs.union(.pull).words.joined(separator: ","))\""
        } else if case .catalogue = route {
            text += ",scope=\"registry:catalog:*\""
        }
        return text + (error.map { ",error=\"\($0)\"" } ?? "")
    }
}

/// What a token allows.
struct TokenGrant: Hashable, Sendable {
    var repositories: [String: RegistryRights] = [:]
    var mayList = false

    func rights(in path: RepositoryPath) -> RegistryRights { repositories[path.description] ?? [] }
}
