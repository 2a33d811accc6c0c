public import BerthClient
internal import DockerAPI

/// What a container uses, as `docker stats` shows it, by two readings of `GET /containers/{id}/stats`.
public struct UsageSample: Sendable, Hashable {
    /// In hundredths of one processor; 0 without a reading before.
    public var processorPercent = 0.0
    /// Without what is cached of files.
    public var memoryByteCount = 0.0
    /// How much it may have.
    public var memoryLimit = 0.0
    /// What came over its networks, and what went.
    public var received = 0.0
    /// What went.
    public var sent = 0.0
    /// What was read from devices.
    public var read = 0.0
    /// What was written to them.
    public var written = 0.0
    /// How many tasks there are.
    public var taskCount: Int64 = 0

    /// Computes it.
    ///
    /// - Parameters:
    ///   - stats: a reading.
    ///   - before: the one before; `nil` takes what the reading says of it.
    public init(_ stats: JSONTree, before: JSONTree? = nil) {
        let processors = (now: stats["cpu_stats"], then: before?["cpu_stats"] ?? stats["precpu_stats"])
        func number(_ tree: JSONTree?, _ path: String...) -> Double { Double(path.reduce(tree) { $0?[$1] }?.digits ?? "") ?? 0 }
        let used = number(processors.now, "cpu_usage", "total_usage") - number(processors.then, "cpu_usage", "total_usage")
        let whole = number(processors.now, "system_cpu_usage") - number(processors.then, "system_cpu_usage")
        var count = number(processors.now, "online_cpus")
        if count == 0 { count = Double(processors.now?["cpu_usage"]?["percpu_usage"]?.elements.count ?? 0) }
        if used > 0, whole > 0 { processorPercent = used / whole * count * 100 }

        let memory = stats["memory_stats"]
        let usage = number(memory, "usage")
        // v1 counts with what is below, v2 has no other.
        let cached = memory?["stats"]?["total_inactive_file"] != nil ? "total_inactive_file" : "inactive_file"
        let inactive = number(memory, "stats", cached)
        memoryByteCount = inactive < usage ? usage - inactive : usage
        memoryLimit = number(memory, "limit")

        for network in stats["networks"]?.members ?? [] {
            received += number(network.value, "rx_bytes")
            sent += number(network.value, "tx_bytes")
        }
        for device in stats["blkio_stats"]?["io_service_bytes_recursive"]?.elements ?? [] {
            switch device["op"]?.text?.lowercased().first {
            case "r": read += number(device, "value")
            case "w": written += number(device, "value")
            default: continue
            }
        }
        taskCount = stats["pids_stats"]?["current"]?.integer ?? 0
    }

    /// How much of the memory that it may have it has, in hundredths.
    public var memoryPercent: Double { memoryLimit > 0 ? memoryByteCount / memoryLimit * 100 : 0 }
}

extension JSONTree {
    fileprivate var digits: String? { if case .number(let digits) = self { digits } else { nil } }
}
