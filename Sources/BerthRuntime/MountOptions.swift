/// Options of a mount in the specification's words, sorted into what the kernel takes.
struct MountOptions {
    /// mount(2)'s flags.
    var flags: UInt64 = 0
    /// mount_setattr(2)'s attributes that a bind mount gets.
    var attributes: UInt64 = 0
    /// mount_setattr(2)'s propagation, or 0.
    var propagation: UInt64 = 0
    var isBind = false
    var isRecursive = false
    /// What is for the file system itself.
    var data: [String] = []

    /// Begins the option of a bind mount whose source is of another mount namespace, which the rest of it leads to; with no rest, of the container's own root.
    static let namespacePrefix = "x-berth.namespace="
    /// Whether the attributes are for the mounts below as well.
    var isReadOnlyBelow = false
    /// Whether what is mounted can only be read here, and is as it is elsewhere.
    var isReadOnlyView = false
    /// A path below the root of what is mounted, which is mounted instead; empty for all of it.
    var beneath = ""

    var isReadOnly: Bool { flags & 1 != 0 }

    init(_ options: [String]) {
        // (word, mount(2)'s flag, mount_setattr(2)'s attribute, whether it sets)
        let table: [String: (flag: UInt64, attribute: UInt64, sets: Bool)] = [
            "ro": (1, 1, true), "rw": (1, 1, false), "nosuid": (2, 2, true), "suid": (2, 2, false), "nodev": (4, 4, true),
            "dev": (4, 4, false),
            "noexec": (8, 8, true), "exec": (8, 8, false), "sync": (16, 0, true), "async": (16, 0, false), "dirsync": (128, 0, true),
            "noatime": (1024, 0x10, true), "atime": (1024, 0x10, false), "nodiratime": (2048, 0x80, true), "diratime": (2048, 0x80, false),
            "relatime": (1 << 21, 0, true), "norelatime": (1 << 21, 0, false), "strictatime": (1 << 24, 0x20, true),
            "silent": (32768, 0, true),
            "defaults": (0, 0, true), "remount": (32, 0, true),
        ]
        let propagations: [String: UInt64] = [
            "private": 1 << 18, "rprivate": 1 << 18, "slave": 1 << 19, "rslave": 1 << 19, "shared": 1 << 20, "rshared": 1 << 20,
            "unbindable": 1 << 17, "runbindable": 1 << 17,
        ]
        for option in options {
            if option == "bind" || option == "rbind" {
                isBind = true
                isRecursive = option == "rbind"
            } else if let found = table[option] {
                flags = found.sets ? flags | found.flag : flags & ~found.flag
                attributes = found.sets ? attributes | found.attribute : attributes & ~found.attribute
            } else if option == "rro" {
                (flags, attributes, isReadOnlyBelow) = (flags | 1, attributes | 1, true)
            } else if option.hasPrefix("X-berth.beneath=") {
                beneath = String(option.dropFirst("X-berth.beneath=".count))
            } else if option == "X-berth.ro" {
                isReadOnlyView = true
            } else if let found = propagations[option] {
                propagation = found
            } else {
                data.append(option)
            }
        }
    }
}
