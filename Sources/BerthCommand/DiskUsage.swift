internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth system df`.
struct DiskUsage: Verb {
    static let configuration = CommandConfiguration(commandName: "df", abstract: "Show disk usage", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Option(help: help("Pretty-print using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Flag(name: [.short, .long], help: "Show detailed information on space usage") var verbose = false

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        let usage = try daemon.call("GET", "/system/df")
        // What other daemons do not tell is left out of theirs.
        let account = try daemon.documentIfKnown(UsageAccount.self, "GET", BerthPath.usage)
        if verbose { try DiskUsageDetails(usage, account).show(format: format) } else { try summary(usage, account) }
        return 0
    }

    private func summary(_ usage: JSONTree, _ account: UsageAccount?) throws {
        let listing = Listing(
            standardTable: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}", quietTemplate: "{{.Type}}",
            headings: [
                ("Type", "TYPE"), ("TotalCount", "TOTAL"), ("Active", "ACTIVE"), ("Size", "SIZE"), ("Reclaimable", "RECLAIMABLE"),
            ])
        let kinds =
            [Self.images(usage), Self.containers(usage), Self.volumes(usage), Self.buildCache(usage)]
            + (account.map { [Self.blobs($0), Self.logs($0), Self.partial($0)] } ?? [])
        try listing.show(kinds.map(\.row), format: format, quiet: false)
    }

    /// A line: a kind of things, and what they take.
    struct Kind {
        var name: String
        var count: Int
        /// How many are in use.
        var activeCount: Int
        var byteCount: Int64
        /// How much goes if what is not in use is removed.
        var reclaimableByteCount: Int64
        var tellsShare = true

        var row: Listing.Row {
            let share = tellsShare && byteCount > 0 ? " (\(reclaimableByteCount * 100 / byteCount)%)" : ""
            let fields: [(String, JSONTree?)] = [
                ("Active", .string(String(activeCount))), ("Reclaimable", .string(HumanText.size(reclaimableByteCount, digits: 4) + share)),
                ("Size", .string(HumanText.size(byteCount, digits: 4))), ("TotalCount", .string(String(count))), ("Type", .string(name)),
            ]
            return Listing.Row(fields: .object(fields))
        }
    }

    private static func images(_ usage: JSONTree) -> Kind {
        let all = usage["Images"]?.elements ?? []
        let used = all.filter { ($0["Containers"]?.integer ?? 0) > 0 }
        // What an image in use shares stays also without it.
        let usedByteCount = used.reduce(Int64(0)) { sum, image in
            let (size, shared) = (image["Size"]?.integer ?? -1, image["SharedSize"]?.integer ?? -1)
            return size < 0 || shared < 0 ? sum : sum + size - shared
        }
        let layers = usage["LayersSize"]?.integer ?? 0
        return Kind(
            name: "Images", count: all.count, activeCount: used.count, byteCount: layers, reclaimableByteCount: layers - usedByteCount)
    }

    private static func containers(_ usage: JSONTree) -> Kind {
        let all = usage["Containers"]?.elements ?? []
        let size = { (container: JSONTree) in container["SizeRw"]?.integer ?? 0 }
        let active = all.filter { ["running", "paused", "restarting"].contains($0["State"]?.text ?? "") }
        let byteCount = all.map(size).reduce(0, +)
        return Kind(
            name: "Containers", count: all.count, activeCount: active.count, byteCount: byteCount,
            reclaimableByteCount: byteCount - active.map(size).reduce(0, +))
    }

    private static func volumes(_ usage: JSONTree) -> Kind {
        let all = usage["Volumes"]?.elements ?? []
        let size = { (volume: JSONTree) in max(0, volume["UsageData"]?["Size"]?.integer ?? 0) }
        let active = all.filter { ($0["UsageData"]?["RefCount"]?.integer ?? 0) > 0 }
        let byteCount = all.map(size).reduce(0, +)
        return Kind(
            name: "Local Volumes", count: all.count, activeCount: active.count, byteCount: byteCount,
            reclaimableByteCount: byteCount - active.map(size).reduce(0, +))
    }

    private static func buildCache(_ usage: JSONTree) -> Kind {
        let all = usage["BuildCache"]?.elements ?? []
        let active = all.filter { $0["InUse"]?.boolean == true }
        let size = { (record: JSONTree) in record["Shared"]?.boolean == true ? 0 : record["Size"]?.integer ?? 0 }
        let byteCount = all.map(size).reduce(0, +)
        return Kind(
            name: "Build Cache", count: all.count, activeCount: active.count, byteCount: byteCount,
            reclaimableByteCount: byteCount - active.map(size).reduce(0, +), tellsShare: false)
    }

    /// What images came as. What no image has goes by itself, as soon as nothing keeps it.
    private static func blobs(_ account: UsageAccount) -> Kind {
        let free = account.loose.filter { $0.keeper == "nothing" }
        let byteCount = account.blobsByteCount + account.loose.map(\.byteCount).reduce(0, +)
        return Kind(
            name: "Image Blobs", count: account.blobCount + account.loose.count,
            activeCount: account.blobCount + account.loose.count - free.count,
            byteCount: Int64(clamping: byteCount), reclaimableByteCount: Int64(clamping: free.map(\.byteCount).reduce(0, +)))
    }

    private static func logs(_ account: UsageAccount) -> Kind {
        let running = account.logs.filter { $0.state == "running" }
        let byteCount = account.logs.map(\.byteCount).reduce(0, +)
        return Kind(
            name: "Container Logs", count: account.logs.count, activeCount: running.count, byteCount: Int64(clamping: byteCount),
            reclaimableByteCount: Int64(clamping: byteCount - running.map(\.byteCount).reduce(0, +)))
    }

    private static func partial(_ account: UsageAccount) -> Kind {
        Kind(
            name: "Partial Content", count: account.partial.count, activeCount: account.partial.count { $0.keeper != "nothing" },
            byteCount: Int64(clamping: account.partial.map(\.byteCount).reduce(0, +)),
            reclaimableByteCount: Int64(clamping: account.partial.filter { $0.keeper == "nothing" }.map(\.byteCount).reduce(0, +)))
    }
}
