/// What is to be copied, and what is known of it.
public struct CopySource: Hashable, Sendable {
    /// Where it is; with the end that it was given.
    public var path: String
    /// Whether it is a directory.
    public var isDirectory: Bool
    /// What its first entry is to be called, where that is not its own name; empty otherwise.
    public var entryName: String

    /// A source of these.
    public init(path: String, isDirectory: Bool, entryName: String = "") {
        (self.path, self.isDirectory, self.entryName) = (path, isDirectory, entryName)
    }

    /// The name that the first entry has in its archive.
    public var base: String { entryName.isEmpty ? GoPath.split(path).base : entryName }

    /// A source that was reached through links: it keeps the name that it was asked for by.
    ///
    /// - Parameters:
    ///   - asked: as it was named.
    ///   - found: where that leads.
    /// - Returns: where that leads, with the end that it was asked for with, and its entry's name.
    public static func renamed(asked: String, found: String) -> (path: String, entryName: String) {
        var path = found
        if GoPath.meansContents(asked), !GoPath.meansContents(path) { path += "/." }
        if GoPath.endsWithSlash(asked), !GoPath.endsWithSlash(path) { path += "/" }
        return (path, GoPath.base(asked) == GoPath.base(path) ? "" : GoPath.base(asked))
    }
}

/// Where it is to be copied to, and what is known of that.
public struct CopyDestination: Hashable, Sendable {
    /// Where; with the end that it was given.
    public var path: String
    /// Whether there is something.
    public var exists: Bool
    /// Whether that is a directory.
    public var isDirectory: Bool

    /// A destination of these.
    public init(path: String, exists: Bool = false, isDirectory: Bool = false) {
        (self.path, self.exists, self.isDirectory) = (path, exists, isDirectory)
    }
}

/// Into which directory an archive is unpacked, and under which name, so that a copy ends where `docker cp` has it end.
public struct CopyPlan: Hashable, Sendable {
    /// The directory.
    public var directory: String
    /// What the first entry is called instead of ``CopySource/base``; `nil`: as it is.
    public var newBase: String?

    /// Why something cannot be copied, in Docker's words.
    public struct Mistake: Error, Hashable, Sendable, CustomStringConvertible {
        /// Docker's words.
        public let description: String
    }

    /// Decides.
    ///
    /// - Throws: for a directory onto a file, and for a file into a directory that is not there.
    public init(_ source: CopySource, to destination: CopyDestination) throws(Mistake) {
        let (parent, base) = GoPath.split(destination.path)
        switch (destination.exists, destination.isDirectory, source.isDirectory) {
        case (true, true, _): (directory, newBase) = (destination.path, nil)
        case (true, false, true): throw Mistake(description: "cannot copy directory")
        case (true, false, false), (false, _, true): (directory, newBase) = (parent, base)
        case (false, _, false):
            guard !GoPath.endsWithSlash(destination.path), !GoPath.meansContents(destination.path) else {
                throw Mistake(description: "no such directory")
            }
            (directory, newBase) = (parent, base)
        }
    }

    /// Takes `CONTAINER:PATH` apart as Docker does: what begins with `/` or `.` is a path of this machine.
    public static func parts(of argument: String) -> (container: String, path: String) {
        guard !argument.hasPrefix("/"), let colon = argument.firstIndex(of: ":"), !argument[..<colon].hasPrefix(".") else {
            return ("", argument)
        }
        return (String(argument[..<colon]), String(argument[argument.index(after: colon)...]))
    }

    /// An entry's name with its first part exchanged.
    public static func renamed(_ name: [UInt8], from old: String, to new: String) -> [UInt8] {
        // The root's own name is the slash that every name in it begins with: that stays.
        let old = old == "/" ? [] : Array(old.utf8)
        guard name.starts(with: old) else { return name }
        return Array(new.utf8) + name.dropFirst(old.count)
    }
}
