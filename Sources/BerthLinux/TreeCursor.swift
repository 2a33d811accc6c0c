/// A place in a tree of directories that is walked up and down without recursion, with few of them open however deep it is.
///
/// A directory that was closed on the way down is opened again, by the names from the root, on the way up: where somebody has renamed one meanwhile,
/// that is `ENOENT`. No link is followed. Not to be shared between threads.
public final class TreeCursor {
    /// The most directories that are open at a time.
    public static var openLimit: Int { 64 }

    private final class Level {
        let name: PathBytes
        var directory: Directory?
        init(_ name: PathBytes, _ directory: consuming Directory) {
            self.name = name
            self.directory = consume directory
        }
    }
    private let root: Directory
    private var levels: [Level] = []

    /// At the root.
    public init(_ root: consuming Directory) { self.root = root }

    /// How many directories below the root it is.
    public var depth: Int { levels.count }

    /// Lends the directory that it is at.
    public func withDirectory<Result: ~Copyable>(_ body: (borrowing Directory) throws(Errno) -> Result) throws(Errno) -> Result {
        guard let level = levels.last else { return try body(root) }
        if level.directory == nil {
            var directory = try root.duplicate()
            for level in levels { directory = try directory.openDirectory(level.name) }
            level.directory = consume directory
        }
        return try body(level.directory!)
    }

    /// Goes down into a directory.
    ///
    /// - Throws: `ENOENT`, `ENOTDIR` or `ELOOP` if there is none of that name: then it stays where it is.
    public func enter(_ name: PathBytes) throws(Errno) {
        let directory = try withDirectory { (current) throws(Errno) in try current.openDirectory(name) }
        levels.append(Level(name, directory))
        if levels.count > Self.openLimit { levels[levels.count - 1 - Self.openLimit].directory = nil }
    }

    /// Goes up again. At the root it stays there.
    public func leave() { _ = levels.popLast() }
}
