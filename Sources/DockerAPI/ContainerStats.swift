internal import BerthOCI

/// What a container uses (`ContainerStatsResponse`).
public struct ContainerStats: Hashable, Sendable {
    /// The processors' time, in nanoseconds (`ContainerCPUStats`).
    public struct Processors: Hashable, Sendable {
        /// Altogether.
        public var total: UInt64 = 0
        /// By processor; empty is left out.
        public var byProcessor: [UInt64] = []
        /// In the kernel.
        public var kernel: UInt64 = 0
        /// Outside of it.
        public var user: UInt64 = 0
        /// What all processors of the machine have spent; 0 is left out.
        public var system: UInt64 = 0
        /// How many processors there are; 0 is left out.
        public var onlineCount = 0
        /// How many periods of the quota there were.
        public var periodCount: UInt64 = 0
        /// In how many the container was held up.
        public var throttledPeriodCount: UInt64 = 0
        /// For how long.
        public var throttled: UInt64 = 0

        /// Nothing counted.
        public init() {}
    }
    /// Memory, in bytes (`ContainerMemoryStats`).
    public struct Memory: Hashable, Sendable {
        /// In use; 0 is left out, as is every other number.
        public var usage: UInt64 = 0
        /// The most that was.
        public var peak: UInt64 = 0
        /// The kernel's own numbers.
        public var details: [String: UInt64] = [:]
        /// How often there was not enough.
        public var failureCount: UInt64 = 0
        /// How much there may be.
        public var limit: UInt64 = 0

        /// Nothing counted.
        public init() {}
    }
    /// A number about a device (`ContainerBlkioStatEntry`).
    public struct Device: Hashable, Sendable {
        /// The device.
        public var major: UInt32
        /// The device.
        public var minor: UInt32
        /// What was done.
        public var operation: String
        /// How much.
        public var value: UInt64

        /// An entry of these.
        public init(major: UInt32, minor: UInt32, operation: String, value: UInt64) {
            (self.major, self.minor, self.operation, self.value) = (major, minor, operation, value)
        }
    }
    /// What an interface has counted (`ContainerNetworkStats`).
    public struct Interface: Hashable, Sendable {
        /// Its name.
        public var name: String
        /// Bytes, packets, errors and drops that came.
        public var received: [UInt64]
        /// The same of what went.
        public var sent: [UInt64]

        /// An interface of these; each list has four numbers.
        public init(name: String, received: [UInt64], sent: [UInt64]) { (self.name, self.received, self.sent) = (name, received, sent) }
    }

    /// What Go writes for no time at all.
    public static var noTime: String { "0001-01-01T00:00:00Z" }

    /// When it was read: RFC 3339.
    public var read = ContainerStats.noTime
    /// When what is in ``before`` was.
    public var readBefore = ContainerStats.noTime
    /// How many tasks there are; 0 is left out.
    public var taskCount: UInt64 = 0
    /// How many there may be; 0 is left out.
    public var taskLimit: UInt64 = 0
    /// Bytes by device; `nil` is `null`.
    public var bytes: [Device]?
    /// Requests by device; `nil` is `null`.
    public var requests: [Device]?
    /// The processors' time.
    public var processors = Processors()
    /// The same at the reading before.
    public var before = Processors()
    /// Memory.
    public var memory = Memory()
    /// The name, without Docker's slash.
    public var name: String
    /// The id.
    public var id: String
    /// Interfaces; empty is left out.
    public var interfaces: [Interface] = []

    /// A container that nothing is counted of.
    public init(id: String, name: String) { (self.id, self.name) = (id, name) }
}

extension ContainerStats: JSONWritable {
    /// Writes it, in Docker's order.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("read", read)
            writer.member("preread", readBefore)
            writer.name("pids_stats")
            writer.object { writer in
                if taskCount > 0 { writer.member("current", taskCount) }
                if taskLimit > 0 { writer.member("limit", taskLimit) }
            }
            writer.name("blkio_stats")
            writer.object { writer in
                Self.write("io_service_bytes_recursive", bytes, to: &writer)
                Self.write("io_serviced_recursive", requests, to: &writer)
                for name in ["io_queue", "io_service_time", "io_wait_time", "io_merged", "io_time"] {
                    Self.write(name + "_recursive", bytes == nil ? nil : [], to: &writer)
                }
                Self.write("sectors_recursive", bytes == nil ? nil : [], to: &writer)
            }
            writer.member("num_procs", 0)
            writer.name("storage_stats")
            writer.object { _ in }
            Self.write("cpu_stats", processors, to: &writer)
            Self.write("precpu_stats", before, to: &writer)
            writer.name("memory_stats")
            writer.object { memory.write(to: &$0) }
            writer.member("name", "/" + name)
            writer.member("id", id)
            guard !interfaces.isEmpty else { return }
            writer.name("networks")
            writer.object { writer in
                for interface in interfaces.sorted(by: { $0.name < $1.name }) {
                    writer.name(interface.name)
                    writer.object { writer in
                        for (prefix, numbers) in [("rx", interface.received), ("tx", interface.sent)] {
                            for (what, number) in zip(["bytes", "packets", "errors", "dropped"], numbers) {
                                writer.member("\(prefix)_\(what)", number)
                            }
                        }
                    }
                }
            }
        }
    }

    private static func write(_ name: String, _ devices: [Device]?, to writer: inout JSONWriter) {
        writer.name(name)
        guard let devices else { return writer.null() }
        writer.array { writer in
            for device in devices {
                writer.object { writer in
                    writer.member("major", device.major)
                    writer.member("minor", device.minor)
                    writer.member("op", device.operation)
                    writer.member("value", device.value)
                }
            }
        }
    }

    private static func write(_ name: String, _ processors: Processors, to writer: inout JSONWriter) {
        writer.name(name)
        writer.object { writer in
            writer.name("cpu_usage")
            writer.object { writer in
                writer.member("total_usage", processors.total)
                if !processors.byProcessor.isEmpty {
                    writer.name("percpu_usage")
                    writer.array { writer in for number in processors.byProcessor { writer.value(number) } }
                }
                writer.member("usage_in_kernelmode", processors.kernel)
                writer.member("usage_in_usermode", processors.user)
            }
            if processors.system > 0 { writer.member("system_cpu_usage", processors.system) }
            if processors.onlineCount > 0 { writer.member("online_cpus", processors.onlineCount) }
            writer.name("throttling_data")
            writer.object { writer in
                writer.member("periods", processors.periodCount)
                writer.member("throttled_periods", processors.throttledPeriodCount)
                writer.member("throttled_time", processors.throttled)
            }
        }
    }
}

extension ContainerStats.Memory {
    fileprivate func write(to writer: inout JSONWriter) {
        if usage > 0 { writer.member("usage", usage) }
        if peak > 0 { writer.member("max_usage", peak) }
        if !details.isEmpty {
            writer.name("stats")
            writer.object { writer in for (name, value) in details.sorted(by: { $0.key < $1.key }) { writer.member(name, value) } }
        }
        if failureCount > 0 { writer.member("failcnt", failureCount) }
        if limit > 0 { writer.member("limit", limit) }
    }
}
