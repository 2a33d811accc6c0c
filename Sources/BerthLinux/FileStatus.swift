internal import CBerth
internal import Glibc

/// What the kernel says of a file: stat(2) in our words.
public struct FileStatus: Hashable, Sendable {
    /// What a file is.
    public enum Kind: Hashable, Sendable {
        /// Ordinary bytes.
        case regular
        /// A directory.
        case directory
        /// A symbolic link.
        case symbolicLink
        /// A character device with its major and minor number.
        case characterDevice(DeviceNumber)
        /// A block device with its major and minor number.
        case blockDevice(DeviceNumber)
        /// A named pipe.
        case fifo
        /// A Unix socket.
        case socket
    }

    /// What the file is.
    public let kind: Kind
    /// The permission bits with set-id and sticky bits (`0o7777`).
    public let permissions: UInt32
    /// The owner's user id.
    public let userID: UInt32
    /// The owner's group id.
    public let groupID: UInt32
    /// The size in bytes; for a symbolic link its target's length.
    public let byteCount: Int64
    /// The bytes that the file takes on the disk (512 a block).
    public let allocatedByteCount: Int64
    /// The file system that the file is on.
    public let device: UInt64
    /// The file's number on its file system.
    public let inode: UInt64
    /// How many names the file has.
    public let linkCount: UInt64
    /// When the contents were last read.
    public let accessTime: FileTime
    /// When the contents last changed.
    public let modificationTime: FileTime

    init(_ status: stat) {
        let device = DeviceNumber(encoded: UInt64(status.st_rdev))
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            case S_IFCHR: .characterDevice(device)
            case S_IFBLK: .blockDevice(device)
            case S_IFIFO: .fifo
            case S_IFSOCK: .socket
            default: .regular
            }
        permissions = status.st_mode & 0o7777
        userID = status.st_uid
        groupID = status.st_gid
        byteCount = Int64(status.st_size)
        allocatedByteCount = Int64(status.st_blocks) * 512
        self.device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        linkCount = UInt64(status.st_nlink)
        accessTime = FileTime(status.st_atim)
        modificationTime = FileTime(status.st_mtim)
    }
}

/// A device's major and minor number.
public struct DeviceNumber: Hashable, Sendable {
    /// Names the driver.
    public let major: UInt32
    /// Names the device among the driver's.
    public let minor: UInt32

    /// Both numbers as they are.
    public init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    init(encoded: UInt64) {
        self.init(major: berth_major(encoded), minor: berth_minor(encoded))
    }

    var encoded: UInt64 { berth_makedev(major, minor) }
}

/// A point in time as a file system keeps it.
public struct FileTime: Hashable, Sendable {
    /// Seconds since 1970; negative before.
    public let seconds: Int64
    /// 0 ..< 1,000,000,000, always counted forward from `seconds`.
    public let nanoseconds: Int64

    /// Both parts as they are; nanoseconds outside the range stop at its ends.
    public init(seconds: Int64, nanoseconds: Int64 = 0) {
        self.seconds = seconds
        self.nanoseconds = min(max(nanoseconds, 0), 999_999_999)
    }

    init(_ time: timespec) {
        self.init(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    var timespec: Glibc.timespec { Glibc.timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds)) }
}

extension OwnedDescriptor {
    /// fstat(2).
    public borrowing func status() throws(Errno) -> FileStatus {
        try withRawDescriptor { (raw) throws(Errno) in
            var status = stat()
            _ = try check { unsafe fstat(raw, &status) }
            return FileStatus(status)
        }
    }
}

extension Directory {
    /// statvfs(3): how many bytes whoever this process runs as may still write to the directory's file system.
    public borrowing func availableByteCount() throws(Errno) -> UInt64 {
        try openPath(".").withRawDescriptor { (raw) throws(Errno) in
            var status = statvfs()
            _ = try check { unsafe fstatvfs(raw, &status) }
            return UInt64(status.f_bavail) * UInt64(status.f_frsize)
        }
    }
}
