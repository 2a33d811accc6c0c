public import BerthNetlink
internal import Synchronization

/// An engine's rules in the kernel: one table of nf_tables, changed in transactions, that nobody's flush takes away for long.
///
/// The table is there while there are networks, or interfaces on which forwarding was switched on for them. It stays when this value, or its
/// process, goes: containers run on. It is then ``restore(networks:ports:openings:)`` that goes on with it. Calls wait for each other without
/// blocking, and each is whole or not at all.
public final class Firewall: Sendable {
    /// How the table is kept from others.
    public enum Protection: String, Hashable, Sendable, CaseIterable {
        /// Nobody but this process can change it. Where the kernel has no such tables, it is watched.
        case owned
        /// Anybody can change it; what was changed is put right at once.
        case watched
    }

    /// What the firewall has to say by itself.
    public enum Event: Hashable, Sendable, CustomStringConvertible {
        /// Somebody had changed or removed the table, and it is as it was.
        case restored
        /// It could not be put right, or not be watched; it is tried again with the next change.
        case failed(String)
        /// The kernel has no tables that are owned and persist: it is watched instead.
        case isOnlyWatched(String)

        /// A sentence for people.
        public var description: String {
            switch self {
            case .restored: "somebody had changed or removed the engine's firewall table: it is as it was"
            case .failed(let reason):
                "the engine's firewall table could not be put right, and is tried again with the next change: \(reason)"
            case .isOnlyWatched(let reason): "the engine's firewall table is watched, for this kernel cannot keep it from others: \(reason)"
            }
        }
    }

    private struct Contents: ~Copyable {
        var state = FirewallState()
        var socket: NetlinkSocket?
        /// Tells the host's addresses, once they have been asked for.
        var routeSocket: NetlinkSocket?
        var protection: Protection
        /// Whether it is watched only because this kernel cannot keep what is owned.
        var isOwnedInVain = false
        var watch: FirewallWatch?
        /// Whether the kernel has what the state says, as far as is known here.
        var isInForce = false
        var isClosed = false
    }

    private let table: FirewallTable
    private let namespace: NamespaceHandle?
    private let onEvent: @Sendable (Event) -> Void
    private let ownedFlags: NfTable.Flags
    private let contents: Mutex<Contents>

    /// A firewall with no networks. Nothing is done in the kernel, and a table that is there stays as it is.
    ///
    /// - Parameters:
    ///   - engineID: stands in the table's name.
    ///   - namespace: the network namespace; `nil` for the process's own.
    ///   - onEvent: is told what happens by itself, on a thread of the firewall's or in a call to it; it must not call the firewall.
    /// - Throws: `invalid` if the engine's id makes no name.
    public convenience init(
        engineID: String, protection: Protection = .owned, in namespace: NamespaceHandle? = nil,
        onEvent: @escaping @Sendable (Event) -> Void = { _ in }
    ) throws(NetworkError) {
        guard let table = FirewallTable(engineID: engineID) else {
            throw NetworkError(.invalid, "the engine's id \(engineID) makes no name of a table")
        }
        self.init(table, protection, namespace, onEvent)
    }

    /// - Parameter ownedFlags: those of a table that is owned; a test says some that the kernel does not have.
    init(
        _ table: FirewallTable, _ protection: Protection, _ namespace: NamespaceHandle?, ownedFlags: NfTable.Flags = [.owner, .persist],
        _ onEvent: @escaping @Sendable (Event) -> Void
    ) {
        (self.table, self.namespace, self.ownedFlags, self.onEvent) = (table, namespace, ownedFlags, onEvent)
        contents = Mutex(Contents(protection: protection))
    }

    /// Leaves the table as it is.
    deinit { contents.withLock { $0.watch?.end() } }

    /// What is let through: what was asked for and done last.
    public var state: FirewallState { look { $0.state } }

    /// Every way into every container from outside: see ``FirewallState/exposure``.
    public var exposure: [Exposure] { state.exposure }

    /// The name of the table, as the program `nft` writes it.
    public var tableName: String { table.id.description }

    /// How the table is kept from others, as far as the kernel has been asked.
    public var protection: Protection { look { $0.protection } }

    private func look<Value: Sendable>(_ body: (borrowing Contents) -> Value) -> Value { contents.withLock { body($0) } }
}

