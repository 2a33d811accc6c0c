internal import CBerth
internal import Glibc

extension ProcessHandle {
    /// Starts a program with one descriptor, its descriptor 3, and nothing else: in a session of its own, without an environment, its standard streams nobody's.
    ///
    /// - Parameter arguments: with the name that it is called by as the first.
    /// - Throws: what the kernel says where it cannot be started.
    public static func spawn(_ program: String, _ arguments: [String], _ descriptor: consuming OwnedDescriptor) throws(Errno)
        -> ProcessHandle
    {
        var pidfd: CInt = -1
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { unsafe pointers.forEach { unsafe free($0) } }
        let id = descriptor.withRawDescriptor { unsafe berth_spawn(program, pointers, $0, &pidfd) }
        guard id > 0 else { throw .current }
        return ProcessHandle(id: id, descriptor: OwnedDescriptor(adopting: pidfd))
    }
}
