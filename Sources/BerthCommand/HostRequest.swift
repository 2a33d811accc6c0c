internal import BerthClient
internal import BerthCommandLine

/// What a request to make a container says of namespaces, devices, groups and the kernel's parameters.
struct HostRequest {
    private let flags: HostFlags
    private let devices: [JSONTree]
    private let requests: [JSONTree]
    /// Whether nothing of the kernel's files is hidden or read-only.
    private let showsSystemPaths: Bool
    /// The options of security that are the daemon's to understand.
    let securityOptions: [String]

    init(_ flags: HostFlags, securityOptions: [String]) throws(Failure) {
        self.flags = flags
        let (shown, kept) = (
            securityOptions.filter { $0 == "systempaths=unconfined" }, securityOptions.filter { $0 != "systempaths=unconfined" }
        )
        (showsSystemPaths, self.securityOptions) = (!shown.isEmpty, kept)
        guard flags.memorySwappiness == -1 || (0...100).contains(flags.memorySwappiness) else {
            throw Failure("invalid value: \(flags.memorySwappiness). Valid memory swappiness range is 0-100", status: 125)
        }
        try Self.require(flags.pid, ["", "host"], sharing: true, "--pid: invalid PID mode")
        try Self.require(flags.uts, ["", "host"], sharing: true, "--uts: invalid UTS mode")
        try Self.require(flags.userns, ["", "host"], sharing: false, "--userns: invalid USER mode")
        try Self.require(flags.cgroupns, ["", "host", "private"], sharing: false, "--cgroupns: invalid CGROUP mode")
        for rule in flags.deviceCgroupRule where !Self.isRule(rule) {
            throw Self.wrong(rule, "device-cgroup-rule", "invalid device cgroup format '\(rule)'")
        }
        var (devices, named): ([JSONTree], [String]) = ([], [])
        for text in flags.device {
            if Self.isQualifiedName(text) { named.append(text) } else { devices.append(try Self.device(text)) }
        }
        var requests = try flags.gpus.map(Self.graphics)
        if !named.isEmpty {
            let members: [(String, JSONTree?)] = [
                ("Driver", .string("cdi")), ("Count", .integer(0)), ("DeviceIDs", .texts(named)), ("Capabilities", .null),
                ("Options", .null),
            ]
            requests.append(.object(members))
        }
        (self.devices, self.requests) = (devices, requests)
    }

    private static func require(_ text: String?, _ words: [String], sharing: Bool, _ complaint: String) throws(Failure) {
        guard let text, !words.contains(text) else { return }
        guard sharing, text.hasPrefix("container:"), text.count > "container:".count else { throw Failure(complaint, status: 125) }
    }