// MARK: Changes

extension Firewall {
    /// Makes changes, all in one transaction. The table is made with the first network and goes with the last.
    ///
    /// One port costs one element, whatever others there are. Repeating a change changes nothing more. Connections that no longer lead where they did are
    /// forgotten by the kernel; where that fails, ``Event/failed(_:)`` says so.
    /// - Throws: `conflict`, `notFound` and `invalid` as the changes are, `system` if the kernel refuses; then nothing has changed.
    public func apply(_ changes: [FirewallChange]) throws(NetworkError) {
        try inTurn { (contents) throws(NetworkError) in
            // The state is changed where it is: a copy would cost what is there already.
            var (steps, inverse) = ([FirewallState.Difference](), [FirewallChange]())
            do throws(NetworkError) {
                for change in changes {
                    let difference = try contents.state.apply(change)
                    inverse = difference.inverse + inverse
                    steps.append(difference)
                }
                try self.commit(steps, &contents)
            } catch {
                contents.state.undo(inverse)
                throw error
            }
            self.forget(steps.flatMap(\.flows), &contents)
        }
    }

    /// Makes the table what these say, whatever it contains now: for the engine's start. A table that a killed engine has left is taken over; connections
    /// go on, but for those that the rules would not have let begin.
    ///
    /// - Parameters:
    ///   - openings: `nil` for those that the table has: it goes when the machine does, as the settings do that they are about.
    ///   - remembered: further ones, which somebody may have taken out of the table while nobody had it.
    /// - Throws: `conflict` and `notFound` where they contradict each other; `system` if the kernel refuses, which it does while another process has
    ///   the table as its own. Then nothing has changed.
    public func restore(
        networks: [FirewallNetwork], ports: [PublishedPort], openings: [ForwardingOpening]? = nil, remembered: [ForwardingOpening] = []
    ) throws(NetworkError) {
        try inTurn { (contents) throws(NetworkError) in
            let left = if let openings { openings } else { try self.leftOpenings() }
            try self.set(try FirewallState(networks: networks, ports: ports, openings: left + remembered), &contents)
            self.forgetIntruders(&contents)
        }
    }

    /// Has the table kept in another way from now on. Connections go on. Repeating is fine.
    ///
    /// - Throws: `system` if the kernel refuses; then it is kept as before.
    public func protect(_ protection: Protection) throws(NetworkError) {
        let ended = try contents.withLock { (contents) throws(NetworkError) -> FirewallWatch? in
            guard !contents.isClosed else { throw NetworkError(.conflict, "the firewall is closed") }
            guard contents.protection != protection || contents.isOwnedInVain else { return nil }
            let old = (contents.protection, contents.isOwnedInVain)
            (contents.protection, contents.isOwnedInVain) = (protection, false)
            do throws(NetworkError) { try self.replace(&contents) } catch {
                (contents.protection, contents.isOwnedInVain) = old
                throw error
            }
            return contents.protection == .owned ? contents.watch.take() : nil
        }
        ended?.end()
    }

    /// Takes the table away, and all that is let through with it. Repeating is fine.
    public func remove() throws(NetworkError) {
        try inTurn { (contents) throws(NetworkError) in try self.set(FirewallState(), &contents) }
    }

    /// Ends the use of the firewall. The table stays, for containers that run on; whoever comes after can take it over. Repeating is fine; other
    /// calls after it are refused as `conflict`.
    public func close() {
        let watch = contents.withLock { contents -> FirewallWatch? in
            contents.isClosed = true
            contents.socket = nil
            contents.routeSocket = nil
            return contents.watch.take()
        }
        watch?.end()
    }

    private func inTurn(_ body: (inout Contents) throws(NetworkError) -> Void) throws(NetworkError) {
        try contents.withLock { (contents) throws(NetworkError) in
            guard !contents.isClosed else { throw NetworkError(.conflict, "the firewall is closed") }
            try body(&contents)
        }
    }
}

// MARK: The kernel

extension Firewall {
    /// How often a transaction is tried that somebody else's change came between.
    private static let attempts = 16

    /// Another state as a whole, or none of it.
    private func set(_ next: FirewallState, _ contents: inout Contents) throws(NetworkError) {
        let old = contents.state
        contents.state = next
        do throws(NetworkError) { try replace(&contents) } catch {
            contents.state = old
            throw error
        }
    }

