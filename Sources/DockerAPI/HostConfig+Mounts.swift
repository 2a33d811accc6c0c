internal import BerthOCI

extension HostConfig {
    /// A mount that `--mount` asks for.
    public struct Mount: Sendable, Hashable {
        /// `bind`, `volume`, `tmpfs`, `image`; others are the engine's to refuse.
        public var type: String
        /// What of the host's, or which volume or image.
        public var source: String
        /// Where in the container.
        public var target: String
        /// Whether the container can only read.
        public var readOnly: Bool
        /// How mounts below travel; empty is the default.
        public var propagation: String
        /// Whether a source that is missing is made.
        public var createsSource: Bool
        /// Whether the mounts below the source stay behind.
        public var isNonRecursive = false
        /// Whether the mounts below a read-only one are as they are; `nil` is nothing said.
        public var isReadOnlyNonRecursive: Bool?
        /// Whether the mounts below a read-only one must be so too.
        public var isReadOnlyForceRecursive = false
        /// Whether an empty volume stays empty.
        public var isWithoutCopy = false
        /// Labels of a volume that is made; `nil` is nothing said.
        public var volumeLabels: [String: String]?
        /// What below the volume's, or the image's, root is mounted; empty is all of it.
        public var subpath = ""
        /// The driver of a volume that is made; empty is the default.
        public var volumeDriver = ""
        /// Its options; `nil` is nothing said.
        public var volumeOptions: [String: String]?
        /// The size of memory; 0 is the default.
        public var byteCount: Int64 = 0
        /// The permissions of memory; 0 is the default.
        public var permissions: Int64 = 0
        /// Further options of memory: a word, or a name and a value.
        public var memoryOptions: [[String]] = []
        /// The kinds of options that are there, whatever they say: `BindOptions` ….
        public var optionKinds: Set<String> = []

        /// A mount of these.
        public init(type: String, source: String, target: String, readOnly: Bool, propagation: String, createsSource: Bool) {
            (self.type, self.source, self.target) = (type, source, target)
            (self.readOnly, self.propagation, self.createsSource) = (readOnly, propagation, createsSource)
        }
    }

    mutating func readMounts(_ fields: inout RequestFields) throws(RequestError) {
        for var mount in try fields.fieldsList("Mounts") { mounts.append(try Mount(reading: &mount)) }
        tmpfs = try fields.stringMap("Tmpfs")
        volumesFrom = try fields.strings("VolumesFrom")
        volumeDriver = try fields.string("VolumeDriver")
    }

    func writeMounts(to writer: inout JSONWriter) {
        if !mounts.isEmpty { writer.member("Mounts", list: mounts) }
        if !tmpfs.isEmpty { writer.member("Tmpfs", tmpfs) }
    }
}

extension HostConfig.Mount {
    private static let kinds = ["BindOptions", "VolumeOptions", "TmpfsOptions", "ImageOptions", "ClusterOptions"]

    fileprivate init(reading mount: inout RequestFields) throws(RequestError) {
        let kinds = Self.kinds.filter { mount.has($0) }
        self.init(
            type: try mount.string("Type"), source: try mount.string("Source"), target: try mount.string("Target"),
            readOnly: try mount.bool("ReadOnly"), propagation: "", createsSource: false)
        optionKinds = Set(kinds)
        // It means something on other systems only.
        _ = mount.value("Consistency")
        var bind = try mount.fields("BindOptions")
        propagation = try bind.string("Propagation")
        createsSource = try bind.bool("CreateMountpoint")
        isNonRecursive = try bind.bool("NonRecursive")
        isReadOnlyNonRecursive = try bind.optionalBool("ReadOnlyNonRecursive")
        isReadOnlyForceRecursive = try bind.bool("ReadOnlyForceRecursive")
        try bind.refuseUnread()
        var volume = try mount.fields("VolumeOptions")
        isWithoutCopy = try volume.bool("NoCopy")
        if volume.has("Labels") { volumeLabels = try volume.stringMap("Labels") }
        subpath = try volume.string("Subpath")
        var driver = try volume.fields("DriverConfig")
        volumeDriver = try driver.string("Name")
        if driver.has("Options") { volumeOptions = try driver.stringMap("Options") }
        try driver.refuseUnread()
        try volume.refuseUnread()
        var memory = try mount.fields("TmpfsOptions")
        byteCount = try memory.integer("SizeBytes")
        permissions = try memory.integer("Mode")
        memoryOptions = try Self.optionLists(memory.value("Options"))
        try memory.refuseUnread()
        var image = try mount.fields("ImageOptions")
        if type == "image" { subpath = try image.string("Subpath") }
        try image.refuseUnread()
        _ = mount.value("ClusterOptions")
        try mount.refuseUnread()
    }

    private static func optionLists(_ value: JSONValue?) throws(RequestError) -> [[String]] {
        guard let value else { return [] }
        let wrong = RequestError(.invalid, "invalid JSON: TmpfsOptions.Options must be a list of lists of texts")
        guard case .array(let elements) = value else { throw wrong }
        return try elements.map { element throws(RequestError) in
            guard case .array(let words) = element, (1...2).contains(words.count) else { throw wrong }
            return try words.map { word throws(RequestError) in
                guard case .string(let text) = word else { throw wrong }
                return text
            }
        }
    }
}

extension HostConfig.Mount: JSONWritable {
    /// Writes it as a request has it: what is not said is left out.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Type", type)
            if !source.isEmpty { writer.member("Source", source) }
            writer.member("Target", target)
            if readOnly { writer.member("ReadOnly", true) }
            if optionKinds.contains("BindOptions") {
                writer.member("BindOptions") { writer in
                    if !propagation.isEmpty { writer.member("Propagation", propagation) }
                    if isNonRecursive { writer.member("NonRecursive", true) }
                    if createsSource { writer.member("CreateMountpoint", true) }
                    if isReadOnlyNonRecursive == true { writer.member("ReadOnlyNonRecursive", true) }
                    if isReadOnlyForceRecursive { writer.member("ReadOnlyForceRecursive", true) }
                }
            }
            if optionKinds.contains("VolumeOptions") {
                writer.member("VolumeOptions") { writer in
                    if isWithoutCopy { writer.member("NoCopy", true) }
                    if let volumeLabels, !volumeLabels.isEmpty { writer.member("Labels", volumeLabels) }
                    if !subpath.isEmpty { writer.member("Subpath", subpath) }
                    if !volumeDriver.isEmpty || volumeOptions != nil {
                        writer.member("DriverConfig") { writer in
                            if !volumeDriver.isEmpty { writer.member("Name", volumeDriver) }
                            if let volumeOptions, !volumeOptions.isEmpty { writer.member("Options", volumeOptions) }
                        }
                    }
                }
            }
            if optionKinds.contains("TmpfsOptions") {
                writer.member("TmpfsOptions") { writer in
                    if byteCount != 0 { writer.member("SizeBytes", byteCount) }
                    if permissions != 0 { writer.member("Mode", permissions) }
                    if !memoryOptions.isEmpty {
                        writer.name("Options")
                        writer.array { writer in
                            for words in memoryOptions { writer.array { writer in for word in words { writer.value(word) } } }
                        }
                    }
                }
            }
            if optionKinds.contains("ImageOptions") {
                writer.member("ImageOptions") { writer in if !subpath.isEmpty { writer.member("Subpath", subpath) } }
            }
        }
    }
}
