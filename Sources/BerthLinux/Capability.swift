internal import CBerth
internal import Glibc

/// The capabilities of Linux by number (capabilities(7)).
public enum Capability {
    /// All names, `CAP_CHOWN` being number 0.
    public static let names: [String] = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
        "CAP_SETPCAP",
        "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
        "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT",
        "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
        "CAP_SETFCAP",
        "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON",
        "CAP_BPF",
        "CAP_CHECKPOINT_RESTORE",
    ]

    /// The number of a name such as `CAP_CHOWN`.
    public static func number(of name: String) -> Int? { names.firstIndex(of: name) }

    /// What this process itself may have, from /proc: bit n is capability n.
    public static func permitted() throws(Errno) -> UInt64 {
        let text = String(decoding: try HostFile.read("/proc/self/status", limit: 16 << 10), as: UTF8.self)
        for line in text.split(separator: "\n") where line.hasPrefix("CapPrm:") {
            if let value = UInt64(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16) { return value }
        }
        throw .EIO
    }
}

/// How many descriptors this process may have open.
public enum DescriptorLimit {
    /// Raises the limit in force to what this process may have. A monitor that is started by it has the former one, and so have containers. Repeating is
    /// fine.
    ///
    /// - Throws: what setrlimit(2) says; it is as it was then.
    public static func raise() throws(Errno) { _ = try check { berth_raise_own_file_limit() } }
}

/// Resources that setrlimit(2) limits.
public enum ResourceLimitName {
    /// The number of a name such as `RLIMIT_NOFILE`.
    public static func number(of name: String) -> UInt32? {
        [
            "RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3, "RLIMIT_CORE": 4, "RLIMIT_RSS": 5, "RLIMIT_NPROC": 6,
            "RLIMIT_NOFILE": 7, "RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9, "RLIMIT_LOCKS": 10, "RLIMIT_SIGPENDING": 11, "RLIMIT_MSGQUEUE": 12,
            "RLIMIT_NICE": 13, "RLIMIT_RTPRIO": 14, "RLIMIT_RTTIME": 15,
        ][name]
    }

    /// This process's own limits of a resource.
    public static func current(_ number: UInt32) throws(Errno) -> (soft: UInt64, hard: UInt64) {
        var limit = rlimit()
        _ = try check { unsafe getrlimit(__rlimit_resource_t(number), &limit) }
        return (UInt64(limit.rlim_cur), UInt64(limit.rlim_max))
    }
}
