internal import BerthNetlink
internal import Synchronization

/// A network as its store knows it.
final class NetworkObject: Sendable {
    struct State {
        var network: Network
        var plan: AddressPlan
        /// Who is in it.
        var endpoints: [String: Endpoint] = [:]
        /// Places that are being taken, or given up: they keep the network from being removed.
        var pendingCount = 0
        var isRemoved = false
        /// Whether it was told that it is not what the engine is told that it is.
        var hasToldOfDifference = false

        /// - Throws: `notFound` for one that is being removed, or was.
        func requireNotRemoved() throws(NetworkError) {
            guard !isRemoved else { throw NetworkError(.notFound, "network \(network.name) not found") }
        }
    }

    let id: String
    let driver: any NetworkDriver
    let state: Mutex<State>
    /// Whether the driver has made it since the engine was opened. Held while it does.
    private let isMade = Mutex(false)

    init(_ network: Network, _ plan: AddressPlan, _ driver: any NetworkDriver) {
        (id, self.driver) = (network.id, driver)
        state = Mutex(State(network: network, plan: plan))
    }

    var network: Network { state.withLock { $0.network } }

    /// Has the driver make it, once. Blocks.
    ///
    /// - Parameter prepare: done before, if it is the first time.
    /// - Throws: `notFound` for one that is being removed; what `prepare` and the driver throw.
    func makeOnce(_ prepare: (NetworkObject) throws(NetworkError) -> Void = { _ in }) throws(NetworkError) {
        try isMade.withLock { (isMade) throws(NetworkError) in
            guard !isMade else { return }
            try requireNotRemoved()
            try prepare(self)
            try driver.make(network)
            isMade = true
        }
    }

    /// Does something while it has not been made, and is not being made.
    func unlessMade(_ body: (NetworkObject) throws(NetworkError) -> Void) throws(NetworkError) {
        try isMade.withLock { (isMade) throws(NetworkError) in
            if !isMade { try body(self) }
        }
    }

    /// Whether sandboxes can be in it at all.
    ///
    /// - Throws: `forbidden` for what is only a configuration for others.
    func checkIsNetwork() throws(NetworkError) {
        guard !network.configuration.isConfigurationOnly else {
            throw NetworkError(.forbidden, "cannot create endpoint on configuration-only network")
        }
    }

    /// Has the driver look at it again, as after something has failed. Blocks.
    ///
    /// - Throws: as ``makeOnce(_:)``.
    func makeAgain() throws(NetworkError) {
        try isMade.withLock { (isMade) throws(NetworkError) in
            try requireNotRemoved()
            isMade = false
            try driver.make(network)
            isMade = true
        }
    }

    /// Has the driver take it away, of which it was said that it is removed. Nobody makes it meanwhile, or after. Blocks.
    func unmake() throws(NetworkError) {
        try isMade.withLock { (isMade) throws(NetworkError) in
            try driver.remove(network)
            isMade = false
        }
    }

    private func requireNotRemoved() throws(NetworkError) {
        try state.withLock { (state) throws(NetworkError) in try state.requireNotRemoved() }
    }
}
