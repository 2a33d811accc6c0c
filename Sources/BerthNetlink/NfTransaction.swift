/// Changes of the rule set that are made together, or not at all.
public struct NfTransaction: Sendable {
    /// The changes, in order.
    public private(set) var requests: [NetlinkRequest] = []
    /// The rule set's generation that they are made for: see ``NetlinkSocket/generation()``.
    public var expectedGeneration: UInt32?
    private var setCount: UInt32 = 0
    /// The most bytes of elements of one message: an attribute's length has 16 bits.
    private static let elementByteCount = 32 << 10

    /// No changes. With a generation, they are refused with `changed` if somebody has changed the rule set since.
    public init(expecting generation: UInt32? = nil) { expectedGeneration = generation }

    /// What is there already: fine, or an error.
    public enum Existing: Hashable, Sendable {
        /// It stays as it is.
        case isFine
        /// It is `exists`.
        case isRefused

        var flags: UInt16 { NetlinkMessage.Flags.create | (self == .isFine ? 0 : NetlinkMessage.Flags.exclusive) }
    }

    /// Adds a table, or adopts one that persisted without its owner, with everything in it.
    ///
    /// - Throws: when committed, `unsupported` where the kernel does not have a flag or it cannot be changed any more, `denied` if another socket owns it.
    public mutating func add(_ table: NfTable, existing: Existing = .isFine) {
        append(NfMessage.newTable, existing.flags, "add the table \(table.id)") { table.write(to: &$0) }
    }

    /// Removes a table with everything in it. To remove it if it is there: add it before, in the same transaction.
    public mutating func remove(_ table: NfTableName) {
        append(NfMessage.removeTable, 0, "remove the table \(table)") { writer in
            writer.netfilterHeader(table.family.rawValue)
            writer.attribute(NfTable.Attribute.name, text: table.name.description)
        }
    }

    /// Adds a chain. One that is there gets the policy, and is otherwise as it was.
    public mutating func add(_ chain: NfChain, existing: Existing = .isFine) {
        append(NfMessage.newChain, existing.flags, "add the chain \(chain.name) to the table \(chain.table)") { chain.write(to: &$0) }
    }

    /// Removes a chain, and its rules. `busy` while a rule or an element of a map jumps to it.
    public mutating func remove(chain: NfName, of table: NfTableName) {
        flush(chain: chain, of: table)
        append(NfMessage.removeChain, 0, "remove the chain \(chain) of the table \(table)") { writer in
            writer.netfilterHeader(table.family.rawValue)
            writer.attribute(NfChain.Attribute.table, text: table.name.description)
            writer.attribute(NfChain.Attribute.name, text: chain.description)
        }
    }

    /// Adds a rule at a chain's end, or in front of the rule of a handle.
    public mutating func add(_ rule: NfRule, before handle: UInt64? = nil) {
        let flags = NetlinkMessage.Flags.create | (handle == nil ? NetlinkMessage.Flags.append : 0)
        append(NfMessage.newRule, flags, "add a rule to the chain \(rule.chain) of the table \(rule.table)") {
            rule.write(position: handle, to: &$0)
        }
    }

    /// Adds a rule at a chain's beginning.
    public mutating func prepend(_ rule: NfRule) {
        append(NfMessage.newRule, NetlinkMessage.Flags.create, "add a rule to the chain \(rule.chain) of the table \(rule.table)") {
            rule.write(position: nil, to: &$0)
        }
    }

    /// Removes a chain's rules.
    public mutating func flush(chain: NfName, of table: NfTableName) {
        removeRules(of: chain, of: table, handle: nil)
    }

    /// Removes the rule of a handle.
    public mutating func removeRule(_ handle: UInt64, of chain: NfName, of table: NfTableName) {
        removeRules(of: chain, of: table, handle: handle)
    }

    private mutating func removeRules(of chain: NfName, of table: NfTableName, handle: UInt64?) {
        append(NfMessage.removeRule, 0, "remove rules of the chain \(chain) of the table \(table)") { writer in
            writer.netfilterHeader(table.family.rawValue)
            writer.attribute(NfRule.Attribute.table, text: table.name.description)
            writer.attribute(NfRule.Attribute.chain, text: chain.description)
            if let handle { writer.attribute(NfRule.Attribute.handle, network: handle) }
        }
    }

