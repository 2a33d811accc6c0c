/// A log's tag: text with templates of what a container has, as Docker's `tag` (`{{.Name}}/{{.ID}}`).
struct LogTag: Hashable, Sendable {
    private enum Piece: Hashable { case text(String), name(Name) }
    private let pieces: [Piece]

    /// What a receiver is told unless another is asked for.
    static let standard = LogTag(pieces: [.name(.shortID)])

    private init(pieces: [Piece]) { self.pieces = pieces }

    /// What a template can name.
    enum Name: String, CaseIterable, Hashable, Sendable {
        case shortID = "ID"
        case id = "FullID"
        case name = "Name"
        case shortImageID = "ImageID"
        case imageID = "ImageFullID"
        case image = "ImageName"
        case daemon = "DaemonName"
    }

    /// - Throws: `invalid` for a template that does not end, `unsupported` for what Go's templates can besides.
    init(parsing text: String) throws(ContainerError) {
        var (pieces, rest): ([Piece], Substring) = ([], text[...])
        while let open = rest.firstRange(of: "{{") {
            pieces.append(.text(String(rest[..<open.lowerBound])))
            guard let close = rest[open.upperBound...].firstRange(of: "}}") else {
                throw ContainerError(.invalid, "the log option 'tag' has a template that does not end: \(text)")
            }
            let inside = rest[open.upperBound..<close.lowerBound].filter { $0 != " " }
            guard inside.hasPrefix("."), let name = Name(rawValue: String(inside.dropFirst())) else {
                throw ContainerError(
                    .unsupported,
                    "the log option 'tag' names {{\(inside)}}: there are \(Name.allCases.map { "{{.\($0.rawValue)}}" }.joined(separator: ", "))"
                )
            }
            pieces.append(.name(name))
            rest = rest[close.upperBound...]
        }
        self.pieces = pieces + [.text(String(rest))]
    }

    /// The tag of a container.
    func filled(_ names: [Name: String]) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .name(let name): names[name] ?? ""
            }
        }.joined()
    }
}
