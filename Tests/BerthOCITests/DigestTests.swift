import BerthOCI
import FoundationEssentials
import Testing

@Suite("A digest is an algorithm and as many lowercase hexadecimal digits as its hashes have")
struct DigestTests {
    static let sha256 = String(repeating: "0123456789abcdef", count: 4)

    @Test("What is well-formed is written back as it was", arguments: ["sha256:\(sha256)", "sha512:\(sha256)\(sha256)"])
    func roundTrip(text: String) throws {
        let digest = try Digest(parsing: text)
        #expect(digest.description == text)
        #expect(try JSONDecoder().decode([Digest].self, from: JSONEncoder().encode([digest])) == [digest])
    }

    @Test(
        "What is not says why",
        arguments: [
            ("", Digest.ParseError.noSeparator), ("sha256", .noSeparator), (sha256, .noSeparator),
            (":\(sha256)", .unknownAlgorithm("")), ("md5:\(sha256.prefix(32))", .unknownAlgorithm("md5")),
            ("SHA256:\(sha256)", .unknownAlgorithm("SHA256")), ("sha384:\(sha256)", .unknownAlgorithm("sha384")),
            ("sha256:", .wrongLength(expected: 64, found: 0)), ("sha256:\(sha256)0", .wrongLength(expected: 64, found: 65)),
            ("sha256:\(sha256.dropLast())", .wrongLength(expected: 64, found: 63)),
            ("sha512:\(sha256)", .wrongLength(expected: 128, found: 64)),
            ("sha256:\(sha256.dropLast())F", .notLowercaseHex(offset: 63)), ("sha256:g\(sha256.dropFirst())", .notLowercaseHex(offset: 0)),
            ("sha256: \(sha256.dropFirst())", .notLowercaseHex(offset: 0)), ("sha256:\(sha256.dropLast(2))é", .notLowercaseHex(offset: 62)),
            ("sha256:sha256:\(sha256.dropFirst(7))", .notLowercaseHex(offset: 0)),
        ])
    func refused(text: String, why: Digest.ParseError) {
        #expect(throws: why) { try Digest(parsing: text) }
    }

    @Test("Bytes are taken only in the algorithm's number")
    func bytes() throws {
        #expect(Digest(algorithm: .sha256, bytes: [UInt8](repeating: 0xab, count: 32))?.hex == String(repeating: "ab", count: 32))
        for count in [0, 31, 33, 64] { #expect(Digest(algorithm: .sha256, bytes: [UInt8](repeating: 1, count: count)) == nil) }
        for count in [0, 32, 63, 65] { #expect(Digest(algorithm: .sha512, bytes: [UInt8](repeating: 1, count: count)) == nil) }
    }

    @Test("Two digests are one only if every byte and the algorithm are")
    func equality() throws {
        let bytes = (0..<32).map { UInt8($0) }
        let digest = try #require(Digest(algorithm: .sha256, bytes: bytes))
        #expect(digest == Digest(algorithm: .sha256, bytes: bytes))
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 0x80
            #expect(digest != Digest(algorithm: .sha256, bytes: other), "byte \(index)")
        }
        // The same first bytes: a shorter hash is no prefix of a longer one.
        #expect(digest != Digest(algorithm: .sha512, bytes: bytes + [UInt8](repeating: 0, count: 32)))
    }
}
