public import BerthClient

/// What `--mount` and `--tmpfs` say.
public enum MountFlags {
    /// One mount as the daemon takes it, of one `--mount`: `type=volume,source=data,target=/data,readonly`.
    ///
    /// - Parameter absolute: makes a path absolute that begins in the working directory.
    /// - Throws: in Docker's words.
    public static func mount(_ text: String, absolute: (String) -> String) throws(ValueMistake) -> JSONTree {
        var mount = Parsed()
        for field in try CommaSeparated.values(text) { try mount.take(field, absolute: absolute) }
        try mount.check()
        return mount.json
    }

    /// The places of memory and their options, of some `--tmpfs`: `/run:size=64k`. The last of a place counts.
    public static func temporary(_ flags: [String]) -> JSONTree {
        var places: [String: String] = [:]
        for flag in flags {
            let parts = flag.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            places[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        return .object(places.sorted { $0.key < $1.key }.map { ($0.key, JSONTree.string($0.value)) as (String, JSONTree?) })
    }
}

private struct Parsed {
    private var type = "volume"
    private var source = ""
    private var target = ""
    private var isReadOnly = false
    private var consistency = ""
    /// By what they begin with: `bind`, `volume`, `tmpfs`, `image`. What is there was said, whatever its value.
    private var options: [String: [String: JSONTree]] = [:]
    private var labels: [String: JSONTree] = [:]
    private var driver: [String: JSONTree] = [:]
    private var driverOptions: [String: JSONTree] = [:]

    mutating func take(_ field: String, absolute: (String) -> String) throws(ValueMistake) {
        let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let key = parts[0].lowercased()
        guard parts.count == 2 else {
            switch key {
            case "readonly", "ro": isReadOnly = true
            case "volume-nocopy": set("volume", "NoCopy", .bool(true))
            default: throw ValueMistake("invalid field '\(field)' must be a key=value pair")
            }
            return
        }
        let value = parts[1]
        func wrong(_ more: String = "") -> ValueMistake { ValueMistake("invalid value for \(key): \(value)\(more)") }
        switch key {
        case "type": type = value.lowercased()
        case "source", "src": source = value == "." || value.hasPrefix("./") ? absolute(value) : value
        case "target", "dst", "destination": target = value
        case "consistency": consistency = value.lowercased()
        case "readonly", "ro":
            guard let truth = ValueKind.boolean(value) else { throw wrong() }
            isReadOnly = truth
        case "bind-propagation": set("bind", "Propagation", .string(value.lowercased()))
        case "bind-recursive":
            switch value {
            case "enabled": break
            case "disabled": set("bind", "NonRecursive", .bool(true))
            case "writable": set("bind", "ReadOnlyNonRecursive", .bool(true))
            case "readonly": set("bind", "ReadOnlyForceRecursive", .bool(true))
            default: throw wrong(" (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")")
            }
        case "bind-nonrecursive":
            guard let truth = ValueKind.boolean(value) else { throw wrong() }
            set("bind", "NonRecursive", .bool(truth))
        case "volume-subpath": set("volume", "Subpath", .string(value))
        case "volume-nocopy":
            guard let truth = ValueKind.boolean(value) else { throw wrong() }
            set("volume", "NoCopy", .bool(truth))
        case "volume-label":
            put(value, into: &labels)
            set("volume", "Labels", .null)
        case "volume-driver":
            driver["Name"] = .string(value)
            set("volume", "DriverConfig", .null)
        case "volume-opt":
            put(value, into: &driverOptions)
            set("volume", "DriverConfig", .null)
        case "tmpfs-size":
            guard let bytes = ValueKind.bytes(value) else { throw wrong() }
            set("tmpfs", "SizeBytes", .integer(bytes))
        case "tmpfs-mode":
            guard let mode = UInt32(value, radix: 8), !value.hasPrefix("+") else { throw wrong() }
            set("tmpfs", "Mode", .integer(mode))
        case "image-subpath": set("image", "Subpath", .string(value))
        default: throw ValueMistake("unexpected key '\(key)' in '\(field)'")
        }
    }

    private mutating func set(_ kind: String, _ name: String, _ value: JSONTree) { options[kind, default: [:]][name] = value }

    private func put(_ pair: String, into map: inout [String: JSONTree]) {
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        map[parts[0]] = .string(parts.count > 1 ? parts[1] : "")
    }

    func check() throws(ValueMistake) {
        guard !type.isEmpty else { throw ValueMistake("type is required") }
        guard !target.isEmpty else { throw ValueMistake("target is required") }
        for kind in ["volume", "bind", "tmpfs", "image"] where options[kind] != nil && type != kind {
            throw ValueMistake("cannot mix '\(kind)-*' options with mount type '\(type)'")
        }
        let bind = options["bind"] ?? [:]
        if bind["ReadOnlyNonRecursive"] != nil, !isReadOnly {
            throw ValueMistake("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction")
        }
        guard bind["ReadOnlyForceRecursive"] != nil else { return }
        guard isReadOnly else {
            throw ValueMistake("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction")
        }
        guard bind["Propagation"]?.text == "rprivate" else {
            throw ValueMistake("option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction")
        }
    }

    var json: JSONTree {
        var all = options
        if all["volume"]?["Labels"] != nil { all["volume"]?["Labels"] = Self.object(labels) }
        if all["volume"]?["DriverConfig"] != nil {
            var config = driver
            if !driverOptions.isEmpty { config["Options"] = Self.object(driverOptions) }
            all["volume"]?["DriverConfig"] = Self.object(config)
        }
        func member(_ kind: String) -> JSONTree? { all[kind].map(Self.object) }
        let members: [(String, JSONTree?)] = [
            ("Type", .string(type)), ("Source", source.isEmpty ? nil : .string(source)), ("Target", .string(target)),
            ("ReadOnly", isReadOnly ? .bool(true) : nil), ("Consistency", consistency.isEmpty ? nil : .string(consistency)),
            ("BindOptions", member("bind")), ("VolumeOptions", member("volume")), ("ImageOptions", member("image")),
            ("TmpfsOptions", member("tmpfs")),
        ]
        return .object(members)
    }

    private static func object(_ members: [String: JSONTree]) -> JSONTree {
        .object(members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) as (String, JSONTree?) })
    }
}
