internal import Berth
internal import DockerAPI

extension ContainerConfiguration {
    /// Takes what a client says of volumes and other mounts.
    ///
    /// - Throws: for what makes no sense, and for what does not exist here, in Docker's words.
    mutating func takeMounts(_ config: ContainerConfig, _ host: HostConfig, version: APIVersion) throws(APIFailure) {
        volumeDriver = host.volumeDriver.isEmpty ? nil : host.volumeDriver
        volumesFrom = host.volumesFrom ?? []
        for text in host.binds ?? [] {
            guard var mount = try Mount(parsing: text) else {
                volumes.insert(text)
                continue
            }
            if version < APIVersion(1, 44), mount.kind == .bind, mount.readOnly { mount.recursion = .writable }
            mounts.append(mount)
        }
        for (target, options) in host.tmpfs.sorted(by: { $0.key < $1.key }) {
            var mount = Mount(temporaryAt: target, options: options.split(separator: ",").map(String.init))
            mount.notation = .tmpfs(options: options)
            mounts.append(mount)
        }
        for mount in host.mounts { mounts.append(try Mount(mount, version: version)) }
        volumes.formUnion(config.volumes)
    }
}

extension Mount {
    /// `source:target[:options]`, as `-v` has it; `nil` for a target alone.
    fileprivate init?(parsing text: String) throws(APIFailure) {
        let parts = text.split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        let wrong = APIFailure.invalid("invalid volume specification: '\(text)'")
        guard (1...3).contains(parts.count), !parts[0].isEmpty else { throw wrong }
        guard parts.count > 1 else { return nil }
        // Something and options is no volume.
        if parts.count == 2, VolumeFlagOptions(parts[1]) != nil { throw wrong }
        guard let options = VolumeFlagOptions(parts.count == 3 ? parts[2] : "") else { throw .invalid("invalid mode: \(parts[2])") }
        self.init(parts[0].hasPrefix("/") ? .bind : .volume, source: parts[0], target: parts[1])
        (readOnly, propagation, createsSource) = (options.readOnly, options.propagation, kind == .bind)
        copiesUp = !options.isCopyingSaid
        notation = .volume(options: parts.count == 3 ? parts[2] : "", text: text)
    }

    fileprivate init(_ mount: HostConfig.Mount, version: APIVersion) throws(APIFailure) {
        func wrong(_ reason: String) -> APIFailure { .invalid("invalid mount config for type \"\(mount.type)\": \(reason)") }
        switch mount.type {
        case "cluster":
            throw .invalid("not supported here: mounts of type 'cluster': engines of this kind are for one machine, and have no swarms")
        case "npipe": throw .invalid("not supported here: mounts of type 'npipe', which are Windows's")
        default: break
        }
        guard let kind = Kind(rawValue: mount.type) else { throw wrong("mount type unknown") }
        let own = ["bind": "BindOptions", "volume": "VolumeOptions", "tmpfs": "TmpfsOptions", "image": "ImageOptions"][mount.type] ?? ""
        for other in mount.optionKinds.sorted() where other != own { throw wrong("field \(other) must not be specified") }
        self.init(kind, source: mount.source, target: mount.target)
        (readOnly, createsSource) = (mount.readOnly, mount.createsSource)
        if !mount.propagation.isEmpty {
            guard let found = BindMount.Propagation(rawValue: mount.propagation) else {
                throw wrong("invalid propagation mode: \(mount.propagation)")
            }
            propagation = found
        }
        // Before that version a read-only mount was so alone.
        let isReadOnlyAlone = mount.isReadOnlyNonRecursive ?? (version < APIVersion(1, 44))
        guard !mount.isReadOnlyForceRecursive || !(mount.isNonRecursive || mount.isReadOnlyNonRecursive == true) else {
            throw wrong("ReadOnlyForceRecursive does not go with NonRecursive and ReadOnlyNonRecursive")
        }
        if mount.isNonRecursive {
            recursion = .disabled
        } else if mount.isReadOnlyForceRecursive {
            recursion = .readonly
        } else if isReadOnlyAlone && readOnly || mount.isReadOnlyNonRecursive == true {
            recursion = .writable
        }
        (copiesUp, subpath) = (!mount.isWithoutCopy, mount.subpath.isEmpty ? nil : mount.subpath)
        (volumeDriver, volumeOptions) = (mount.volumeDriver.isEmpty ? nil : mount.volumeDriver, mount.volumeOptions)
        volumeLabels = mount.volumeLabels
        guard mount.byteCount >= 0, (0...0o7777).contains(mount.permissions) else { throw wrong("invalid size or mode of the tmpfs mount") }
        if mount.permissions != 0 { options.append("mode=" + String(mount.permissions, radix: 8)) }
        if mount.byteCount != 0 { options.append("size=\(mount.byteCount)") }
        options += mount.memoryOptions.map { $0.joined(separator: "=") }
    }
}