    /// Brings into the kernel what has changed in the state.
    private func commit(_ steps: [FirewallState.Difference], _ contents: inout Contents) throws(NetworkError) {
        let steps = steps.filter { !$0.removed.isEmpty || !$0.added.isEmpty }
        // Who has not yet said what is to be there does not take away what another engine's end has left.
        if steps.isEmpty, contents.isInForce || contents.state.isEmpty { return }
        guard contents.isInForce, !contents.state.isEmpty else { return try replace(&contents) }
        var transaction = NfTransaction()
        for step in steps { table.change(removing: step.removed, adding: step.added, in: &transaction) }
        do throws(NetlinkError) {
            try contents.socket?.commit(transaction)
        } catch {
            switch error.code {
            // Somebody has been at the table, or it is not known what was done: it is made anew.
            case .notFound, .exists, .lost, .timedOut: try replace(&contents)
            default: throw NetworkError(firewall: error)
            }
        }
    }

    /// One transaction after which the table is what the state says. A state without networks is no table.
    private func replace(_ contents: inout Contents) throws(NetworkError) {
        if contents.state.isEmpty, contents.socket == nil, try !isThere() { return }
        try open(&contents)
        for attempt in 1...Self.attempts {
            do throws(NetlinkError) {
                try replaceOnce(&contents)
                contents.isInForce = !contents.state.isEmpty
                return
            } catch {
                let mayBeTriedAgain = [.changed, .lost, .timedOut, .notFound, .exists].contains(error.code)
                if mayBeTriedAgain, attempt < Self.attempts { continue }
                // Of the table itself, which is the first thing or follows the old one's removal.
                let isOfTheTable = error.index.map { $0 < 2 } ?? false
                if contents.protection == .owned, isOfTheTable, error.code == .unsupported || error.code == .invalid {
                    (contents.protection, contents.isOwnedInVain) = (.watched, true)
                    onEvent(.isOnlyWatched(error.description))
                    try watch(&contents)
                    continue
                }
                throw NetworkError(firewall: error)
            }
        }
        throw NetworkError(.system, "the rule set changed \(Self.attempts) times while ours were made: try again")
    }

    private func replaceOnce(_ contents: inout Contents) throws(NetlinkError) {
        guard let generation = try contents.socket?.generation(), let port = contents.socket?.port else { return }
        let isThere = try contents.socket?.table(table.id) != nil
        let isEmpty = contents.state.isEmpty
        var transaction = NfTransaction(expecting: generation)
        if !isEmpty {
            let flags: NfTable.Flags = contents.protection == .owned ? ownedFlags : []
            transaction = table.replacement(contents.state.elements, flags: flags, isThere: isThere, expecting: generation)
        } else if isThere {
            transaction = table.removal(expecting: generation)
        }
        let isHeld = !isEmpty && contents.isOwnedInVain
        table.hold.change(try contents.socket?.table(table.hold.id), toBeThere: isHeld, for: port, in: &transaction)
        if !transaction.requests.isEmpty { try contents.socket?.commit(transaction) }
    }

    private func isThere() throws(NetworkError) -> Bool {
        do throws(NetlinkError) {
            var socket = try makeSocket(.netfilter)
            return try socket.table(table.id) != nil
        } catch {
            // A kernel without nf_tables has no table either, and an engine without networks needs none.
            if error.code == .unsupported { return false }
            throw NetworkError(firewall: error)
        }
    }

    /// The openings that the table in the kernel has, as far as there is one and as it makes sense.
    private func leftOpenings() throws(NetworkError) -> [ForwardingOpening] {
        var found: [ForwardingOpening] = []
        for version in IPAddress.Version.allCases {
            for element in try leftElements(of: .of(version, .opened4, .opened6)) {
                let name = String(decoding: element.key.prefix { $0 != 0 }, as: UTF8.self)
                if let interface = InterfaceName(name) { found.append(ForwardingOpening(interface, version)) }
            }
        }
        return found
    }

