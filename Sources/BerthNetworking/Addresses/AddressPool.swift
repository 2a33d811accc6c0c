public import BerthNetlink

/// The addresses of one subnet of a network, and who may have the next.
///
/// An address that was given back is given again only when all others have had their turn: neighbours still remember whose it was.
public struct AddressPool: Sendable {
    /// All addresses that it may give on request.
    public let subnet: Subnet
    /// Those that it gives of itself.
    public let range: Subnet
    private var taken: Set<UInt128>
    /// Where the next search begins.
    private var next: UInt128

    /// A pool of a subnet, of which nothing is given yet.
    ///
    /// - Parameter range: the part that addresses nobody asks for are given from; `nil` for all of it.
    /// - Throws: `invalid` if that is not in the subnet.
    public init(_ subnet: Subnet, range: Subnet? = nil) throws(NetworkError) {
        if let range, !subnet.contains(range) { throw NetworkError(.invalid, "no matching subnet for range \(range)") }
        (self.subnet, self.range) = (subnet, range ?? subnet)
        taken = Set(subnet.reserved)
        next = self.range.range.lowerBound
    }

    /// How many addresses are taken, without those that nobody may have.
    public var takenCount: Int { taken.count - subnet.reserved.count }

    /// Takes an address that somebody asked for.
    ///
    /// - Throws: `invalid` for one that is not of this subnet, `conflict` for one that is taken, or that no host may have.
    public mutating func take(_ address: IPAddress) throws(NetworkError) {
        guard subnet.contains(address) else {
            throw NetworkError(.invalid, "invalid address \(address): It does not belong to any of this network's subnets")
        }
        guard taken.insert(address.value).inserted else { throw NetworkError(.conflict, "Address already in use: \(address)") }
    }

    /// Takes the next address that is free.
    ///
    /// - Throws: `conflict` if there is none.
    public mutating func takeNext() throws(NetworkError) -> IPAddress {
        let bounds = range.range
        for part in [next...bounds.upperBound, bounds.lowerBound...next] {
            var value = part.lowerBound
            while true {
                if taken.insert(value).inserted {
                    next = value == bounds.upperBound ? bounds.lowerBound : value + 1
                    return IPAddress(subnet.version, value)
                }
                if value == part.upperBound { break }
                value += 1
            }
        }
        throw NetworkError(.conflict, "there is no address left in \(range): \(takenCount) are taken")
    }

    /// Gives an address back. Repeating is fine; what no host may have stays.
    public mutating func giveBack(_ address: IPAddress) {
        guard subnet.contains(address), !subnet.reserved.contains(address.value) else { return }
        taken.remove(address.value)
    }
}
