internal import BerthLinux

/// How large a log gets.
struct LogLimits: Hashable, Sendable {
    /// When a file has so many bytes, the next is begun; 0 is never.
    var maximumByteCount: UInt64 = 0
    /// How many files there are at most, the one that is written included.
    var fileCount = 1
}

/// A log is one file that grows and, beside it, those that were full: `NAME.1` the youngest of them.
///
/// Whatever it is killed at, every file that was there is there under one of these names, or was the oldest; a reader takes them by what they are, not by how
/// they are called.
enum LogRotation {
    /// Begins a new file. On failure the old one is there, and can be written on; trying again goes on.
    static func rotate(_ name: PathBytes, in directory: borrowing Directory, keeping fileCount: Int) throws(Errno) -> OwnedDescriptor {
        let fresh = try PathBytes(name.bytes + Array(".new".utf8))
        // One that is left from a rotation that was not brought to its end has nothing in it.
        if try directory.contains(fresh) { try directory.removeFile(fresh) }
        let file = try directory.openForAppending(fresh, permissions: 0o640)
        if fileCount > 1, try directory.contains(name) {
            for number in stride(from: fileCount - 2, through: 1, by: -1) where try directory.contains(try numbered(name, number)) {
                try directory.rename(try numbered(name, number), to: try numbered(name, number + 1))
            }
            try directory.rename(name, to: try numbered(name, 1))
        }
        try directory.rename(fresh, to: name)
        return file
    }

    static func numbered(_ name: PathBytes, _ number: Int) throws(Errno) -> PathBytes {
        try PathBytes(name.bytes + Array(".\(number)".utf8))
    }
}
