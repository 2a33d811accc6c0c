internal import Glibc

/// What the control groups of a container have counted at one moment.
public struct CgroupReading: Sendable, Hashable {
    /// The processors' time, in nanoseconds.
    public struct Processors: Sendable, Hashable {
        /// Altogether.
        public var total: UInt64 = 0
        /// In the kernel.
        public var kernel: UInt64 = 0
        /// Outside of it.
        public var user: UInt64 = 0
        /// By processor; empty where the kernel does not tell.
        public var byProcessor: [UInt64] = []
        /// How many periods of its quota there were.
        public var periodCount: UInt64 = 0
        /// In how many of them it was held up.
        public var throttledPeriodCount: UInt64 = 0
        /// For how long.
        public var throttled: UInt64 = 0
    }
    /// Memory, in bytes.
    public struct Memory: Sendable, Hashable {
        /// How much is in use, with what is cached for it.
        public var used: UInt64 = 0
        /// The most that was; `nil` where the kernel does not tell.
        public var peak: UInt64?
        /// How much it may have; `UInt64.max` is as much as there is.
        public var limit: UInt64 = 0
        /// How often it wanted more.
        public var failureCount: UInt64 = 0
        /// The kernel's own numbers, by their names.
        public var details: [String: UInt64] = [:]
    }
    /// One number about one device.
    public struct Device: Sendable, Hashable {
        /// The device.
        public var device: DeviceNumber
        /// What was done: `Read`, `Write` and others on v1, `read` and `write` on v2.
        public var operation: String
        /// How much.
        public var value: UInt64
    }
    /// The processors' time.
    public var processors = Processors()
    /// Memory.
    public var memory = Memory()
    /// How many tasks there are.
    public var taskCount: UInt64 = 0
    /// How many there may be; `nil` is any number.
    public var taskLimit: UInt64?
    /// Bytes read from and written to devices.
    public var bytes: [Device] = []
    /// Requests to devices.
    public var requests: [Device] = []

    /// Nothing counted.
    public init() {}
}

extension CgroupLayout {
    /// Reads what a group has counted. What this kernel does not count is 0.
    ///
    /// - Throws: `ENOENT` where there is no such group.
    public func read(_ path: String) throws(Errno) -> CgroupReading {
        guard directories(of: path).contains(where: { HostFile.exists($0) }) else { throw .ENOENT }
        return version == 1 ? readVersion1(path) : readVersion2(path)
    }

    /// A file of a group: empty where there is none.
    private static func text(_ directory: String?, _ file: String) -> String {
        guard let directory, let bytes = try? HostFile.read("\(directory)/\(file)", limit: 1 << 20) else { return "" }  // not counted here
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func number(_ directory: String?, _ file: String) -> UInt64? {
        UInt64(text(directory, file).filter { $0 != "\n" })
    }

    /// Lines of a name and a number.
    static func pairs(_ text: String) -> [String: UInt64] {
        var found: [String: UInt64] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, let value = UInt64(words[1]) { found[String(words[0])] = value }
        }
        return found
    }

    private func readVersion1(_ path: String) -> CgroupReading {
        var reading = CgroupReading()
        let (accounting, cpu) = (directory(of: "cpuacct", path), directory(of: "cpu", path))
        reading.processors.total = Self.number(accounting, "cpuacct.usage") ?? 0
        reading.processors.byProcessor = Self.text(accounting, "cpuacct.usage_percpu").split { $0 == " " || $0 == "\n" }.compactMap {
            UInt64($0)
        }
        let tick = 1_000_000_000 / UInt64(max(1, sysconf(CInt(_SC_CLK_TCK))))
        let time = Self.pairs(Self.text(accounting, "cpuacct.stat"))
        (reading.processors.user, reading.processors.kernel) = ((time["user"] ?? 0) * tick, (time["system"] ?? 0) * tick)
        let quota = Self.pairs(Self.text(cpu, "cpu.stat"))
        reading.processors.periodCount = quota["nr_periods"] ?? 0
        reading.processors.throttledPeriodCount = quota["nr_throttled"] ?? 0
        reading.processors.throttled = quota["throttled_time"] ?? 0
        let memory = directory(of: "memory", path)
        reading.memory.used = Self.number(memory, "memory.usage_in_bytes") ?? 0
        reading.memory.peak = Self.number(memory, "memory.max_usage_in_bytes")
        reading.memory.limit = Self.number(memory, "memory.limit_in_bytes") ?? .max
        reading.memory.failureCount = Self.number(memory, "memory.failcnt") ?? 0
        reading.memory.details = Self.pairs(Self.text(memory, "memory.stat"))
        let tasks = directory(of: "pids", path)
        (reading.taskCount, reading.taskLimit) = (Self.number(tasks, "pids.current") ?? 0, Self.number(tasks, "pids.max"))
        let blocks = directory(of: "blkio", path)
        reading.bytes = Self.devices(Self.text(blocks, "blkio.throttle.io_service_bytes_recursive"))
        reading.requests = Self.devices(Self.text(blocks, "blkio.throttle.io_serviced_recursive"))
        return reading
    }

