internal import Glibc

extension HostFile {
    /// stat(2): what a path of the host's leads to, links followed.
    public static func namedStatus(_ path: String) throws(Errno) -> FileStatus {
        let path = try PathBytes(path)
        var status = stat()
        _ = try unsafe path.withCString { (path) throws(Errno) in try check { unsafe stat(path, &status) } }
        return FileStatus(status)
    }
}

extension Errno {
    /// The C library's sentence alone, in small letters, as Go's programs write it: `no such file or directory`.
    public var lowercaseReason: String {
        let text = description
        return (text.range(ofLast: " (").map { String(text[..<$0]) } ?? text).lowercased()
    }
}

extension String {
    fileprivate func range(ofLast text: String) -> String.Index? {
        var found: String.Index?
        for index in indices where self[index...].hasPrefix(text) { found = index }
        return found
    }
}
