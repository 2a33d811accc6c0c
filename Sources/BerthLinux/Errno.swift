internal import CBerth
internal import Glibc

/// The number with which a system call says why it failed.
///
/// Its description is the C library's sentence with the symbolic name behind it, as in
/// `No such file or directory (ENOENT)`.
public struct Errno: Error, RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The number, as in `errno.h`.
    public let rawValue: CInt

    /// Wraps a number of `errno.h`.
    public init(rawValue: CInt) {
        self.rawValue = rawValue
    }

    /// The calling thread's `errno`, to be read directly after the call that failed.
    public static var current: Errno { Errno(rawValue: errno) }

    /// The C library's sentence for the number, and its symbolic name.
    public var description: String {
        let text = unsafe String(cString: strerror(rawValue))
        return name.map { "\(text) (\($0))" } ?? "\(text) (\(rawValue))"
    }

    /// The symbolic name, as `ENOENT`; `nil` for a number that the C library does not know.
    public var name: String? {
        guard let name = unsafe berth_error_name(rawValue) else { return nil }
        return unsafe String(cString: name)
    }
}

// The names are the field's own: a reader looks for ENOENT, not for a translation of it.
// swift-format-ignore
extension Errno {
    /// Operation not permitted.
    public static var EPERM: Errno { Errno(rawValue: Glibc.EPERM) }
    /// No such file or directory.
    public static var ENOENT: Errno { Errno(rawValue: Glibc.ENOENT) }
    /// No such process.
    public static var ESRCH: Errno { Errno(rawValue: Glibc.ESRCH) }
    /// Interrupted system call.
    public static var EINTR: Errno { Errno(rawValue: Glibc.EINTR) }
    /// Input/output error.
    public static var EIO: Errno { Errno(rawValue: Glibc.EIO) }
    /// Argument list too long.
    public static var E2BIG: Errno { Errno(rawValue: Glibc.E2BIG) }
    /// Exec format error.
    public static var ENOEXEC: Errno { Errno(rawValue: Glibc.ENOEXEC) }
    /// Bad file descriptor.
    public static var EBADF: Errno { Errno(rawValue: Glibc.EBADF) }
    /// No child processes.
    public static var ECHILD: Errno { Errno(rawValue: Glibc.ECHILD) }
    /// Resource temporarily unavailable; the same number as `EWOULDBLOCK`.
    public static var EAGAIN: Errno { Errno(rawValue: Glibc.EAGAIN) }
    /// Cannot allocate memory.
    public static var ENOMEM: Errno { Errno(rawValue: Glibc.ENOMEM) }
    /// Permission denied.
    public static var EACCES: Errno { Errno(rawValue: Glibc.EACCES) }
    /// Device or resource busy.
    public static var EBUSY: Errno { Errno(rawValue: Glibc.EBUSY) }
    /// File exists.
    public static var EEXIST: Errno { Errno(rawValue: Glibc.EEXIST) }
    /// Invalid cross-device link; from `openat2` also: the path leads out of the root.
    public static var EXDEV: Errno { Errno(rawValue: Glibc.EXDEV) }
    /// No such device.
    public static var ENODEV: Errno { Errno(rawValue: Glibc.ENODEV) }
    /// Not a directory.
    public static var ENOTDIR: Errno { Errno(rawValue: Glibc.ENOTDIR) }
    /// Is a directory.
    public static var EISDIR: Errno { Errno(rawValue: Glibc.EISDIR) }
    /// Invalid argument.
    public static var EINVAL: Errno { Errno(rawValue: Glibc.EINVAL) }
    /// Too many open files.
    public static var EMFILE: Errno { Errno(rawValue: Glibc.EMFILE) }
    /// Too many open files in system.
    public static var ENFILE: Errno { Errno(rawValue: Glibc.ENFILE) }
    /// Inappropriate ioctl for device.
    public static var ENOTTY: Errno { Errno(rawValue: Glibc.ENOTTY) }
    /// File too large.
    public static var EFBIG: Errno { Errno(rawValue: Glibc.EFBIG) }
    /// No space left on device.
    public static var ENOSPC: Errno { Errno(rawValue: Glibc.ENOSPC) }
    /// Illegal seek.
    public static var ESPIPE: Errno { Errno(rawValue: Glibc.ESPIPE) }
    /// Read-only file system.
    public static var EROFS: Errno { Errno(rawValue: Glibc.EROFS) }
    /// Broken pipe.
    public static var EPIPE: Errno { Errno(rawValue: Glibc.EPIPE) }
    /// Numerical result out of range; from the attribute calls: the buffer is too small.
    public static var ERANGE: Errno { Errno(rawValue: Glibc.ERANGE) }
    /// File name too long.
    public static var ENAMETOOLONG: Errno { Errno(rawValue: Glibc.ENAMETOOLONG) }
    /// Function not implemented.
    public static var ENOSYS: Errno { Errno(rawValue: Glibc.ENOSYS) }
    /// No such device or address; from `lseek`: there is no more data.
    public static var ENXIO: Errno { Errno(rawValue: Glibc.ENXIO) }
    /// Directory not empty.
    public static var ENOTEMPTY: Errno { Errno(rawValue: Glibc.ENOTEMPTY) }
    /// Too many levels of symbolic links; from `openat2` also: a link where none may be followed.
    public static var ELOOP: Errno { Errno(rawValue: Glibc.ELOOP) }
    /// No data available; from the attribute calls: no such attribute.
    public static var ENODATA: Errno { Errno(rawValue: Glibc.ENODATA) }
    /// Value too large for defined data type.
    public static var EOVERFLOW: Errno { Errno(rawValue: Glibc.EOVERFLOW) }
    /// Message too long.
    public static var EMSGSIZE: Errno { Errno(rawValue: Glibc.EMSGSIZE) }
    /// Protocol not supported or broken.
    public static var EPROTO: Errno { Errno(rawValue: Glibc.EPROTO) }
    /// Operation not supported.
    public static var EOPNOTSUPP: Errno { Errno(rawValue: Glibc.EOPNOTSUPP) }
    /// Protocol not supported.
    public static var EPROTONOSUPPORT: Errno { Errno(rawValue: Glibc.EPROTONOSUPPORT) }
    /// Address family not supported by protocol.
    public static var EAFNOSUPPORT: Errno { Errno(rawValue: Glibc.EAFNOSUPPORT) }
    /// Cannot assign requested address; from netlink also: there is no such address to remove.
    public static var EADDRNOTAVAIL: Errno { Errno(rawValue: Glibc.EADDRNOTAVAIL) }
    /// No buffer space available; from netlink: messages were lost.
    public static var ENOBUFS: Errno { Errno(rawValue: Glibc.ENOBUFS) }
    /// Interrupted system call should be restarted; from nf_tables: the rule set has changed since.
    public static var ERESTART: Errno { Errno(rawValue: Glibc.ERESTART) }
    /// Address already in use.
    public static var EADDRINUSE: Errno { Errno(rawValue: Glibc.EADDRINUSE) }
    /// Connection reset by peer.
    public static var ECONNRESET: Errno { Errno(rawValue: Glibc.ECONNRESET) }
    /// Connection refused.
    public static var ECONNREFUSED: Errno { Errno(rawValue: Glibc.ECONNREFUSED) }
    /// Connection timed out.
    public static var ETIMEDOUT: Errno { Errno(rawValue: Glibc.ETIMEDOUT) }
    /// Operation cancelled.
    public static var ECANCELED: Errno { Errno(rawValue: Glibc.ECANCELED) }
    /// Disk quota exceeded.
    public static var EDQUOT: Errno { Errno(rawValue: Glibc.EDQUOT) }
    /// Bytes that are no text.
    public static var EILSEQ: Errno { Errno(rawValue: Glibc.EILSEQ) }
}

/// Runs a system call until it is not interrupted, and turns -1 into the error that it left.
@inline(__always)
func check<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.current
        if error != .EINTR { throw error }
    }
}
