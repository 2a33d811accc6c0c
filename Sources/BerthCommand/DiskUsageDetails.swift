internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import BerthOCI
internal import DockerAPI

/// `berth system df -v`: each thing by itself.
struct DiskUsageDetails {
    private let usage: JSONTree
    /// `nil` of a daemon that does not tell.
    private let account: UsageAccount?

    init(_ usage: JSONTree, _ account: UsageAccount?) { (self.usage, self.account) = (usage, account) }

    func show(format: String?) throws {
        let format = format.map(Listing.unescaped)
        switch format {
        case nil, "table": try tables()
        case let format? where format.hasPrefix("table"):
            throw Failure("-v shows several tables: a template of one cannot be for all of them; leave out -v, or the word 'table'")
        case "json": try Output.line(try tree().json())
        case let format?: try Output.line(try GoTemplate(parsing: format).rendered(try tree()))
        }
    }

    private func tables() throws {
        try section(
            "Images space usage:",
            Listing(
                standardTable:
                    "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}",
                quietTemplate: "{{.ID}}", headings: ImageRow.headings), images(noTrunc: false))
        try section(
            "\nContainers space usage:",
            Listing(
                standardTable: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
                quietTemplate: "{{.ID}}", headings: ContainerRow.headings), containers(noTrunc: false))
        try section(
            "\nLocal Volumes space usage:",
            Listing(
                standardTable: "{{.Name}}\t{{.Links}}\t{{.Size}}", quietTemplate: "{{.Name}}",
                headings: [("Name", "VOLUME NAME"), ("Links", "LINKS"), ("Size", "SIZE")]), volumes)
        try section(
            "\nBuild cache usage: \(HumanText.size(buildCacheByteCount, digits: 4))",
            Listing(
                standardTable: "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}",
                quietTemplate: "{{.ID}}",
                headings: [
                    ("ID", "CACHE ID"), ("CacheType", "CACHE TYPE"), ("Size", "SIZE"), ("CreatedSince", "CREATED"),
                    ("LastUsedSince", "LAST USED"), ("UsageCount", "USAGE"), ("Shared", "SHARED"),
                ]), buildCache)
        guard let account else { return }
        let headings = [("Name", "CONTENT"), ("Size", "SIZE"), ("KeptBy", "KEPT BY")]
        let listing = Listing(standardTable: "{{.Name}}\t{{.Size}}\t{{.KeptBy}}", quietTemplate: "{{.Name}}", headings: headings)
        try section("\nImage blobs, kept as they came:", listing, blobs(account))
        try section("\nContainer logs:", listing, logs(account))
        try section("\nPartial content:", listing, account.partial.map(row))
    }

    private func section(_ title: String, _ listing: Listing, _ rows: [Listing.Row]) throws {
        try Output.text(title + "\n\n")
        try listing.show(rows, format: nil, quiet: false)
    }

    private func tree() throws -> JSONTree {
        let own: [(String, JSONTree?)] =
            account.map { account in
                [
                    ("Blobs", .array(blobs(account).map(\.fields))), ("Logs", .array(logs(account).map(\.fields))),
                    ("Partial", .array(account.partial.map(row).map(\.fields))),
                ]
            } ?? []
        let parts: [(String, JSONTree?)] = [
            ("BuildCache", .array(buildCache.map(\.fields))), ("Containers", .array(containers(noTrunc: true).map(\.fields))),
            ("Images", .array(images(noTrunc: true).map(\.fields))), ("Volumes", .array(volumes.map(\.fields))),
        ]
        return .object(parts + own)
    }

    private func blobs(_ account: UsageAccount) -> [Listing.Row] {
        account.images.map { image in
            let containers = image.containerCount == 0 ? [] : ["\(image.containerCount) container\(image.containerCount == 1 ? "" : "s")"]
            let keepers = image.names + containers
            return row(
                shortID(image.id), image.byteCount,
                keepers.isEmpty ? "its image alone: berth image prune removes it" : keepers.joined(separator: ", "))
        } + account.loose.map(row)
    }

    private func logs(_ account: UsageAccount) -> [Listing.Row] {
        account.logs.map { row($0.name, $0.byteCount, "container \(shortID($0.id)), \($0.state)") }
    }

    private func row(_ content: LooseContent) -> Listing.Row {
        let keeper =
            switch content.keeper {
            case "work": "work that runs: berth system jobs"
            case "unreadable": "something unreadable that may need it: berth info"
            default: "nothing: the next collection removes it"
            }
        return row(content.name, content.byteCount, keeper)
    }

    private func row(_ name: String, _ byteCount: UInt64, _ keeper: String) -> Listing.Row {
        let fields: [(String, JSONTree?)] = [
            ("KeptBy", .string(keeper)), ("Name", .string(name)), ("Size", .string(HumanText.size(byteCount, digits: 4))),
        ]
        return Listing.Row(fields: .object(fields))
    }

    /// An image's first name is enough here.
    private func images(noTrunc: Bool) -> [Listing.Row] {
        (usage["Images"]?.elements ?? []).map { image in
            let name = image["RepoTags"]?.elements.first?.text ?? "<none>:<none>"
            let colon = name.lastIndex(of: ":") ?? name.endIndex
            return ImageRow.row(image, String(name[..<colon]), String(name[colon...].dropFirst()), "<none>", noTrunc: noTrunc)
        }
    }

    private func containers(noTrunc: Bool) -> [Listing.Row] {
        (usage["Containers"]?.elements ?? []).map { ContainerRow.row($0, withSize: true, withRoot: false, noTrunc: noTrunc) }
    }

    private var volumes: [Listing.Row] {
        (usage["Volumes"]?.elements ?? []).map { volume in
            let size = volume["UsageData"]?["Size"]?.integer ?? -1
            let fields: [(String, JSONTree?)] = [
                ("Links", .string(String(volume["UsageData"]?["RefCount"]?.integer ?? 0))), ("Name", volume["Name"]),
                ("Size", .string(size < 0 ? "N/A" : HumanText.size(size, digits: 4))),
            ]
            return Listing.Row(fields: .object(fields))
        }
    }

    private var buildCacheByteCount: Int64 {
        (usage["BuildCache"]?.elements ?? []).reduce(0) { $0 + ($1["Shared"]?.boolean == true ? 0 : $1["Size"]?.integer ?? 0) }
    }

    private var buildCache: [Listing.Row] {
        (usage["BuildCache"]?.elements ?? []).map { record in
            func since(_ name: String) -> String {
                guard let text = record[name]?.text, let time = TimeText.parse(text) else { return "" }
                return HumanText.duration(seconds: Times.secondsSince(time.seconds)) + " ago"
            }
            let fields: [(String, JSONTree?)] = [
                ("CacheType", record["Type"]), ("CreatedSince", .string(since("CreatedAt"))),
                ("Description", record["Description"]), ("ID", .string(String((record["ID"]?.text ?? "").prefix(12)))),
                ("InUse", .string(String(record["InUse"]?.boolean ?? false))), ("LastUsedSince", .string(since("LastUsedAt"))),
                ("Shared", .string(String(record["Shared"]?.boolean ?? false))),
                ("Size", .string(HumanText.size(record["Size"]?.integer ?? 0))),
                ("UsageCount", .string(String(record["UsageCount"]?.integer ?? 0))),
            ]
            return Listing.Row(fields: .object(fields))
        }
    }
}
