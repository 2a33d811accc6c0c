/// Which extended attributes of a file go into an archive.
///
/// Docker takes `security.capability` alone, and unpacks all that it finds; umoci and GNU tar take all. Here it is all but those that are about the host:
/// SELinux's label, NFS's access list, and overlay's own, which no layer may say.
public enum PackedAttributes {
    /// Without those that are never packed.
    public static func packed(_ attributes: [String: [UInt8]]) -> [String: [UInt8]] {
        var packed = attributes.filter { isPacked($0.key) }
        if let capability = packed["security.capability"] { packed["security.capability"] = withoutNamespace(capability) }
        return packed
    }

    /// Whether an attribute of this name is packed.
    public static func isPacked(_ name: String) -> Bool {
        name != "security.selinux" && name != "system.nfs4_acl" && !name.hasPrefix("trusted.overlay.") && !name.hasPrefix("user.overlay.")
    }

    /// Capabilities of revision 3 name the root of a user namespace of this host; without it they are revision 2 (`linux/capability.h`).
    private static func withoutNamespace(_ value: [UInt8]) -> [UInt8] {
        guard value.count == 24, value[3] == 3 else { return value }
        var value = Array(value[..<20])
        value[3] = 2
        return value
    }
}
