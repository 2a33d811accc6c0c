internal import NIOSSL

/// What stands in a certificate (RFC 5280, 4.1): whose it is, whose signature it bears, for which names. Read from bytes that anybody may have made, so
/// what follows no rule is left out, and nothing of it can steer a terminal.
struct CertificateFacts: Hashable, Sendable {
    /// "CN=registry.example, O=Example"
    let subject: String
    let issuer: String
    /// The names and addresses that it is for.
    let names: [String]
    /// Those of them that are addresses, as their bytes.
    let addresses: [[UInt8]]
    /// Seconds since 1970.
    let notBefore: Int64
    let notAfter: Int64

    /// The most characters of a name that are kept, and the most names.
    static let maximumNameLength = 256, maximumNameCount = 4096

    init?(of certificate: NIOSSLCertificate) {
        guard let bytes = try? certificate.toDERBytes() else { return nil }
        self.init(der: bytes, notBefore: Int64(certificate.notValidBefore), notAfter: Int64(certificate.notValidAfter))
    }

    init?(der bytes: [UInt8], notBefore: Int64, notAfter: Int64) {
        guard var whole = DERReader(bytes[...]).only(0x30), let body = whole.next(0x30) else { return nil }
        var fields = body
        _ = fields.next(0xa0)
        guard fields.next(0x02) != nil, fields.next(0x30) != nil, let issuer = fields.next(0x30), fields.next(0x30) != nil,
            let subject = fields.next(0x30)
        else { return nil }
        (self.issuer, self.subject) = (Self.text(issuer), Self.text(subject))
        (self.notBefore, self.notAfter) = (notBefore, notAfter)
        let found = Self.names(fields)
        (names, addresses) = (found.compactMap(\.text), found.compactMap(\.address))
    }

    /// Whether it is signed by itself.
    var isOwnIssuer: Bool { subject == issuer }

    private static let attributes: [[UInt8]: String] = [
        [0x55, 4, 3]: "CN", [0x55, 4, 10]: "O", [0x55, 4, 11]: "OU", [0x55, 4, 6]: "C", [0x55, 4, 7]: "L", [0x55, 4, 8]: "ST",
    ]

    private static func text(_ name: DERReader) -> String {
        var (name, parts) = (name, [String]())
        while var set = name.next(0x31) {
            while var pair = set.next(0x30) {
                guard let type = pair.next(0x06), let label = attributes[Array(type.bytes)], let value = pair.any() else { continue }
                parts.append("\(label)=\(printable(value.bytes))")
            }
        }
        return parts.isEmpty ? "(no name)" : String(parts.joined(separator: ", ").prefix(maximumNameLength))
    }

    /// The subject's alternative names (RFC 5280, 4.2.1.6), in what follows the subject.
    private static func names(_ fields: DERReader) -> [(text: String?, address: [UInt8]?)] {
        var (fields, names) = (fields, [(text: String?, address: [UInt8]?)]())
        while let (tag, field) = fields.tagged() {
            guard tag == 0xa3, var extensions = field.only(0x30) else { continue }
            while var one = extensions.next(0x30) {
                guard let type = one.next(0x06), Array(type.bytes) == [0x55, 29, 17] else { continue }
                _ = one.next(0x01)
                guard let value = one.next(0x04), var list = value.only(0x30) else { continue }
                while names.count < maximumNameCount, let (kind, name) = list.tagged() {
                    switch kind {
                    case 0x82: names.append((printable(name.bytes), nil))
                    case 0x87: names.append((address(name.bytes), Array(name.bytes)))
                    default: continue
                    }
                }
            }
        }
        return names
    }

    private static func address(_ bytes: ArraySlice<UInt8>) -> String? {
        switch bytes.count {
        case 4: bytes.map(String.init).joined(separator: ".")
        case 16:
            stride(from: bytes.startIndex, to: bytes.endIndex, by: 2)
                .map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }.joined(separator: ":")
        default: nil
        }
    }

    private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes.prefix(maximumNameLength), as: UTF8.self)
        return String(
            text.unicodeScalars.map {
                $0.properties.generalCategory == .control || $0.properties.generalCategory == .format ? "?" : Character($0)
            })
    }
}

/// Elements of DER (X.690), one behind the other.
struct DERReader {
    private(set) var bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    /// The next element and what it is; `nil` at the end, and where the bytes follow no rule.
    mutating func tagged() -> (tag: UInt8, DERReader)? {
        guard bytes.count >= 2 else { return nil }
        let (tag, first) = (bytes[bytes.startIndex], bytes[bytes.startIndex + 1])
        var (begin, count) = (bytes.startIndex + 2, Int(first))
        if first >= 0x80 {
            let width = Int(first & 0x7f)
            guard (1...4).contains(width), bytes.endIndex - begin >= width else { return nil }
            count = bytes[begin..<begin + width].reduce(0) { $0 << 8 | Int($1) }
            begin += width
        }
        guard bytes.endIndex - begin >= count else { return nil }
        let content = bytes[begin..<begin + count]
        bytes = bytes[(begin + count)...]
        return (tag, DERReader(content))
    }

    /// The next element if it is of this kind; nothing is taken otherwise.
    mutating func next(_ tag: UInt8) -> DERReader? {
        var reader = self
        guard let (found, content) = reader.tagged(), found == tag else { return nil }
        self = reader
        return content
    }

    mutating func any() -> DERReader? { tagged()?.1 }

    /// What is within the first element, if it is of this kind.
    func only(_ tag: UInt8) -> DERReader? {
        var reader = self
        return reader.next(tag)
    }
}
