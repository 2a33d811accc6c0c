/// What a container is to have at a place of its file system, as its maker says it.
public struct Mount: Sendable, Hashable {
    /// What kinds there are.
    public enum Kind: String, Sendable, Hashable, Codable {
        /// A directory or file of the host's.
        case bind
        /// A volume.
        case volume
        /// Memory, empty at each start.
        case tmpfs
        /// An image's files, to be read.
        case image
    }
    /// What of the mounts below the source comes along, and what a read-only mount does to them.
    public enum Recursion: String, Sendable, Hashable, Codable {
        /// They come along, and are read-only with it.
        case enabled
        /// They do not come along.
        case disabled
        /// They come along, and are as they are.
        case writable
        /// They come along and must be read-only with it.
        case readonly
    }
    /// In which of Docker's notations it was said: that is only reported.
    public enum Notation: Sendable, Hashable, Codable {
        /// `--mount`.
        case mount
        /// `-v`, with these options.
        case volume(options: String, text: String)
        /// `--tmpfs`, with these options.
        case tmpfs(options: String)
    }

    /// The kind.
    public var kind: Kind
    /// The host's path, the volume's name, the image's name; empty for memory and for a volume without a name.
    public var source: String
    /// An absolute path in the container, resolved beneath its root.
    public var target: String
    /// Whether the container can only read. An image is read-only anyway. Default `false`.
    public var readOnly: Bool
    /// How mounts made below travel. Default `nil`: not at all.
    public var propagation: BindMount.Propagation?
    /// Default ``Recursion/enabled``.
    public var recursion: Recursion
    /// Whether a source that does not exist is made as an empty directory. Default `false`: that is an error at create.
    public var createsSource: Bool
    /// A path below the volume's or image's root, which is mounted instead of it: no link in it leads out. Default `nil`.
    public var subpath: String?
    /// Whether an empty volume gets what the image has at the target. Default `true`.
    public var copiesUp: Bool
    /// The driver of a volume that is made. Default `nil`: the container's, else the local one.
    public var volumeDriver: String?
    /// Options of a volume that is made. Default `nil`.
    public var volumeOptions: [String: String]?
    /// Labels of a volume that is made. Default `nil`.
    public var volumeLabels: [String: String]?
    /// Options of memory, as mount(8) has them: `size=64m`, `mode=1777`, `exec`. Default: `noexec`, `nosuid`, `nodev`, and no bound but half the machine's memory.
    public var options: [String]
    /// How it was said. Default ``Notation/mount``.
    public var notation: Notation

    /// A mount of this kind.
    public init(_ kind: Kind, source: String = "", target: String) {
        (self.kind, self.source, self.target) = (kind, source, target)
        (readOnly, propagation, recursion, createsSource) = (false, nil, .enabled, false)
        (subpath, copiesUp, volumeDriver, volumeOptions, volumeLabels) = (nil, true, nil, nil, nil)
        (options, notation) = ([], .mount)
    }

    /// A volume, made where it is missing.
    public init(volume name: String, at target: String, readOnly: Bool = false) {
        self.init(.volume, source: name, target: target)
        self.readOnly = readOnly
    }

    /// Memory.
    public init(temporaryAt target: String, options: [String] = []) {
        self.init(.tmpfs, target: target)
        self.options = options
    }

    /// What a bind mount says.
    public init(_ mount: BindMount) {
        self.init(.bind, source: mount.source, target: mount.target)
        (readOnly, propagation, createsSource) = (mount.readOnly, mount.propagation, mount.createsSource)
        guard mount.createsSource else { return }
        let options = (readOnly ? ["ro"] : []) + (mount.propagation == .rprivate ? [] : [mount.propagation.rawValue])
        let text = options.joined(separator: ",")
        notation = .volume(options: text, text: "\(source):\(target)" + (text.isEmpty ? "" : ":" + text))
    }
}

extension Mount: Codable {
    private enum CodingKeys: String, CodingKey {
        case kind, source, target, readOnly, propagation, recursion, createsSource, subpath, copiesUp, volumeDriver, volumeOptions
        case volumeLabels, options, notation
    }

    /// Decodes; what is absent has its default. Only `kind` and `target` must be there.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(try values.decode(Kind.self, forKey: .kind), target: try values.decode(String.self, forKey: .target))
        source = try values.decodeIfPresent(String.self, forKey: .source) ?? source
        readOnly = try values.decodeIfPresent(Bool.self, forKey: .readOnly) ?? readOnly
        propagation = try values.decodeIfPresent(BindMount.Propagation.self, forKey: .propagation)
        recursion = try values.decodeIfPresent(Recursion.self, forKey: .recursion) ?? recursion
        createsSource = try values.decodeIfPresent(Bool.self, forKey: .createsSource) ?? createsSource
        subpath = try values.decodeIfPresent(String.self, forKey: .subpath)
        copiesUp = try values.decodeIfPresent(Bool.self, forKey: .copiesUp) ?? copiesUp
        volumeDriver = try values.decodeIfPresent(String.self, forKey: .volumeDriver)
        volumeOptions = try values.decodeIfPresent([String: String].self, forKey: .volumeOptions)
        volumeLabels = try values.decodeIfPresent([String: String].self, forKey: .volumeLabels)
        options = try values.decodeIfPresent([String].self, forKey: .options) ?? options
        notation = try values.decodeIfPresent(Notation.self, forKey: .notation) ?? notation
    }
}

/// A path's text, cleaned as Docker does it: no empty part, no `.`, and `..` takes the part before it away.
enum PathText {
    static func clean(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}
