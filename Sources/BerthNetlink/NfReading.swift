extension NetlinkSocket {
    /// The number of the rule set's state: another one after each change by anybody in this namespace.
    public mutating func generation() throws(NetlinkError) -> UInt32 {
        let request = NetlinkRequest(type: NfMessage.getGeneration, purpose: "look at the rule set's generation") { $0.netfilterHeader(0) }
        let message = try query(request)
        do throws(NetlinkDecodingError) { return try NfGeneration(message).number } catch { throw NetlinkError(error, request.purpose) }
    }

    /// The tables of a family, or of all.
    public mutating func tables(_ family: NfFamily? = nil) throws(NetlinkError) -> [NfTable] {
        try list(
            NetlinkRequest(type: NfMessage.getTable, purpose: "list the tables") { $0.netfilterHeader(family?.rawValue ?? 0) },
            of: [NfMessage.newTable]
        ) { (message) throws(NetlinkDecodingError) in try NfTable(message) }
    }

    /// One table, or `nil` where there is none.
    public mutating func table(_ name: NfTableName) throws(NetlinkError) -> NfTable? {
        let request = NetlinkRequest(type: NfMessage.getTable, purpose: "look at the table \(name)") { writer in
            writer.netfilterHeader(name.family.rawValue)
            writer.attribute(NfTable.Attribute.name, text: name.name.description)
        }
        do throws(NetlinkError) {
            let message = try query(request)
            do throws(NetlinkDecodingError) { return try NfTable(message) } catch { throw NetlinkError(error, request.purpose) }
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    /// The chains of a family, or of all; with a table, only its own.
    public mutating func chains(_ family: NfFamily? = nil, of table: NfTableName? = nil) throws(NetlinkError) -> [NfChain] {
        try list(
            NetlinkRequest(type: NfMessage.getChain, purpose: "list the chains") {
                $0.netfilterHeader((table?.family ?? family)?.rawValue ?? 0)
            },
            of: [NfMessage.newChain]
        ) { (message) throws(NetlinkDecodingError) in try NfChain(message) }.filter { table == nil || $0.table == table }
    }

    /// The rules of a table, or of one of its chains, in their order.
    public mutating func rules(of table: NfTableName, chain: NfName? = nil) throws(NetlinkError) -> [NfRule] {
        try list(
            NetlinkRequest(type: NfMessage.getRule, purpose: "list the rules of the table \(table)") { writer in
                writer.netfilterHeader(table.family.rawValue)
                writer.attribute(NfRule.Attribute.table, text: table.name.description)
                if let chain { writer.attribute(NfRule.Attribute.chain, text: chain.description) }
            }, of: [NfMessage.newRule]
        ) { (message) throws(NetlinkDecodingError) in try NfRule(message) }
    }

    /// The sets and maps of a table; those that `nft` makes for a rule are among them.
    public mutating func sets(of table: NfTableName) throws(NetlinkError) -> [NfSet] {
        try list(
            NetlinkRequest(type: NfMessage.getSet, purpose: "list the sets of the table \(table)") { writer in
                writer.netfilterHeader(table.family.rawValue)
                writer.attribute(NfSet.Attribute.table, text: table.name.description)
            }, of: [NfMessage.newSet]
        ) { (message) throws(NetlinkDecodingError) in try NfSet(message) }
    }

    /// The elements of a set, in the kernel's order.
    ///
    /// A set that has just grown is put into a larger table by and by, and then the kernel tells of some elements twice, or not at all, without saying
    /// so: it is asked until it says the same twice.
    /// - Throws: `notFound` where there is no such set, `changed` where it did not hold still.
    public mutating func elements(of set: NfSet) throws(NetlinkError) -> [NfElement] {
        var previous: Set<NfElement>?
        for _ in 0..<Self.dumpAttempts {
            let found = try elementsOnce(of: set)
            // Ranges are kept otherwise, and told as they are.
            if set.isInterval { return found }
            let unique = Set(found)
            if unique == previous { return found.count == unique.count ? found : Array(unique) }
            previous = unique
        }
        throw NetlinkError(.changed, "list the elements of the set \(set.name)", "it was another each of \(Self.dumpAttempts) times")
    }

    private mutating func elementsOnce(of set: NfSet) throws(NetlinkError) -> [NfElement] {
        let request = NetlinkRequest(type: NfMessage.getElement, purpose: "list the elements of the set \(set.name)") { writer in
            writer.netfilterHeader(set.table.family.rawValue)
            writer.attribute(NfElement.Attribute.table, text: set.table.name.description)
            writer.attribute(NfElement.Attribute.set, text: set.name.description)
        }
        var entries: [NetlinkAttribute] = []
        for message in try dump(request) where message.type == NfMessage.newElement {
            do throws(NetlinkDecodingError) {
                entries += try message.netfilterBody().attributes.nested(NfElement.Attribute.elements)?.all ?? []
            } catch { throw NetlinkError(error, request.purpose) }
        }
        do throws(NetlinkDecodingError) { return try NfElement.elements(entries, of: set) } catch {
            throw NetlinkError(error, request.purpose)
        }
    }
}

/// A new state of the rule set, and who made it.
public struct NfGeneration: Hashable, Sendable {
    /// The state's number.
    public let number: UInt32
    /// The thread that made it, as the machine's first process id namespace numbers it.
    public let threadID: Int32?
    /// That thread's name; of a program of one thread, the program's.
    public let threadName: String?

    /// What a message about a generation says.
    public init(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        let attributes = try message.netfilterBody().attributes
        number = try attributes.requiredNetworkNumber(1)
        threadID = try attributes.networkNumber(2)
        threadName = attributes[3]?.text
    }
}
