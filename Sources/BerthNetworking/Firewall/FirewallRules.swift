internal import BerthNetlink

/// A rule of the table.
struct FirewallRule: Hashable, Sendable {
    var chain: FirewallChain
    var steps: [NfExpression]
    var comment: String
    /// What it guards.
    var guardian: FirewallGuard?

    init(_ chain: FirewallChain, _ steps: [NfExpression], _ comment: String, guarding guardian: FirewallGuard? = nil) {
        (self.chain, self.steps, self.comment, self.guardian) = (chain, steps, comment, guardian)
    }
}

/// The rules, chain by chain.
///
/// A packet meets `guarding` first, which alone sees where it was sent before addresses are changed. `published` changes the receiver of what is for a
/// published port, and `forward` then decides by what was done and by the two bridges. An accept ends our own chain only: whatever another table drops
/// stays dropped.
enum FirewallRules {
    static let all: [FirewallRule] = guarding + toLoopback + translating + leaving + input + forward + natted + routed + apart

    // MARK: Before addresses are changed

    private static let guarding: [FirewallRule] =
        [
            FirewallRule(
                .guarding, .isOf(.v4) + .destinationIsIn(loopback) + .cameBy(lo, isInverted: true) + .jump(.toLoopback),
                "from elsewhere to the loopback"),
            FirewallRule(
                .guarding, .isOf(.v4) + .sourceIsIn(loopback) + .cameBy(in: .bridges) + .drop, "containers as the host's loopback",
                guarding: .loopbackPretended),
            FirewallRule(.guarding, .connectionIs([.established, .related]) + .accept, "answers, and what has begun"),
        ]
        + IPAddress.Version.allCases.map { version in
            FirewallRule(
                .guarding,
                .cameBy(lo, isInverted: true) + .cameBy(in: .bridges, isInverted: true) + .isOf(version)
                    + .destination(version, isIn: .of(version, .guarded4, .guarded6)) + .drop,
                "outside to a container or a bridge by a route", guarding: .directRoute)
        }

    private static let toLoopback = [
        FirewallRule(.toLoopback, .cameBy(in: .bridges) + .drop, "from containers", guarding: .loopbackFromContainers),
        FirewallRule(
            .toLoopback, .key([.transport, .port], .v4) + .isKey(ofMap: .ports4) + .drop, "to a published port",
            guarding: .loopbackPublished),
        FirewallRule(
            .toLoopback, .key([.transport, .destination, .port], .v4) + .isKey(ofMap: .addressed4) + .drop,
            "to a port that is published on it", guarding: .loopbackPublished),
    ]

    // MARK: Published ports

    private static let translating: [FirewallRule] =
        [
            FirewallRule(.prerouting, .destinationIsLocal + .jump(.published), "to the host"),
            FirewallRule(
                .output, .isOf(.v6) + .destinationIsIn(loopback6) + [.verdict(.return)],
                "an answer has no way back to ::1: the socket on the port takes it"),
            FirewallRule(.output, .destinationIsLocal + .jump(.published), "from the host to the host"),
            FirewallRule(
                .published, .cameBy(in: .relayed) + [.verdict(.return)],
                "their bridge would hand it from port to port: the socket on the port takes it"),
            FirewallRule(
                .published, .isOf(.v6) + .sourceIsIn(linkLocal6) + [.verdict(.return)],
                "no answer is forwarded to the link: the socket on the port takes it"),
        ]
        + IPAddress.Version.allCases.flatMap { version in
            [
                FirewallRule(
                    .published,
                    .isOf(version) + .key([.transport, .destination, .port], version)
                        + .translateDestination(version, by: .of(version, .addressed4, .addressed6)), "published on an address"),
                FirewallRule(
                    .published,
                    .isOf(version) + .key([.transport, .port], version)
                        + .translateDestination(version, by: .of(version, .ports4, .ports6)), "published on all addresses"),
            ]
        }

    // MARK: Senders' addresses

