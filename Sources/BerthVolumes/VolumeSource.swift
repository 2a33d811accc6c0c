/// What a container mounts to have a volume: decided by the local driver's options, which are mount(8)'s.
///
/// | option | meaning |
/// | --- | --- |
/// | `type` | the file system: `tmpfs`, `nfs`, `ext4` …; `none` with `o=bind` for a directory of the host's |
/// | `device` | what is mounted |
/// | `o` | its options, with commas between them |
public enum VolumeSource: Hashable, Sendable {
    /// The volume's own directory, absolute.
    case directory(String)
    /// A path of the host's, with options as mount(8) has them: `bind` or `rbind` is among them.
    case bind(path: String, options: [String])
    /// A file system that each container mounts in its own namespace, with options likewise.
    case fileSystem(type: String, device: String, options: [String])
}

extension VolumeSource {
    var isBind: Bool { if case .bind = self { true } else { false } }

    private static let known: Set = ["type", "o", "device", "size"]
    /// Each needs the others.
    private static let needs: [(option: String, others: [String])] = [
        ("device", ["type"]), ("o", ["device", "type"]), ("type", ["device"]),
    ]

    /// Says what is wrong with a volume's options, in Docker's words.
    ///
    /// - Throws: `invalid`.
    static func check(_ options: [String: String], of name: String) throws(VolumeError) {
        func wrong(_ reason: String) -> VolumeError { VolumeError(.invalid, "create \(name): \(reason)") }
        for key in options.keys.sorted() where !known.contains(key) { throw wrong("invalid option: \"\(key)\"") }
        guard options["size"] == nil else { throw wrong("quota size requested but no quota support") }
        for (option, others) in needs where options[option] != nil {
            for other in others where options[other] == nil { throw wrong("missing required option: \"\(other)\"") }
        }
        for (key, value) in options where value.utf8.contains(0) { throw wrong("invalid option: \"\(key)\" has a NUL character") }
        if case .bind(let path, _) = source(options, directory: "/"), !path.hasPrefix("/") {
            throw wrong("invalid option: \"device\": \(path) is bound, and must be an absolute path")
        }
    }

    /// What options mean that have been checked.
    ///
    /// - Parameter directory: the volume's own.
    static func source(_ options: [String: String], directory: String) -> VolumeSource {
        guard let device = options["device"] else { return .directory(directory) }
        let words = (options["o"] ?? "").split(separator: ",").map(String.init)
        if words.contains("bind") || words.contains("rbind") { return .bind(path: device, options: words) }
        return .fileSystem(type: options["type"] ?? "", device: device, options: words)
    }
}
