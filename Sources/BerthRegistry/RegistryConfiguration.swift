public import BerthCredentials

/// How registries are reached.
public struct RegistryConfiguration: Hashable, Sendable {
    /// A place that is asked before a registry itself, for pulling alone.
    public struct Mirror: Hashable, Sendable {
        /// Where it is.
        public var address: RegistryAddress
        /// Who one is towards the mirror. Credentials for the registry itself are never shown to it.
        public var credentials: RegistryCredentials?

        /// A mirror.
        public init(_ address: RegistryAddress, credentials: RegistryCredentials? = nil) {
            (self.address, self.credentials) = (address, credentials)
        }
    }

    /// Names that are read as if they were others, for pulling alone: `docker.io/library/` as `harbor.example/hub/library/`.
    public struct Rewrite: Hashable, Sendable {
        /// What a repository's whole name, with its registry, begins with.
        public var prefix: String
        /// What it begins with instead.
        public var replacement: String

        /// A rewriting of names.
        public init(prefix: String, replacement: String) { (self.prefix, self.replacement) = (prefix, replacement) }
    }

    /// For each registry, by its name in references (`docker.io`), the mirrors in the order in which they are asked. Under `*`, those of any registry
    /// that has none of its own. The registry itself comes last.
    public var mirrors: [String: [Mirror]] = [:]
    /// The first that fits is taken.
    public var rewrites: [Rewrite] = []
    /// Registries whose certificates are not looked at, and that are spoken to without TLS where they do not speak it: `host`, `host:port`, or a range of
    /// addresses (`10.0.0.0/8`). This machine itself (127.0.0.0/8, ::1, `localhost`) always is one.
    public var insecureRegistries: [String] = []
    /// Nothing is asked of any registry: every call throws `offline`.
    public var isOffline = false
    /// Directories that have a directory for each registry, `host` or `host:port`, in which `*.crt` are authorities to trust besides the system's, and
    /// `NAME.cert` with `NAME.key` is what this client shows. All that fit are taken.
    public var certificateDirectories = ["/etc/docker/certs.d"]
    /// The way out.
    public var proxies = ProxySettings()
    /// How often, and after what time, something is tried again.
    public var retries = RetryPolicy()
    /// The most blobs that are downloaded at once.
    public var maximumDownloadCount = 3
    /// The most blobs that are uploaded at once.
    public var maximumUploadCount = 5
    /// A blob is uploaded in pieces of so many bytes; `nil`: in one. A registry that asks for larger pieces gets them.
    public var uploadChunkByteCount: UInt64?
    /// Blobs of at least so many bytes are downloaded in several ranges at once, where the registry gives ranges; `nil`: never.
    public var parallelRangesAboveByteCount: UInt64? = 64 << 20
    /// How long to wait for a connection.
    public var connectTimeout: Duration = .seconds(15)
    /// How long a registry may send nothing, or take nothing, before it is given up.
    public var idleTimeout: Duration = .seconds(60)
    /// What this client calls itself.
    public var userAgent = "berth"

    /// The defaults: no mirrors, the environment's proxies left alone.
    public init() {}
}
