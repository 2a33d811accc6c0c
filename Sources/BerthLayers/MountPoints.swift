internal import BerthLinux

/// What an engine makes in containers' roots to mount something over. It is no change of the container's as long as it is empty and the image does not
/// have it: Docker keeps the same in a layer between the image's and the container's, which no diff shows.
public struct MountPoints: Sendable, Hashable {
    /// Paths from the root on, without a slash at either end.
    private let directories: Set<[UInt8]>
    private let files: Set<[UInt8]>
    /// The names in each directory that has some.
    private let names: [[UInt8]: [PathBytes]]

    /// None.
    public static var none: MountPoints { MountPoints(directories: [], files: []) }

    /// These. The directories on the way to them are to be given too, where they may have to be made.
    public init(directories: [StaticString], files: [StaticString]) {
        let paths = { (texts: [StaticString]) in texts.map { PathBytes(stringLiteral: $0).bytes } }
        (self.directories, self.files) = (Set(paths(directories)), Set(paths(files)))
        var names: [[UInt8]: [PathBytes]] = [:]
        for text in directories + files {
            let components = PathBytes(stringLiteral: text).components
            guard let name = components.last else { continue }
            names[Array(components.dropLast().map(\.bytes).joined(separator: [UInt8(ascii: "/")])), default: []].append(name)
        }
        self.names = names
    }

    /// Whether something that the image does not have is still what the engine has made.
    func includes(_ path: [UInt8], _ status: FileStatus) -> Bool {
        switch status.kind {
        case .regular: status.byteCount == 0 && files.contains(path)
        case .directory: directories.contains(path)
        default: false
        }
    }

    /// Whether the engine has made something in this directory, which has changed its time.
    func wereMade(in path: [UInt8], _ own: borrowing Directory, _ below: borrowing Directory) throws(Errno) -> Bool {
        guard let names = names[path] else { return false }
        for name in names {
            guard let status = try own.statusIfThere(name), try below.statusIfThere(name) == nil else { continue }
            if includes(joined(path, name), status) { return true }
        }
        return false
    }
}

extension FileTime {
    /// Equal as far as both file systems keep it: some keep whole seconds, and then both parts cannot be compared.
    func isSame(as other: FileTime) -> Bool {
        seconds == other.seconds && (nanoseconds == other.nanoseconds || nanoseconds == 0 || other.nanoseconds == 0)
    }
}
