internal import ArgumentParser
internal import Berth
internal import BerthLinux
internal import BerthRegistryServer
internal import Glibc
internal import Logging

/// `berthd registry`.
struct RegistryCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "registry", abstract: "A registry of this machine's own.", subcommands: [RegistryServe.self])
}

/// `berthd registry serve`, to which `berth registry serve` hands over.
struct RegistryServe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve a registry, by the OCI distribution specification.",
        discussion: """
            Examples:
              berth registry serve                          for this machine, at 127.0.0.1:5000
              berth registry serve --listen :5000 --tls-cert r.pem --tls-key r.key \\
                  --htpasswd users --allow users:*:pull --allow user=ci:*:pull,push
              berth registry serve --collect-every 3600 --collect-untagged --quota 100G
              berth registry serve --cache-of docker.io --store /var/cache/hub --listen 127.0.0.1:5001

            Then: docker tag debian 127.0.0.1:5000/debian; docker push 127.0.0.1:5000/debian
            It ends by Ctrl-C, when it has answered what it was asked.
            """)

    @Option(help: "Where everything is kept: a directory that is the registry's alone.")
    var store = "/var/lib/berth-registry"
    @Option(help: "Where to listen: HOST:PORT, or :PORT for every interface. Port 0 is any that is free.")
    var listen = "127.0.0.1:5000"
    @Option(help: "A file with the certificate in PEM, and behind it those of its authorities.")
    var tlsCert: String?
    @Option(help: "A file with the certificate's private key in PEM.")
    var tlsKey: String?
    @Flag(help: "Listen beyond this machine without TLS: passwords, tokens and images can be read and changed on the way.")
    var plainHttp = false

    @Option(help: "A file of users and passwords, as htpasswd -B writes it.")
    var htpasswd: String?
    @Option(help: "Who may do what: WHO:REPOSITORIES:RIGHTS, such as user=alice:team/*:pull,push. May be given several times.")
    var allow: [String] = []
    @Option(help: "The URL of the token server that says who may do what.")
    var tokenRealm: String?
    @Option(help: "This registry's name in the tokens.")
    var tokenService: String?
    @Option(help: "The token server's name in them.")
    var tokenIssuer: String?
    @Option(help: "A file with the token server's public key in PEM.")
    var tokenKey: String?

    @Option(
        help: ArgumentHelp(
            "Be a cache of another registry, read only: what is asked for and not here is fetched there, as whom Docker's config.json says, and kept.",
            valueName: "registry"))
    var cacheOf: String?
    @OptionGroup(title: "How --cache-of reaches the other registry") var registries: RegistryFlags

    @Option(help: "The most bytes that are kept: a number, with K, M, G or T behind it.", transform: RegistryServe.byteCount)
    var quota: UInt64?
    @Option(help: "The most bytes of one repository.", transform: RegistryServe.byteCount)
    var repositoryQuota: UInt64?
    @Option(help: "The most uploads at a time.")
    var maxUploads = 1024
    @Option(help: "Collect garbage every so many seconds while serving. (default: never)")
    var collectEvery: Int?
    @Flag(help: "Collect manifests without a tag as well.")
    var collectUntagged = false
    @Option(help: "For how many seconds a client can rely on a blob that no manifest names.")
    var grace = 3600
    @Flag(help: "Take manifests whose blobs or manifests are not all in their repository.")
    var allowMissing = false
    @Flag(help: "Tell at /metrics, to anyone, how much is asked and kept.")
    var metrics = false
    @Flag(name: [.customShort("D"), .long], help: "Log what is asked.")
    var debug = false

    func run() throws {
        let gate = try RegistryGate(listening: listen)
        let authentication = try authentication()
        let certificate = try gate.certificate(
            tlsCert, tlsKey, plainHTTP: plainHttp, flags: ("--tls-cert", "--tls-key", "--plain-http"))
        let upstream = try upstream()
        guard maxUploads > 0, grace >= 0, collectEvery.map({ $0 > 0 }) ?? true else {
            throw ValidationError("--max-uploads and --collect-every are greater than 0, and --grace is not negative")
        }
        if collectUntagged, collectEvery == nil { throw ValidationError("--collect-untagged says what --collect-every collects") }
        var log = Logger(label: "registry", factory: { StreamLogHandler.standardError(label: $0) })
        log.logLevel = debug ? .debug : .info
        let keeping = RegistryStore.Configuration(
            quota: RegistryQuota(byteCount: quota, repositoryByteCount: repositoryQuota), uploadLimit: maxUploads, grace: .seconds(grace),
            takesSparseManifests: allowMissing)
        let serving = RegistryServer.Configuration(
            authentication: authentication, tls: certificate, hasMetrics: metrics,
            collectionInterval: collectEvery.map { .seconds($0) }, collectsUntagged: collectUntagged, log: log)
        let directory = try HostPath.absolute(store)
        Heap.limitArenas(to: Program.arenaCount)
        // Before any other thread exists, so that all of them leave the signals to this one.
        let signals = try SignalQueue([SIGTERM, SIGINT])
        _ = signal(SIGPIPE, SIG_IGN)
        let (end, ending) = AsyncStream<Void>.makeStream()
        Task {
            do {
                let store = try await RegistryStore.open(directory: directory, keeping)
                for (file, reason) in store.unreadable { log.warning("\(file) is unreadable, and is left as it is: \(reason)") }
                let server =
                    if let upstream {
                        RegistryServer(caching: { (path) throws(TransferError) in try upstream.repository(path) }, in: store, serving)
                    } else { RegistryServer(store: store, serving) }
                let registry = try await server.serve(host: gate.host, port: gate.port)
                log.info("registry at \(registry.url)")
                for await _ in end {}
                await registry.close()
                log.info("stopped")
                Glibc.exit(0)
            } catch {
                log.critical("\(error)")
                Glibc.exit(1)
            }
        }
        while true {
            var waiting = signals.descriptor.withRawDescriptor { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            _ = unsafe poll(&waiting, 1, -1)
            while signals.next() != nil { ending.finish() }
        }
    }

    private func upstream() throws -> RegistryUpstream? {
        guard let cacheOf else {
            if registries.isGiven { throw ValidationError("how other registries are reached says something only with --cache-of") }
            return nil
        }
        guard collectEvery == nil, !allowMissing else {
            throw ValidationError("a cache keeps what was asked for: --collect-every and --allow-missing say nothing with --cache-of")
        }
        let environment = Program.environment
        return try RegistryUpstream(
            cacheOf, try registries.configuration(ConfigurationFile(), environment: environment), environment: environment)
    }

    private func authentication() throws -> RegistryAuthentication {
        let token = [tokenRealm, tokenService, tokenIssuer, tokenKey].compactMap(\.self)
        guard token.isEmpty || token.count == 4 else {
            throw ValidationError("--token-realm, --token-service, --token-issuer and --token-key belong together")
        }
        if token.count == 4 {
            guard allow.isEmpty, htpasswd == nil else {
                throw ValidationError("with a token server, neither --allow nor --htpasswd says anything")
            }
            let key = String(decoding: try HostFile.read(token[3], limit: 65536), as: UTF8.self)
            return .tokens(try TokenAuthority(realm: token[0], service: token[1], issuer: token[2], publicKey: key))
        }
        return try RegistryGate.authentication(htpasswd, allow, otherwise: .all)
    }

    private static func byteCount(_ text: String) throws -> UInt64 {
        let factors: [Character: UInt64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
        let factor = text.last.flatMap { factors[$0] }
        guard let number = UInt64(factor == nil ? text : String(text.dropLast())),
            case let (bytes, false) = number.multipliedReportingOverflow(by: factor ?? 1)
        else { throw ValidationError("'\(text)' is no number of bytes: say a number, with K, M, G or T behind it if need be") }
        return bytes
    }
}

/// Paths of the operator's.
enum HostPath {
    /// The same path from the root.
    static func absolute(_ path: String) throws -> String {
        if path.hasPrefix("/") { return path }
        guard let working = unsafe getcwd(nil, 0) else { throw Refusal("the working directory is gone") }
        defer { unsafe free(working) }
        return unsafe "\(String(cString: working))/\(path)"
    }
}
