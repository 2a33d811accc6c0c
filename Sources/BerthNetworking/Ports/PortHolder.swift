internal import BerthLinux
internal import BerthNetlink

/// Who has a port of the host's.
enum PortHolder {
    /// The most processes that are looked at.
    private static let maximumProcessCount = 4096
    /// The largest table that is read.
    private static let maximumByteCount = 8 << 20

    /// The process that has a port, in words: `process 812 (nginx)`; `nil` where it cannot be found out.
    static func find(_ port: UInt16, _ transport: PublishedPort.Transport) -> String? {
        let inodes = ["", "6"].flatMap { Self.inodes(of: port, in: "/proc/net/\(transport.rawValue)\($0)", isTCP: transport == .tcp) }
        guard !inodes.isEmpty else { return nil }
        let wanted = Set(inodes.map { "socket:[\($0)]" })
        guard let processes = try? Directory.open("/proc").entries() else { return nil }  // without it nobody is known
        for process in processes.filter({ Int32($0.name.description) != nil }).prefix(maximumProcessCount) {
            guard let files = try? Directory.open("/proc/\(process.name)/fd") else { continue }  // it has ended, or is not ours to look at
            for entry in (try? files.entries()) ?? [] {
                // It may be closed meanwhile.
                guard let target = try? files.readLink(entry.name), wanted.contains(target.description) else { continue }
                let name = (try? HostFile.read("/proc/\(process.name)/comm", limit: 64)) ?? []
                return "process \(process.name) (\(String(decoding: name, as: UTF8.self).split(separator: "\n").first ?? "?"))"
            }
        }
        return nil
    }

    /// The inodes of sockets that have a port (proc(5), `/proc/net/tcp`).
    private static func inodes(of port: UInt16, in table: String, isTCP: Bool) -> [Substring] {
        guard let bytes = try? HostFile.read(table, limit: maximumByteCount) else { return [] }  // a version that the kernel lacks
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 9, let colon = fields[1].lastIndex(of: ":"),
                UInt16(fields[1][fields[1].index(after: colon)...], radix: 16) == port, !isTCP || fields[3] == "0A"
            else { return nil }
            return fields[9]
        }
    }
}