extension HostConfig {
    /// What of a container's mounts was said, in the notation in which it was.
    mutating func showMounts(_ configuration: ContainerConfiguration) {
        var texts: [String] = []
        for mount in configuration.bindMounts.map({ Berth.Mount($0) }) + configuration.mounts {
            switch mount.notation {
            case .volume(_, let text): texts.append(text)
            case .tmpfs(let options): tmpfs[mount.target] = options
            case .mount: mounts.append(HostConfig.Mount(mount))
            }
        }
        binds = texts.isEmpty ? nil : texts
        (volumesFrom, volumeDriver) = (
            configuration.volumesFrom.isEmpty ? nil : configuration.volumesFrom, configuration.volumeDriver ?? ""
        )
    }
}

extension HostConfig.Mount {
    fileprivate init(_ mount: Berth.Mount) {
        self.init(
            type: mount.kind.rawValue, source: mount.source, target: mount.target, readOnly: mount.readOnly,
            propagation: mount.propagation?.rawValue ?? "", createsSource: mount.createsSource)
        isNonRecursive = mount.recursion == .disabled
        isReadOnlyNonRecursive = mount.recursion == .writable ? true : nil
        isReadOnlyForceRecursive = mount.recursion == .readonly
        if mount.kind == .bind, !propagation.isEmpty || createsSource || mount.recursion != .enabled { optionKinds.insert("BindOptions") }
        (isWithoutCopy, subpath) = (!mount.copiesUp, mount.subpath ?? "")
        (volumeDriver, volumeOptions, volumeLabels) = (mount.volumeDriver ?? "", mount.volumeOptions, mount.volumeLabels)
        let saysOfVolume = isWithoutCopy || !volumeDriver.isEmpty || volumeOptions != nil || volumeLabels != nil || !subpath.isEmpty
        if mount.kind == .volume, saysOfVolume { optionKinds.insert("VolumeOptions") }
        if mount.kind == .image, !subpath.isEmpty { optionKinds.insert("ImageOptions") }
        guard mount.kind == .tmpfs, !mount.options.isEmpty else { return }
        optionKinds.insert("TmpfsOptions")
        for option in mount.options {
            if option.hasPrefix("mode="), let mode = Int64(option.dropFirst(5), radix: 8) {
                permissions = mode
            } else if option.hasPrefix("size="), let size = Int64(option.dropFirst(5)) {
                byteCount = size
            } else {
                memoryOptions.append(option.split(separator: "=", maxSplits: 1).map(String.init))
            }
        }
    }
}

extension MountPoint {
    /// A mount as lists and inspections show it; `nil` for what `--tmpfs` asked for, which they do not.
    init?(_ mount: ContainerMount) {
        guard mount.isUnlisted != true else { return nil }
        self.init(
            type: mount.kind.rawValue, source: mount.source, destination: mount.target, mode: mount.mode, isWritable: !mount.readOnly,
            propagation: mount.propagation?.rawValue ?? "")
        (name, driver) = (mount.volume ?? "", mount.driver ?? "")
    }
}
