internal import BerthContent
internal import BerthLinux
internal import NIOSSL

/// What an operator has put into `/etc/docker/certs.d/<host[:port]>/` (Docker, *Verify repository client with certificates*).
enum CertificateDirectory {
    /// The most bytes of one file, and the most files.
    static let maximumByteCount = 1 << 20, maximumFileCount = 64

    /// How TLS is spoken with an endpoint; `nil` for the library's own way. Reads files.
    static func configuration(for endpoint: Endpoint, in directories: [String]) throws(TransferError) -> TLSConfiguration? {
        var authorities: [NIOSSLCertificate] = []
        var own: (chain: [NIOSSLCertificate], key: NIOSSLPrivateKey)?
        for directory in directories {
            guard let found = try files(in: "\(directory)/\(endpoint.address(.https).authority)") else { continue }
            for file in found where file.name.hasSuffix(".crt") { authorities += try certificates(file) }
            for file in found where file.name.hasSuffix(".cert") {
                let keyName = file.name.dropLast(5) + ".key"
                guard let key = found.first(where: { $0.name == keyName }) else {
                    throw unusable(file.path, "there is no '\(keyName)' beside it")
                }
                own = (try certificates(file), try privateKey(key))
            }
            for file in found where file.name.hasSuffix(".key") && !found.contains(where: { $0.name == file.name.dropLast(4) + ".cert" }) {
                throw unusable(file.path, "there is no '\(file.name.dropLast(4)).cert' beside it")
            }
        }
        guard endpoint.isInsecure || !authorities.isEmpty || own != nil else { return nil }
        var configuration = TLSConfiguration.makeClientConfiguration()
        if endpoint.isInsecure { configuration.certificateVerification = .none }
        if !authorities.isEmpty { configuration.additionalTrustRoots = [.certificates(authorities)] }
        if let own {
            configuration.certificateChain = own.chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(own.key)
        }
        return configuration
    }

    private struct File {
        let name: String
        let path: String
        let bytes: [UInt8]
    }

    /// `nil` if there is no such directory. Links are followed: the operator put them there.
    private static func files(in path: String) throws(TransferError) -> [File]? {
        do throws(Errno) {
            let entries = try Directory.open(path).entries().map(\.name.description).sorted()
            var files: [File] = []
            for name in entries where [".crt", ".cert", ".key"].contains(where: { name.hasSuffix($0) }) {
                guard files.count < maximumFileCount else { throw .EFBIG }
                files.append(
                    File(name: name, path: "\(path)/\(name)", bytes: try HostFile.read("\(path)/\(name)", limit: maximumByteCount)))
            }
            return files
        } catch {
            if [.ENOENT, .ENOTDIR].contains(error) { return nil }
            throw TransferError(.storage, "cannot read the certificates in '\(path)': \(error)", underlying: error)
        }
    }

    private static func certificates(_ file: File) throws(TransferError) -> [NIOSSLCertificate] {
        do {
            let found = try NIOSSLCertificate.fromPEMBytes(file.bytes)
            if !found.isEmpty { return found }
        } catch {
            throw unusable(file.path, "it is no certificate in PEM")
        }
        throw unusable(file.path, "it has no certificate")
    }

    private static func privateKey(_ file: File) throws(TransferError) -> NIOSSLPrivateKey {
        do { return try NIOSSLPrivateKey(bytes: file.bytes, format: .pem) } catch {
            throw unusable(file.path, "it is no private key in PEM without a passphrase")
        }
    }

    private static func unusable(_ path: String, _ why: String) -> TransferError {
        TransferError(.invalid, "cannot use '\(path)': \(why)", advice: "mend or remove it")
    }
}
