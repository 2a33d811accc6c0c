internal import BerthLinux

/// A path in a container, as a client names it for a copy.
///
/// Docker's rules: it is absolute, whether or not it begins with a slash; `..` is taken away before any link is looked at; and how it ends says what is
/// meant of a link or a directory.
struct CopyPath: Hashable, Sendable {
    /// What is meant by the last name.
    enum Ending: Hashable, Sendable {
        /// The thing itself, also if it is a link.
        case name
        /// `/`: a directory, also through a link.
        case slash
        /// `/.`: what a directory has, also through a link.
        case dot
    }
    /// The names from the root; empty for the root.
    let names: [PathBytes]
    let ending: Ending

    /// - Throws: `invalid` for the empty path and for what no path can be.
    init(parsing text: String) throws(ContainerError) {
        guard !text.isEmpty else { throw ContainerError(.invalid, "the path is empty: name a file or directory of the container") }
        let parts = text.split(separator: "/", omittingEmptySubsequences: true)
        var names: [PathBytes] = []
        for part in parts {
            switch part {
            case ".": continue
            case "..": _ = names.popLast()
            default:
                do throws(Errno) { names.append(try PathBytes(String(part))) } catch {
                    throw ContainerError(.invalid, "the path has a name that cannot be one: \(error)", underlying: error)
                }
            }
        }
        self.names = names
        // `..` at the end is a directory's name, and no more.
        ending = parts.last == "." ? .dot : text.hasSuffix("/") && !names.isEmpty ? .slash : .name
    }

    /// The last part, as Docker names it: `/` for the root, `.` for what a directory has.
    var base: [UInt8] { ending == .dot ? Array(".".utf8) : names.last?.bytes ?? Array("/".utf8) }

    /// The directory of the last name, from the root.
    var parent: [PathBytes] { Array(names.dropLast()) }

    /// The path from the root, without a slash in front; `.` is the root.
    static func joined(_ names: some Collection<PathBytes>) throws(Errno) -> PathBytes {
        names.isEmpty ? "." : try PathBytes(names.map(\.bytes).joined(separator: [UInt8(ascii: "/")]))
    }

    /// The path for people.
    static func text(_ names: some Collection<PathBytes>) -> String { "/" + names.map(\.description).joined(separator: "/") }
}

extension CopyPath {
    /// The most links on one way, as the kernel has it.
    private static let linkLimit = 40

    /// Where a path leads in a root, as text: what Docker tells of a link. What is not there is taken as it is written. Whoever opens it follows no link.
    static func followed(_ names: [PathBytes], in root: borrowing Directory) throws(Errno) -> [PathBytes] {
        var (found, rest, linkCount): ([PathBytes], [PathBytes], Int) = ([], names, 0)
        while !rest.isEmpty {
            let name = rest.removeFirst()
            guard name != ".." else {
                _ = found.popLast()
                continue
            }
            guard let target = try link(name, in: found, of: root) else {
                found.append(name)
                continue
            }
            linkCount += 1
            guard linkCount <= linkLimit else { throw .ELOOP }
            if target.bytes.first == UInt8(ascii: "/") { found = [] }
            rest = target.components + rest
        }
        return found
    }

    /// A link's target; `nil` where there is no link of that name.
    private static func link(_ name: PathBytes, in names: [PathBytes], of root: borrowing Directory) throws(Errno) -> PathBytes? {
        do throws(Errno) {
            let parent = try root.openDirectory(try joined(names))
            guard try parent.status(name).kind == .symbolicLink else { return nil }
            return try parent.readLink(name)
        } catch {
            // Not there, or something else by now: it is taken as it is written.
            guard [.ENOENT, .ENOTDIR, .ELOOP, .EINVAL].contains(error) else { throw error }
            return nil
        }
    }
}
