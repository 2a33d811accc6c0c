public import Berth
internal import BerthLinux
public import Logging
internal import NIOCore
internal import NIOPosix

/// Serves an engine by Docker's Engine API, to any number of clients.
///
/// What runs in the engine goes on when the daemon ends, however that comes about; the next one finds it again.
public final class Daemon: Sendable {
    /// How a daemon is run.
    public struct Configuration: Sendable {
        /// Where it listens.
        public var addresses: [ListenAddress]
        /// Whose members may connect to its Unix sockets. Default `nil`: the group `docker` where that exists, else root's.
        public var group: String?
        /// Whether it says that it is being debugged. Default `false`.
        public var isDebugging: Bool

        /// These.
        public init(addresses: [ListenAddress], group: String? = nil, isDebugging: Bool = false) {
            (self.addresses, self.group, self.isDebugging) = (addresses, group, isDebugging)
        }
    }

    /// Where it listens; of port 0, the port that was found.
    public let addresses: [ListenAddress]

    private let listeners: [Listener]
    private let connections: Connections
    private let log: Logger

    /// Listens, and answers from then on.
    ///
    /// - Throws: `invalidAddress`, `inUse`, `system`. Nothing is listened on then.
    public init(engine: Engine, _ configuration: Configuration, log: Logger) async throws(DaemonError) {
        self.log = log
        let groupID = try Self.groupID(configuration.group)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let router = Router(
            SystemRoutes(engine: engine, isDebugging: configuration.isDebugging).routes + ContainerRoutes(engine: engine).routes
                + ContainerLifeRoutes(engine: engine).routes
                + ContainerArchiveRoutes(engine: engine, group: group).routes + LookRoutes(engine: engine).routes
                + StreamRoutes(engine: engine).routes + ExecutionRoutes(engine: engine).routes
                + NetworkRoutes(engine: engine).routes
                + VolumeRoutes(engine: engine).routes
                + ImageRoutes(engine: engine, group: group).routes + ImageArchiveRoutes(engine: engine, group: group).routes
                + RegistryRoutes(engine: engine).routes + CopyRoutes(engine: engine, group: group).routes
                + RegistryQuestions(engine: engine).routes
                + BerthRoutes(engine: engine).routes + BerthImageRoutes(engine: engine).routes + AbsentRoutes.routes)
        let connections = Connections(router: router, server: "Berth/\(Engine.version) (linux)", log: log)
        self.connections = connections
        var opened: [Listener] = []
        do throws(DaemonError) {
            guard !configuration.addresses.isEmpty else { throw DaemonError(.invalidAddress, "there is no address to listen on") }
            for address in configuration.addresses {
                opened.append(try await Listener.open(address, groupID: groupID, on: group) { connections.begin($0, $1) })
            }
        } catch {
            for listener in opened { await listener.close() }
            throw error
        }
        listeners = opened
        addresses = opened.map(\.address)
    }

    private static func groupID(_ name: String?) throws(DaemonError) -> UInt32 {
        do throws(Errno) {
            if let id = try HostGroup.id(named: name ?? "docker") { return id }
        } catch {
            throw DaemonError(.system, "cannot look up the group '\(name ?? "docker")': \(error)")
        }
        guard let name else { return 0 }
        throw DaemonError(.invalidAddress, "there is no group '\(name)' for the socket")
    }

    /// Stops listening and ends every connection. What is asked of the engine already is done. Repeating does nothing.
    public func stop() async {
        for listener in listeners { await listener.close() }
        await connections.endAll()
    }
}
