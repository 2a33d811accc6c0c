internal import BerthNetlink

/// Other people's rules at the place where packets are forwarded, as they were at one moment.
struct ForeignRules: Sendable {
    /// A chain that sees what is forwarded, with the table that it is in.
    struct Base: Sendable {
        var table: NfTable
        var chain: NfChain
    }

    /// The chains, in the kernel's order.
    private(set) var bases: [Base] = []
    /// The rules of these tables, by chain.
    private var rules: [NfTableName: [NfName: [NfRule]]] = [:]
    private var sets: [NfTableName: [NfName: [NfElement]]] = [:]
    /// The generation that this is of.
    let generation: UInt32

    /// Rules of all tables together: somebody who has more has to look himself.
    private static let mostRules = 100_000
    /// Elements of one set.
    private static let mostElements = 100_000

    /// Reads them. Nothing is changed.
    ///
    /// - Parameter own: our own table, which is none of them.
    /// - Throws: `system` where the kernel has no nf_tables; `busy` if somebody changes them all the time; `unsupported` where there are too many.
    init(besides own: NfTableName, in socket: inout NetlinkSocket) throws(NetworkError) {
        for _ in 0..<Self.attempts {
            do throws(NetlinkError) {
                let read = try Self.read(besides: own, in: &socket)
                guard try socket.generation() == read.generation else { continue }
                self = read
            } catch {
                // Somebody has changed what was just being read.
                if error.code == .changed || error.code == .notFound { continue }
                throw NetworkError(error)
            }
            guard ruleCount <= Self.mostRules else {
                throw NetworkError(.unsupported, "the host's rules are more than \(Self.mostRules): they are not looked at")
            }
            return
        }
        throw NetworkError(.busy, "the host's rules cannot be read: somebody changes them all the time")
    }

    /// How often they are read anew because they have changed meanwhile.
    private static let attempts = 8
    private var ruleCount: Int { rules.values.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.count } } }

    private init(generation: UInt32) { self.generation = generation }

    private static func read(besides own: NfTableName, in socket: inout NetlinkSocket) throws(NetlinkError) -> ForeignRules {
        var result = ForeignRules(generation: try socket.generation())
        let tables = try socket.tables()
        for chain in try socket.chains() where chain.table != own {
            guard let base = chain.base, base.hook == .forward, base.type == .filter, Self.families.contains(chain.table.family),
                let table = tables.first(where: { $0.id == chain.table }), !table.flags.contains(.dormant)
            else { continue }
            result.bases.append(Base(table: table, chain: chain))
            guard result.rules[chain.table] == nil else { continue }
            let rules = try socket.rules(of: chain.table)
            result.rules[chain.table] = Dictionary(grouping: rules, by: \.chain)
            try result.readSets(of: chain.table, rules, in: &socket)
        }
        return result
    }

    private static let families: Set<NfFamily> = [.ipv4, .ipv6, .inet]

    /// The elements of those sets that rules look interfaces up in: what is told of addresses is not known of a packet that is not there.
    private mutating func readSets(of table: NfTableName, _ rules: [NfRule], in socket: inout NetlinkSocket) throws(NetlinkError) {
        var asked: Set<NfName> = []
        for rule in rules {
            for case .lookup(let set, _, _, _) in rule.steps { asked.insert(set) }
        }
        if asked.isEmpty { return }
        for set in try socket.sets(of: table) where asked.contains(set.name) && Self.isOfInterest(set) {
            let elements = try socket.elements(of: set)
            if elements.count <= Self.mostElements { sets[table, default: [:]][set.name] = elements }
        }
    }

    /// Whether a set may be about interfaces, states or protocols rather than about many addresses.
    private static func isOfInterest(_ set: NfSet) -> Bool {
        !set.key.contains { $0 == .ipv4Address || $0 == .ipv6Address || $0 == .hardwareAddress }
    }

    /// The rules of a chain, in their order.
    func rules(of chain: NfName, in table: NfTableName) -> [NfRule] { rules[table]?[chain] ?? [] }

    /// The elements of a set; `nil` if they are not known.
    func elements(of set: NfName, in table: NfTableName) -> [NfElement]? { sets[table]?[set] }

    /// Whether a table has a chain of this name's beginning.
    func hasChain(beginning prefix: String, in table: NfTableName) -> Bool {
        rules[table]?.keys.contains { $0.description.hasPrefix(prefix) } ?? false
    }
}
