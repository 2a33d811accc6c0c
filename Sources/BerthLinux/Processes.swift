internal import CBerth
internal import Glibc

/// A process that cannot be mistaken for another: a process id and the descriptor that holds it.
public struct ProcessHandle: ~Copyable, Sendable {
    /// The id in this process's namespace.
    public let id: Int32
    /// The pidfd: readable once the process has ended.
    public let descriptor: OwnedDescriptor

    /// Both, of one process.
    public init(id: Int32, descriptor: consuming OwnedDescriptor) {
        self.id = id
        self.descriptor = descriptor
    }

    /// Holds a process that may be any by that id: who is not its parent compares the start time afterwards.
    ///
    /// - Throws: `ESRCH` where there is none.
    public init(opening id: Int32) throws(Errno) {
        self.id = id
        descriptor = OwnedDescriptor(adopting: try check { berth_pidfd_open(id) })
    }

    /// Sends a signal. `ESRCH` once the process has been reaped.
    public borrowing func signal(_ number: Int32) throws(Errno) {
        _ = try descriptor.withRawDescriptor { (raw) throws(Errno) in try check { berth_pidfd_send_signal(raw, number) } }
    }

    /// Reaps the process, which must be a child that has ended; of one that is not a child, nothing is known. Does not wait.
    public borrowing func reap() {
        var status: CInt = 0
        unsafe waitpid(id, &status, WNOHANG)
    }
}

/// What /proc tells of processes.
public enum ProcessTable {
    /// When a process started, in clock ticks since the machine did: together with the id and the boot id it names a process for ever.
    ///
    /// - Throws: `ENOENT` or `ESRCH` where there is no such process.
    public static func startTicks(of id: Int32) throws(Errno) -> UInt64 {
        let bytes = try HostFile.read("/proc/\(id)/stat", limit: 4096)
        // The name in parentheses may hold anything, also parentheses: fields are counted from the last one.
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { throw .EIO }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, let ticks = UInt64(String(decoding: fields[19], as: UTF8.self)) else { throw .EIO }
        return ticks
    }

    /// Holds a namespace of a process.
    ///
    /// - Parameters:
    ///   - kind: as `/proc/<id>/ns` has it: `net`, `pid`, `ipc`, `uts`, `mnt`.
    ///   - startTicks: when the process that is meant started. `nil`: the one that has the id now.
    /// - Throws: `ENOENT` or `ESRCH` where there is no such process, or it has ended; `EACCES` to who may not look at it.
    public static func openNamespace(_ kind: String, of id: Int32, startTicks: UInt64? = nil) throws(Errno) -> OwnedDescriptor {
        try holding(id, startTicks) { () throws(Errno) in try HostFile.open("/proc/\(id)/ns/\(kind)") }
    }

    /// Holds the root that a process has.
    ///
    /// - Throws: as ``openNamespace(_:of:startTicks:)``.
    public static func openRoot(of id: Int32, startTicks: UInt64) throws(Errno) -> Directory {
        try holding(id, startTicks) { () throws(Errno) in try Directory.open("/proc/\(id)/root") }
    }

    private static func holding<Held: ~Copyable>(_ id: Int32, _ startTicks: UInt64?, _ open: () throws(Errno) -> Held) throws(Errno) -> Held
    {
        do throws(Errno) {
            let held = try open()
            // Held before it is believed to be the one: ids are used again.
            if let startTicks, try Self.startTicks(of: id) != startTicks { throw .ESRCH }
            return held
        } catch {
            // That is said also of one that is reaped while its file is looked up.
            guard error == .EACCES else { throw error }
            let now = try Self.startTicks(of: id)
            throw startTicks == nil || startTicks == now ? error : .ESRCH
        }
    }

    /// What names the time since the machine was started.
    public static func bootID() throws(Errno) -> String {
        String(decoding: try HostFile.read("/proc/sys/kernel/random/boot_id", limit: 100).filter { $0 != 10 }, as: UTF8.self)
    }
}

