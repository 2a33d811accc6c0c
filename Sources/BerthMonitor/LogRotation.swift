internal import BerthLaunch
internal import BerthLinux

/// How large a log gets.
struct LogLimits: Hashable, Sendable {
    /// When a file has so many bytes, the next is begun; 0 is never.
    var maximumByteCount: UInt64 = 0
    /// How many files there are at most, the one that is written included.
    var fileCount = 1
    /// Whether full files are compressed.
    var compresses = false
}

extension LogLimits {
    init(_ log: MonitoredLog) {
        self.init(maximumByteCount: log.maximumByteCount, fileCount: Int(clamping: log.fileCount), compresses: log.compresses)
    }
}

/// A log is one file that grows and, beside it, those that were full: `NAME.1` the youngest of them, or `NAME.1.gz` where they are compressed.
///
/// Whatever it is killed at, every file that was there is there under one of these names, or was the oldest; a reader takes them by what they are, not by how
/// they are called.
enum LogRotation {
    /// What a full file is.
    enum Form: String {
        case plain = ""
        case compressed = ".gz"

        func name(_ plain: PathBytes) throws(Errno) -> PathBytes { try PathBytes(plain.bytes + Array(rawValue.utf8)) }
    }

    /// Begins a new file. On failure the old one is there, and can be written on; trying again goes on.
    static func rotate(_ name: PathBytes, in directory: borrowing Directory, keeping fileCount: Int) throws(Errno) -> OwnedDescriptor {
        let fresh = try PathBytes(name.bytes + Array(".new".utf8))
        // One that is left from a rotation that was not brought to its end has nothing in it.
        if try directory.contains(fresh) { try directory.removeFile(fresh) }
        let file = try directory.openForAppending(fresh, permissions: 0o640)
        if fileCount > 1, try directory.contains(name) {
            for number in stride(from: fileCount - 2, through: 1, by: -1) {
                let full = try numbered(name, number)
                if let form = try form(of: full, in: directory) {
                    try move(full, as: form, to: try numbered(name, number + 1), in: directory)
                }
            }
            try move(name, as: .plain, to: try numbered(name, 1), in: directory)
        }
        try directory.rename(fresh, to: name)
        return file
    }

    static func numbered(_ name: PathBytes, _ number: Int) throws(Errno) -> PathBytes {
        try PathBytes(name.bytes + Array(".\(number)".utf8))
    }

    /// What a full file is; `nil` where there is none. A plain file beside its compressed self was about to be removed, and is.
    static func form(of full: PathBytes, in directory: borrowing Directory) throws(Errno) -> Form? {
        let isPlain = try directory.contains(full)
        guard try directory.contains(try Form.compressed.name(full)) else { return isPlain ? .plain : nil }
        if isPlain { try directory.removeFile(full) }
        return .compressed
    }

    /// Gives a file a number, whose file was moved before, or is the oldest.
    private static func move(_ file: PathBytes, as form: Form, to full: PathBytes, in directory: borrowing Directory) throws(Errno) {
        let other = try (form == .plain ? Form.compressed : .plain).name(full)
        if try directory.contains(other) { try directory.removeFile(other) }
        try directory.rename(try form.name(file), to: try form.name(full))
    }
}
