internal import BerthNetlink
internal import BerthReactor
internal import Synchronization

/// Interfaces of sandboxes that have ended. The kernel takes them away with their namespaces, a moment later and for nothing; taking one away by hand costs
/// some milliseconds, and is done where that moment has gone by, where too many wait, and where somebody else gets the same address.
final class AbandonedLinks: Sendable {
    /// How many may wait for the kernel.
    static let waitingLimit = 64
    /// How long the kernel is given.
    static let patience: Duration = .seconds(1)

    private struct Abandoned {
        let name: InterfaceName
        let addresses: [IPAddress]
        let since: ContinuousClock.Instant
    }
    private struct State {
        var waiting: [Abandoned] = []
        var isLookedAfter = false
    }
    private let state = Mutex(State())
    private let host: HostNetwork
    private let reactor: Reactor
    private let lane = Lane(named: "interfaces of sandboxes that have ended")
    private let log: @Sendable (String) -> Void

    init(host: HostNetwork, reactor: Reactor, log: @escaping @Sendable (String) -> Void) {
        (self.host, self.reactor, self.log) = (host, reactor, log)
    }

    /// Leaves one to the kernel. Blocks where too many wait.
    func add(_ endpoint: Endpoint) throws(NetworkError) {
        guard let name = InterfaceName(endpoint.hostInterface) else { return }
        let (surplus, shallLook) = state.withLock { state in
            state.waiting.append(Abandoned(name: name, addresses: endpoint.addresses, since: .now))
            let surplus = state.waiting.count > Self.waitingLimit ? state.waiting.removeFirst() : nil
            defer { state.isLookedAfter = true }
            return (surplus, !state.isLookedAfter)
        }
        if shallLook { Task { [self] in await lookAfter() } }
        if let surplus { try remove(surplus.name) }
    }

    /// Takes away those that have one of these addresses. Blocks.
    func removeHolders(of addresses: [IPAddress]) throws(NetworkError) {
        let holders = take { $0.addresses.contains(where: addresses.contains) }
        for holder in holders { try remove(holder.name) }
    }

    private func take(_ isWanted: (Abandoned) -> Bool) -> [Abandoned] {
        state.withLock { state in
            let wanted = state.waiting.filter(isWanted)
            state.waiting.removeAll(where: isWanted)
            return wanted
        }
    }

    /// Looks, as long as any wait, whether their time has come.
    private func lookAfter() async {
        while true {
            // When the engine closes, the next one removes them.
            do throws(ReactorError) { try await reactor.sleep(for: Self.patience) } catch { return }
            let now = ContinuousClock.now
            let due = take { $0.since.duration(to: now) >= Self.patience }
            do throws(NetworkError) {
                try await lane.run { [self] () throws(NetworkError) in for link in due { try remove(link.name) } }
            } catch { log("an interface of a sandbox that has ended could not be removed: \(error)") }
            let isDone = state.withLock { state in
                if state.waiting.isEmpty { state.isLookedAfter = false }
                return state.waiting.isEmpty
            }
            if isDone { return }
        }
    }

    private func remove(_ name: InterfaceName) throws(NetworkError) {
        do throws(NetlinkError) { try host.ask { (socket) throws(NetlinkError) in try socket.perform(.removeLink(.name(name))) } } catch {
            if error.code != .notFound { throw NetworkError(error) }
        }
    }
}
