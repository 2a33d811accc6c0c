internal import CBerth
internal import Glibc

/// What `/proc` says of one process of the host's.
public struct ProcessReading: Sendable, Hashable {
    /// Its id.
    public var id = Int32(0)
    /// Its parent's.
    public var parentID = Int32(0)
    /// Its group's.
    public var groupID = Int32(0)
    /// Its session's.
    public var sessionID = Int32(0)
    /// One letter: `R`, `S`, `D`, `Z`, `T` …
    public var state: Character = "?"
    /// The terminal's device; `nil` without one.
    public var terminal: DeviceNumber?
    /// Whether it is in the foreground of its terminal.
    public var isForeground = false
    /// The time that it has had, in nanoseconds.
    public var processorTime: UInt64 = 0
    /// When it was started, in nanoseconds since 1970.
    public var startedAt: Int64 = 0
    /// The kernel's priority.
    public var priority = 0
    /// How nice it is.
    public var niceness = 0
    /// How many threads it has.
    public var threadCount = 1
    /// Its address space, in bytes.
    public var virtualByteCount: UInt64 = 0
    /// What of it is in memory, in bytes.
    public var residentByteCount: UInt64 = 0
    /// What of it is locked there, in bytes.
    public var lockedByteCount: UInt64 = 0
    /// The processor that it ran on last.
    public var processor = 0
    /// The ids of its real, effective, saved and file system users.
    public var userIDs: [UInt32] = [0, 0, 0, 0]
    /// The same of groups.
    public var groupIDs: [UInt32] = [0, 0, 0, 0]
    /// The program's name.
    public var name = ""
    /// The program and its arguments; none for one of the kernel's or one that has ended.
    public var arguments: [String] = []

    /// Reads it.
    ///
    /// - Throws: `ENOENT` or `ESRCH` where there is no such process.
    public init(of id: Int32) throws(Errno) {
        self.id = id
        try readStatus(String(decoding: try HostFile.read("/proc/\(id)/stat", limit: 4096), as: UTF8.self))
        let lines = String(decoding: try HostFile.read("/proc/\(id)/status", limit: 64 << 10), as: UTF8.self)
        for line in lines.split(separator: "\n") {
            let words = line.split { $0 == "\t" || $0 == " " }
            switch words.first {
            case "Uid:": userIDs = words.dropFirst().compactMap { UInt32($0) }
            case "Gid:": groupIDs = words.dropFirst().compactMap { UInt32($0) }
            case "VmLck:": lockedByteCount = (words.dropFirst().first.flatMap { UInt64($0) } ?? 0) << 10
            default: continue
            }
        }
        guard userIDs.count == 4, groupIDs.count == 4 else { throw .EIO }
        // What a process calls itself may be long: as much as anybody reads.
        let file = try HostFile.open("/proc/\(id)/cmdline")
        var bytes = [UInt8](repeating: 0, count: Self.argumentByteLimit)
        bytes.removeLast(bytes.count - (try file.read(intoArray: &bytes)))
        while bytes.last == 0 { bytes.removeLast() }
        if !bytes.isEmpty {
            arguments = bytes.split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// The most that is read of the arguments.
    private static let argumentByteLimit = 64 << 10

    /// proc(5), `/proc/pid/stat`: the name in parentheses may hold anything, so fields are counted from the last one. The first there is the state, field 3.
    private mutating func readStatus(_ text: String) throws(Errno) {
        guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")"), open < close else { throw .EIO }
        name = String(text[text.index(after: open)..<close])
        let fields = text[text.index(after: close)...].split { $0 == " " || $0 == "\n" }
        guard fields.count > 36, let letter = fields[0].first else { throw .EIO }
        func number(_ field: Int) -> Int64 { Int64(fields[field - 3]) ?? 0 }
        state = letter
        (parentID, groupID, sessionID) = (Int32(clamping: number(4)), Int32(clamping: number(5)), Int32(clamping: number(6)))
        let device = UInt32(truncatingIfNeeded: number(7))
        if device != 0 { terminal = DeviceNumber(major: device >> 8 & 0xfff, minor: device & 0xff | device >> 12 & 0xfff00) }
        isForeground = number(8) == Int64(groupID)
        let tick = 1_000_000_000 / Int64(max(1, sysconf(CInt(_SC_CLK_TCK))))
        processorTime = UInt64(max(0, (number(14) + number(15)) * tick))
        (priority, niceness, threadCount) = (Int(number(18)), Int(number(19)), Int(number(20)))
        startedAt = ProcessTable.machineStart() + number(22) * tick
        virtualByteCount = UInt64(max(0, number(23)))
        residentByteCount = UInt64(max(0, number(24))) * UInt64(max(1, sysconf(CInt(_SC_PAGESIZE))))
        processor = Int(number(39))
    }
}

extension ProcessTable {
    /// When the machine was started, in nanoseconds since 1970, by the clock as it is now.
    static func machineStart() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_BOOTTIME, &time)
        return realtimeNanoseconds() - (Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
