internal import BerthNetlink

/// A packet that would be forwarded to or from a container: the first of a connection by TCP.
struct SamplePacket: Hashable, Sendable {
    /// An interface, as rules may name it.
    struct Interface: Hashable, Sendable {
        var name: InterfaceName
        /// Its number; `nil` of one that is not there yet.
        var index: Int32?
    }

    /// Where it comes in.
    var input: Interface
    /// Where it leaves.
    var output: Interface
    /// Whose address it is from; `nil` for anybody's.
    var source: IPPrefix?
    /// To whose address it is; `nil` for anybody's.
    var destination: IPPrefix?
    /// The version.
    var version: IPAddress.Version
    /// Whether its receiver's address was changed, as that of packets to published ports is.
    var isTranslated: Bool

    /// The header of IP, as far as it is known.
    var header: PartlyKnown {
        var header = PartlyKnown.unknown(version == .v4 ? 20 : 40)
        header.replace(version == .v4 ? 9 : 6, with: PartlyKnown([Self.transport]))
        if let source { header.replace(version == .v4 ? 12 : 8, with: PartlyKnown(source)) }
        if let destination { header.replace(version == .v4 ? 16 : 24, with: PartlyKnown(destination)) }
        return header
    }

    /// TCP.
    static let transport: UInt8 = 6

    /// What the kernel knows of it.
    func fact(_ key: NfExpression.MetaKey) -> PartlyKnown {
        func index(_ index: Int32?) -> PartlyKnown { index.map { PartlyKnown(NfValue.number(UInt32(bitPattern: $0))) } ?? .unknown(4) }
        switch key {
        case .inputInterfaceName: return PartlyKnown(NfValue.interfaceName(input.name))
        case .outputInterfaceName: return PartlyKnown(NfValue.interfaceName(output.name))
        case .inputInterface: return index(input.index)
        case .outputInterface: return index(output.index)
        case .family: return PartlyKnown([(version == .v4 ? NfFamily.ipv4 : .ipv6).rawValue])
        case .transportProtocol: return PartlyKnown([Self.transport])
        case .etherType: return PartlyKnown(version == .v4 ? [0x08, 0x00] : [0x86, 0xdd])
        default: return .unknown(16)
        }
    }

    /// What is known of its connection.
    func fact(_ key: NfExpression.ConnectionKey) -> PartlyKnown {
        switch key {
        case .state: return PartlyKnown(NfValue.number(ConnectionState.new.rawValue))
        case .status:
            let bit = NfValue.number(ConnectionStatus.destinationTranslated.rawValue)
            return PartlyKnown(isTranslated ? bit : [0, 0, 0, 0], known: bit)
        case .transportProtocol: return PartlyKnown([Self.transport])
        default: return .unknown(16)
        }
    }
}

extension NfExpression.MetaKey {
    /// The frame's protocol, two bytes in the network's order.
    static let etherType = Self(rawValue: 1)
}
