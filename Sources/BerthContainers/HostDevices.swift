internal import BerthLinux
internal import BerthOCI

/// The host's device files, which a privileged container gets.
enum HostDevices {
    /// The most of them.
    static let maximumCount = 4096
    /// What is not a device of the host's, but a file system of its own or the terminal of somebody.
    private static let leftOut: Set<String> = ["pts", "shm", "fd", "mqueue", "console", ".lxc", ".lxd-mounts", ".udev"]

    /// Reads `/dev`. What goes away meanwhile is not there.
    static func all() -> [RuntimeSpec.Device] {
        var found: [RuntimeSpec.Device] = []
        guard let root = try? Directory.open("/dev") else { return found }
        collect(root, "/dev", depth: 0, into: &found)
        return found.sorted { $0.path < $1.path }
    }

    private static func collect(_ directory: borrowing Directory, _ path: String, depth: Int, into found: inout [RuntimeSpec.Device]) {
        guard depth < 8, let entries = try? directory.entries() else { return }
        for entry in entries where found.count < maximumCount {
            let name = entry.name.description
            if depth == 0 && leftOut.contains(name) { continue }
            guard let status = try? directory.status(entry.name) else { continue }
            let number: (type: String, DeviceNumber)
            switch status.kind {
            case .directory:
                if let below = try? directory.openDirectory(entry.name) {
                    collect(below, "\(path)/\(name)", depth: depth + 1, into: &found)
                }
                continue
            case .characterDevice(let device): number = ("c", device)
            case .blockDevice(let device): number = ("b", device)
            default: continue
            }
            var device = RuntimeSpec.Device(
                path: "\(path)/\(name)", type: number.type, major: Int64(number.1.major), minor: Int64(number.1.minor),
                fileMode: status.permissions)
            (device.uid, device.gid) = (status.userID, status.groupID)
            found.append(device)
        }
    }
}