    /// The members of the request's `HostConfig`.
    func members() throws(Failure) -> [(String, JSONTree?)] {
        func bytes(_ text: String?) -> Int64 { text.flatMap(ValueKind.bytes) ?? 0 }
        func texts(_ list: [String]) -> JSONTree { list.isEmpty ? .null : .texts(list) }
        return [
            ("GroupAdd", texts(flags.groupAdd)), ("IpcMode", .string(flags.ipc ?? "")), ("PidMode", .string(flags.pid ?? "")),
            ("UTSMode", .string(flags.uts ?? "")), ("UsernsMode", .string(flags.userns ?? "")),
            ("CgroupnsMode", .string(flags.cgroupns ?? "")), ("OomScoreAdj", .integer(flags.oomScoreAdj)),
            ("Init", flags.runsInit.map { .bool($0) }), ("Isolation", .string(flags.isolation ?? "")),
            ("Runtime", flags.runtime.map(JSONTree.string)), ("CgroupParent", .string(flags.cgroupParent ?? "")),
            ("Sysctls", try Self.map(flags.sysctl, checked: Self.checkParameter)),
            ("Annotations", try Self.map(flags.annotation) { _ throws(Failure) in }),
            (
                "StorageOpt",
                try Self.map(flags.storageOpt) { text throws(Failure) in
                    guard text.contains("=") else { throw Failure("invalid storage option", status: 125) }
                }
            ),
            ("Devices", .array(devices)), ("DeviceCgroupRules", texts(flags.deviceCgroupRule)),
            ("DeviceRequests", requests.isEmpty ? .null : .array(requests)),
            ("KernelMemory", flags.kernelMemory == nil ? nil : .integer(bytes(flags.kernelMemory))),
            ("MemorySwappiness", .integer(flags.memorySwappiness)), ("CpuRealtimePeriod", .integer(flags.cpuRtPeriod ?? 0)),
            ("CpuRealtimeRuntime", .integer(flags.cpuRtRuntime ?? 0)),
            ("BlkioWeight", .integer(flags.blkioWeight.flatMap { Int64($0) } ?? 0)),
            ("BlkioWeightDevice", .array(try flags.blkioWeightDevice.map(Self.weight))),
            ("BlkioDeviceReadBps", .array(try flags.deviceReadBps.map { text throws(Failure) in try Self.rate(text, "device-read-bps") })),
            (
                "BlkioDeviceWriteBps",
                .array(try flags.deviceWriteBps.map { text throws(Failure) in try Self.rate(text, "device-write-bps") })
            ),
            (
                "BlkioDeviceReadIOps",
                .array(try flags.deviceReadIops.map { text throws(Failure) in try Self.rate(text, "device-read-iops") })
            ),
            (
                "BlkioDeviceWriteIOps",
                .array(try flags.deviceWriteIops.map { text throws(Failure) in try Self.rate(text, "device-write-iops") })
            ),
            ("MaskedPaths", showsSystemPaths ? .array([]) : nil), ("ReadonlyPaths", showsSystemPaths ? .array([]) : nil),
        ]
    }

    private static func wrong(_ text: String, _ flag: String, _ reason: String) -> Failure {
        Failure("invalid argument \"\(text)\" for \"--\(flag)\" flag: \(reason)", status: 125)
    }

