internal import Berth
internal import BerthLinux
internal import DockerAPI
internal import NIOHTTP1

/// What containers do just now: their processes, and what they use.
struct LookRoutes: Sendable {
    let engine: Engine

    var routes: [Route] {
        [
            Route(.GET, "/containers/{id}/stats") { try await statistics($0) },
            Route(.GET, "/containers/{id}/top") { try await processes($0) },
        ]
    }

    private func statistics(_ call: Call) async throws {
        let container = try engine.containers.find(call.subject)
        let streams = call.query["stream"] == nil || call.query.bool("stream")
        if call.query.bool("one-shot") {
            guard !streams else { throw APIFailure.invalid("cannot have stream=true and one-shot=true") }
            return try await call.reply.json(ContainerStats(try await container.statistics(), before: nil))
        }
        if !streams, try container.details().status != .running {
            return try await call.reply.json(ContainerStats(try await container.statistics(), before: nil))
        }
        var before: ContainerStatistics.Counts?
        if streams { try await call.reply.begin(type: "application/json") }
        for await reading in try container.followStatistics() {
            defer { before = reading.counts }
            if streams {
                try await call.reply.write(ContainerStats(reading, before: before).json + [10])
                // The first has nothing to be compared with, the second has. One that is gone in between is told of as it was.
            } else if before != nil || reading.counts == nil {
                return try await call.reply.json(ContainerStats(reading, before: before))
            }
        }
        guard streams else { throw APIFailure.notFound("No such container: \(call.subject)") }
        try await call.reply.end()
    }

    private func processes(_ call: Call) async throws {
        let container = try engine.containers.find(call.subject)
        let table: ContainerProcesses
        do { table = try await container.processes(options: call.query["ps_args"] ?? "-ef") } catch {
            // What ps would say of its options is no mistake in the request to Docker.
            guard error.code == .unsupported || error.code == .invalid else { throw error }
            throw APIFailure(.internalServerError, error.description)
        }
        try await call.reply.json(ContainerTop(titles: table.titles, processes: table.rows))
    }
}

extension ContainerStats {
    init(_ statistics: ContainerStatistics, before: ContainerStatistics.Counts?) {
        self.init(id: statistics.id, name: statistics.name)
        guard let counts = statistics.counts else { return }
        read = counts.readAt.rfc3339
        processors = Processors(counts)
        if let before { (readBefore, self.before) = (before.readAt.rfc3339, Processors(before)) }
        (taskCount, taskLimit) = (counts.group.taskCount, counts.group.taskLimit ?? 0)
        (bytes, requests) = (counts.group.bytes.map { Device($0) }, counts.group.requests.map { Device($0) })
        memory.usage = counts.group.memory.used
        memory.peak = counts.group.memory.peak ?? 0
        memory.details = counts.group.memory.details
        memory.failureCount = counts.group.memory.failureCount
        // No limit is the machine's memory.
        memory.limit = min(counts.group.memory.limit, (try? MachineReading.memoryByteCount()) ?? .max)  // the kernel always knows
        interfaces = (counts.interfaces ?? []).map { interface in
            func numbers(_ way: InterfaceReading.Direction) -> [UInt64] { [way.byteCount, way.packetCount, way.errorCount, way.dropCount] }
            return Interface(name: interface.name, received: numbers(interface.received), sent: numbers(interface.sent))
        }
    }
}

extension ContainerStats.Processors {
    fileprivate init(_ counts: ContainerStatistics.Counts) {
        self.init()
        let read = counts.group.processors
        (total, kernel, user, byProcessor) = (read.total, read.kernel, read.user, read.byProcessor)
        (system, onlineCount) = (counts.machineProcessorTime, counts.processorCount)
        (periodCount, throttledPeriodCount, throttled) = (read.periodCount, read.throttledPeriodCount, read.throttled)
    }
}

extension ContainerStats.Device {
    fileprivate init(_ device: CgroupReading.Device) {
        self.init(major: device.device.major, minor: device.device.minor, operation: device.operation, value: device.value)
    }
}
