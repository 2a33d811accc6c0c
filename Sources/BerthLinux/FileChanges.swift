internal import Glibc

/// Tells when files of a directory change: inotify(7).
public enum FileChanges {
    /// Watches a directory. The descriptor can be read when a file in it was written to, or a name has appeared.
    public static func watch(_ path: String) throws(Errno) -> OwnedDescriptor {
        let descriptor = OwnedDescriptor(adopting: try check { inotify_init1(CInt(IN_CLOEXEC) | CInt(IN_NONBLOCK)) })
        _ = try descriptor.withRawDescriptor { raw throws(Errno) in
            try check { unsafe inotify_add_watch(raw, path, UInt32(IN_MODIFY | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF)) }
        }
        return descriptor
    }

    /// Takes what has been told, so that the descriptor is quiet until something else happens.
    public static func drain(_ descriptor: borrowing OwnedDescriptor) throws(Errno) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            do { if try descriptor.read(intoArray: &buffer) < buffer.count { return } } catch {
                if error == .EAGAIN { return }
                throw error
            }
        }
    }
}
