internal import BerthClient

extension RunWords {
    /// What it finds of the host's, and of volumes.
    mutating func addMounts() {
        flags("volume", texts(host, "Binds"))
        let imageVolumes = Set((own?["Volumes"]?.members ?? []).map(\.name))
        flags("volume", (config?["Volumes"]?.members ?? []).map(\.name).filter { !imageVolumes.contains($0) }.sorted())
        for mount in host?["Mounts"]?.elements ?? [] { flag("mount", fields(of: mount).map(Self.field).joined(separator: ",")) }
        flags("volumes-from", texts(host, "VolumesFrom"))
        flag("volume-driver", text(host, "VolumeDriver"))
        flags("tmpfs", pairs(host, "Tmpfs").map { $0.value.isEmpty ? $0.name : "\($0.name):\($0.value)" })
    }

    /// What `--mount` says of it, field by field.
    private func fields(of mount: JSONTree) -> [String] {
        var fields = [("type", "Type"), ("source", "Source"), ("target", "Target")].compactMap { name, key in
            text(mount, key).isEmpty ? nil : "\(name)=\(text(mount, key))"
        }
        if truth(mount, "ReadOnly"), text(mount, "Type") != "image" { fields.append("readonly") }
        let bind = mount["BindOptions"]
        let propagation = text(bind, "Propagation")
        if !["", "rprivate"].contains(propagation) { fields.append("bind-propagation=\(propagation)") }
        if truth(bind, "NonRecursive") {
            fields.append("bind-recursive=disabled")
        } else if truth(bind, "ReadOnlyNonRecursive") {
            fields.append("bind-recursive=writable")
        } else if truth(bind, "ReadOnlyForceRecursive") {
            fields.append("bind-recursive=readonly")
        }
        let volume = mount["VolumeOptions"]
        if truth(volume, "NoCopy") { fields.append("volume-nocopy") }
        if !text(volume, "Subpath").isEmpty { fields.append("volume-subpath=\(text(volume, "Subpath"))") }
        fields += pairs(volume, "Labels").map { "volume-label=\($0.name)=\($0.value)" }
        if !text(volume?["DriverConfig"], "Name").isEmpty { fields.append("volume-driver=\(text(volume?["DriverConfig"], "Name"))") }
        fields += pairs(volume?["DriverConfig"], "Options").map { "volume-opt=\($0.name)=\($0.value)" }
        let memory = mount["TmpfsOptions"]
        if let size = memory?["SizeBytes"]?.integer, size > 0 { fields.append("tmpfs-size=\(size)") }
        if let mode = memory?["Mode"]?.integer, mode > 0 { fields.append("tmpfs-mode=\(String(mode, radix: 8))") }
        if !text(mount["ImageOptions"], "Subpath").isEmpty { fields.append("image-subpath=\(text(mount["ImageOptions"], "Subpath"))") }
        return fields
    }

    /// A field of a line of comma-separated ones (RFC 4180).
    private static func field(_ text: String) -> String {
        guard text.contains(where: { ",\"\n\r".contains($0) }) else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
