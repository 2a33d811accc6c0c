internal import BerthLinux

/// Settings of the kernel below `/proc/sys/net`, of the namespace that the calling thread is in.
enum KernelSetting {
    /// As Docker has it: nobody in a namespace of its own needs rights to open low ports or to ping. Interfaces have no addresses of version 6 until a network
    /// gives them one.
    static let ofSandboxes = [
        ("ipv4/ip_unprivileged_port_start", "0"), ("ipv4/ping_group_range", "0 2147483647"), ("ipv6/conf/default/disable_ipv6", "1"),
        ("ipv6/conf/default/accept_ra", "0"),
    ]

    /// Writes some. What this kernel does not have is left out.
    ///
    /// - Returns: a sentence about the first that could not be written; the others are not tried then.
    static func write(_ settings: [(path: String, value: String)]) -> String? {
        for (path, value) in settings {
            do throws(Errno) { try HostFile.write(value, to: "/proc/sys/net/\(path)") } catch {
                guard error == .ENOENT else { return "cannot write '\(value)' to /proc/sys/net/\(path): \(error)" }
            }
        }
        return nil
    }
}
