internal import CBerth
internal import Glibc

// Owner, permissions, times and attributes of an open file: no name is looked up again, so nothing else can be meant. Each passes the seam.
extension OwnedDescriptor {
    /// fchown(2). Clears set-id bits: set the permissions afterwards.
    public borrowing func setOwner(userID: UInt32, groupID: UInt32) throws(Errno) {
        try SystemCallSeam.pass("fchownat")
        _ = try withRawDescriptor { (raw) throws(Errno) in try check { fchown(raw, userID, groupID) } }
    }

    /// fchmod(2): the permission bits with set-id and sticky bits.
    public borrowing func setPermissions(_ permissions: UInt32) throws(Errno) {
        try SystemCallSeam.pass("fchmodat")
        _ = try withRawDescriptor { (raw) throws(Errno) in try check { fchmod(raw, permissions & 0o7777) } }
    }

    /// futimens(3): both times.
    public borrowing func setTimes(access: FileTime, modification: FileTime) throws(Errno) {
        try SystemCallSeam.pass("utimensat")
        var times = (access.timespec, modification.timespec)
        _ = try withRawDescriptor { (raw) throws(Errno) in
            try check {
                unsafe withUnsafePointer(to: &times) {
                    unsafe $0.withMemoryRebound(to: timespec.self, capacity: 2) { unsafe futimens(raw, $0) }
                }
            }
        }
    }

    /// fsetxattr(2): an extended attribute, replacing its value.
    public borrowing func setExtendedAttribute(_ attribute: String, to value: [UInt8]) throws(Errno) {
        let attribute = try PathBytes(attribute)
        try SystemCallSeam.pass("setxattr")
        _ = try withRawDescriptor { (raw) throws(Errno) in
            try unsafe attribute.withCString { (attribute) throws(Errno) in
                try check { unsafe berth_fsetxattr(raw, attribute, value, value.count) }
            }
        }
    }
}