    /// Lines as `8:0 Read 4096`; the sum at the end has no device.
    static func devices(_ text: String) -> [CgroupReading.Device] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 3, let device = device(words[0]), let value = UInt64(words[2]) else { return nil }
            return CgroupReading.Device(device: device, operation: String(words[1]), value: value)
        }
    }

    private static func device(_ text: Substring) -> DeviceNumber? {
        let numbers = text.split(separator: ":").compactMap { UInt32($0) }
        return numbers.count == 2 ? DeviceNumber(major: numbers[0], minor: numbers[1]) : nil
    }

    private func readVersion2(_ path: String) -> CgroupReading {
        var reading = CgroupReading()
        guard let unified else { return reading }
        let directory = "\(unified)/\(path)"
        let cpu = Self.pairs(Self.text(directory, "cpu.stat"))
        let microsecond: UInt64 = 1000
        reading.processors.total = (cpu["usage_usec"] ?? 0) * microsecond
        reading.processors.user = (cpu["user_usec"] ?? 0) * microsecond
        reading.processors.kernel = (cpu["system_usec"] ?? 0) * microsecond
        reading.processors.periodCount = cpu["nr_periods"] ?? 0
        reading.processors.throttledPeriodCount = cpu["nr_throttled"] ?? 0
        reading.processors.throttled = (cpu["throttled_usec"] ?? 0) * microsecond
        reading.memory.used = Self.number(directory, "memory.current") ?? 0
        reading.memory.limit = Self.number(directory, "memory.max") ?? .max
        reading.memory.failureCount = Self.pairs(Self.text(directory, "memory.events"))["max"] ?? 0
        reading.memory.details = Self.pairs(Self.text(directory, "memory.stat"))
        (reading.taskCount, reading.taskLimit) = (Self.number(directory, "pids.current") ?? 0, Self.number(directory, "pids.max"))
        (reading.bytes, reading.requests) = Self.ioStatistics(Self.text(directory, "io.stat"))
        return reading
    }

    /// Lines as `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`.
    static func ioStatistics(_ text: String) -> (bytes: [CgroupReading.Device], requests: [CgroupReading.Device]) {
        var (bytes, requests): ([CgroupReading.Device], [CgroupReading.Device]) = ([], [])
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let device = words.first.flatMap(device) else { continue }
            for word in words.dropFirst() {
                let pair = word.split(separator: "=")
                guard pair.count == 2, let value = UInt64(pair[1]) else { continue }
                switch pair[0] {
                case "rbytes": bytes.append(.init(device: device, operation: "read", value: value))
                case "wbytes": bytes.append(.init(device: device, operation: "write", value: value))
                case "rios": requests.append(.init(device: device, operation: "read", value: value))
                case "wios": requests.append(.init(device: device, operation: "write", value: value))
                default: continue
                }
            }
        }
        return (bytes, requests)
    }
}

/// What the machine says of itself as a whole.
public enum MachineReading {
    /// The time that all processors have spent, idle or not, in nanoseconds.
    public static func processorTime() throws(Errno) -> UInt64 {
        let text = String(decoding: try HostFile.read("/proc/stat", limit: 1 << 20), as: UTF8.self)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("cpu ") }) else { throw .EIO }
        // What guests have used is in the users' time already.
        let ticks = line.split(separator: " ").dropFirst().prefix(7).compactMap { UInt64($0) }.reduce(0, &+)
        return ticks &* (1_000_000_000 / UInt64(max(1, sysconf(CInt(_SC_CLK_TCK)))))
    }

    /// How much memory there is, in bytes.
    public static func memoryByteCount() throws(Errno) -> UInt64 {
        UInt64(max(0, sysconf(CInt(_SC_PHYS_PAGES)))) &* UInt64(max(1, sysconf(CInt(_SC_PAGESIZE))))
    }

    /// What the interfaces of a process's network namespace have counted, in the kernel's order (`/proc/…/net/dev`).
    public static func interfaces(ofProcess id: Int32) throws(Errno) -> [InterfaceReading] {
        InterfaceReading.parse(String(decoding: try HostFile.read("/proc/\(id)/net/dev", limit: 4 << 20), as: UTF8.self))
    }
}

/// What one network interface has counted.
public struct InterfaceReading: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// What came.
    public var received: Direction
    /// What went.
    public var sent: Direction

    /// What went one way.
    public struct Direction: Sendable, Hashable {
        /// Bytes.
        public var byteCount: UInt64
        /// Packets.
        public var packetCount: UInt64
        /// Packets with an error.
        public var errorCount: UInt64
        /// Packets that were dropped.
        public var dropCount: UInt64
    }

    static func parse(_ text: String) -> [InterfaceReading] {
        text.split(separator: "\n").dropFirst(2).compactMap { line in
            guard let colon = line.lastIndex(of: ":") else { return nil }
            let name = line[..<colon].drop { $0 == " " }
            let numbers = line[line.index(after: colon)...].split(separator: " ").compactMap { UInt64($0) }
            guard numbers.count >= 12 else { return nil }
            func direction(_ first: Int) -> Direction {
                Direction(
                    byteCount: numbers[first], packetCount: numbers[first + 1], errorCount: numbers[first + 2],
                    dropCount: numbers[first + 3])
            }
            return InterfaceReading(name: String(name), received: direction(0), sent: direction(8))
        }
    }
}
