/// The control group hierarchies of this machine, as they are mounted.
public struct CgroupLayout: Hashable, Sendable {
    /// One hierarchy.
    public struct Hierarchy: Hashable, Sendable {
        /// The controllers of a v1 hierarchy (`memory`, or several), or `name=systemd`.
        public let controllers: [String]
        /// Where it is mounted.
        public let mountPoint: String

        /// One of these.
        public init(controllers: [String], mountPoint: String) { (self.controllers, self.mountPoint) = (controllers, mountPoint) }
    }
    /// The v1 hierarchies, in the order of their mounts.
    public let version1: [Hierarchy]
    /// Where v2 is mounted, alone or beside v1 ones.
    public let unified: String?
    /// The controllers that v2 has.
    public let unifiedControllers: [String]

    /// These, as a test would have them.
    public init(version1: [Hierarchy], unified: String?, unifiedControllers: [String]) {
        (self.version1, self.unified, self.unifiedControllers) = (version1, unified, unifiedControllers)
    }

    /// 2 where v2 is alone, else 1.
    public var version: Int { version1.isEmpty ? 2 : 1 }

    /// Looks at /proc/self/mountinfo.
    ///
    /// - Throws: `ENOENT` where there are no control groups at all.
    public static func detect() throws(Errno) -> CgroupLayout {
        let text = String(decoding: try HostFile.read("/proc/self/mountinfo", limit: 16 << 20), as: UTF8.self)
        var controllers: [String] = []
        let found = parse(mountInfo: text)
        if let unified = found.unified {
            controllers = String(decoding: try HostFile.read(unified + "/cgroup.controllers", limit: 4096), as: UTF8.self)
                .split { $0 == " " || $0 == "\n" }.map(String.init)
        }
        guard found.unified != nil || !found.version1.isEmpty else { throw .ENOENT }
        return CgroupLayout(version1: found.version1, unified: found.unified, unifiedControllers: controllers)
    }

    /// Lines of proc(5)'s mountinfo: fields, a lone `-`, type, source, options of the file system. Only whole hierarchies count.
    static func parse(mountInfo text: String) -> (version1: [Hierarchy], unified: String?) {
        var version1: [Hierarchy] = []
        var unified: String?
        let known: Set = [
            "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "net_cls", "net_prio", "blkio", "perf_event", "hugetlb", "pids",
            "rdma", "misc",
        ]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard let separator = fields.firstIndex(of: "-"), separator >= 6, fields.count > separator + 3 else { continue }
            let (mountPoint, type, options) = (String(fields[4]), fields[separator + 1], fields[separator + 3])
            if type == "cgroup2" {
                unified = unified ?? mountPoint
            } else if type == "cgroup" {
                let controllers = options.split(separator: ",").map(String.init).filter { known.contains($0) || $0.hasPrefix("name=") }
                guard !controllers.isEmpty, !version1.contains(where: { $0.controllers == controllers }) else { continue }
                version1.append(Hierarchy(controllers: controllers, mountPoint: mountPoint))
            }
        }
        return (version1, unified)
    }

    /// Every directory that a group of this path (`parent/id`) has.
    public func directories(of path: String) -> [String] {
        version1.map { "\($0.mountPoint)/\(path)" } + (unified.map { ["\($0)/\(path)"] } ?? [])
    }

    /// The files of a group that take `0` from a process of one thread that joins it: in every v1 hierarchy, or in v2 where that is alone.
    public func joiningFiles(of path: String) -> [String] {
        version == 1 ? version1.map { "\($0.mountPoint)/\(path)/tasks" } : (unified.map { ["\($0)/\(path)/cgroup.procs"] } ?? [])
    }

    /// The directory of a v1 controller, or `nil` where no v1 hierarchy has it.
    public func directory(of controller: String, _ path: String) -> String? {
        version1.first { $0.controllers.contains(controller) }.map { "\($0.mountPoint)/\(path)" }
    }

    /// What a group of ours is there for.
    public enum ParentUse: Sendable {
        /// It holds groups.
        case groups
        /// It holds processes.
        case processes
    }

    /// Makes a parent for groups: with cpusets filled on v1, and its controllers handed down on v2.
    ///
    /// Repeating is fine. What cannot be handed down, because an ancestor has processes, is left to the limits that need it to report.
    /// - Parameter use: a group for processes hands nothing down: on v2 it could not hold them.
    public func makeParent(_ path: String, for use: ParentUse = .groups) throws(Errno) {
        for directory in directories(of: path) { try Self.make(directory) }
        if let cpuset = version1.first(where: { $0.controllers.contains("cpuset") }) {
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let inherited = String(decoding: try HostFile.read("\(cpuset.mountPoint)/\(file)", limit: 4096), as: UTF8.self)
                try HostFile.write(inherited, to: "\(cpuset.mountPoint)/\(path)/\(file)")
            }
        }
        if let unified, version == 2, use == .groups {
            for controller in unifiedControllers {
                // Not every controller can be handed down everywhere; a limit that needs one which is missing fails by name.
                try? HostFile.write("+\(controller)", to: "\(unified)/cgroup.subtree_control")
                try? HostFile.write("+\(controller)", to: "\(unified)/\(path)/cgroup.subtree_control")
            }
        }
    }

    /// Removes a group from every hierarchy, with groups that something inside it made. One that is not there is removed already.
    ///
    /// - Throws: `EBUSY` while a process is in it.
    public func remove(_ path: String) throws(Errno) {
        for directory in directories(of: path) { try Self.remove(directory, depth: 0) }
    }

    /// The ids of every process in a group, in any hierarchy.
    public func processes(in path: String) -> Set<Int32> {
        var found: Set<Int32> = []
        for directory in directories(of: path) {
            guard let text = try? HostFile.read(directory + "/cgroup.procs", limit: 1 << 20) else { continue }  // no group, no processes
            for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
                if let id = Int32(line), id > 0 { found.insert(id) }
            }
        }
        return found
    }

    /// The groups directly below a parent, by name, in any hierarchy.
    public func children(of path: String) -> Set<String> {
        var found: Set<String> = []
        for directory in directories(of: path) {
            guard let entries = try? Directory.open(directory).entries() else { continue }  // no parent, no children
            for entry in entries where entry.isDirectory == true { found.insert(entry.name.description) }
        }
        return found
    }

    private static func make(_ path: String) throws(Errno) {
        let (parent, name) = split(path)
        do { try Directory.open(parent).makeDirectory(try PathBytes(name)) } catch { if error != .EEXIST { throw error } }
    }

    private static func remove(_ path: String, depth: Int) throws(Errno) {
        guard depth < 64 else { throw .ELOOP }
        do throws(Errno) { try HostFile.removeDirectory(path) } catch {
            // A group inside makes it busy, or "not empty"; then that goes first.
            let inside = (try? Directory.open(path).entries()) ?? []  // gone meanwhile: removed
            let groups = inside.filter { $0.isDirectory == true }
            guard !groups.isEmpty else { throw error }
            for group in groups { try remove("\(path)/\(group.name)", depth: depth + 1) }
            try HostFile.removeDirectory(path)
        }
    }

    private static func split(_ path: String) -> (parent: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }
}

