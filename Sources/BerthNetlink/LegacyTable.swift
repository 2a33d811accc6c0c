internal import BerthLinux
internal import CBerth
internal import Glibc

/// A table of the kernel's older rules, of iptables-legacy's, as the kernel keeps it: `struct ipt_entry`, or `ip6t_entry`, one behind the other.
public struct LegacyTable: Hashable, Sendable {
    /// Of which version's packets.
    public let version: IPAddress.Version
    /// Its name.
    public let name: String
    /// Where the rules of each hook begin, by the hook's number.
    public let entries: [Int]
    /// Where the policy of each hook is.
    public let policies: [Int]
    /// The rules.
    public let bytes: [UInt8]

    /// A table of these, which need not make sense.
    public init(version: IPAddress.Version, name: String, entries: [Int], policies: [Int], bytes: [UInt8]) {
        (self.version, self.name, self.entries, self.policies, self.bytes) = (version, name, entries, policies, bytes)
    }

    /// The names of the tables that somebody uses, in the calling thread's namespace. Asking the kernel for another would make it.
    public static func names(_ version: IPAddress.Version) -> [String] {
        let file = version == .v4 ? "/proc/thread-self/net/ip_tables_names" : "/proc/thread-self/net/ip6_tables_names"
        // A kernel without it has no such tables.
        guard let text = try? HostFile.read(file, limit: 4096) else { return [] }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private static let nameByteCount = 32
    private static let informationByteCount = 84
    private static let headByteCount = 40
    /// The most bytes of rules that are read.
    private static let mostBytes = 16 << 20
    private static let attempts = 8

    /// Reads a table that is in use, in the calling thread's namespace.
    ///
    /// - Returns: `nil` where nobody uses one of that name.
    /// - Throws: `denied` without the right (CAP_NET_ADMIN), `unsupported` for one that is too large, `changed` where it did not hold still.
    public static func read(_ name: String, _ version: IPAddress.Version) throws(NetlinkError) -> LegacyTable? {
        let purpose = "read the table \(name) of iptables-legacy"
        guard names(version).contains(name), name.utf8.count < nameByteCount else { return nil }
        let raw = socket(version == .v4 ? AF_INET : AF_INET6, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Int32(IPPROTO_RAW))
        guard raw >= 0 else { throw NetlinkError(.current, purpose) }
        defer { close(raw) }
        let level = version == .v4 ? Int32(IPPROTO_IP) : Int32(IPPROTO_IPV6)
        let title = Array(name.utf8) + [UInt8](repeating: 0, count: nameByteCount - name.utf8.count)
        for _ in 0..<attempts {
            var information = title + [UInt8](repeating: 0, count: informationByteCount - nameByteCount)
            var size = socklen_t(information.count)
            guard unsafe getsockopt(raw, level, 64, &information, &size) == 0 else {
                let error = Errno.current
                if error.rawValue == ENOENT || error.rawValue == ENOPROTOOPT { return nil }
                throw NetlinkError(error, purpose)
            }
            func number(_ index: Int) -> Int {
                Int(UInt32(machineBytes: information[(nameByteCount + index * 4)..<(nameByteCount + index * 4 + 4)]))
            }
            let byteCount = number(12)
            guard byteCount <= mostBytes else { throw NetlinkError(.unsupported, purpose, "it has more than \(mostBytes) bytes") }
            var answer = title + NfValue.number(UInt32(byteCount)) + [0, 0, 0, 0] + [UInt8](repeating: 0, count: byteCount)
            size = socklen_t(answer.count)
            guard unsafe getsockopt(raw, level, 65, &answer, &size) == 0 else {
                // Somebody has made it longer or shorter meanwhile.
                let error = Errno.current
                if error == .EAGAIN || error == .EINVAL { continue }
                throw NetlinkError(error, purpose)
            }
            return LegacyTable(
                version: version, name: name, entries: (1...5).map(number), policies: (6...10).map(number),
                bytes: Array(answer.dropFirst(headByteCount)))
        }
        throw NetlinkError(.changed, purpose)
    }
}
