internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// An image in a list, as templates see it.
enum ImageRow {
    static let headings = [
        ("ID", "IMAGE ID"), ("Repository", "REPOSITORY"), ("Tag", "TAG"), ("Digest", "DIGEST"), ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"), ("Size", "SIZE"), ("Containers", "CONTAINERS"), ("VirtualSize", "SIZE"),
        ("SharedSize", "SHARED SIZE"), ("UniqueSize", "UNIQUE SIZE"),
    ]

    static func row(
        _ image: JSONTree, _ repository: String, _ tag: String, _ digest: String, noTrunc: Bool
    ) -> Listing.Row {
        let id = image["Id"]?.text ?? ""
        let created = image["Created"]?.integer ?? 0
        let size = HumanText.size(image["Size"]?.integer ?? 0)
        func count(_ field: String) -> String {
            guard let value = image[field]?.integer, value >= 0 else { return "N/A" }
            return field == "Containers" ? String(value) : HumanText.size(value, digits: 4)
        }
        let (all, shared) = (image["Size"]?.integer ?? -1, image["SharedSize"]?.integer ?? -1)
        let unique = all < 0 || shared < 0 ? "N/A" : HumanText.size(all - shared, digits: 4)
        let fields: [(String, JSONTree?)] = [
            ("Containers", .string(count("Containers"))), ("CreatedAt", .string(Times.long(seconds: created))),
            ("CreatedSince", .string(created <= 0 ? "N/A" : HumanText.duration(seconds: Times.secondsSince(created)) + " ago")),
            ("Digest", .string(digest)), ("ID", .string(noTrunc ? id : shortID(id))), ("Repository", .string(repository)),
            ("SharedSize", .string(count("SharedSize"))), ("Size", .string(size)), ("Tag", .string(tag)), ("UniqueSize", .string(unique)),
            ("VirtualSize", .string(HumanText.size(image["VirtualSize"]?.integer ?? image["Size"]?.integer ?? 0))),
        ]
        return Listing.Row(fields: .object(fields))
    }
}
