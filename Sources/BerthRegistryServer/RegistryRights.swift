/// What somebody may do in a repository.
public struct RegistryRights: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: Int
    /// Those bits.
    public init(rawValue: Int) { self.rawValue = rawValue }
    /// Read it: manifests, blobs, tags, referrers.
    public static let pull = RegistryRights(rawValue: 1)
    /// Bring to it.
    public static let push = RegistryRights(rawValue: 2)
    /// Remove from it.
    public static let delete = RegistryRights(rawValue: 4)
    /// Everything.
    public static let all: RegistryRights = [.pull, .push, .delete]

    private static let words: [(String, RegistryRights)] = [("pull", .pull), ("push", .push), ("delete", .delete)]

    /// The right of a word: `pull`, `push`, `delete`, or `*` for all of them.
    init?(word: some StringProtocol) {
        if word == "*" {
            self = .all
        } else if let right = Self.words.first(where: { $0.0 == word })?.1 {
            self = right
        } else {
            return nil
        }
    }

    /// The words, as in a token's scope.
    var words: [String] { Self.words.filter { contains($0.1) }.map(\.0) }
}

/// Who may do what in which repositories, where no token says it. What no rule allows is refused.
public struct RegistryRule: Hashable, Sendable {
    /// Whom a rule is about.
    public enum Subject: Hashable, Sendable {
        /// Anyone, also without a login.
        case anyone
        /// Whoever has a login.
        case users
        /// One of them.
        case user(String)
    }
    /// Whom it is about.
    public let subject: Subject
    /// Which repositories: a name; a name and `/*`, for all below it; `*` for all.
    public let repositories: String
    /// What it allows.
    public let rights: RegistryRights

    /// A rule of these.
    public init(_ subject: Subject, _ repositories: String, _ rights: RegistryRights) {
        (self.subject, self.repositories, self.rights) = (subject, repositories, rights)
    }

    /// Parses `WHO:REPOSITORIES:RIGHTS`, such as `user=alice:team/*:pull,push`, `users:*:pull` and `anyone:public/*:pull`.
    ///
    /// - Throws: `invalid`, naming what is wrong.
    public init(parsing text: String) throws(RegistryServerError) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw RegistryServerError(.invalid, "'\(text)' is no rule: say WHO:REPOSITORIES:RIGHTS, such as user=alice:team/*:pull,push")
        }
        switch parts[0] {
        case "anyone": subject = .anyone
        case "users": subject = .users
        case let who where who.hasPrefix("user=") && who.count > 5: subject = .user(String(who.dropFirst(5)))
        default: throw RegistryServerError(.invalid, "'\(parts[0])' in the rule '\(text)' is nobody: say anyone, users or user=NAME")
        }
        let name = parts[1].hasSuffix("/*") ? parts[1].dropLast(2) : parts[1]
        guard parts[1] == "*" || RepositoryPath(name) != nil else {
            throw RegistryServerError(.invalid, "'\(parts[1])' in the rule '\(text)' names no repositories: say NAME, NAME/* or *")
        }
        repositories = String(parts[1])
        var rights: RegistryRights = []
        for word in parts[2].split(separator: ",", omittingEmptySubsequences: false) {
            guard let right = RegistryRights(word: word) else {
                throw RegistryServerError(.invalid, "'\(word)' in the rule '\(text)' is no right: say pull, push, delete or *")
            }
            rights.formUnion(right)
        }
        self.rights = rights
    }

    /// What it allows somebody; `user` is `nil` for whoever has not logged in.
    func rights(of user: String?, in path: RepositoryPath) -> RegistryRights {
        let isAbout =
            switch subject {
            case .anyone: true
            case .users: user != nil
            case .user(let name): user == name
            }
        guard isAbout else { return [] }
        if repositories == "*" || repositories == path.description { return rights }
        return repositories.hasSuffix("/*") && path.description.hasPrefix(repositories.dropLast()) ? rights : []
    }
}
