internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import BerthCredentials
internal import DockerAPI
internal import Glibc

/// `berth login`.
struct Login: Verb {
    static let configuration = CommandConfiguration(
        commandName: "login", abstract: "Authenticate to a registry", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] [SERVER]"
    static let wordCount = WordCount.atMost(1)

    @Option(name: [.short, .long], help: help("Password or Personal Access Token (PAT)")) var password: String?
    @Flag(help: "Take the Password or Personal Access Token (PAT) from stdin") var passwordStdin = false
    @Option(name: [.short, .long], help: help("Username")) var username: String?
    @Argument var server: String?

    func perform(_ session: Session) throws -> Int32 {
        let registry = Logins.registry(of: server ?? "")
        if password != nil {
            Output.complain("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
            if passwordStdin { throw Failure("conflicting options: cannot specify both --password and --password-stdin") }
        }
        if passwordStdin, username == nil { throw Failure("the --password-stdin option requires --username to be set") }
        let file = CredentialFile(environment: Logins.environment)
        let known = try file.credentials(for: registry)
        if username == nil, password == nil, let known {
            Output.complain("Authenticating with existing credentials..." + (known.user.map { " [Username: \($0)]" } ?? ""))
            if let kept = try? Logins.verify(known, registry, session) { return try succeed(kept, registry, file) }
            Output.complain("Login did not succeed, error with existing credentials.")
        }
        return try succeed(try Logins.verify(try credentials(known), registry, session), registry, file)
    }

    private func credentials(_ known: RegistryCredentials?) throws -> RegistryCredentials {
        var (user, secret) = (username ?? "", password ?? "")
        if passwordStdin { secret = try Prompt.everything() }
        if user.isEmpty {
            let standard = known?.user ?? ""
            user = try Prompt.line("Username\(standard.isEmpty ? "" : " (\(standard))"): ")
            if user.isEmpty { user = standard }
            guard !user.isEmpty else { throw Failure("username is required") }
        }
        if secret.isEmpty, !passwordStdin { secret = try Prompt.secret("Password: ") }
        guard !secret.isEmpty else { throw Failure("password is empty") }
        return RegistryCredentials(.password(user: user, password: secret))
    }

    private func succeed(_ credentials: RegistryCredentials, _ registry: String, _ file: CredentialFile) throws -> Int32 {
        if case .file(let path) = try file.store(credentials, for: registry) {
            Output.complain(
                """

                WARNING! Your credentials are stored unencrypted in '\(path)'.
                Configure a credential helper to remove this warning. See
                https://docs.docker.com/go/credential-store/

                """)
        }
        try Output.line("Login Succeeded")
        return 0
    }
}

/// `berth logout`.
struct Logout: Verb {
    static let configuration = CommandConfiguration(
        commandName: "logout", abstract: "Log out from a registry", helpNames: .customLong("help"))
    static let synopsis = "[SERVER]"
    static let wordCount = WordCount.atMost(1)

    @Argument var server: String?

    func perform(_ session: Session) throws -> Int32 {
        let registry = Logins.registry(of: server ?? "")
        let shown = registry == "docker.io" ? Logins.hubAddress : registry
        let wereThere = try CredentialFile(environment: Logins.environment).erase(registry)
        try Output.line(wereThere ? "Removing login credentials for \(shown)" : "Not logged in to \(shown)")
        return 0
    }
}

/// Who one is towards registries.
enum Logins {
    /// What Docker Hub's credentials are kept under.
    static let hubAddress = "https://index.docker.io/v1/"

    /// What is known for a registry; `nil` for nothing.
    static func auth(for registry: String) throws -> RegistryAuth? {
        try CredentialFile(environment: environment).credentials(for: registry).map { auth($0, registry) }
    }

    /// The name of a registry as references have it, of what people type.
    static func registry(of text: String) -> String {
        var host = text[...]
        for scheme in ["https://", "http://"] where host.hasPrefix(scheme) { host = host.dropFirst(scheme.count) }
        host = host.prefix { $0 != "/" }
        return ["", "docker.io", "index.docker.io", "registry-1.docker.io"].contains(host) ? "docker.io" : String(host)
    }

    /// Has the registry look at credentials, by the daemon.
    ///
    /// - Returns: what is to be kept.
    static func verify(_ credentials: RegistryCredentials, _ registry: String, _ session: Session) throws -> RegistryCredentials {
        let body = try JSONTree(parsing: auth(credentials, registry).json)
        let token = try session.daemon().call("POST", "/auth", body: .json(body))["IdentityToken"]?.text ?? ""
        return token.isEmpty ? credentials : RegistryCredentials(.identityToken(user: credentials.user ?? "", token: token))
    }

    private static func auth(_ credentials: RegistryCredentials, _ registry: String) -> RegistryAuth {
        var auth = RegistryAuth()
        auth.serverAddress = registry == "docker.io" ? hubAddress : registry
        switch credentials.kind {
        case .password(let user, let password): (auth.user, auth.password) = (user, password)
        case .identityToken(let user, let token): (auth.user, auth.identityToken) = (user, token)
        case .registryToken(let token): auth.registryToken = token
        }
        return auth
    }

    /// What helpers are found with, and the place of the file.
    static var environment: [String: String] {
        var found: [String: String] = [:]
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            let pair = unsafe String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2 { found[String(pair[0])] = String(pair[1]) }
            unsafe next += 1
        }
        return found
    }
}

/// Questions to whoever sits at the terminal.
enum Prompt {
    private static func ask(_ question: String) throws(Failure) {
        guard Terminal.isTerminal(0) else { throw Failure("Error: Cannot perform an interactive login from a non TTY device") }
        try Output.write(Array(question.utf8)[...], to: 1)
    }

    /// A line of an answer.
    static func line(_ question: String) throws -> String {
        try ask(question)
        return readLine() ?? ""
    }

    /// The same, which the terminal does not show.
    static func secret(_ question: String) throws -> String {
        try ask(question)
        let silence = SilentTerminal()
        defer { silence.end() }
        let answer = readLine() ?? ""
        try Output.line("")
        return answer
    }

    /// The most bytes of a password.
    private static let limit = 64 << 10

    /// Everything of standard input, without a line's end behind it.
    static func everything() throws -> String {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe piece.withUnsafeMutableBytes { unsafe read(0, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            bytes += piece[..<count]
            guard bytes.count <= limit else { throw Failure("standard input has more than \(limit) bytes, the most of a password") }
        }
        while bytes.last == 10 || bytes.last == 13 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A terminal on standard input that does not show what is typed, until it is ended.
private struct SilentTerminal {
    private let before: termios?

    init() {
        var state = termios()
        guard unsafe tcgetattr(0, &state) == 0 else {
            before = nil
            return
        }
        before = state
        state.c_lflag &= ~tcflag_t(ECHO)
        unsafe tcsetattr(0, TCSAFLUSH, &state)
    }

    func end() {
        guard var state = before else { return }
        unsafe tcsetattr(0, TCSANOW, &state)
    }
}
