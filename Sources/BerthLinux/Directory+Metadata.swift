internal import CBerth
internal import Glibc

// Owners, permissions, times and extended attributes of one name, never following a link. An empty name is the directory itself.
extension Directory {
    /// Sets the owner. Clears set-id bits: set the permissions afterwards.
    public borrowing func setOwner(_ name: PathBytes, userID: UInt32, groupID: UInt32) throws(Errno) {
        try requireNameOrEmpty(name)
        try SystemCallSeam.pass("fchownat")
        _ = try unsafe call(name) { unsafe fchownat($0, $1, userID, groupID, AT_SYMLINK_NOFOLLOW | 0x1000 /* AT_EMPTY_PATH */) }
    }

    /// Sets the permission bits with set-id and sticky bits. A symbolic link has none: `EOPNOTSUPP`.
    public borrowing func setPermissions(_ name: PathBytes, _ permissions: UInt32) throws(Errno) {
        try requireNameOrEmpty(name)
        try SystemCallSeam.pass("fchmodat")
        if name.bytes.isEmpty {
            _ = try descriptor.withRawDescriptor { (raw) throws(Errno) in try check { fchmod(raw, permissions & 0o7777) } }
            return
        }
        // fchmodat follows a last link: who is not sure asks for the status first and holds the directory.
        guard try status(name).kind != .symbolicLink else { throw .EOPNOTSUPP }
        _ = try unsafe call(name) { unsafe fchmodat($0, $1, permissions & 0o7777, 0) }
    }

    /// Sets both times.
    public borrowing func setTimes(_ name: PathBytes, access: FileTime, modification: FileTime) throws(Errno) {
        try requireNameOrEmpty(name)
        try SystemCallSeam.pass("utimensat")
        let times = [access.timespec, modification.timespec]
        if name.bytes.isEmpty {
            _ = try descriptor.withRawDescriptor { (raw) throws(Errno) in try check { unsafe futimens(raw, times) } }
            return
        }
        _ = try unsafe call(name) { unsafe utimensat($0, $1, times, AT_SYMLINK_NOFOLLOW) }
    }

    /// The names of the extended attributes, in the kernel's order. Empty where the file system has none.
    public borrowing func extendedAttributeNames(_ name: PathBytes) throws(Errno) -> [String] {
        try requireNameOrEmpty(name)
        var list = [CChar](repeating: 0, count: 65536)  // XATTR_LIST_MAX
        let count: Int
        do { count = try unsafe call(name) { unsafe berth_llistxattrat($0, $1, &list, 65536) } } catch {
            if error == .EOPNOTSUPP { return [] }
            throw error
        }
        return list[..<count].split(separator: 0).map { String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self) }
    }

    /// An extended attribute's value, or `nil` if the file has none of that name. Values have at most 64 KiB.
    public borrowing func extendedAttribute(_ attribute: String, of name: PathBytes) throws(Errno) -> [UInt8]? {
        try requireNameOrEmpty(name)
        let attribute = try PathBytes(attribute)
        var value = [UInt8](repeating: 0, count: 65536)  // XATTR_SIZE_MAX
        do {
            let count = try unsafe attribute.withCString { (attribute) throws(Errno) in
                try unsafe call(name) { unsafe berth_lgetxattrat($0, $1, attribute, &value, 65536) }
            }
            return Array(value[..<count])
        } catch {
            if error == .ENODATA || error == .EOPNOTSUPP { return nil }
            throw error
        }
    }

    /// Whether the file system keeps the attributes that users give their files (`user.…`).
    public borrowing func keepsUserAttributes() throws(Errno) -> Bool {
        let attribute: PathBytes = "user.berth"
        do throws(Errno) {
            _ = try unsafe attribute.withCString { (attribute) throws(Errno) in
                try unsafe call("") { unsafe berth_lgetxattrat($0, $1, attribute, nil, 0) }
            }
            return true
        } catch {
            if error == .ENODATA { return true }
            if error == .EOPNOTSUPP { return false }
            throw error
        }
    }

    /// Sets an extended attribute, replacing its value.
    public borrowing func setExtendedAttribute(_ attribute: String, to value: [UInt8], of name: PathBytes) throws(Errno) {
        try requireNameOrEmpty(name)
        let attribute = try PathBytes(attribute)
        try SystemCallSeam.pass("setxattr")
        _ = try unsafe attribute.withCString { (attribute) throws(Errno) in
            try unsafe call(name) { unsafe berth_lsetxattrat($0, $1, attribute, value, value.count, 0) }
        }
    }

    /// Removes an extended attribute. `ENODATA` if there is none of that name.
    public borrowing func removeExtendedAttribute(_ attribute: String, of name: PathBytes) throws(Errno) {
        try requireNameOrEmpty(name)
        let attribute = try PathBytes(attribute)
        try SystemCallSeam.pass("removexattr")
        _ = try unsafe attribute.withCString { (attribute) throws(Errno) in
            try unsafe call(name) { unsafe berth_lremovexattrat($0, $1, attribute) }
        }
    }

    borrowing func requireNameOrEmpty(_ name: PathBytes) throws(Errno) {
        guard name.bytes.isEmpty || name.isName else { throw .EINVAL }
    }
}