/// Files of the host that are reached by a plain path: /proc, /sys, what the operator named. Never anything below a container's root.
public enum HostFile {
    /// This process's id.
    public static var ownProcessID: Int32 { getpid() }

    /// The running program's file. Once it has been deleted, the one that is in its place by now, as after an update; `nil` where there is none.
    public static func ownProgram() -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, 4096)
        guard count > 0, count < 4096 else { return nil }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let deleted = " (deleted)"
        guard path.hasSuffix(deleted), !exists(path) else { return path }
        let successor = String(path.dropLast(deleted.count))
        return exists(successor) ? successor : nil
    }

    /// Blocks the calling thread for so long.
    public static func pause(milliseconds: Int32) { _ = poll(nil, 0, milliseconds) }

    /// How many processors the machine has.
    public static func processorCount() -> Int { max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN))) }

    /// Which of the levels of x86-64 the processor has: 1 to 4; `nil` on other processors.
    public static func x86Level() -> Int? {
        let level = berth_x86_64_level()
        return level > 0 ? Int(level) : nil
    }

    /// Reads a whole file; `EFBIG` beyond the limit.
    public static func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
        let path = try PathBytes(path)
        let raw = try unsafe path.withCString { (path) throws(Errno) in try check { unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC) } }
        return try OwnedDescriptor(adopting: raw).readToEnd(limit: limit)
    }

    /// Writes once to an existing file of the kernel's.
    public static func write(_ text: String, to path: String) throws(Errno) { try write(Array(text.utf8), to: path) }

    /// The same with bytes.
    public static func write(_ bytes: [UInt8], to path: String) throws(Errno) {
        let path = try PathBytes(path)
        let raw = try unsafe path.withCString { (path) throws(Errno) in try check { unsafe Glibc.open(path, O_WRONLY | O_CLOEXEC) } }
        try unsafe OwnedDescriptor(adopting: raw).writeAll(bytes.span.bytes)
    }

    /// Removes an empty directory. One that is not there is removed already.
    public static func removeDirectory(_ path: String) throws(Errno) {
        let path = try PathBytes(path)
        try SystemCallSeam.pass("unlinkat:directory")
        do throws(Errno) { _ = try unsafe path.withCString { (path) throws(Errno) in try check { unsafe rmdir(path) } } } catch {
            if error != .ENOENT { throw error }
        }
    }

    /// Opens an existing file for reading.
    public static func open(_ path: String) throws(Errno) -> OwnedDescriptor {
        let path = try PathBytes(path)
        return OwnedDescriptor(
            adopting: try unsafe path.withCString { (path) throws(Errno) in try check { unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC) } })
    }

    /// Whether there is something of that path.
    public static func exists(_ path: String) -> Bool {
        guard let path = try? PathBytes(path) else { return false }  // what cannot be a path names nothing
        return unsafe path.withCString { unsafe access($0, F_OK) == 0 }
    }

    /// The absolute path of what a path leads to, without a link in it (realpath(3)).
    public static func resolved(_ path: String) throws(Errno) -> String {
        let path = try PathBytes(path)
        guard let found = unsafe path.withCString({ unsafe realpath($0, nil) }) else { throw .current }
        defer { unsafe free(found) }
        return unsafe String(cString: found)
    }

    /// A file without a name, in memory, with these bytes, to be handed to another process.
    public static func inMemory(named name: String, _ bytes: [UInt8]) throws(Errno) -> OwnedDescriptor {
        let name = try PathBytes(name)
        let file = OwnedDescriptor(adopting: try unsafe name.withCString { (name) throws(Errno) in try check { unsafe berth_memfd(name) } })
        try unsafe file.writeAll(bytes.span.bytes)
        _ = try file.withRawDescriptor { (raw) throws(Errno) in try check { lseek(raw, 0, SEEK_SET) } }
        return file
    }
}

/// The clock that only goes forward, in nanoseconds.
public func monotonicNanoseconds() -> Int64 { berth_monotonic_nanoseconds() }

/// The clock on the wall, in nanoseconds since 1970.
public func realtimeNanoseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
