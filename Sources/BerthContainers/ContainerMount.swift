public import BerthSnapshots

/// What a container has at a place of its file system: its maker's words, its image's and other containers', with names for what had none.
public struct ContainerMount: Sendable, Hashable, Codable {
    /// The kind.
    public var kind: Mount.Kind
    /// Where in the container: a clean absolute path.
    public var target: String
    /// The host's path, or the image's name; empty for memory. Of a volume: the directory of its files, told and not kept.
    public var source: String
    /// The volume's name.
    public var volume: String?
    /// The volume's driver.
    public var driver: String?
    /// Whether nobody has named the volume, so that it may go with the container.
    public var isAnonymous: Bool?
    /// Whether the container can only read.
    public var readOnly: Bool
    /// The options of `-v`.
    public var mode: String
    /// How mounts made below travel.
    public var propagation: BindMount.Propagation?
    /// What of the mounts below comes along. `nil` is ``Mount/Recursion/enabled``.
    public var recursion: Mount.Recursion?
    /// Whether a missing source is made.
    public var createsSource: Bool?
    /// What below the volume's or image's root is mounted.
    public var subpath: String?
    /// Whether an empty volume gets what the image has here.
    public var copiesUp: Bool?
    /// Options and labels of the volume, where it is to be made.
    public var volumeOptions: [String: String]?
    /// Likewise.
    public var volumeLabels: [String: String]?
    /// Options of memory.
    public var options: [String]?
    /// Whether listings leave it out, as Docker's do with what `--tmpfs` asked for.
    public var isUnlisted: Bool?
    /// The uppermost of the image's layers.
    public var imageLayer: LayerName?

    init(_ kind: Mount.Kind, at target: String, source: String = "", readOnly: Bool = false, mode: String = "") {
        (self.kind, self.target, self.source, self.readOnly, self.mode) = (kind, target, source, readOnly, mode)
    }

    /// A mount as it is said, without the names that it does not have yet.
    init(_ mount: Mount) {
        self.init(mount.kind, at: PathText.clean(mount.target), readOnly: mount.readOnly)
        if case .volume(let options, _) = mount.notation { mode = options }
        switch mount.kind {
        case .bind:
            (source, propagation) = (PathText.clean(mount.source), mount.propagation ?? .rprivate)
            recursion = mount.recursion == .enabled ? nil : mount.recursion
            createsSource = mount.createsSource ? true : nil
        case .volume:
            (volume, propagation) = (mount.source.isEmpty ? nil : mount.source, mount.propagation)
            // Docker's word for a volume's mount that says nothing.
            if mode.isEmpty { mode = "z" }
            copiesUp = mount.copiesUp ? true : nil
            (subpath, driver) = (mount.subpath, mount.volumeDriver)
            (volumeOptions, volumeLabels) = (mount.volumeOptions, mount.volumeLabels)
        case .tmpfs:
            options = mount.options
            if case .tmpfs = mount.notation { isUnlisted = true }
        case .image: (source, readOnly, subpath) = (mount.source, true, mount.subpath)
        }
    }
}

extension ContainerDocument {
    /// What older engines wrote has none but the maker's directories of the host's.
    var placedMounts: [ContainerMount] { mounts ?? configuration.bindMounts.map { ContainerMount(Mount($0)) } }

    /// The names of its volumes.
    var volumeNames: Set<String> { Set((mounts ?? []).compactMap(\.volume)) }
}
