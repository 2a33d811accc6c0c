internal import BerthReactor
internal import NIOSSL

/// What a registry proves its name by (TLS 1.2 and later).
public struct RegistryCertificate: Hashable, Sendable {
    /// A file in PEM: the certificate, then those of the authorities that lead from it to one that clients trust.
    public var chainPath: String
    /// A file in PEM: its private key, not encrypted.
    public var keyPath: String

    /// The certificate of these files.
    public init(chainPath: String, keyPath: String) { (self.chainPath, self.keyPath) = (chainPath, keyPath) }

    /// Reads both.
    func context() async throws(RegistryServerError) -> NIOSSLContext {
        try await Lane(named: "reading certificates").run { () throws(RegistryServerError) in
            do {
                let chain = try NIOSSLCertificate.fromPEMFile(chainPath)
                guard !chain.isEmpty else { throw RegistryServerError(.invalid, "there is no certificate in '\(chainPath)'") }
                let key = try NIOSSLPrivateKey(file: keyPath, format: .pem)
                var configuration = TLSConfiguration.makeServerConfiguration(
                    certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
                configuration.minimumTLSVersion = .tlsv12
                return try NIOSSLContext(configuration: configuration)
            } catch let error as RegistryServerError { throw error } catch {
                throw RegistryServerError(.invalid, "the certificate '\(chainPath)' or its key '\(keyPath)' cannot be used: \(error)")
            }
        }
    }
}