    private static let leaving: [FirewallRule] =
        [
            FirewallRule(
                .postrouting, .isOf(.v4) + .sourceIsIn(loopback) + .leavesBy(in: .bridges) + .masquerade,
                "from the host's loopback to a container")
        ]
        + IPAddress.Version.allCases.flatMap { version in
            [
                FirewallRule(
                    .postrouting,
                    .isOf(version) + .source(version, isIn: .of(version, .hairpin4, .hairpin6)) + .leavesBy(in: .bridges)
                        + .connectionHas(.destinationTranslated) + .masquerade, "from a container by the host's address to a container",
                    guarding: .hairpin),
                FirewallRule(
                    .postrouting,
                    .isOf(version) + .leavesBy(in: .bridges, isInverted: true)
                        + .translateSource(version, by: .of(version, .leavingAs4, .leavingAs6)), "from a container, as an address"),
                FirewallRule(
                    .postrouting,
                    .isOf(version) + .source(version, isIn: .of(version, .leaving4, .leaving6))
                        + .leavesBy(in: .bridges, isInverted: true) + .masquerade, "from a container"),
            ]
        }

    // MARK: Who reaches whom

    private static let input = IPAddress.Version.allCases.map { version in
        FirewallRule(
            .input, .isOf(version) + .cameBy(in: .of(version, .gatewayless4, .gatewayless6)) + .drop, "a network without a gateway",
            guarding: .gatewayless)
    }

    private static let forward: [FirewallRule] =
        [
            FirewallRule(.forward, .connectionIs([.established, .related]) + .accept, "answers, and what has begun"),
            FirewallRule(
                .forward,
                [
                    .meta(.inputInterfaceName, into: .first), .meta(.outputInterfaceName, into: .word(4)),
                    .lookup(FirewallSet.pairs.name, key: .first, into: .verdict, isInverted: false),
                ], "within a network"),
        ]
        + IPAddress.Version.allCases.flatMap { version in
            [
                FirewallRule(
                    .forward,
                    .isOf(version) + [
                        .meta(.inputInterfaceName, into: .first),
                        .lookup(FirewallSet.of(version, .from4, .from6).name, key: .first, into: .verdict, isInverted: false),
                    ], "out of a network", guarding: .internalOut),
                FirewallRule(
                    .forward,
                    .isOf(version) + [
                        .meta(.outputInterfaceName, into: .first),
                        .lookup(FirewallSet.of(version, .to4, .to6).name, key: .first, into: .verdict, isInverted: false),
                    ], "into a network", guarding: .internalIn),
            ]
        }
        + IPAddress.Version.allCases.map { version in
            FirewallRule(
                .forward,
                .isOf(version) + .cameBy(in: .of(version, .opened4, .opened6)) + .leavesBy(in: .of(version, .opened4, .opened6))
                    + .drop, "forwarding is for containers", guarding: .strangersForwarded)
        }

    private static let natted = [
        FirewallRule(.natted, .connectionHas(.destinationTranslated) + .accept, "a published port"),
        FirewallRule(.natted, .drop, "networks are apart", guarding: .isolation),
    ]

    private static let routed: [FirewallRule] =
        [
            FirewallRule(.routed, .isOf(.v4) + .transportProtocolIs(1) + .accept, "pings"),
            FirewallRule(.routed, .isOf(.v6) + .transportProtocolIs(58) + .accept, "pings"),
        ]
        + IPAddress.Version.allCases.map { version in
            FirewallRule(
                .routed,
                .isOf(version) + .key([.transport, .destination, .port], version) + [
                    .lookup(FirewallSet.of(version, .routed4, .routed6).name, key: .first, into: nil, isInverted: false)
                ] + .accept, "a published port")
        }
        + [FirewallRule(.routed, .drop, "unpublished ports", guarding: .routedPorts)]

    private static let apart = [
        FirewallRule(.apart, .connectionHas(.destinationTranslated) + .accept, "a published port"),
        FirewallRule(.apart, .drop, "containers are apart", guarding: .interContainer),
    ]

