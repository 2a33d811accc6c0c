// What can be wrong with a mount as it is said, in Docker's words.
extension Mount {
    /// - Throws: `invalid`, `unsupported`.
    func check() throws(ContainerError) {
        do throws(ContainerError) {
            try checkTarget()
            switch kind {
            case .bind: try checkBind()
            case .volume: try checkVolume()
            case .tmpfs: try checkTemporary()
            case .image: try checkImage()
            }
        } catch {
            switch notation {
            case .mount: throw wrong(error.description)
            case .volume(_, let text):
                throw ContainerError(.invalid, "invalid volume specification: '\(text)': " + wrong(error.description).description)
            case .tmpfs: throw error
            }
        }
    }

    private func wrong(_ reason: String) -> ContainerError {
        ContainerError(.invalid, "invalid mount config for type \"\(kind.rawValue)\": \(reason)")
    }

    private func checkTarget() throws(ContainerError) {
        guard !target.isEmpty else { throw ContainerError(.invalid, "field Target must not be empty") }
        guard target.hasPrefix("/") else {
            throw ContainerError(.invalid, "invalid mount path: '\(target)' mount path must be absolute")
        }
        guard PathText.clean(target) != "/" else { throw ContainerError(.invalid, "invalid specification: destination can't be '/'") }
        guard !target.utf8.contains(0), !source.utf8.contains(0), !(subpath ?? "").utf8.contains(0) else {
            throw ContainerError(.invalid, "a path of the mount at '\(target)' contains a NUL character")
        }
    }

    private func checkBind() throws(ContainerError) {
        guard !source.isEmpty else { throw ContainerError(.invalid, "field Source must not be empty") }
        guard source.hasPrefix("/") else {
            throw ContainerError(.invalid, "invalid mount path: '\(source)' mount path must be absolute")
        }
        guard subpath == nil else { throw ContainerError(.invalid, "field VolumeOptions must not be specified") }
        guard readOnly || recursion == .enabled || recursion == .disabled else {
            throw ContainerError(
                .invalid,
                "a mount that is not read-only cannot be so for the mounts below it: bind-recursive=\(recursion.rawValue) needs readonly")
        }
    }

    private func checkVolume() throws(ContainerError) {
        guard propagation == nil || notation != .mount else {
            throw ContainerError(.invalid, "field BindOptions must not be specified")
        }
        guard !(source.isEmpty && readOnly) else {
            throw ContainerError(.invalid, "must not set ReadOnly mode when using anonymous volumes")
        }
        try checkSubpath()
    }

    private func checkSubpath() throws(ContainerError) {
        guard let subpath else { return }
        // Those that lead out by links are refused by the kernel when it is mounted.
        guard !subpath.hasPrefix("/"), !subpath.split(separator: "/").contains("..") else {
            throw ContainerError(.invalid, "subpath must be a relative path within the volume")
        }
    }

    private func checkTemporary() throws(ContainerError) {
        guard source.isEmpty else { throw ContainerError(.invalid, "field Source must not be specified") }
        for option in options where !Self.isTemporaryOption(option) {
            let words = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { "\"\($0)\"" }
            throw ContainerError(.invalid, "invalid tmpfs option [\(words.joined(separator: " "))]")
        }
    }

    private static let flags: Set = [
        "defaults", "ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "sync", "async", "dirsync", "remount", "mand", "nomand",
        "atime", "noatime", "diratime", "nodiratime", "bind", "rbind", "relatime", "norelatime", "strictatime", "nostrictatime", "private",
        "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable",
    ]
    private static let settings: Set = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"]

    static func isTemporaryOption(_ option: String) -> Bool {
        if flags.contains(option) { return true }
        let words = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return words.count == 2 && settings.contains(String(words[0]))
    }

    private func checkImage() throws(ContainerError) {
        guard !source.isEmpty else { throw ContainerError(.invalid, "field Source must not be empty") }
        guard propagation == nil else { throw ContainerError(.invalid, "field BindOptions must not be specified") }
        try checkSubpath()
    }
}

/// `CONTAINER[:options]`, as `--volumes-from` has it.
struct VolumesFrom: Hashable {
    var container: String
    var readOnly: Bool

    /// - Throws: `invalid`, in Docker's words.
    init(parsing text: String) throws(ContainerError) {
        guard !text.isEmpty else { throw ContainerError(.invalid, "volumes-from specification cannot be an empty string") }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        (container, readOnly) = (String(parts[0]), false)
        guard parts.count == 2 else { return }
        let options = VolumeFlagOptions(String(parts[1]))
        guard let options, options.propagation == nil, !options.isCopyingSaid else {
            throw ContainerError(.invalid, "invalid mode: \(parts[1])")
        }
        readOnly = options.readOnly
    }
}

/// The options behind the last colon of `-v`.
public struct VolumeFlagOptions: Hashable, Sendable {
    /// Whether the container can only read.
    public var readOnly = false
    /// How mounts below travel.
    public var propagation: BindMount.Propagation?
    /// Whether something is said of copy-up: that there is to be none.
    public var isCopyingSaid = false

    /// Whether the source gets the label of all containers (`z`), or this one's alone (`Z`); `nil`: it keeps its own. Where SELinux is used (``SELinux``).
    public var sharesLabel: Bool?

    /// Parses them. `nil` for one that does not exist, or two of one kind. `cached` and the like mean something on other systems only.
    public init?(_ text: String) {
        guard !text.isEmpty else { return }
        var kinds: Set<Character> = []
        for option in text.split(separator: ",", omittingEmptySubsequences: false) {
            let kind: Character
            switch option {
            case "rw", "ro": (kind, readOnly) = ("w", option == "ro")
            case "z", "Z": (kind, sharesLabel) = ("z", option == "z")
            case "nocopy": (kind, isCopyingSaid) = ("n", true)
            case "consistent", "cached", "delegated", "default": kind = "c"
            default:
                guard let found = BindMount.Propagation(rawValue: String(option)) else { return nil }
                (kind, propagation) = ("p", found)
            }
            guard kinds.insert(kind).inserted else { return nil }
        }
    }
}
