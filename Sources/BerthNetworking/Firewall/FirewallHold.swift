internal import BerthNetlink

/// A second table that keeps changed addresses changed while the first one is away: where the kernel can keep tables from others, but not past their
/// owner's end (before Linux 6.9).
///
/// With the last chain that may change addresses the kernel stops changing any, and with the last rule that asks for connections it stops tracking them.
/// What comes for a connection to a published port would then be for the host itself, which knows of none and resets it. So this table has one such
/// chain and one such rule. They do nothing, and go with the socket that owns them.
struct FirewallHold: Hashable, Sendable {
    let id: NfTableName
    private let comment: String

    /// That of a table; `nil` if its name is too long for a longer one.
    init?(of table: NfTableName, _ comment: String) {
        guard let name = NfName("\(table.name)-hold") else { return nil }
        (id, self.comment) = (NfTableName(table.family, name), comment)
    }

    /// Has it there, or not there.
    ///
    /// - Parameter found: the one that is there now. Nobody's, it is made anew: it cannot become ours.
    func change(_ found: NfTable?, toBeThere isWanted: Bool, for port: UInt32, in transaction: inout NfTransaction) {
        let isOurs = found?.ownerPort == port
        if found != nil, !isWanted || !isOurs { transaction.remove(id) }
        guard isWanted, !isOurs else { return }
        let translating = NfChain(id, NfName(known: "translating"), at: .init(.nat, .prerouting, priority: -100))
        let tracking = NfChain(id, NfName(known: "tracking"), at: .init(.filter, .prerouting, priority: -150))
        transaction.add(NfTable(id, flags: .owner, comment: comment), existing: .isRefused)
        transaction.add(translating)
        transaction.add(tracking)
        transaction.add(NfRule(id, tracking.name, [.connection(.state, nil, into: .first)], comment: "connections are tracked"))
    }
}
