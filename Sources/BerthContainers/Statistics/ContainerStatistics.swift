public import BerthLinux
public import BerthOCI

/// What a container uses, at one moment.
public struct ContainerStatistics: Sendable, Hashable {
    /// The container's id.
    public var id: String
    /// Its name.
    public var name: String
    /// The counts; `nil` while it does not run.
    public var counts: Counts?

    /// What is counted.
    public struct Counts: Sendable, Hashable {
        /// When this was read.
        public var readAt: Timestamp
        /// What its control groups say.
        public var group: CgroupReading
        /// The time that all processors of the machine have spent, in nanoseconds.
        public var machineProcessorTime: UInt64
        /// How many processors there are.
        public var processorCount: Int
        /// Its network's interfaces without the loopback; `nil` with the host's network, whose counts say nothing of it.
        public var interfaces: [InterfaceReading]?
    }
}

extension Container {
    /// Reads what it uses, now.
    ///
    /// - Throws: `notFound`, `storage`, `busy`.
    public func statistics() async throws(ContainerError) -> ContainerStatistics { try await store.statistics(of: store.object(id)) }

    /// Follows what it uses, a reading a second, whether it runs or not, until it is removed or the follower leaves.
    ///
    /// All followers of a container share one reading. Who is slow misses some, and has the newest.
    /// - Throws: `notFound`.
    public func followStatistics() throws(ContainerError) -> AsyncStream<ContainerStatistics> {
        try store.object(id).statistics.follow(in: store, store.object(id))
    }
}