    // MARK: Values

    private static let lo = known(InterfaceName("lo"))
    private static let loopback = known(IPPrefix("127.0.0.0/8"))
    private static let loopback6 = known(IPPrefix("::1/128"))
    private static let linkLocal6 = known(IPPrefix("fe80::/10"))

    private static func known<Value>(_ value: Value?) -> Value {
        guard let value else { preconditionFailure("a value that is written here is one") }
        return value
    }
}

/// A part of a key, as a packet has it.
private enum KeyPart {
    case transport, destination, port
}

/// The steps that rules here are made of.
extension [NfExpression] {
    fileprivate static var drop: Self { [.verdict(.drop)] }
    fileprivate static var accept: Self { [.verdict(.accept)] }
    fileprivate static var masquerade: Self { [.masquerade(flags: [])] }
    fileprivate static func jump(_ chain: FirewallChain) -> Self { [.verdict(.jump(chain.name))] }

    fileprivate static func cameBy(in set: FirewallSet, isInverted: Bool = false) -> Self {
        [.meta(.inputInterfaceName, into: .first), .lookup(set.name, key: .first, into: nil, isInverted: isInverted)]
    }

    fileprivate static func leavesBy(in set: FirewallSet, isInverted: Bool = false) -> Self {
        [.meta(.outputInterfaceName, into: .first), .lookup(set.name, key: .first, into: nil, isInverted: isInverted)]
    }

    fileprivate static func source(_ version: IPAddress.Version, isIn set: FirewallSet) -> Self {
        [loadSource(version), .lookup(set.name, key: .first, into: nil, isInverted: false)]
    }

    fileprivate static func destination(_ version: IPAddress.Version, isIn set: FirewallSet) -> Self {
        [loadDestination(version, into: .first), .lookup(set.name, key: .first, into: nil, isInverted: false)]
    }

    private static func loadSource(_ version: IPAddress.Version) -> NfExpression {
        .payload(.network, offset: version == .v4 ? 12 : 8, byteCount: version == .v4 ? 4 : 16, into: .first)
    }

    private static func loadDestination(_ version: IPAddress.Version, into register: NfRegister) -> NfExpression {
        .payload(.network, offset: version == .v4 ? 16 : 24, byteCount: version == .v4 ? 4 : 16, into: register)
    }

    /// Loads the parts beside each other.
    fileprivate static func key(_ parts: [KeyPart], _ version: IPAddress.Version) -> Self {
        var (word, steps) = (0, Self())
        for part in parts {
            switch part {
            case .transport: steps.append(.meta(.transportProtocol, into: .word(word)))
            case .destination: steps.append(loadDestination(version, into: .word(word)))
            case .port: steps.append(.payload(.transport, offset: 2, byteCount: 2, into: .word(word)))
            }
            word += part == .destination && version == .v6 ? 4 : 1
        }
        return steps
    }

    /// Goes on if the map has the key. Older kernels look a key of a map up only with what it stands for, which is put where nobody looks.
    fileprivate static func isKey(ofMap map: FirewallSet) -> Self {
        [.lookup(map.name, key: .first, into: .word(8), isInverted: false)]
    }

    /// Goes on if the map has the key, and then the packet is for what it stands for.
    fileprivate static func translateDestination(_ version: IPAddress.Version, by map: FirewallSet) -> Self {
        [
            .lookup(map.name, key: .first, into: .first, isInverted: false),
            .nat(
                .destination, version == .v4 ? .ipv4 : .ipv6, address: .first, port: .word(version == .v4 ? 1 : 4), flags: []),
        ]
    }

    /// Goes on if the map has the sender, and then the packet is from what it stands for.
    fileprivate static func translateSource(_ version: IPAddress.Version, by map: FirewallSet) -> Self {
        [
            loadSource(version), .lookup(map.name, key: .first, into: .first, isInverted: false),
            .nat(.source, version == .v4 ? .ipv4 : .ipv6, address: .first, port: nil, flags: []),
        ]
    }
}
