internal import BerthNetlink
internal import Synchronization

/// Rules of ours in other people's chains, with which these let containers' packets through: for each of our bridges one for each way, in front of whatever
/// would drop them, and behind everything else.
///
/// They carry the engine's id, and are all that is changed there: when they are taken away, everything is as it was. Whoever loads his rules anew loses ours with
/// them, and they are put there again. They decide about our bridges' packets in that one chain alone: our own table goes on guarding the containers.
final class HostCooperation: Sendable {
    private struct State: ~Copyable {
        var socket: NetlinkSocket?
        var watch: FirewallWatch?
        var isOn = false
        var isClosed = false
        /// What was said last, so that it is not said again.
        var lastFailure = ""
    }

    private let ownTable: NfTableName
    private let tag: String
    private let namespace: NamespaceHandle?
    private let packets: @Sendable () throws(NetworkError) -> [SamplePacket.Way]
    private let log: @Sendable (String) -> Void
    private let state = Mutex(State())
    /// How often a transaction is tried that somebody else's change came between.
    private static let attempts = 16

    /// - Parameters:
    ///   - packets: what is to be let through, now.
    ///   - log: is told what happens by itself; it must not call this.
    init(
        engineID: String, in namespace: NamespaceHandle? = nil, packets: @escaping @Sendable () throws(NetworkError) -> [SamplePacket.Way],
        log: @escaping @Sendable (String) -> Void
    ) throws(NetworkError) {
        guard let table = FirewallTable(engineID: engineID) else {
            throw NetworkError(.invalid, "the engine's id \(engineID) makes no name of a table")
        }
        (ownTable, tag, self.namespace) = (table.id, HostFirewall.tag(engineID: engineID), namespace)
        (self.packets, self.log) = (packets, log)
    }

    deinit { state.withLock { $0.watch?.end() } }

    /// Puts the rules where they are needed, and keeps them there. Repeating is fine.
    ///
    /// - Throws: `system` if a chain cannot be changed; those before it may have been.
    func begin() throws(NetworkError) {
        try state.withLock { (state) throws(NetworkError) in
            guard !state.isClosed else { return }
            state.isOn = true
            _ = try settle(&state)
            guard state.watch == nil, let port = state.socket?.port else { return }
            state.watch = try FirewallWatch(ownPort: port, in: namespace) { [ownTable] message in
                Self.mayMatter(message, besides: ownTable)
            } onChange: { [weak self] in
                self?.repair()
            } onFailure: { [weak self, log] reason in
                self?.state.withLock { $0.watch = nil }
                log("other people's firewalls are not watched any more: \(reason)")
            }
        }
    }

    /// Takes the rules away, those that an earlier engine has left as well. Repeating is fine.
    func end() throws(NetworkError) {
        let watch = try state.withLock { (state) throws(NetworkError) -> FirewallWatch? in
            guard !state.isClosed else { return nil }
            state.isOn = false
            _ = try settle(&state)
            return state.watch.take()
        }
        watch?.end()
    }

    /// Looks again, as after a network has come or gone. Nothing happens where nobody has asked for rules.
    func look() throws(NetworkError) {
        try state.withLock { (state) throws(NetworkError) in
            guard state.isOn, !state.isClosed else { return }
            _ = try settle(&state)
        }
    }

    /// Ends the watching; the rules stay, for containers that run on.
    func close() {
        let watch = state.withLock { state -> FirewallWatch? in
            state.isClosed = true
            state.socket = nil
            return state.watch.take()
        }
        watch?.end()
    }

    /// The rules that are there, as `nft` would name their chains.
    func rules() throws(NetworkError) -> [String] {
        try state.withLock { (state) throws(NetworkError) in
            guard !state.isClosed else { return [] }
            let rules = try read(&state)
            return rules.bases.flatMap { base in
                rules.rules(of: base.chain.name, in: base.table.id).filter { $0.carries(tag) }.map { rule in
                    let words = rule.interfaceWords
                    return "\(base.table.id) \(base.chain.name): \(words.isEmpty ? "" : words + " ")accept"
                }
            }
        }
    }

    /// On the watching thread.
    private func repair() {
        let message: String? = state.withLock { state in
            guard state.isOn, !state.isClosed else { return nil }
            do throws(NetworkError) {
                let hasChanged = try settle(&state)
                state.lastFailure = ""
                return hasChanged ? "somebody had changed the host's firewall: the engine's rules are in it again" : nil
            } catch {
                defer { state.lastFailure = error.description }
                return state.lastFailure == error.description
                    ? nil : "the host's firewall may drop containers' packets: the engine's rules cannot be put into it: \(error)"
            }
        }
        if let message { log(message) }
    }

