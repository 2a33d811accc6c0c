internal import BerthOCI
internal import FoundationEssentials

/// Reads a document: the first byte says of which kind. What can be read can be written, and read again as the same.
func readDocument(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start = unsafe start, count > 0 else { return 0 }
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let rest = bytes.dropFirst()
    let text = String(decoding: rest, as: UTF8.self)
    switch bytes[0] % 7 {
    case 0: roundTrip(Manifest.self, rest)
    case 1: roundTrip(Index.self, rest)
    case 2: roundTrip(ImageConfiguration.self, rest)
    case 3: if let digest = try? Digest(parsing: text) { precondition((try? Digest(parsing: digest.description)) == digest) }
    case 4:
        if let name = try? ImageReference(parsing: text) { precondition((try? ImageReference(parsing: name.description)) == name) }
    case 5: if let platform = Platform(parsing: text) { precondition(Platform(parsing: platform.description) != nil) }
    default: roundTrip(Timestamp.self, Array("\"\(text)\"".utf8)[...])
    }
    return 0
}

private func roundTrip<Document: Codable & Equatable>(_: Document.Type, _ bytes: ArraySlice<UInt8>) {
    // What is no document is refused, which is all that is asked.
    guard let document = try? JSONDecoder().decode(Document.self, from: Data(bytes)) else { return }
    guard let written = try? JSONEncoder().encode(document), let again = try? JSONDecoder().decode(Document.self, from: written) else {
        preconditionFailure("a document that was read cannot be written and read again")
    }
    precondition(document == again, "a document that was written is another")
}