    /// What is in a set of the table in the kernel: nothing where there is none, or one that is not as ours are.
    func leftElements(of set: FirewallSet) throws(NetworkError) -> [NfElement] {
        do throws(NetlinkError) {
            var socket = try makeSocket(.netfilter)
            guard try socket.table(table.id) != nil else { return [] }
            let set = set.definition(in: table.id)
            let isThere = try socket.sets(of: table.id).contains { $0.name == set.name && $0.key == set.key && $0.value == set.value }
            return isThere ? try socket.elements(of: set) : []
        } catch {
            // Somebody may have put anything there meanwhile.
            if error.code == .malformed || error.code == .unsupported { return [] }
            throw NetworkError(firewall: error)
        }
    }

    private func open(_ contents: inout Contents) throws(NetworkError) {
        if contents.socket == nil {
            do throws(NetlinkError) { contents.socket = try makeSocket(.netfilter) } catch { throw NetworkError(firewall: error) }
        }
        if contents.protection == .watched { try watch(&contents) }
    }

    private func makeSocket(_ family: NetlinkSocket.Family) throws(NetlinkError) -> NetlinkSocket {
        if let namespace { try NetlinkSocket(family, in: namespace) } else { try NetlinkSocket(family) }
    }

    /// Has the kernel forget connections. Where it tracks none there is nothing to forget.
    private func forget(_ flows: [StaleFlows], _ contents: inout Contents) {
        guard !flows.isEmpty, contents.socket != nil else { return }
        do throws(NetlinkError) {
            var local: Set<IPAddress> = []
            if flows.contains(where: \.needsLocalAddresses) {
                if contents.routeSocket == nil { contents.routeSocket = try makeSocket(.route) }
                local = Set(try contents.routeSocket?.addresses().map(\.prefix.address) ?? [])
            }
            // To list them the kernel walks through all there is room for, of whatever version: once.
            let versions = Set(flows.map(\.version))
            let filter = FlowFilter(version: versions.count == 1 ? versions.first ?? nil : nil)
            _ = try contents.socket?.forgetFlows(filter) { flow in
                flows.contains { $0.contain(flow.transportProtocol, flow.original, flow.reply, local: local) }
            }
        } catch {
            if error.code != .unsupported, error.code != .invalid { onEvent(.failed(error.description)) }
        }
    }
}

extension Firewall {
    /// Ends what others may have begun while the rules were not there.
    private func forgetIntruders(_ contents: inout Contents) {
        forget(contents.state.networks.values.map { .intruders($0) }, &contents)
    }
}

// MARK: Watching

extension Firewall {
    private func watch(_ contents: inout Contents) throws(NetworkError) {
        guard contents.watch == nil, let port = contents.socket?.port else { return }
        contents.watch = try FirewallWatch(table.id, ownPort: port, in: namespace) { [weak self] in
            self?.repair()
        } onFailure: { [weak self] reason in
            self?.watchEnded(reason)
        }
    }

    /// It is begun anew with the next change that makes the table anew. On the watching thread.
    private func watchEnded(_ reason: String) {
        contents.withLock {
            $0.watch = nil
            $0.isInForce = false
        }
        onEvent(.failed(reason))
    }

    /// Puts the table right if it is not what it is to be. On the watching thread.
    private func repair() {
        let event: Event? = contents.withLock { contents in
            guard !contents.isClosed, contents.isInForce else { return nil }
            do throws(NetworkError) {
                if isIntact(&contents) { return nil }
                try replace(&contents)
                forgetIntruders(&contents)
                return .restored
            } catch {
                contents.isInForce = false
                return .failed(error.description)
            }
        }
        if let event { onEvent(event) }
    }

    /// What cannot be read is not intact.
    private func isIntact(_ contents: inout Contents) -> Bool {
        guard var socket = contents.socket.take() else { return false }
        var isIntact = false
        do throws(NetlinkError) { isIntact = try table.isIntact(contents.state.elements, in: &socket) } catch { isIntact = false }
        contents.socket = consume socket
        return isIntact
    }
}

extension NetworkError {
    /// What the kernel said of the firewall.
    init(firewall error: NetlinkError) {
        let hint =
            switch error.code {
            case .denied: ": the right to (CAP_NET_ADMIN) is missing, or another process has the table as its own"
            case .unsupported: ": this kernel lacks a part of nf_tables"
            default: ""
            }
        self.init(.system, "\(error)\(hint)")
    }
}