    /// Adds a set or a map. One that is there must be the same.
    public mutating func add(_ set: NfSet, existing: Existing = .isFine) {
        setCount += 1
        let id = setCount
        append(NfMessage.newSet, existing.flags, "add the set \(set.name) to the table \(set.table)") { set.write(id: id, to: &$0) }
    }

    /// Removes a set. `busy` while a rule looks something up in it.
    public mutating func remove(set: NfName, of table: NfTableName) {
        append(NfMessage.removeSet, 0, "remove the set \(set) of the table \(table)") { writer in
            writer.netfilterHeader(table.family.rawValue)
            writer.attribute(NfSet.Attribute.table, text: table.name.description)
            writer.attribute(NfSet.Attribute.name, text: set.description)
        }
    }

    /// Adds elements to a set. One that is there and stands for the same is fine; for something else, it is `exists`.
    public mutating func add(_ elements: [NfElement], to set: NfSet, existing: Existing = .isFine) {
        change(elements, of: set, NfMessage.newElement, existing.flags, "add elements to the set \(set.name) of the table \(set.table)")
    }

    /// Removes elements from a set, by their keys. One that is not there is `notFound`.
    public mutating func remove(_ elements: [NfElement], from set: NfSet) {
        change(elements, of: set, NfMessage.removeElement, 0, "remove elements of the set \(set.name) of the table \(set.table)")
    }

    /// Removes all elements of a set.
    public mutating func flush(set: NfName, of table: NfTableName) {
        append(NfMessage.removeElement, 0, "remove the elements of the set \(set) of the table \(table)") { writer in
            writer.netfilterHeader(table.family.rawValue)
            writer.attribute(NfElement.Attribute.table, text: table.name.description)
            writer.attribute(NfElement.Attribute.set, text: set.description)
        }
    }

    /// The elements, in as many messages as they need.
    private mutating func change(_ elements: [NfElement], of set: NfSet, _ type: UInt16, _ flags: UInt16, _ purpose: String) {
        var rest = elements[...]
        while !rest.isEmpty {
            append(type, flags, purpose) { writer in
                writer.netfilterHeader(set.table.family.rawValue)
                writer.attribute(NfElement.Attribute.table, text: set.table.name.description)
                writer.attribute(NfElement.Attribute.set, text: set.name.description)
                writer.nested(NfElement.Attribute.elements) { writer in
                    while writer.bytes.count < Self.elementByteCount, let element = rest.popFirst() {
                        element.write(in: set, to: &writer)
                    }
                }
            }
        }
    }

    private mutating func append(_ type: UInt16, _ flags: UInt16, _ purpose: String, _ build: (inout NetlinkWriter) -> Void) {
        requests.append(NetlinkRequest(type: type, flags: flags, purpose: purpose, build))
    }
}

extension NetlinkSocket {
    /// Makes all of a transaction's changes, at once for every packet, or none.
    ///
    /// A failing transaction costs the kernel milliseconds: not a way to ask whether something is there.
    /// - Throws: the first change that cannot be made, with its index in ``NfTransaction/requests``; then nothing has changed. `changed` if the rule set
    ///   is no longer of the expected generation. `lost` and `timedOut` alone leave open whether it was done: the generation tells.
    public mutating func commit(_ transaction: NfTransaction) throws(NetlinkError) {
        for (index, request) in transaction.requests.enumerated() {
            if let problem = request.problem { throw NetlinkError(.invalid, request.purpose, problem, index: index) }
        }
        let purpose = "change the rule set"
        let before = NetlinkRequest(type: NfMessage.batchBegin, purpose: purpose) { writer in
            writer.netfilterHeader(0, resource: NfMessage.subsystem)
            if let generation = transaction.expectedGeneration { writer.attribute(1, network: generation) }
        }
        let after = NetlinkRequest(type: NfMessage.batchEnd, purpose: purpose) { $0.netfilterHeader(0, resource: NfMessage.subsystem) }
        try performTogether(transaction.requests[...], whole: (purpose, before, after))
    }
}
