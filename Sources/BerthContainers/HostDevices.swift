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

    /// All that are in a directory of the host's, at any depth.
    static func inDirectory(_ path: String) -> [RuntimeSpec.Device] {
        var found: [RuntimeSpec.Device] = []
        guard let root = try? Directory.open(path) else { return found }
        collect(root, path.hasSuffix("/") && path != "/" ? String(path.dropLast()) : path, depth: 0, into: &found)
        return found.sorted { $0.path < $1.path }
    }

    /// What such a device is in a container; `nil` for what is none.
    static func device(_ status: FileStatus, at path: String) -> RuntimeSpec.Device? {
        let number: (type: String, DeviceNumber)
        switch status.kind {
        case .characterDevice(let device): number = ("c", device)
        case .blockDevice(let device): number = ("b", device)
        default: return nil
        }
        var device = RuntimeSpec.Device(
            path: path, type: number.type, major: Int64(number.1.major), minor: Int64(number.1.minor), fileMode: status.permissions)
        (device.uid, device.gid) = (status.userID, status.groupID)
        return device
    }

    private static func collect(_ directory: borrowing Directory, _ path: String, depth: Int, into found: inout [RuntimeSpec.Device]) {
        guard depth < 8, let entries = try? directory.entries() else { return }
        for entry in entries where found.count < maximumCount {
            let name = entry.name.description
            if depth == 0 && leftOut.contains(name) { continue }
            guard let status = try? directory.status(entry.name) else { continue }
            if status.kind == .directory {
                if let below = try? directory.openDirectory(entry.name) {
                    collect(below, "\(path)/\(name)", depth: depth + 1, into: &found)
                }
                continue
            }
            if let device = device(status, at: "\(path)/\(name)") { found.append(device) }
        }
    }
}
