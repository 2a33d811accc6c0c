/// One of SELinux's contexts, as `system_u:system_r:container_t:s0:c1,c2`. The level may be absent.
struct SecurityContext: Hashable, CustomStringConvertible {
    var user: String
    var role: String
    var type: String
    var level: String

    /// `nil` for what is none.
    init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 3, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        (user, role, type, level) = (parts[0], parts[1], parts[2], parts.count > 3 ? parts[3] : "")
    }

    var description: String { ([user, role, type] + (level.isEmpty ? [] : [level])).joined(separator: ":") }
}

/// What a container is called by SELinux.
public struct SecurityLabels: Hashable, Sendable, Codable {
    /// The context of its processes; empty for those of no other than whoever starts it.
    public var process: String
    /// The context of its files.
    public var mount: String

    /// What several containers may share: the same without categories.
    var sharedMount: String {
        guard var context = SecurityContext(mount) else { return mount }
        if !context.level.isEmpty { context.level = "s0" }
        return context.description
    }
}

extension SecurityLabels {
    /// As Docker has it: what the policy says, with categories that nobody else has, and changed by what a container says.
    ///
    /// - Parameters:
    ///   - options: `disable`, or `user`, `role`, `type`, `level` or `filetype` with a colon and a value.
    ///   - level: one that no other container has.
    /// - Throws: `invalid` for another option, in Docker's words.
    init(_ options: [String], _ policy: SELinux.Policy, level: String) throws(ContainerError) {
        var (process, file) = (policy.process, policy.file)
        if !process.level.isEmpty { (process.level, file.level) = (level, level) }
        for option in options {
            if option == "disable" {
                // Its files are of nobody's categories, and its processes as they come.
                if !file.level.isEmpty { file.level = Self.unconfinedLevel }
                (self.process, mount) = ("", file.description)
                return
            }
            let parts = option.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            switch (parts[0], parts.count == 2 ? parts[1] : nil) {
            case ("user", let value?): (process.user, file.user) = (value, value)
            case ("role", let value?): process.role = value
            case ("type", let value?): process.type = value
            case ("level", let value?): (process.level, file.level) = (value, value)
            case ("filetype", let value?): file.type = value
            default:
                throw ContainerError(
                    .invalid,
                    "Bad label option \"\(option)\", valid options 'disable' or \n'user, role, level, type, filetype' followed by ':' and a value"
                )
            }
        }
        (self.process, mount) = (process.description, file.description)
    }

    /// The two categories that no container gets.
    private static let unconfinedLevel = "s0:c1022,c1023"

    /// Two categories of the thousand that there are, in their order.
    static func level(besides taken: Set<String>, using random: inout some RandomNumberGenerator) -> String? {
        for _ in 0..<10_000 {
            let (first, second) = (Int.random(in: 0..<1024, using: &random), Int.random(in: 0..<1024, using: &random))
            let level = "s0:c\(min(first, second)),c\(max(first, second))"
            if first != second, level != unconfinedLevel, !taken.contains(level) { return level }
        }
        return nil
    }
}
