import Testing

@testable import BerthNetlink

/// One of everything.
enum Sample {
    static let table = NfTableName(.inet, NfName("berth")!)

    static let routes: [Route] = {
        let four = (to: IPPrefix("10.0.0.0/8")!, by: IPAddress("172.17.0.1")!)
        let six = (to: IPPrefix("fd00:1::/64")!, by: IPAddress("fd00::1")!)
        var spread = Route(to: four.to)
        spread.hops = [.init(interface: 3, gateway: four.by), .init(interface: 4, gateway: six.by)]
        return [
            Route(to: IPPrefix("0.0.0.0/0")!, gateway: four.by), Route(to: IPPrefix("::/0")!, interface: 3, gateway: six.by, metric: 1024),
            Route(to: four.to, interface: 3, source: IPAddress("172.17.0.5")!), Route(to: six.to, kind: .blackhole),
            Route(to: four.to, interface: 3, gateway: six.by, table: 4711), spread,
        ]
    }()

    static let steps: [NfExpression] = [
        .meta(.inputInterfaceName, into: .first), .setMeta(.mark, from: .word(3)),
        .payload(.transport, offset: 2, byteCount: 2, into: .word(5)), .compare(.first, .notEqual, [1, 2, 3]),
        .range(.word(1), isInside: false, from: [0, 1], through: [0, 9]),
        .bitwise(.first, into: .word(4), mask: [255, 0, 0, 0], flipping: [0, 0, 0, 1]), .connection(.state, nil, into: .first),
        .connection(.ipv4Source, .reply, into: .first), .lookup(NfName("ports")!, key: .first, into: .word(2), isInverted: false),
        .lookup(NfName("ports")!, key: .word(9), into: nil, isInverted: true), .immediate([1, 2, 3, 4], into: .first),
        .verdict(.drop), .verdict(.accept), .verdict(.jump(NfName("a")!)), .verdict(.goto(NfName("b")!)), .verdict(.return),
        .verdict(.continue), .nat(.destination, .ipv4, address: .first, port: .word(1), flags: [.randomPorts]),
        .nat(.source, .ipv6, address: .first, port: nil, flags: []), .masquerade(flags: []), .masquerade(flags: [.randomPorts]),
        .redirect(port: .first), .redirect(port: nil), .fib([.destination, .inputInterface], .addressKind, into: .first),
        .counter(packets: 3, bytes: 1 << 40), .reject(.reset), .reject(.unreachable(3)), .reject(.familyUnreachable(1)), .untracked,
    ]

    static let published = NfSet(
        table, NfName("p4")!, key: [.transportProtocol, .port], value: .data([.ipv4Address, .port]), comment: "ports")
    static let sets = [
        published, NfSet(table, NfName("v")!, key: [.interfaceName], value: .verdict),
        NfSet(table, NfName("s")!, key: [.ipv6Address], isConstant: true),
        NfSet(table, NfName("r")!, key: [.ipv4Address], isInterval: true),
        NfSet(table, NfName("c")!, key: [.ipv4Address, .port], isInterval: true),
    ]
}
