internal import BerthNetlink

/// What a network's creator says of one of its subnets, as it was said (Docker Engine API, `IPAMConfig`).
public struct SubnetRequest: Hashable, Sendable {
    /// `172.28.0.0/16`.
    public var subnet: String
    /// Where addresses that nobody asks for are from; `nil` for all of it.
    public var range: String?
    /// The address of the network itself; `nil` for the first that is free.
    public var gateway: String?
    /// Addresses that others have, by a name that is only told again.
    public var auxiliary: [String: String]

    /// A subnet of these.
    public init(subnet: String, range: String? = nil, gateway: String? = nil, auxiliary: [String: String] = [:]) {
        (self.subnet, self.range, self.gateway, self.auxiliary) = (subnet, range, gateway, auxiliary)
    }
}

extension SubnetRequest {
    /// What is wrong with it by itself, in Docker's words; all of it, so that it is put right at once.
    var mistakes: [String] {
        guard let prefix = IPPrefix(subnet) else {
            return [
                "invalid subnet \(subnet): invalid CIDR block notation: it must be an address and the length of its prefix, such as 172.28.0.0/16"
            ]
        }
        let parent = Subnet(prefix)
        var mistakes: [String] = []
        if prefix.address != parent.base { mistakes.append("invalid subnet \(subnet): it should be \(parent)") }
        if let range { mistakes += Self.mistakes(ofRange: range, in: parent).map { "invalid ip-range \(range): \($0)" } }
        if let gateway, let mistake = Self.mistake(ofAddress: gateway, in: parent) {
            mistakes.append("invalid gateway \(gateway): \(mistake)")
        }
        for (name, text) in auxiliary.sorted(by: { $0.key < $1.key }) {
            if let mistake = Self.mistake(ofAddress: text, in: parent) { mistakes.append("invalid auxiliary address \(name): \(mistake)") }
        }
        return mistakes
    }

    private static func mistakes(ofRange text: String, in parent: Subnet) -> [String] {
        guard let prefix = IPPrefix(text) else { return ["invalid CIDR block notation"] }
        let range = Subnet(prefix)
        guard range.version == parent.version else { return ["parent subnet is an IPv\(parent.version.rawValue) block"] }
        var mistakes: [String] = []
        if range.prefixLength < parent.prefixLength { mistakes.append("CIDR block is bigger than its parent subnet \(parent)") }
        if prefix.address != range.base { mistakes.append("it should be \(range)") }
        if !parent.overlaps(range) { mistakes.append("parent subnet \(parent) doesn't contain ip-range") }
        return mistakes
    }

    private static func mistake(ofAddress text: String, in parent: Subnet) -> String? {
        guard let address = IPAddress(text) else { return "invalid address" }
        guard address.version == parent.version else { return "parent subnet is an IPv\(parent.version.rawValue) block" }
        return parent.contains(address) ? nil : "parent subnet \(parent) doesn't contain this address"
    }
}
