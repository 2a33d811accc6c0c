internal import BerthNetlink

/// The two kinds of interfaces that sandboxes get of another interface of the host's, its parent: in the network that this one is in.
enum LanKind: String, Sendable, CaseIterable {
    case macvlan, ipvlan

    /// The name of a parent that is made for one network alone begins so, as Docker's.
    var parentPrefix: String { self == .macvlan ? "dm-" : "di-" }
}

/// What the creator of such a network says to its driver, by Docker's names.
struct LanOptions: Hashable, Sendable {
    /// What its sandboxes' interfaces are.
    enum Mode: Hashable, Sendable {
        case macvlan(NewLink.MacvlanMode)
        case ipvlan(NewLink.IpvlanMode, NewLink.IpvlanIsolation)
    }

    /// Whose network it is; `nil` for one that leads nowhere.
    var parent: InterfaceName?
    /// What its sandboxes' interfaces are.
    var mode: Mode
    /// The largest packet, in bytes.
    var mtu: UInt32?

    /// Whether packets are routed by the parent, so that nobody asks who has an address.
    var isRouted: Bool { if case .ipvlan(.l3, _) = mode { true } else if case .ipvlan(.l3s, _) = mode { true } else { false } }

    /// Reads them.
    ///
    /// - Throws: `invalid` for values that cannot be, in Docker's words where it has some; `unsupported` for an option of a driver of Docker's that does not
    ///   exist here. Everything else is nobody's business but its creator's.
    init(_ options: [String: String], _ kind: LanKind) throws(NetworkError) {
        mode = kind == .macvlan ? .macvlan(.bridge) : .ipvlan(.l2, .bridge)
        for (key, value) in options.sorted(by: { $0.key < $1.key }) {
            switch (kind, key) {
            case (_, "parent"): parent = try Self.parent(value, kind)
            case (.macvlan, "macvlan_mode"): mode = .macvlan(try Self.macvlanMode(value))
            case (.ipvlan, "ipvlan_mode"):
                if case .ipvlan(_, let isolation) = mode { mode = .ipvlan(try Self.ipvlanMode(value), isolation) }
            case (.ipvlan, "ipvlan_flag"): if case .ipvlan(let layer, _) = mode { mode = .ipvlan(layer, try Self.isolation(value)) }
            case (_, "com.docker.network.driver.mtu"), (_, "mtu"):
                // The smallest packet that everybody must take is 68 bytes (RFC 791).
                guard let size = UInt32(value), (68...65_535).contains(size) else {
                    throw NetworkError(.invalid, "failed to parse \(key) value: \(value) (it must be 68 to 65535)")
                }
                mtu = size
            case (_, "com.docker.network.container_iface_prefix"): _ = try BridgeOptions([key: value])
            default:
                guard !key.hasPrefix("com.docker.network.") else {
                    throw NetworkError(.unsupported, "not supported here: the option '\(key)' of a network of the driver \(kind.rawValue)")
                }
            }
        }
    }

    private static func parent(_ value: String, _ kind: LanKind) throws(NetworkError) -> InterfaceName? {
        if value.isEmpty { return nil }
        guard value != "lo" else {
            throw NetworkError(.invalid, "loopback interface is not a valid \(kind.rawValue) parent link")
        }
        guard let name = InterfaceName(value) else { throw NetworkError(.invalid, "-o parent is no interface's name: '\(value)'") }
        return name
    }

    private static func macvlanMode(_ value: String) throws(NetworkError) -> NewLink.MacvlanMode {
        switch value {
        case "", "bridge": return .bridge
        case "private": return .isolated
        case "vepa": return .vepa
        case "passthru": return .passthru
        default:
            throw NetworkError(.invalid, "requested macvlan mode '\(value)' is not valid, 'bridge' mode is the macvlan driver default")
        }
    }

    private static func ipvlanMode(_ value: String) throws(NetworkError) -> NewLink.IpvlanMode {
        switch value {
        case "", "l2": return .l2
        case "l3": return .l3
        case "l3s": return .l3s
        default: throw NetworkError(.invalid, "requested ipvlan mode '\(value)' is not valid, 'l2' mode is the ipvlan driver default")
        }
    }

    private static func isolation(_ value: String) throws(NetworkError) -> NewLink.IpvlanIsolation {
        switch value {
        case "", "bridge": return .bridge
        case "private": return .isolated
        case "vepa": return .vepa
        default: throw NetworkError(.invalid, "requested ipvlan flag '\(value)' is not valid, 'bridge' is the ipvlan driver default")
        }
    }
}

/// A name such as `eth0.50`: what an interface carries with an 802.1Q tag of that number.
struct VLANName: Hashable, Sendable {
    let base: InterfaceName
    let id: UInt16

    /// Reads one.
    ///
    /// - Throws: `invalid`, in Docker's words.
    init(_ name: InterfaceName) throws(NetworkError) {
        let text = name.description
        guard text.contains(".") else {
            throw NetworkError(
                .invalid, "-o parent interface was not found on the host: \(text) (a VLAN of one that is there is named such as eth0.10)")
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let base = InterfaceName(parts[0]) else {
            throw NetworkError(
                .invalid, "required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received \(text)")
        }
        guard !parts[1].isEmpty, parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int(parts[1])
        else { throw NetworkError(.invalid, "unable to parse a valid vlan id from: \(text) (ex. eth0.10 for vlan 10)") }
        // Twelve bits, of which the first and the last value mean something else (IEEE 802.1Q).
        guard (1...4094).contains(number) else {
            throw NetworkError(.invalid, "vlan id must be between 1-4094, received: \(number)")
        }
        (self.base, id) = (base, UInt16(number))
    }
}
