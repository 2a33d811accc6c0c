public import BerthOCI
internal import Crypto

/// A digest of bytes that come in pieces.
public struct DigestHasher: Sendable {
    private var sha256: SHA256?
    private var sha512: SHA512?

    /// A hash of nothing yet.
    public init(_ algorithm: BerthOCI.Digest.Algorithm = .sha256) {
        if algorithm == .sha256 { sha256 = SHA256() } else { sha512 = SHA512() }
    }

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe sha256?.update(bufferPointer: bytes)
        unsafe sha512?.update(bufferPointer: bytes)
    }

    /// Adds bytes.
    public mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    /// The digest of all that was added.
    public func digest() -> BerthOCI.Digest {
        let digest =
            if let sha512 {
                BerthOCI.Digest(algorithm: .sha512, bytes: sha512.finalize())
            } else {
                BerthOCI.Digest(algorithm: .sha256, bytes: (sha256 ?? SHA256()).finalize())
            }
        guard let digest else { preconditionFailure("a hash function gives as many bytes as it says") }
        return digest
    }
}

extension BerthOCI.Digest {
    /// The digest of some bytes.
    public init(of bytes: [UInt8], _ algorithm: Algorithm = .sha256) {
        var hasher = DigestHasher(algorithm)
        hasher.update(bytes)
        self = hasher.digest()
    }
}
