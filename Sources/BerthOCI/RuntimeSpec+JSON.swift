// The JSON of each part of the specification, and what it holds beside the members that are known here.

extension RuntimeSpec: Codable, OpenObject {
    static var blank: Self { Self() }
    static var members: [Member<Self>] {
        [
            .required("ociVersion", \.ociVersion), .optional("process", \.process), .optional("root", \.root),
            .optional("hostname", \.hostname), .optional("domainname", \.domainname), .optional("mounts", \.mounts),
            .optional("hooks", \.hooks), .optional("annotations", \.annotations), .optional("linux", \.linux),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Hooks: Codable, OpenObject {
    static var blank: Self { Self() }
    static var members: [Member<Self>] {
        [
            .optional("prestart", \.prestart), .optional("createRuntime", \.createRuntime), .optional("createContainer", \.createContainer),
            .optional("startContainer", \.startContainer), .optional("poststart", \.poststart), .optional("poststop", \.poststop),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Hook: Codable, OpenObject {
    static var blank: Self { Self(path: "") }
    static var members: [Member<Self>] {
        [
            .required("path", \.path), .optional("args", \.args), .optional("env", \.env), .optional("timeout", \.timeout),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Process: Codable, OpenObject {
    static var blank: Self { Self(args: []) }
    static var members: [Member<Self>] {
        [
            .optional("terminal", \.terminal), .optional("consoleSize", \.consoleSize), .required("user", \.user),
            .optional("args", \.args), .optional("env", \.env), .required("cwd", \.cwd),
            .optional("capabilities", \.capabilities), .optional("rlimits", \.rlimits),
            .optional("noNewPrivileges", \.noNewPrivileges), .optional("oomScoreAdj", \.oomScoreAdj),
            .optional("apparmorProfile", \.apparmorProfile),
            .optional("selinuxLabel", \.selinuxLabel),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.ConsoleSize: Codable, OpenObject {
    static var blank: Self { Self(height: 0, width: 0) }
    static var members: [Member<Self>] {
        [
            .required("height", \.height), .required("width", \.width),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.User: Codable, OpenObject {
    static var blank: Self { Self(uid: 0, gid: 0) }
    static var members: [Member<Self>] {
        [
            .required("uid", \.uid), .required("gid", \.gid), .optional("umask", \.umask),
            .optional("additionalGids", \.additionalGids),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Capabilities: Codable, OpenObject {
    static var blank: Self { Self() }
    static var members: [Member<Self>] {
        [
            .optional("bounding", \.bounding), .optional("effective", \.effective),
            .optional("inheritable", \.inheritable), .optional("permitted", \.permitted), .optional("ambient", \.ambient),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.ResourceLimit: Codable, OpenObject {
    static var blank: Self { Self(type: "", soft: 0, hard: 0) }
    static var members: [Member<Self>] {
        [
            .required("type", \.type), .required("soft", \.soft), .required("hard", \.hard),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Root: Codable, OpenObject {
    static var blank: Self { Self(path: "") }
    static var members: [Member<Self>] {
        [
            .required("path", \.path), .optional("readonly", \.readonly),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Mount: Codable, OpenObject {
    static var blank: Self { Self(destination: "", type: nil, source: nil, options: nil) }
    static var members: [Member<Self>] {
        [
            .required("destination", \.destination), .optional("type", \.type), .optional("source", \.source),
            .optional("options", \.options),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Linux: Codable, OpenObject {
    static var blank: Self { Self() }
    static var members: [Member<Self>] {
        [
            .optional("namespaces", \.namespaces), .optional("devices", \.devices), .optional("resources", \.resources),
            .optional("cgroupsPath", \.cgroupsPath), .optional("seccomp", \.seccomp),
            .optional("rootfsPropagation", \.rootfsPropagation), .optional("mountLabel", \.mountLabel),
            .optional("maskedPaths", \.maskedPaths),
            .optional("readonlyPaths", \.readonlyPaths), .optional("sysctl", \.sysctl),
            .optional("uidMappings", \.uidMappings), .optional("gidMappings", \.gidMappings),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Namespace: Codable, OpenObject {
    static var blank: Self { Self(type: "") }
    static var members: [Member<Self>] {
        [
            .required("type", \.type), .optional("path", \.path),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Device: Codable, OpenObject {
    static var blank: Self { Self(path: "", type: "", major: nil, minor: nil, fileMode: nil) }
    static var members: [Member<Self>] {
        [
            .required("path", \.path), .required("type", \.type), .optional("major", \.major), .optional("minor", \.minor),
            .optional("fileMode", \.fileMode), .optional("uid", \.uid), .optional("gid", \.gid),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Resources: Codable, OpenObject {
    static var blank: Self { Self() }
    static var members: [Member<Self>] {
        [
            .optional("devices", \.devices), .optional("memory", \.memory), .optional("cpu", \.cpu),
            .optional("pids", \.pids), .optional("blockIO", \.blockIO),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.DeviceRule: Codable, OpenObject {
    static var blank: Self { Self(allow: false) }
    static var members: [Member<Self>] {
        [
            .required("allow", \.allow), .optional("type", \.type), .optional("major", \.major),
            .optional("minor", \.minor), .optional("access", \.access),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Memory: Codable, OpenObject {
    static var blank: Self { Self() }
    static var members: [Member<Self>] {
        [
            .optional("limit", \.limit), .optional("reservation", \.reservation), .optional("swap", \.swap),
            .optional("swappiness", \.swappiness), .optional("disableOOMKiller", \.disableOOMKiller),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.CPU: Codable, OpenObject {
    static var blank: Self { Self() }
    static var members: [Member<Self>] {
        [
            .optional("shares", \.shares), .optional("quota", \.quota), .optional("period", \.period),
            .optional("realtimeRuntime", \.realtimeRuntime), .optional("realtimePeriod", \.realtimePeriod), .optional("cpus", \.cpus),
            .optional("mems", \.mems),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.PIDs: Codable, OpenObject {
    static var blank: Self { Self(limit: 0) }
    static var members: [Member<Self>] {
        [
            .required("limit", \.limit)
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Seccomp: Codable, OpenObject {
    static var blank: Self { Self(defaultAction: "") }
    static var members: [Member<Self>] {
        [
            .required("defaultAction", \.defaultAction), .optional("defaultErrnoRet", \.defaultErrnoRet),
            .optional("architectures", \.architectures), .optional("flags", \.flags), .optional("syscalls", \.syscalls),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Seccomp.Rule: Codable, OpenObject {
    static var blank: Self { Self(names: [], action: "") }
    static var members: [Member<Self>] {
        [
            .required("names", \.names), .required("action", \.action), .optional("errnoRet", \.errnoRet),
            .optional("args", \.args),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension RuntimeSpec.Seccomp.Argument: Codable, OpenObject {
    static var blank: Self { Self(index: 0, value: 0, op: "") }
    static var members: [Member<Self>] {
        [
            .required("index", \.index), .required("value", \.value), .optional("valueTwo", \.valueTwo),
            .required("op", \.op),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}
