internal import BerthOCI
internal import BerthRuntime
internal import BerthVolumes

/// Where what a container mounts is found, beside what its mounts say themselves.
struct MountSources: Sendable {
    /// By the volume's name.
    var volumes: [String: VolumeSource] = [:]
    /// Where volumes that are memory are mounted already, by the mount's place.
    var memories: [String: MountedMemory] = [:]
    /// The directories of an image's layers, the uppermost first, by the mount's place.
    var images: [String: [String]] = [:]
}

extension ContainerMount {
    /// What the runtime is to mount. Pure.
    ///
    /// - Throws: `notFound` for a volume that is not there, `unsupported` for an image of too many layers.
    func specification(_ sources: MountSources) throws(ContainerError) -> RuntimeSpec.Mount {
        switch kind {
        case .bind: return bind(source)
        case .volume:
            guard let volume, let source = sources.volumes[volume] else {
                throw ContainerError(.notFound, "get \(volume ?? ""): no such volume")
            }
            switch source {
            case .directory(let path): return bind(path)
            case .bind(let path, let options):
                var mount = bind(path)
                if !options.contains("rbind") { mount.options?[0] = "bind" }
                mount.options? += options.filter { $0 != "bind" && $0 != "rbind" && $0 != "rw" }
                return mount
            case .fileSystem(let type, let device, let options):
                if let memory = sources.memories[target] {
                    let words = ["bind", "\(MountWord.namespace)\(memory.namespace?.path ?? "")"] + (readOnly ? ["ro"] : [])
                    return RuntimeSpec.Mount(destination: target, type: "bind", source: memory.place, options: words + beneath)
                }
                return RuntimeSpec.Mount(
                    destination: target, type: type, source: device,
                    options: options + (readOnly ? [MountWord.readOnlyView] : []) + beneath)
            }
        case .tmpfs:
            return RuntimeSpec.Mount(
                destination: target, type: "tmpfs", source: "tmpfs",
                options: ["noexec", "nosuid", "nodev", "rprivate"] + (readOnly ? ["ro"] : []) + (options ?? []))
        case .image: return try image(sources.images[target] ?? [])
        }
    }

    private func bind(_ path: String) -> RuntimeSpec.Mount {
        var words = [recursion == .disabled ? "bind" : "rbind", (propagation ?? .rprivate).rawValue]
        if readOnly { words.append(recursion == .writable || recursion == .disabled ? "ro" : "rro") }
        return RuntimeSpec.Mount(destination: target, type: "bind", source: path, options: words + beneath)
    }

    private var beneath: [String] { subpath.map { $0.isEmpty ? [] : [MountWord.beneath + $0] } ?? [] }

    /// The kernel takes one page of options.
    private static let maximumOptionByteCount = 4000

    private func image(_ layers: [String]) throws(ContainerError) -> RuntimeSpec.Mount {
        guard layers.count != 1 else {
            return RuntimeSpec.Mount(
                destination: target, type: "bind", source: layers[0], options: ["bind", "rprivate", "ro"] + beneath)
        }
        let lowers = "lowerdir=" + layers.joined(separator: ":")
        guard !layers.isEmpty, lowers.utf8.count <= Self.maximumOptionByteCount else {
            throw ContainerError(
                .unsupported,
                "the image \(source) cannot be mounted at \(target): it has \(layers.count) layers, and the names of at most \(Self.maximumOptionByteCount) bytes of them fit into one mount; squash it"
            )
        }
        return RuntimeSpec.Mount(
            destination: target, type: "overlay", source: "overlay", options: ["ro", lowers] + beneath)
    }
}

/// Words among a mount's options that no file system is told: what begins with `X-` is for whoever mounts, as mount(8) has it.
enum MountWord {
    /// What of it is mounted: a path below its root.
    static let beneath = "X-berth.beneath="
    /// Where the source of a bind is: in that mount namespace, or, if there is no more, in the container's own root.
    static let namespace = "x-berth.namespace="
    /// The mount is read-only, and the file system is not.
    static let readOnlyView = "X-berth.ro"
}
