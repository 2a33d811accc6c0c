internal import BerthLinux
internal import Glibc

/// Groups of the host, as its name services know them.
enum HostGroup {
    /// The id of a group; `nil` if there is none of that name.
    ///
    /// - Throws: what the name services gave as the reason why they cannot tell.
    static func id(named name: String) throws(Errno) -> UInt32? {
        var buffer = [CChar](repeating: 0, count: 1 << 16)
        var entry = unsafe group()
        var found: UnsafeMutablePointer<group>?
        let error = unsafe getgrnam_r(name, &entry, &buffer, buffer.count, &found)
        if unsafe found != nil { return unsafe entry.gr_gid }
        // "Not found" has many numbers: getgrnam(3).
        guard ![0, ENOENT, ESRCH, EBADF, EPERM].contains(error) else { return nil }
        throw Errno(rawValue: error)
    }
}
