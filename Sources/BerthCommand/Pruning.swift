internal import BerthClient
internal import DockerAPI

/// What a pruning has done: what is said of it, and how many bytes it has given back.
struct Pruning {
    /// What went, a line each below a heading, and an empty line; empty where nothing did.
    private(set) var text = ""
    /// How many bytes there are more now.
    private(set) var reclaimed: Int64 = 0

    private init(_ report: JSONTree, _ heading: String, _ lines: [String]) {
        reclaimed = report["SpaceReclaimed"]?.integer ?? 0
        if !lines.isEmpty { text = (["Deleted \(heading):"] + lines).map { $0 + "\n" }.joined() + "\n" }
    }

    private static func report(_ kind: String, _ filters: (String, String)?, _ daemon: Daemon) throws(ClientError) -> JSONTree {
        try daemon.call("POST", "/\(kind)/prune", query: filters.map { [$0] } ?? [])
    }

    private static func texts(_ report: JSONTree, _ member: String) -> [String] { (report[member]?.elements ?? []).compactMap(\.text) }

    /// Removes containers that do not run.
    static func containers(_ filters: [String], _ daemon: Daemon) throws -> Pruning {
        let report = try report("containers", try Filters.query(filters), daemon)
        return Pruning(report, "Containers", texts(report, "ContainersDeleted"))
    }

    /// Removes networks that nobody is in.
    static func networks(_ filters: [String], _ daemon: Daemon) throws -> Pruning {
        let report = try report("networks", try Filters.query(filters), daemon)
        return Pruning(report, "Networks", texts(report, "NetworksDeleted"))
    }

    /// Removes volumes that no container has.
    ///
    /// - Parameter all: also those that somebody has named. Older daemons remove them anyway, and know of no such filter.
    static func volumes(all: Bool, _ filters: [String], _ daemon: Daemon) throws -> Pruning {
        let knows = try knowsAnonymousVolumes(daemon)
        let report = try report("volumes", try Filters.query(filters, adding: all && knows ? [("all", "true")] : []), daemon)
        return Pruning(report, "Volumes", texts(report, "VolumesDeleted"))
    }

    /// Whether the daemon leaves volumes that somebody has named, unless told otherwise.
    static func knowsAnonymousVolumes(_ daemon: Daemon) throws -> Bool { !Daemon.isOlder(try daemon.version(), than: "1.42") }

    /// Removes images that no container is of: those without a name, or all.
    static func images(all: Bool, _ filters: [String], _ daemon: Daemon) throws -> Pruning {
        let report = try report("images", try Filters.query(filters, adding: [("dangling", all ? "false" : "true")]), daemon)
        let lines = (report["ImagesDeleted"]?.elements ?? []).flatMap { item in
            [("Untagged", "untagged"), ("Deleted", "deleted")].compactMap { member, word in item[member]?.text.map { "\(word): \($0)" } }
        }
        return Pruning(report, "Images", lines)
    }

    /// Removes what builds have kept.
    static func buildCache(all: Bool, _ filters: [String], _ daemon: Daemon) throws -> Pruning {
        let filters = try Filters.query(filters)
        let report = try daemon.call("POST", "/build/prune", query: (filters.map { [$0] } ?? []) + (all ? [("all", "1")] : []))
        return Pruning(report, "build cache objects", texts(report, "CachesDeleted"))
    }

    /// The last line.
    static func total(_ reclaimed: Int64) -> String { "Total reclaimed space: \(HumanText.size(reclaimed, digits: 4))" }
}
