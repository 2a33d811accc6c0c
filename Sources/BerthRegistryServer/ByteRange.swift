/// What a `Range` header asks for of so many bytes (RFC 9110, section 14.2).
enum ByteRange: Hashable {
    case whole
    case part(Range<UInt64>)
    /// None of them, or the header makes no sense.
    case unsatisfiable

    /// Reads the header. Of several ranges the whole is given, which RFC 9110 allows; so it is for other units than bytes.
    init(_ header: String?, byteCount: UInt64) {
        guard let header, header.lowercased().hasPrefix("bytes="), !header.contains(",") else {
            self = .whole
            return
        }
        let ends = header.dropFirst("bytes=".count).split(separator: "-", omittingEmptySubsequences: false).map {
            String($0).trimmingSpaces()
        }
        guard ends.count == 2, ends.allSatisfy({ $0.isEmpty || Self.number($0) != nil }) else {
            self = .unsatisfiable
            return
        }
        let range: Range<UInt64>?
        switch (Self.number(ends[0]), Self.number(ends[1])) {
        case (let first?, let last?): range = first <= last && first < byteCount ? first..<(min(last, byteCount - 1) + 1) : nil
        case (let first?, nil): range = first < byteCount ? first..<byteCount : nil
        case (nil, let count?): range = count > 0 && byteCount > 0 ? (byteCount - min(count, byteCount))..<byteCount : nil
        case (nil, nil): range = nil
        }
        self = range.map(Self.part) ?? .unsatisfiable
    }

    /// A number of digits; one that is too large is as good as the largest.
    private static func number(_ text: String) -> UInt64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return UInt64(text) ?? .max
    }
}

/// Which bytes of an upload a request brings: `<first>-<last>` (OCI distribution specification, *Pushing a blob in chunks*).
struct ChunkRange: Hashable {
    let first: UInt64
    let last: UInt64
    var byteCount: UInt64 { last - first + 1 }

    init?(_ header: String) {
        let ends = header.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2,
            ends.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } }),
            let first = UInt64(ends[0]), let last = UInt64(ends[1]), first <= last, last < .max
        else { return nil }
        (self.first, self.last) = (first, last)
    }
}