/// A program for the kernel that says which devices a cgroup v2 may use: cgroup v1's `devices.allow` and `devices.deny` in instructions.
public enum DeviceProgram {
    /// One rule. Later rules win.
    public struct Rule: Hashable, Sendable {
        /// Allowed or denied.
        public var allows: Bool
        /// `a` all, `b` block, `c` character.
        public var type: Character
        /// All where absent.
        public var major: UInt32?
        /// All where absent.
        public var minor: UInt32?
        /// Of `r`, `w`, `m`.
        public var access: String

        /// A rule of these.
        public init(allows: Bool, type: Character, major: UInt32?, minor: UInt32?, access: String) {
            (self.allows, self.type, self.major, self.minor, self.access) = (allows, type, major, minor, access)
        }
    }

    /// The instructions, 8 bytes each. What no rule names is denied.
    public static func compile(_ rules: [Rule]) -> [UInt8] {
        var code = Assembler()
        // The context: access << 16 | type, major, minor.
        code.emit(0x61, 2, 1, 0, 0)  // r2 = *(u32 *)(r1 + 0)
        code.emit(0xbc, 3, 2, 0, 0)  // w3 = w2
        code.emit(0x54, 2, 0, 0, 0xffff)  // w2 &= 0xffff: the type
        code.emit(0x74, 3, 0, 0, 16)  // w3 >>= 16: the access
        code.emit(0x61, 4, 1, 4, 0)  // r4 = major
        code.emit(0x61, 5, 1, 8, 0)  // r5 = minor
        for rule in rules.reversed() {
            var tests: [(code: UInt8, register: UInt8, value: Int32)] = []
            if rule.type == "b" { tests.append((0x56, 2, 1)) }  // if w2 != 1 skip
            if rule.type == "c" { tests.append((0x56, 2, 2)) }
            let access = rule.access.reduce(Int32(0)) { $0 | ($1 == "m" ? 1 : $1 == "r" ? 2 : $1 == "w" ? 4 : 0) }
            // A rule that allows must cover all that is asked; one that denies, any of it: asked bits outside or inside the rule's.
            let needsAccess = access != 7
            if let major = rule.major { tests.append((0x56, 4, Int32(bitPattern: major))) }
            if let minor = rule.minor { tests.append((0x56, 5, Int32(bitPattern: minor))) }
            let accessLength: Int16 = needsAccess ? 3 : 0
            for (index, test) in tests.enumerated() {
                let remaining = Int16(tests.count - index - 1) + accessLength + 2
                code.emit(test.code, test.register, 0, remaining, test.value)
            }
            if needsAccess {
                code.emit(0xbc, 1, 3, 0, 0)  // w1 = w3
                code.emit(0x54, 1, 0, 0, rule.allows ? 7 & ~access : access)
                code.emit(rule.allows ? 0x56 : 0x16, 1, 0, 2, 0)  // allows: skip if anything is left; denies: skip if nothing is
            }
            code.emit(0xb4, 0, 0, 0, rule.allows ? 1 : 0)
            code.emit(0x95, 0, 0, 0, 0)
            // What comes before a rule for everything never decides, and the kernel refuses instructions that cannot be reached.
            if tests.isEmpty && !needsAccess { return code.bytes }
        }
        code.emit(0xb4, 0, 0, 0, 0)
        code.emit(0x95, 0, 0, 0, 0)
        return code.bytes
    }

    private struct Assembler {
        var bytes: [UInt8] = []
        mutating func emit(_ code: UInt8, _ destination: UInt8, _ source: UInt8, _ offset: Int16, _ immediate: Int32) {
            bytes += [code, destination | source << 4, UInt8(truncatingIfNeeded: offset), UInt8(truncatingIfNeeded: offset >> 8)]
            for shift in stride(from: Int32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: immediate >> shift)) }
        }
    }
}
