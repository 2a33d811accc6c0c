internal import Berth
internal import BerthDaemon
internal import BerthLinux
internal import BerthRegistryServer
internal import Logging

/// The daemon's life: the engine is opened, the clients are answered, and both are let go of.
final class Service: Sendable {
    let log: Logger
    private let engineConfiguration: EngineConfiguration
    private let daemonConfiguration: @Sendable (Engine) throws -> Daemon.Configuration
    private let registry: (@Sendable (Engine) async throws -> RunningRegistry)?
    private let pidFile: String?
    private let (end, ending) = AsyncStream<Void>.makeStream()

    init(
        engine: EngineConfiguration, daemon: @escaping @Sendable (Engine) throws -> Daemon.Configuration,
        registry: (@Sendable (Engine) async throws -> RunningRegistry)?, pidFile: String?, log: Logger
    ) {
        (engineConfiguration, daemonConfiguration, self.registry, self.pidFile, self.log) = (engine, daemon, registry, pidFile, log)
    }

    /// Serves until ``stop()`` is called.
    func run() async throws {
        let engine = try await Engine.open(engineConfiguration)
        let warnings = Task { await tellWarnings(of: engine) }
        let facts = engine.information()
        for (kind, unreadable) in [
            ("container", facts.unreadableContainers), ("image", facts.unreadableImages), ("name", facts.unreadableReferences),
            ("layer", facts.unreadableLayers), ("network", facts.unreadableNetworks), ("volume", facts.unreadableVolumes),
            ("the record of the networks of container", facts.unreadableSandboxes),
        ] {
            for (id, reason) in unreadable { log.warning("\(kind) \(id) is unreadable, and is left as it is: \(reason)") }
        }
        if let obstacle = engine.snapshotterObstacle { log.warning("layers are kept by \(engine.snapshotterName): \(obstacle)") }
        let daemon = try await Daemon(engine: engine, try daemonConfiguration(engine), log: log)
        if let pidFile { try Self.write(pidFile, HostFile.ownProcessID) }
        for address in daemon.addresses { log.info("API listen on \(address)") }
        let served = try await registry?(engine)
        if let served { log.info("the images are served, read only, at \(served.url)") }
        for await _ in end {}
        await served?.close()
        await daemon.stop()
        warnings.cancel()
        await engine.close()
        if let pidFile { Self.remove(pidFile) }
        log.info("stopped; what runs goes on")
    }

    /// Ends the daemon, also one that is still starting.
    func stop() { ending.finish() }

    private func tellWarnings(of engine: Engine) async {
        do {
            for try await event in engine.events.subscribe(since: 0) where event.type == "daemon" && event.action == "warning" {
                log.warning("\(event.attributes["message"] ?? "") (\(event.actorID.prefix(12)))")
            }
        } catch {
            log.error("warnings are not told any longer: \(error)")
        }
    }

    private static func write(_ path: String, _ id: Int32) throws {
        do {
            let place = try HostPlace(path)
            try unsafe place.directory.replaceFile(place.name, with: Array("\(id)\n".utf8).span.bytes, durability: .none)
        } catch {
            throw Refusal("cannot write the pidfile '\(path)': \(error)")
        }
    }

    private static func remove(_ path: String) {
        // It is of no use any more, and does no harm.
        guard let place = try? HostPlace(path) else { return }
        try? place.directory.removeFile(place.name)
    }
}
