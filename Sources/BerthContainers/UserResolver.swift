internal import BerthLinux
internal import BerthOCI

/// Whom a process runs as, in numbers.
struct ResolvedUser: Hashable, Sendable {
    var userID: UInt32
    var groupID: UInt32
    var groups: [UInt32]
    var home: String

    static let root = ResolvedUser(userID: 0, groupID: 0, groups: [0], home: "/root")

    var specification: RuntimeSpec.User { RuntimeSpec.User(uid: userID, gid: groupID, additionalGids: groups.isEmpty ? nil : groups) }
}

/// Finds users and groups in a root's own `/etc/passwd` and `/etc/group`, never in the host's.
///
/// Docker's rules: a number needs no entry; without a group named, the user's own group and those that list the user count; with one, that alone.
enum UserResolver {
    /// The most that is read of either file. A larger one is an error.
    static let maximumByteCount = 4 << 20
    /// The most supplementary groups: the kernel's own bound.
    static let maximumGroupCount = 65_536

    static func resolve(_ text: String, in root: borrowing Directory) throws(ContainerError) -> ResolvedUser {
        try resolve(text, passwd: try file("etc/passwd", in: root), group: try file("etc/group", in: root))
    }

    static func resolve(_ text: String, passwd: [UInt8], group: [UInt8]) throws(ContainerError) -> ResolvedUser {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let userText = String(parts.first ?? "")
        let groupText = parts.count > 1 ? String(parts[1]) : ""
        let userNumber = try number(userText)

        var user = ResolvedUser(userID: 0, groupID: 0, groups: [], home: "/")
        var name: String?
        let entry = entries(of: passwd).first { fields in
            guard fields.count >= 4, let id = UInt32(fields[2]) else { return false }
            return userText.isEmpty ? id == 0 : fields[0] == userText || (userNumber.map { $0 == id } ?? false)
        }
        if let entry, let id = UInt32(entry[2]) {
            name = entry[0]
            (user.userID, user.groupID) = (id, UInt32(entry[3]) ?? 0)
            if entry.count > 5, !entry[5].isEmpty { user.home = entry[5] }
        } else if let userNumber {
            user.userID = userNumber
        } else if !userText.isEmpty {
            throw ContainerError(.invalid, "unable to find user \(userText): no matching entries in passwd file")
        }
        if user.userID == 0 && user.home == "/" { user.home = "/root" }

        if !groupText.isEmpty {
            let groupNumber = try number(groupText)
            let found = entries(of: group).first { fields in
                guard fields.count >= 3, let id = UInt32(fields[2]) else { return false }
                return fields[0] == groupText || (groupNumber.map { $0 == id } ?? false)
            }
            guard let id = found.flatMap({ UInt32($0[2]) }) ?? groupNumber else {
                throw ContainerError(.invalid, "unable to find group \(groupText): no matching entries in group file")
            }
            user.groupID = id
            user.groups = [id]
        } else {
            user.groups = [user.groupID]
            if let name {
                for fields in entries(of: group) where fields.count >= 4 {
                    guard let id = UInt32(fields[2]), fields[3].split(separator: ",").contains(Substring(name)) else { continue }
                    if !user.groups.contains(id) && user.groups.count < maximumGroupCount { user.groups.append(id) }
                }
            }
        }
        return user
    }

    /// The numbers of groups that are named, or are numbers already. Docker's words.
    static func groups(_ names: [String], in root: borrowing Directory) throws(ContainerError) -> [UInt32] {
        names.isEmpty ? [] : try groups(names, group: try file("etc/group", in: root))
    }

    static func groups(_ names: [String], group: [UInt8]) throws(ContainerError) -> [UInt32] {
        try names.map { text throws(ContainerError) in
            let number = try number(text)
            let found = entries(of: group).first { fields in
                fields.count >= 3 && (fields[0] == text || (number != nil && UInt32(fields[2]) == number))
            }
            guard let id = found.flatMap({ UInt32($0[2]) }) ?? number else {
                throw ContainerError(.invalid, "Unable to find group \(text): no matching entries in group file")
            }
            return id
        }
    }

    /// A number in the range that Docker allows, or `nil` for a name.
    private static func number(_ text: String) throws(ContainerError) -> UInt32? {
        guard let value = Int64(text) else { return nil }
        guard (0...Int64(Int32.max)).contains(value) else {
            throw ContainerError(.invalid, "uids and gids must be in range 0-2147483647")
        }
        return UInt32(value)
    }

    private static func entries(of file: [UInt8]) -> some Sequence<[String]> {
        file.split(separator: UInt8(ascii: "\n")).lazy.filter { $0.first != UInt8(ascii: "#") }.map { line in
            line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    private static func file(_ path: PathBytes, in root: borrowing Directory) throws(ContainerError) -> [UInt8] {
        do throws(Errno) {
            // Symbolic links in the image count, and are resolved beneath its root.
            return try root.readFile(path, limit: maximumByteCount, .inRoot)
        } catch {
            if error == .ENOENT || error == .ENOTDIR { return [] }
            if error == .EINVAL { throw ContainerError(.invalid, "'/\(path)' of the image is not a regular file", underlying: error) }
            if error == .EFBIG {
                throw ContainerError(
                    .invalid, "'/\(path)' of the image has more than \(maximumByteCount) bytes, which is the most that is read",
                    underlying: error)
            }
            throw .storage("cannot read '\(path)' of the image", error)
        }
    }
}

extension ResolvedUser {
    /// Groups beside those that it has.
    mutating func add(_ further: [UInt32]) { for group in further where !groups.contains(group) { groups.append(group) } }
}