    /// Whether a change may be one of a chain that matters. Elements of sets change all the time, and interfaces are seldom among them.
    private static func mayMatter(_ message: NetlinkMessage, besides own: NfTableName) -> Bool {
        do throws(NetlinkDecodingError) {
            switch try RuleSetChange(message) {
            case .table(let table), .tableRemoved(let table): return table.id != own
            case .content: return !message.isOfElements && message.ruleSetTable != own
            case .generation, nil: return false
            }
        } catch {
            // What cannot be read may be anything.
            return true
        }
    }

    // MARK: The kernel

    private func read(_ state: inout State) throws(NetworkError) -> ForeignRules {
        if state.socket == nil {
            do throws(NetlinkError) {
                state.socket = if let namespace { try NetlinkSocket(.netfilter, in: namespace) } else { try NetlinkSocket(.netfilter) }
            } catch { throw NetworkError(firewall: error) }
        }
        guard var socket = state.socket.take() else { throw NetworkError(.system, "there is no socket") }
        // Where that fails, another is opened when it is tried again.
        let rules = try ForeignRules(besides: ownTable, in: &socket)
        state.socket = consume socket
        return rules
    }

    /// Makes the rules what they are to be.
    ///
    /// - Returns: whether anything had to be changed.
    private func settle(_ state: inout State) throws(NetworkError) -> Bool {
        let packets = state.isOn ? try packets() : []
        for attempt in 1...Self.attempts {
            let rules = try read(&state)
            let transaction = transaction(packets, rules)
            if transaction.requests.isEmpty { return false }
            do throws(NetlinkError) {
                try state.socket?.commit(transaction)
                return true
            } catch {
                let mayBeTriedAgain = [.changed, .lost, .timedOut, .notFound].contains(error.code)
                if mayBeTriedAgain, attempt < Self.attempts { continue }
                throw NetworkError(firewall: error)
            }
        }
        return false
    }

    /// What has to be changed.
    private func transaction(_ packets: [SamplePacket.Way], _ rules: ForeignRules) -> NfTransaction {
        var transaction = NfTransaction(expecting: rules.generation)
        let drops = HostFirewall.drops(packets, rules, ignoring: tag)
        // What another process has as its own nobody else changes: it is explained.
        for base in rules.bases where !base.table.flags.contains(.owner) {
            let all = rules.rules(of: base.chain.name, in: base.table.id)
            let present = all.filter { $0.carries(tag) }
            let drop = drops.first { $0.base.chain.name == base.chain.name && $0.base.table.id == base.table.id }
            let wanted = (drop?.bridges.sorted { $0.description < $1.description } ?? []).flatMap { bridge in
                [NfExpression].bothWays(bridge).map { NfRule(base.table.id, base.chain.name, $0 + [.verdict(.accept)], comment: tag) }
            }
            let dropPlace = drop?.rule.flatMap { rule in all.firstIndex { $0.handle == rule.handle } } ?? all.count
            let isInFront = all.lastIndex { $0.carries(tag) }.map { $0 < dropPlace } ?? true
            if isInFront, present.map(\.steps) == wanted.map(\.steps) { continue }
            for rule in present { if let handle = rule.handle { transaction.removeRule(handle, of: rule.chain, of: rule.table) } }
            for rule in wanted { transaction.add(rule, before: drop?.rule?.handle) }
        }
        return transaction
    }
}

extension [NfExpression] {
    /// What comes from a bridge, and what goes to it.
    fileprivate static func bothWays(_ bridge: InterfaceName) -> [Self] { [.cameBy(bridge), .leavesBy(bridge)] }
}

extension NfRule {
    /// Whether somebody has written this to it: also by way of iptables, which loads what it has saved as a match of its own.
    func carries(_ text: String) -> Bool {
        if comment == text { return true }
        return steps.contains { step in
            guard case .extensionMatch(let match) = step, match.name == "comment" else { return false }
            return String(decoding: match.data.prefix { $0 != 0 }, as: UTF8.self) == text
        }
    }

    /// The interface that it asks for, as `nft` writes it.
    fileprivate var interfaceWords: String {
        var words = ""
        for (step, next) in zip(steps, steps.dropFirst()) {
            guard case .meta(let key, _) = step, case .compare(_, .equal, let bytes) = next else { continue }
            let name = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            if key == .inputInterfaceName { words = "iifname \"\(name)\"" }
            if key == .outputInterfaceName { words = "oifname \"\(name)\"" }
        }
        return words
    }
}
