/// A place of the host's that the operator named: a name in an open directory, whether or not there is something of that name.
///
/// Never anything below a container's root: the way to the directory follows links.
public struct HostPlace: ~Copyable, Sendable {
    /// The directory.
    public let directory: Directory
    /// The name in it.
    public let name: PathBytes

    /// Opens the directory of a path; a path without a slash is one of the working directory.
    ///
    /// - Throws: `ENOENT` where there is no such directory, `EISDIR` for a path that ends with a slash.
    public init(_ path: String) throws(Errno) {
        let slash = path.lastIndex(of: "/")
        let name = try PathBytes(String(slash.map { path[path.index(after: $0)...] } ?? path[...]))
        guard name.isName else { throw .EISDIR }
        let directory = try Directory.open(slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ".")
        self.name = name
        self.directory = directory
    }
}
