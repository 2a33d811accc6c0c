internal import BerthLinux
internal import FoundationEssentials

/// Docker's `config.json`: where credentials for registries are kept, or which programs keep them.
///
/// Its file is that of Docker's command line, and both can use it at the same time: nothing of it is remembered between calls, members that are not about
/// credentials stay as they are and where they are, and it is replaced as a whole. All calls block: they read files and run helpers.
public struct CredentialFile: Sendable {
    /// Where it is.
    public let path: String
    /// How helpers are run.
    let helpers: HelperRunner

    /// The most bytes of the file.
    public static let maximumByteCount = 4 << 20

    /// The file at a path; it need not be there.
    ///
    /// - Parameter environment: what helpers are found with and given.
    public init(path: String, environment: [String: String]) { self.init(path: path, HelperRunner(environment: environment)) }

    init(path: String, _ helpers: HelperRunner) { (self.path, self.helpers) = (path, helpers) }

    /// The file that Docker's command line uses: in `DOCKER_CONFIG`, else in `.docker` below `HOME`.
    public init(environment: [String: String]) {
        let directory = environment["DOCKER_CONFIG"].flatMap { $0.isEmpty ? nil : $0 } ?? (environment["HOME"] ?? "/root") + "/.docker"
        self.init(path: directory + "/config.json", environment: environment)
    }

    /// Where credentials are kept.
    public enum Place: Hashable, Sendable {
        /// In the file itself, for everybody to read who may read it: encoded, and not encrypted.
        case file(path: String)
        /// With the helper of this name: `docker-credential-NAME`.
        case helper(String)
    }

    /// Where credentials for a registry are or would be kept.
    ///
    /// - Throws: `invalid`, `storage`, `tooLarge`.
    public func place(for registry: String) throws(CredentialError) -> Place { place(for: registry, try read()) }

    private func place(for registry: String, _ file: OrderedObject) -> Place {
        if let own = file.object("credHelpers")?.members.first(where: { ServerAddress.matches($0.name, registry) }) {
            if let name = file.object("credHelpers")?.text(own.name), !name.isEmpty { return .helper(name) }
        }
        if let name = file.text("credsStore"), !name.isEmpty { return .helper(name) }
        return .file(path: path)
    }

    /// The credentials for a registry.
    ///
    /// - Parameter registry: its name as in references: `docker.io`, `localhost:5000`.
    /// - Returns: `nil` if there are none.
    /// - Throws: as ``place(for:)``; `helperMissing`, `helperFailed`, `timedOut`.
    public func credentials(for registry: String) throws(CredentialError) -> RegistryCredentials? {
        let file = try read()
        if case .helper(let name) = place(for: registry, file) { return try helpers.get(name, ServerAddress.key(of: registry)) }
        let auths = try auths(file)
        // The name that is written today comes first; an old one, with a scheme or a path, counts where that is not there.
        let key = ServerAddress.key(of: registry)
        guard
            let member = auths.members.first(where: { $0.name == key })
                ?? auths.members.first(where: { ServerAddress.matches($0.name, registry) }),
            let entry = OrderedObject(member.value)
        else { return nil }
        return try Self.credentials(in: entry, member.name, path)
    }

    /// The registries for which there are credentials in the file or with the helper for all, by the names they are kept under.
    ///
    /// - Throws: as ``credentials(for:)``.
    public func servers() throws(CredentialError) -> [String] {
        let file = try read()
        var found = try auths(file).members.filter { OrderedObject($0.value)?.members.isEmpty == false }.map(\.name)
        if let name = file.text("credsStore"), !name.isEmpty { found += try helpers.list(name) }
        found += try Self.object("credHelpers", file, path).members.map(\.name)
        var seen: Set<String> = []
        return found.filter { seen.insert($0).inserted }
    }

    /// Keeps credentials for a registry, instead of any others: with the helper that is configured, else in the file.
    ///
    /// - Returns: where they are now. In the file they are not encrypted, which is to be said to whom they belong.
    /// - Throws: as ``credentials(for:)``. When it throws, the file is as it was.
    public func store(_ credentials: RegistryCredentials, for registry: String) throws(CredentialError) -> Place {
        var file = try read()
        let place = place(for: registry, file)
        let key = ServerAddress.key(of: registry)
        var auths = try auths(file)
        for old in auths.members where old.name != key && ServerAddress.matches(old.name, registry) { auths[old.name] = nil }
        switch place {
        case .helper(let name):
            try helpers.store(name, key, credentials)
            // That there are some is seen by an entry without content, as Docker leaves it.
            auths[key] = Array("{}".utf8)
        case .file:
            var entry = OrderedObject()
            switch credentials.kind {
            case .password(let user, let password):
                guard !user.contains(":") else { throw CredentialError(.invalid, "a user's name has no ':' in it") }
                entry["auth"] = Self.json(Data("\(user):\(password)".utf8).base64EncodedString())
            case .identityToken(let user, let token):
                entry["auth"] = Self.json(Data("\(user):".utf8).base64EncodedString())
                entry["identitytoken"] = Self.json(token)
            case .registryToken(let token):
                entry["registrytoken"] = Self.json(token)
            }
            auths[key] = entry.encoded(depth: 2)
        }
        file["auths"] = auths.encoded(depth: 1)
        try write(file)
        return place
    }

    /// Forgets the credentials for a registry, in the file and with its helper. Those that are not there are forgotten already.
    ///
    /// - Returns: whether there were any.
    /// - Throws: as ``credentials(for:)``.
    @discardableResult
    public func erase(_ registry: String) throws(CredentialError) -> Bool {
        var file = try read()
        var wereThere = false
        if case .helper(let name) = place(for: registry, file) { wereThere = try helpers.erase(name, ServerAddress.key(of: registry)) }
        var auths = try auths(file)
        let names = auths.members.map(\.name).filter { ServerAddress.matches($0, registry) }
        guard !names.isEmpty else { return wereThere }
        for name in names { auths[name] = nil }
        file["auths"] = auths.encoded(depth: 1)
        try write(file)
        return true
    }

    private func auths(_ file: OrderedObject) throws(CredentialError) -> OrderedObject { try Self.object("auths", file, path) }

    private static func object(_ name: String, _ file: OrderedObject, _ path: String) throws(CredentialError) -> OrderedObject {
        guard let object = file.object(name) else {
            throw CredentialError(.invalid, "'\(name)' in '\(path)' is no object: mend it, or move the file away")
        }
        return object
    }

    private static func json(_ text: String) -> [UInt8] { Array(OrderedObject.encoded(text).utf8) }
}
