internal import BerthLinux
internal import FoundationEssentials

/// Speaks with credential helpers as Docker does: `docker-credential-NAME ACTION`, a question on its standard input, the answer on its standard output.
struct HelperRunner: Sendable {
    /// What helpers are found with (`PATH`) and given.
    let environment: [String: String]
    /// How long one may take: it may have to ask somebody.
    var milliseconds: Int64 = 120_000
    /// The most bytes of an answer, and of a question.
    static let maximumByteCount = 1 << 20

    init(environment: [String: String]) { self.environment = environment }

    /// The user's name that stands for none, where the secret is an identity token.
    static let tokenUser = "<token>"

    /// - Returns: `nil` if the helper has none.
    func get(_ name: String, _ server: String) throws(CredentialError) -> RegistryCredentials? {
        guard let output = try ask(name, "get", server) else { return nil }
        guard let answer = OrderedObject(output), let secret = answer.text("Secret") else {
            throw CredentialError(.helperFailed, "the credential helper '\(name)' gave an answer that is none")
        }
        let user = answer.text("Username") ?? ""
        if user == Self.tokenUser { return RegistryCredentials(.identityToken(user: "", token: secret)) }
        return RegistryCredentials(.password(user: user, password: secret))
    }

    func store(_ name: String, _ server: String, _ credentials: RegistryCredentials) throws(CredentialError) {
        let (user, secret): (String, String)
        switch credentials.kind {
        case .password(let name, let password): (user, secret) = (name, password)
        case .identityToken(_, let token): (user, secret) = (Self.tokenUser, token)
        case .registryToken: throw CredentialError(.invalid, "a token for one registry is not kept by a credential helper")
        }
        var question = OrderedObject()
        for (field, text) in [("ServerURL", server), ("Username", user), ("Secret", secret)] {
            question[field] = Array(OrderedObject.encoded(text).utf8)
        }
        _ = try ask(name, "store", question.encoded())
    }

    /// - Returns: whether the helper had some.
    func erase(_ name: String, _ server: String) throws(CredentialError) -> Bool {
        let wereThere = try get(name, server) != nil
        if wereThere { _ = try ask(name, "erase", server) }
        return wereThere
    }

    /// The servers that the helper has credentials for.
    func list(_ name: String) throws(CredentialError) -> [String] {
        guard let output = try ask(name, "list", "") else { return [] }
        guard let answer = OrderedObject(output) else {
            throw CredentialError(.helperFailed, "the credential helper '\(name)' gave a list that is none")
        }
        return answer.members.map(\.name)
    }

    private func ask(_ name: String, _ action: String, _ question: String) throws(CredentialError) -> [UInt8]? {
        try ask(name, action, Array(question.utf8))
    }

    /// - Returns: `nil` if the helper says that it has no such credentials.
    private func ask(_ name: String, _ action: String, _ question: [UInt8]) throws(CredentialError) -> [UInt8]? {
        guard let path = find(name) else {
            throw CredentialError(
                .helperMissing,
                "the credential helper 'docker-credential-\(name)' is not on PATH: install it, or take it out of config.json")
        }
        let result: ShortProgram.Result
        do throws(Errno) {
            result = try ShortProgram.run(
                path, ["docker-credential-\(name)", action], environment: environment.map { "\($0.key)=\($0.value)" }, input: question,
                outputLimit: Self.maximumByteCount, milliseconds: milliseconds)
        } catch {
            switch error {
            case .ETIMEDOUT:
                throw CredentialError(
                    .timedOut, "the credential helper '\(name)' has not ended after \(milliseconds / 1000) seconds", underlying: error)
            case .EFBIG:
                throw CredentialError(
                    .tooLarge, "the credential helper '\(name)' wrote more than \(Self.maximumByteCount) bytes", underlying: error)
            default: throw CredentialError(.helperFailed, "cannot run '\(path)': \(error)", underlying: error)
            }
        }
        if result.code == 0 { return result.output }
        // Helpers write why to their standard output.
        let why = String(decoding: result.output.prefix(256), as: UTF8.self).filter { !$0.isNewline }
        if why.contains("credentials not found") { return nil }
        let secrets = action == "store" ? "" : ": \(why)"  // what it was given is not shown, even if it says it again
        throw CredentialError(.helperFailed, "the credential helper '\(name)' could not \(action) (exit code \(result.code))\(secrets)")
    }

    /// `nil` for a name that could lead elsewhere, too.
    private func find(_ name: String) -> String? {
        guard !name.isEmpty, !name.contains("/"), !name.contains("\0") else { return nil }
        return (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").lazy
            .filter { $0.hasPrefix("/") }.map { "\($0)/docker-credential-\(name)" }.first { HostFile.exists($0) }
    }
}
