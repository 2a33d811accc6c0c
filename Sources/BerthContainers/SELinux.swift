internal import BerthLinux

/// SELinux, as far as it confines containers: each has contexts of its own, by which the kernel's policy tells it from the host and from others (selinux(8)).
///
/// An engine uses it only where it was told to, as dockerd does. What a container says of it otherwise does nothing.
public enum SELinux {
    /// Whether this kernel runs it and shows its files.
    public static let isRunning = SecurityModules.has("selinux") && HostFile.exists("/sys/fs/selinux/enforce")

    /// The contexts that the host's policy has for containers before their categories are known.
    struct Policy {
        var process: SecurityContext
        var file: SecurityContext

        /// Reads `contexts` of the containers' policy, or `lxc_contexts` of the host's.
        ///
        /// - Throws: `unsupported` where neither says anything of both.
        init(below root: String = "") throws(ContainerError) {
            let kind = Self.values("\(root)/etc/selinux/config")["SELINUXTYPE"] ?? "targeted"
            let places = ["\(root)/usr/share/containers/selinux/contexts", "\(root)/etc/selinux/\(kind)/contexts/lxc_contexts"]
            guard let values = places.map(Self.values).first(where: { !$0.isEmpty }) else {
                throw ContainerError(
                    .unsupported, "the host's policy has no contexts for containers: neither '\(places[0])' nor '\(places[1])' is there")
            }
            guard let process = values["process"].flatMap(SecurityContext.init), let file = values["file"].flatMap(SecurityContext.init)
            else {
                throw ContainerError(.unsupported, "the host's policy has no contexts of containers' processes and files")
            }
            (self.process, self.file) = (process, file)
        }

        private static func values(_ path: String) -> [String: String] {
            // Of a file that is not there, nothing is said.
            guard let bytes = try? HostFile.read(path, limit: 1 << 20) else { return [:] }
            var values: [String: String] = [:]
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
                guard line.first != "#", let separator = line.firstIndex(of: "=") else { continue }
                let clean = { (text: Substring) in String(text.filter { $0 != " " && $0 != "\t" && $0 != "\"" }) }
                values[clean(line[..<separator])] = clean(line[line.index(after: separator)...])
            }
            return values
        }
    }

    /// Gives what a path leads to, a file or a directory with all that is below, a label. What cannot have any, and what goes meanwhile, stays as it is.
    ///
    /// - Throws: `invalid` for a directory of the host's own, in Docker's words.
    static func relabel(_ path: String, _ label: String) throws(ContainerError) {
        // What is not there, its mount says.
        guard let path = try? HostFile.resolved(path) else { return }
        guard !hostPaths.contains(path) else { throw ContainerError(.invalid, "SELinux relabeling of \(path) is not allowed") }
        guard let slash = path.lastIndex(of: "/") else { return }
        do throws(Errno) {
            let parent = try Directory.open(slash == path.startIndex ? "/" : String(path[..<slash]))
            try relabel(try PathBytes(String(path[path.index(after: slash)...])), in: parent, Array(label.utf8) + [0], depth: 0)
        } catch {
            throw ContainerError(.storage, "cannot give '\(path)' the label '\(label)': \(error)", underlying: error)
        }
    }

    private static func relabel(_ name: PathBytes, in parent: borrowing Directory, _ label: [UInt8], depth: Int) throws(Errno) {
        guard depth < depthLimit else { throw .ELOOP }
        do throws(Errno) {
            try parent.setExtendedAttribute(attribute, to: label, of: name)
            guard try parent.status(name).kind == .directory else { return }
            let directory = try parent.openDirectory(name)
            for entry in try directory.entries() { try relabel(entry.name, in: directory, label, depth: depth + 1) }
        } catch {
            guard error == .EOPNOTSUPP || error == .ENOENT || (error == .EROFS && depth > 0) else { throw error }
        }
    }

    private static let attribute = "security.selinux"
    private static let depthLimit = 500
    /// What is the host's, and would be unusable to it with a container's label.
    private static let hostPaths: Set<String> = [
        "/", "/bin", "/boot", "/dev", "/etc", "/etc/passwd", "/etc/pki", "/etc/shadow", "/home", "/lib", "/lib64", "/media", "/opt",
        "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/lib", "/var/log",
    ]
}
