internal import BerthNetlink

extension FirewallTable {
    /// Makes the table what it is to be, whatever is there: for every packet there is the old one, and then the new one.
    ///
    /// The old table goes in the transaction that brings the new one. The new chains hang in the kernel before the old ones are taken off, so that
    /// there is no moment without a chain that changes addresses: at that moment, every connection whose addresses were changed would be lost.
    func replacement(_ elements: FirewallElements, flags: NfTable.Flags, isThere: Bool, expecting generation: UInt32) -> NfTransaction {
        var transaction = NfTransaction(expecting: generation)
        if isThere { transaction.remove(id) }
        transaction.add(NfTable(id, flags: flags, comment: comment), existing: .isRefused)
        for set in sets { transaction.add(set) }
        for chain in chains { transaction.add(chain) }
        for rule in rules { transaction.add(rule) }
        add(elements, to: &transaction)
        return transaction
    }

    /// Takes the table away.
    func removal(expecting generation: UInt32) -> NfTransaction {
        var transaction = NfTransaction(expecting: generation)
        transaction.remove(id)
        return transaction
    }

    /// Changes elements: what goes first, so that the same key may stand for something else.
    func change(removing removed: FirewallElements, adding added: FirewallElements, in transaction: inout NfTransaction) {
        for set in FirewallSet.allCases {
            if let elements = removed.bySet[set] { transaction.remove(elements, from: set.definition(in: id)) }
        }
        add(added, to: &transaction)
    }

    private func add(_ elements: FirewallElements, to transaction: inout NfTransaction) {
        for set in FirewallSet.allCases {
            if let elements = elements.bySet[set] { transaction.add(elements, to: set.definition(in: id)) }
        }
    }

    /// Whether the kernel has just this, as far as it can be read.
    func isIntact(_ elements: FirewallElements, in socket: inout NetlinkSocket) throws(NetlinkError) -> Bool {
        guard try socket.table(id) != nil else { return false }
        let found = try socket.chains(of: id)
        guard found.count == chains.count else { return false }
        for chain in chains where !found.contains(where: { $0.name == chain.name && $0.base == chain.base }) { return false }
        let rules = try socket.rules(of: id)
        guard rules.count == self.rules.count else { return false }
        // The kernel tells of them chain by chain, and we made them so.
        for chain in chains {
            let (there, ours) = (rules.filter { $0.chain == chain.name }, self.rules.filter { $0.chain == chain.name })
            guard there.map(\.steps) == ours.map(\.steps) else { return false }
        }
        let sets = try socket.sets(of: id)
        guard sets.count == self.sets.count else { return false }
        for set in FirewallSet.allCases {
            guard sets.contains(where: { $0.name == set.name }) else { return false }
            let there = Set(try socket.elements(of: set.definition(in: id)))
            guard there == Set(elements.bySet[set] ?? []) else { return false }
        }
        return true
    }
}
