public import BerthContent
public import BerthImages
internal import BerthReactor
public import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

/// A registry: hands images out and takes them in, by the OCI distribution specification 1.1.
///
/// ```swift
/// let store = try await RegistryStore.open(directory: "/srv/registry")
/// let registry = try await RegistryServer(store: store).serve()
/// print(registry.address)  // 127.0.0.1:41231
/// await registry.close()
/// ```
public struct RegistryServer: Sendable {
    /// How a registry is served.
    public struct Configuration: Sendable {
        /// Who may do what. Default: anyone anything, which is for loopback.
        public var authentication: RegistryAuthentication
        /// The certificate and its key. Default `nil`: plain HTTP.
        public var tls: RegistryCertificate?
        /// Whether `/metrics` tells, to anyone, how much is asked and kept. Default `false`.
        public var hasMetrics: Bool
        /// How long a connection may be silent. Default: a minute.
        public var patience: Duration
        /// How often garbage is collected while it serves. Default `nil`: when ``RegistryStore/collect(untagged:)`` is called.
        public var collectionInterval: Duration?
        /// Whether that takes manifests without a tag as well. Default `false`.
        public var collectsUntagged: Bool
        /// Told what goes wrong, and, at the level of debugging, what is asked. Default: nobody.
        public var log: Logger

        /// These.
        public init(
            authentication: RegistryAuthentication = .open, tls: RegistryCertificate? = nil, hasMetrics: Bool = false,
            patience: Duration = .seconds(60), collectionInterval: Duration? = nil, collectsUntagged: Bool = false,
            log: Logger = Logger(label: "registry", factory: { _ in SwiftLogNoOpLogHandler() })
        ) {
            (self.authentication, self.tls, self.hasMetrics, self.patience) = (authentication, tls, hasMetrics, patience)
            (self.collectionInterval, self.collectsUntagged, self.log) = (collectionInterval, collectsUntagged, log)
        }
    }

    private let reading: any RegistryReading
    private let writing: RegistryStore?
    private let configuration: Configuration

    /// A registry over a store of its own.
    public init(store: RegistryStore, _ configuration: Configuration = Configuration()) {
        (reading, writing, self.configuration) = (store, store, configuration)
    }

    /// A registry over an engine's images: read only, as they are, with no copy; hosts can pull from each other. Names are as in ``RegistryServer``'s guide.
    ///
    /// - Parameters:
    ///   - images: the engine's.
    ///   - content: where it keeps their blobs.
    public init(images: ImageStore, content: ContentStore, _ configuration: Configuration = Configuration()) {
        (reading, writing, self.configuration) = (EngineImages(images: images, content: content), nil, configuration)
    }

    /// A registry that fetches from another what it does not have, and keeps it: a pull-through cache, read only.
    ///
    /// Tags are asked there each time; what was kept last is given where that registry cannot be reached. Who may read what is said by this registry's
    /// rules: it asks the other one by its own credentials.
    /// - Parameters:
    ///   - store: keeps what was fetched; it is for this alone.
    ///   - upstream: gives the other registry's repository of a name.
    public init(
        caching upstream: @escaping @Sendable (RepositoryPath) async throws(TransferError) -> any ContentSource, in store: RegistryStore,
        _ configuration: Configuration = Configuration()
    ) {
        (reading, writing, self.configuration) = (PullThrough(store: store, upstream: upstream), nil, configuration)
    }

    /// Listens, and answers from then on.
    ///
    /// - Parameters:
    ///   - host: the name or address of an interface of this machine. Default: the loopback.
    ///   - port: 0 for any that is free.
    /// - Returns: what ends it again. It goes on when nobody has that any more.
    /// - Throws: `inUse`, `invalid`, `system`. Nothing is listened on then.
    public func serve(host: String = "127.0.0.1", port: Int = 0) async throws(RegistryServerError) -> RunningRegistry {
        let tls = try await configuration.tls?.context()
        let service = RegistryService(
            reading: reading, writing: writing, gate: Gate(authentication: configuration.authentication),
            metrics: configuration.hasMetrics ? Metrics() : nil, log: configuration.log)
        let connections = RegistryConnections(service: service, isEncrypted: tls != nil, log: configuration.log)
        let patience = TimeAmount.nanoseconds(Int64(configuration.patience / .nanoseconds(1)))
        let bootstrap = ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.backlog, value: 1024).serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Small for questions; it grows while a blob comes.
            .childChannelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 256 << 10))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    try pipeline.addHandlers([IdleStateHandler(allTimeout: patience), SilenceHandler()])
                    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false)
                    connections.begin(try RegistryConnection.Stream(wrappingChannelSynchronously: channel))
                }
            }
        let channel: any Channel
        do { channel = try await bootstrap.bind(host: host, port: port).get() } catch let error as IOError {
            throw RegistryServerError(
                error.errnoCode == EADDRINUSE ? .inUse : .system, "cannot listen on \(host):\(port): \(error)")
        } catch { throw RegistryServerError(.invalid, "cannot listen on \(host):\(port): \(error)") }
        return RunningRegistry(
            channel, host: host, scheme: tls == nil ? "http" : "https", connections,
            collection: Self.collection(of: writing, configuration))
    }

    private static func collection(of store: RegistryStore?, _ configuration: Configuration) -> Task<Void, Never>? {
        guard let store, let interval = configuration.collectionInterval else { return nil }
        let (log, untagged) = (configuration.log, configuration.collectsUntagged)
        return Task {
            while true {
                do { try await Task.sleep(for: interval) } catch { return }
                do throws(RegistryServerError) {
                    let collected = try await store.collect(untagged: untagged)
                    log.info(
                        "collected \(collected.blobCount) blobs, \(collected.manifestCount) manifests and \(collected.uploadCount) uploads: \(collected.byteCount) bytes"
                    )
                } catch { log.error("\(error)") }
            }
        }
    }
}

/// A registry that is served.
public final class RunningRegistry: Sendable {
    /// Where: `127.0.0.1:5000`, as in the name of an image; of port 0, the port that was found.
    public let address: String
    /// The port.
    public let port: Int
    /// The beginning of its URLs: `http://127.0.0.1:5000`.
    public let url: String
    private let channel: any Channel
    private let connections: RegistryConnections
    private let collection: Task<Void, Never>?

    init(_ channel: any Channel, host: String, scheme: String, _ connections: RegistryConnections, collection: Task<Void, Never>?) {
        port = channel.localAddress?.port ?? 0
        address = "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        url = "\(scheme)://\(address)"
        (self.channel, self.connections, self.collection) = (channel, connections, collection)
    }

    /// Listens no longer, answers what was asked already, and ends the connections. Repeating does nothing.
    ///
    /// - Parameter patience: how long an answer may take until it is broken off.
    public func close(within patience: Duration = .seconds(10)) async {
        collection?.cancel()
        // It may have closed already, which is what is wanted.
        try? await channel.close().get()
        await connections.endAll(within: patience)
        await collection?.value
    }
}

/// Closes a connection on which nothing goes either way.
private final class SilenceHandler: ChannelInboundHandler {
    typealias InboundIn = NIOAny

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) } else { context.fireUserInboundEventTriggered(event) }
    }
}
