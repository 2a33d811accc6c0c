/// Paths as Go's `path/filepath` takes them apart: text, never looked up.
public enum GoPath {
    /// The shortest path of the same meaning: no double slash, no `.`, no `..` that can be taken away; `.` for nothing.
    public static func clean(_ path: String) -> String {
        let isAbsolute = path.hasPrefix("/")
        var names: [Substring] = []
        for name in path.split(separator: "/") where name != "." {
            if name == "..", let last = names.last, last != ".." {
                names.removeLast()
            } else if name != ".." || !isAbsolute {
                names.append(name)
            }
        }
        let joined = names.joined(separator: "/")
        return isAbsolute ? "/" + joined : joined.isEmpty ? "." : joined
    }

    /// The last name, whatever slashes follow it; `/` for a path of slashes, `.` for nothing.
    public static func base(_ path: String) -> String {
        guard !path.isEmpty else { return "." }
        return path.split(separator: "/").last.map(String.init) ?? "/"
    }

    /// What stands before the last name, cleaned.
    public static func directory(_ path: String) -> String {
        clean(path.lastIndex(of: "/").map { String(path[...$0]) } ?? "")
    }

    /// Two paths one after the other, cleaned; what is empty is left out.
    public static func join(_ first: String, _ second: String) -> String {
        if first.isEmpty { return second.isEmpty ? "" : clean(second) }
        return clean(second.isEmpty ? first : first + "/" + second)
    }

    /// Whether it ends with a slash.
    public static func endsWithSlash(_ path: String) -> Bool { path.hasSuffix("/") }

    /// Whether its last name is `.`: what a directory has is meant.
    public static func meansContents(_ path: String) -> Bool { base(path) == "." }

    /// Gives a cleaned path the end that it had: `/.` or `/`.
    public static func keepingEnd(_ cleaned: String, of original: String) -> String {
        var path = cleaned
        if !meansContents(path), meansContents(original) {
            if !endsWithSlash(path) { path += "/" }
            path += "."
        }
        if !endsWithSlash(path), endsWithSlash(original) { path += "/" }
        return path
    }

    /// The directory and the last name, which is `.` where what a directory has is meant.
    public static func split(_ path: String) -> (directory: String, base: String) {
        var cleaned = clean(path)
        if meansContents(path) { cleaned += "/." }
        return (directory(cleaned), base(cleaned))
    }
}
