public import BerthContent
internal import BerthLinux
internal import BerthOCI

/// What whoever reads and takes in content promises.
public enum ContentContract {
    /// The promises of a store that is empty.
    public static var all: [Promise<any ContentReading & ContentIngesting>] {
        [
            Promise("what is committed can be read, byte for byte, from the beginning, as often as one likes") { store, checking in
                for bytes in [[], [1, 2, 3], [UInt8](repeating: 7, count: 300_000)] as [[UInt8]] {
                    let digest = try keep(bytes, in: store, expecting: nil)
                    try checking.same(digest, Digest(of: bytes), "the digest")
                    try checking.same(try store.byteCount(of: digest), UInt64(bytes.count), "the size")
                    for _ in 0..<2 { try checking.that(try read(digest, in: store) == bytes, "other bytes are read") }
                }
            },
            Promise("there is no blob that was not committed") { store, checking in
                let missing = Digest(of: [9])
                try await checking.throwing("asking for its size", isCode(.notFound)) { _ = try store.byteCount(of: missing) }
                try await checking.throwing("opening it", isCode(.notFound)) { _ = try store.open(missing) }
            },
            Promise("bytes that have not the digest that is expected are not taken, and leave nothing") { store, checking in
                let expected = Digest(of: [1])
                try await checking.throwing("committing", isCode(.digestMismatch)) { _ = try keep([2], in: store, expecting: expected) }
                for digest in [expected, Digest(of: [2])] {
                    try await checking.throwing("opening", isCode(.notFound)) { _ = try store.open(digest) }
                }
            },
            Promise("bytes on their way are seen by nobody, and forgotten if they are not committed") { store, checking in
                do {
                    var ingest = try store.makeIngest(for: store.leases.begin())
                    try unsafe ingest.write(([5, 5] as [UInt8]).span.bytes)
                    try checking.same(ingest.byteCount, 2, "the count of bytes")
                    try await checking.throwing("opening", isCode(.notFound)) { _ = try store.open(Digest(of: [5, 5])) }
                }
                try await checking.throwing("opening", isCode(.notFound)) { _ = try store.open(Digest(of: [5, 5])) }
            },
            Promise("keeping what is there already changes nothing") { store, checking in
                let first = try keep([1, 2], in: store, expecting: nil)
                let second = try keep([1, 2], in: store, expecting: first)
                try checking.same(second, first, "the digest")
                try checking.same(try read(first, in: store), [1, 2], "the blob")
            },
        ]
    }

    private static func keep(
        _ bytes: [UInt8], in store: any ContentIngesting, expecting expected: Digest?
    ) throws(ContentError) -> Digest {
        var ingest = try store.makeIngest(for: store.leases.begin())
        // In pieces: they come as they come.
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(100_000))
            try unsafe ingest.write(piece.span.bytes)
            rest = rest.dropFirst(piece.count)
        }
        return try ingest.commit(expecting: expected).digest
    }

    private static func read(_ digest: Digest, in store: any ContentReading) throws -> [UInt8] {
        try store.open(digest).readToEnd(limit: 1 << 20)
    }

    private static func isCode(_ code: ContentError.Code) -> (any Error) -> Bool { { ($0 as? ContentError)?.code == code } }
}