    /// `name=value`, of which the last of a name counts.
    private static func map(_ texts: [String], checked: (String) throws(Failure) -> Void) throws(Failure) -> JSONTree? {
        if texts.isEmpty { return nil }
        var values: [String: String] = [:]
        for text in texts {
            try checked(text)
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            values[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        return .object(values.sorted { $0.key < $1.key }.map { ($0.key, JSONTree.string($0.value)) })
    }

    private static func checkParameter(_ text: String) throws(Failure) {
        let name = text.prefix { $0 != "=" }
        let ofIPC = ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"].map { "kernel.\($0)" }
        guard text.contains("="), ofIPC.contains(String(name)) || name.hasPrefix("net.") || name.hasPrefix("fs.mqueue.") else {
            throw wrong(text, "sysctl", "sysctl '\(text)' is not allowed")
        }
    }

    // MARK: Devices

    /// `vendor.com/class=name`.
    private static func isQualifiedName(_ text: String) -> Bool {
        guard !text.hasPrefix("/"), let equal = text.firstIndex(of: "=") else { return false }
        let kind = text[..<equal].split(separator: "/", omittingEmptySubsequences: false)
        return kind.count == 2 && kind.allSatisfy { !$0.isEmpty } && text.index(after: equal) < text.endIndex
    }

    /// `c 1:3 rwm`.
    private static func isRule(_ text: String) -> Bool {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, ["a", "b", "c"].contains(words[0]), (1...3).contains(words[2].count),
            words[2].allSatisfy({ "rwm".contains($0) })
        else { return false }
        let numbers = words[1].split(separator: ":", omittingEmptySubsequences: false)
        return numbers.count == 2 && numbers.allSatisfy { $0 == "*" || (!$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber }) }
    }

    private static func isMode(_ text: Substring) -> Bool {
        !text.isEmpty && text.allSatisfy { "rwm".contains($0) } && Set(text).count == text.count
    }

    /// `/dev/a[:/dev/b[:rwm]]`, or `/dev/a:rwm`.
    private static func device(_ text: String) throws(Failure) -> JSONTree {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var (target, permissions) = (parts[0], Substring("rwm"))
        switch parts.count {
        case 1: break
        case 2: if isMode(parts[1]) { permissions = parts[1] } else { target = parts[1] }
        case 3:
            guard isMode(parts[2]) else { throw Failure("bad mode specified: \(parts[2])", status: 125) }
            (target, permissions) = (parts[1], parts[2])
        default: throw Failure("bad format for path: \(text)", status: 125)
        }
        guard !parts[0].isEmpty else { throw Failure("bad format for path: \(text)", status: 125) }
        guard target.hasPrefix("/") else { throw Failure("\(target) is not an absolute path", status: 125) }
        let members: [(String, JSONTree?)] = [
            ("PathOnHost", .string(String(parts[0]))), ("PathInContainer", .string(String(target))),
            ("CgroupPermissions", .string(String(permissions))),
        ]
        return .object(members)
    }

    /// `all`, a number, or `count=2,device=0,capabilities=utility,driver=nvidia`.
    private static func graphics(_ text: String) throws(Failure) -> JSONTree {
        var (driver, count, ids, capabilities) = ("", Int64?.none, [String](), ["gpu"])
        for field in text.split(separator: ",") {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let (key, value) = parts.count == 2 ? (parts[0], parts[1]) : ("count", parts[0])
            switch key {
            case "count":
                guard let number = value == "all" ? -1 : Int64(value) else {
                    throw wrong(text, "gpus", "count must be an integer: '\(value)'")
                }
                count = number
            case "driver": driver = value
            case "device": ids.append(value)
            case "capabilities": capabilities = [value, "gpu"]
            default: throw wrong(text, "gpus", "unexpected key '\(key)' in '\(field)'")
            }
        }
        let members: [(String, JSONTree?)] = [
            ("Driver", .string(driver)), ("Count", .integer(count ?? (ids.isEmpty ? 1 : 0))),
            ("DeviceIDs", ids.isEmpty ? .null : .texts(ids)),
            ("Capabilities", .array([.texts(capabilities)])), ("Options", .object([JSONTree.Member]())),
        ]
        return .object(members)
    }

    // MARK: Block devices

    private static func parts(_ text: String, _ flag: String) throws(Failure) -> (path: String, value: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty else { throw wrong(text, flag, "bad format: \(text)") }
        guard parts[0].hasPrefix("/dev/") else { throw wrong(text, flag, "bad format for device path: \(text)") }
        return (parts[0], parts[1])
    }

    private static func weight(_ text: String) throws(Failure) -> JSONTree {
        let (path, value) = try parts(text, "blkio-weight-device")
        guard let weight = Int64(value), weight == 0 || (10...1000).contains(weight) else {
            throw wrong(text, "blkio-weight-device", "invalid weight for device: \(text)")
        }
        let members: [(String, JSONTree?)] = [("Path", .string(path)), ("Weight", .integer(weight))]
        return .object(members)
    }

    private static func rate(_ text: String, _ flag: String) throws(Failure) -> JSONTree {
        let (path, value) = try parts(text, flag)
        let isBytes = flag.hasSuffix("bps")
        guard let rate = isBytes ? ValueKind.bytes(value) : Int64(value), rate >= 0 else {
            let format = "<device-path>:<number>"
            let rest =
                isBytes
                ? "\(format)[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
                : "\(format). Number must be a positive integer"
            throw wrong(text, flag, "invalid rate for device: \(text). The correct format is \(rest)")
        }
        let members: [(String, JSONTree?)] = [("Path", .string(path)), ("Rate", .integer(rate))]
        return .object(members)
    }
}
