internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine

/// `berth update`.
struct Update: Verb {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Update configuration of one or more containers", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER [CONTAINER...]"
    static let wordCount = WordCount.atLeast(1)
    static let absentFlags: [AbsentFlag] = [
        .value("kernel-memory", why: "kernels since 5.16 have no such limit")
    ]

    @Option(help: help("Block IO (relative weight), between 10 and 1000, or 0 to disable", "uint")) var blkioWeight: String?
    @Option(help: help("Limit CPU CFS period, in microseconds", "int")) var cpuPeriod: Int64?
    @Option(help: help("Limit CPU CFS quota, in microseconds", "int")) var cpuQuota: Int64?
    @Option(help: help("Limit the CPU real-time period in microseconds", "int")) var cpuRtPeriod: Int64?
    @Option(help: help("Limit the CPU real-time runtime in microseconds", "int")) var cpuRtRuntime: Int64?
    @Option(name: [.customShort("c"), .long], help: help("CPU shares (relative weight)", "int")) var cpuShares: Int64?
    @Option(help: help("Number of CPUs", "decimal")) var cpus: String?
    @Option(help: help("CPUs in which to allow execution (0-3, 0,1)")) var cpusetCpus: String?
    @Option(help: help("MEMs in which to allow execution (0-3, 0,1)")) var cpusetMems: String?
    @Option(name: [.short, .long], help: help("Memory limit: a number of bytes, or one with k, m or g", "bytes")) var memory: String?
    @Option(help: help("Memory soft limit", "bytes")) var memoryReservation: String?
    @Option(help: help("Swap limit equal to memory plus swap: '-1' to enable unlimited swap", "bytes")) var memorySwap: String?
    @Option(help: help("Tune container pids limit (set -1 for unlimited)", "int")) var pidsLimit: Int64?
    @Option(help: help("Restart policy to apply when a container exits")) var restart: String?
    @Argument var containers: [String]

    func perform(_ session: Session) throws -> Int32 {
        func bytes(_ text: String?) -> JSONTree? { text.flatMap(ValueKind.bytes).map(JSONTree.integer) }
        let said: [(String, JSONTree?)] = [
            ("BlkioWeight", blkioWeight.flatMap { Int64($0) }.map(JSONTree.integer)),
            ("CpuRealtimePeriod", cpuRtPeriod.map(JSONTree.integer)), ("CpuRealtimeRuntime", cpuRtRuntime.map(JSONTree.integer)),
            ("CpuPeriod", cpuPeriod.map(JSONTree.integer)), ("CpuQuota", cpuQuota.map(JSONTree.integer)),
            ("CpuShares", cpuShares.map(JSONTree.integer)), ("NanoCpus", cpus.flatMap(ValueKind.billionths).map(JSONTree.integer)),
            ("CpusetCpus", cpusetCpus.map(JSONTree.string)), ("CpusetMems", cpusetMems.map(JSONTree.string)),
            ("Memory", bytes(memory)), ("MemoryReservation", bytes(memoryReservation)), ("MemorySwap", bytes(memorySwap)),
            ("PidsLimit", pidsLimit.map(JSONTree.integer)), ("RestartPolicy", try restart.map(RestartFlag.policy)),
        ]
        guard said.contains(where: { $0.1 != nil }) else { throw Failure("you must provide one or more flags when using this command") }
        let daemon = try session.daemon()
        var failures = Failures()
        for container in containers {
            failures.attempt {
                let answer = try daemon.call(
                    "POST", "/containers/\(Daemon.escaped(container))/update", body: .json(.object(said)))
                for warning in answer["Warnings"]?.elements ?? [] { Output.complain(warning.text ?? "") }
                try Output.line(container)
            }
        }
        try failures.report()
        return 0
    }
}
