import BerthCommandLine
import DockerAPI
import Testing

@Suite("What flags say of networks, names and addresses")
struct NetworkFlagTests {
    private func attachment(_ target: String, _ change: (inout EndpointSettings) -> Void = { _ in }) -> NetworkAttachment {
        var result = NetworkAttachment(target)
        change(&result.endpoint)
        return result
    }

    @Test("A network by its name, and in the long form")
    func attachments() throws {
        for name in ["net", "container:x", "name=", "=x", "", "a =b", "a= b"] {
            #expect(try NetworkAttachment(parsing: name) == attachment(name))
        }
        #expect(try NetworkAttachment(parsing: "name=docknet1") == attachment("docknet1"))
        let long = "name=Net,alias=Web,alias = b,ip=172.20.88.22,ip6=2001:DB8::8822,mac-address=52:0F:f3:dc:50:10,"
        let further = "driver-opt=field1=Value1,driver-opt=field2=v=2,link-local-ip=169.254.1.1,link-local-ip=169.254.1.2,gw-priority=-10"
        let expected = attachment("net") { endpoint in
            endpoint.aliases = ["web", "b"]
            endpoint.asked = .init(ipv4: "172.20.88.22", ipv6: "2001:db8::8822", linkLocal: ["169.254.1.1", "169.254.1.2"])
            endpoint.macAddress = "52:0f:f3:dc:50:10"
            (endpoint.driverOptions, endpoint.gatewayPriority) = (["field1": "value1", "field2": "v=2"], -10)
        }
        #expect(try NetworkAttachment(parsing: long + further) == expected)
        let quoted =
            #"name=n,"driver-opt=com.docker.network.endpoint.sysctls=net.ipv6.conf.IFNAME.accept_ra=2,net.ipv6.conf.IFNAME.forwarding=1""#
        #expect(
            try NetworkAttachment(parsing: quoted).endpoint.driverOptions == [
                "com.docker.network.endpoint.sysctls": "net.ipv6.conf.ifname.accept_ra=2,net.ipv6.conf.ifname.forwarding=1"
            ])
    }

    @Test(
        "What is no network",
        arguments: [
            ("invalidField=docknet1", "invalid field key invalidfield"), ("network=docknet1,invalid=web", "invalid field key network"),
            ("name=n,alias", "invalid field alias"), ("name=n,=x", "invalid field =x"),
            ("driver-opt=field1=value1,driver-opt=field2=value2", "network name/id is not specified"),
            ("alias=x", "network name/id is not specified"), ("name=n,driver-opt=x", "invalid key value pair format in driver options"),
            ("name=n,driver-opt==x", "invalid key value pair format in driver options"),
            ("gw-priority=invalid-integer", "invalid gw-priority (invalid-integer): invalid syntax"),
            (#"name=n,"alias=x"#, #"parse error on line 1, column 16: extraneous or missing " in quoted-field"#),
            (#"name=n,"alias=x"y"#, #"parse error on line 1, column 16: extraneous or missing " in quoted-field"#),
            (#"name=n,al"ias=x"#, #"parse error on line 1, column 10: bare " in non-quoted-field"#),
        ])
    func noAttachments(text: String, words: String) {
        #expect(throws: ValueMistake(words)) { try NetworkAttachment(parsing: text) }
    }

    private func flags(_ networks: String..., change: (inout NetworkFlags) -> Void = { _ in }) throws -> NetworkFlags {
        var flags = NetworkFlags()
        flags.networks = try networks.map { text throws(ValueMistake) in try NetworkAttachment(parsing: text) }
        change(&flags)
        return flags
    }

    @Test("What older flags say belongs to the first network")
    func places() throws {
        func everything(_ flags: inout NetworkFlags) {
            (flags.aliases, flags.links, flags.linkLocal) = (["a"], ["x:y"], ["169.254.1.1"])
            (flags.ipv4, flags.ipv6, flags.macAddress) = ("1.2.3.4", "::1", "02:42:ac:11:00:02")
        }
        let places = try flags("n", "m", change: everything).endpoints()
        #expect(places.map(\.network) == ["n", "m"] && places[1].endpoint == EndpointSettings())
        var expected = EndpointSettings()
        (expected.aliases, expected.links, expected.macAddress) = (["a"], ["x:y"], "02:42:ac:11:00:02")
        expected.asked = .init(ipv4: "1.2.3.4", ipv6: "::1", linkLocal: ["169.254.1.1"])
        #expect(places[0].endpoint == expected)
        #expect(try flags("n").mode == "n" && NetworkFlags().mode == "default")
        #expect(try flags("n").endpoints().isEmpty && NetworkFlags().endpoints().isEmpty)
        // Outside of networks of one's own a link is not the network's.
        #expect(try flags(change: { $0.links = ["x"] }).endpoints().isEmpty)
        #expect(try flags(change: { $0.ipv4 = "1.2.3.4" }).endpoints().map(\.network) == ["default"])
        #expect(try flags("bridge", "host").endpoints().count == 2)
    }

    @Test("What contradicts itself")
    func conflicts() throws {
        func refused(_ networks: String..., words: String, change: (inout NetworkFlags) -> Void = { _ in }) throws {
            var flags = NetworkFlags()
            flags.networks = try networks.map { text throws(ValueMistake) in try NetworkAttachment(parsing: text) }
            change(&flags)
            let complete = flags
            #expect(throws: ValueMistake(words)) { try complete.endpoints() }
        }
        let twice = "conflicting options: cannot specify both "
        try refused("name=n,alias=x", words: twice + "--network-alias and per-network alias") { $0.aliases = ["y"] }
        try refused("name=n,ip=1.2.3.4", words: twice + "--ip and per-network IPv4 address") { $0.ipv4 = "1.2.3.5" }
        try refused("name=n,ip6=::2", words: twice + "--ip6 and per-network IPv6 address") { $0.ipv6 = "::1" }
        try refused("name=n,mac-address=02:42:ac:11:00:02", words: twice + "--mac-address and per-network MAC address") {
            $0.macAddress = "02:42:ac:11:00:02"
        }
        try refused("name=n,link-local-ip=::2", words: twice + "--link-local-ip and per-network link-local IP addresses") {
            $0.linkLocal = ["::1"]
        }
        try refused("n", "n", words: #"network "n" is specified multiple times"#)
        let mixed = "conflicting options: cannot attach both user-defined and non-user-defined network-modes"
        try refused("n", "host", words: mixed)
        try refused("bridge", "n", words: mixed)
        let aliases = "network-scoped aliases are only supported for user-defined networks"
        try refused("name=host,alias=x", words: aliases)
        try refused(words: aliases) { $0.aliases = ["x"] }
        try refused("", words: "no name set for network")
        try refused(" ", words: "no name set for network")
        try refused("name=n,mac-address=x", words: "x is not a valid mac address")
    }

    @Test("Values between commas")
    func commas() throws {
        for (text, values) in [
            ("", []), ("a", ["a"]), ("a,b", ["a", "b"]), ("a,", ["a", ""]), (",", ["", ""]), (#""a,b",c"#, ["a,b", "c"]),
            (#""a""b""#, [#"a"b"#]), (#""""#, [""]), (" a , b ", [" a ", " b "]),
        ] {
            #expect(try CommaSeparated.values(text) == values)
        }
        for text in [#"""#, #""a"#, #""a"b"#, #"a"b"#, #"a,b""#] { #expect(throws: ValueMistake.self) { try CommaSeparated.values(text) } }
        let error = #expect(throws: CommandLineError.self) { try CommaSeparated.values([#"a"b"#], flag: "--alias") }
        #expect(error?.description.hasPrefix(#"invalid argument "a\"b" for "--alias" flag: parse error on line 1, column 2"#) == true)
    }

    @Test(
        "Addresses are written one way",
        arguments: [
            ("1.2.3.4", "1.2.3.4"), ("::", "::"), ("0:0:0:0:0:0:0:1", "::1"), ("1::", "1::"), ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("::ffff:1.2.3.4", "1.2.3.4"),
            ("::FFFF:102:304", "1.2.3.4"),
            ("::1.2.3.4", "::102:304"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("0255.1.1.1", nil),
            ("1.2.3", nil),
            ("1.2.3.4.5", nil), ("1.2.3.256", nil), ("01.2.3.4", nil), ("1.2.3.", nil), ("", nil), (":", nil), (":::", nil),
            ("1::2::3", nil),
            ("1:2:3:4:5:6:7", nil), ("1:2:3:4:5:6:7:8:9", nil), ("1:2:3:4:5:6:7:8::", nil), ("12345::", nil), ("g::", nil), ("1:", nil),
            (":1", nil),
            ("fe80::1%eth0", nil), ("1:2:3:4:5:6:7:8:", nil), ("00001::", nil), (":1:2:3:4:5:6:7", nil), ("+1.2.3.4", nil), ("1..3.4", nil),
            ("::1.2.3.4:5", nil), ("1.2.3.4::", nil), ("+1::", nil), ("::1/64", nil),
        ])
    func addresses(text: String, written: String?) { #expect(IPText(parsing: text)?.description == written) }

    @Test("Names")
    func names() throws {
        for (text, host) in [
            ("a:1.2.3.4", "a:1.2.3.4"), ("a=1.2.3.4", "a:1.2.3.4"), ("a:::1", "a:::1"), ("a=::1", "a:::1"), ("a=[::1]", "a:::1"),
            ("a:[::1]", "a:::1"),
            ("a:host-gateway", "a:host-gateway"), ("a=0:0:0:0:0:0:0:1", "a:0:0:0:0:0:0:0:1"),
        ] {
            #expect(try NameFlags.extraHost(text) == host)
        }
        for (text, words) in [
            ("a", #"bad format for add-host: "a""#), (":1.2.3.4", #"bad format for add-host: ":1.2.3.4""#),
            ("a:b=1.2.3.4", #"bad format for add-host: "a:b=1.2.3.4""#),
            ("a:", #"invalid IP address in add-host: """#), ("a:x", #"invalid IP address in add-host: "x""#),
            ("a:[]", #"invalid IP address in add-host: "[]""#),
        ] {
            #expect(throws: ValueMistake(words)) { try NameFlags.extraHost(text) }
        }
        #expect(try NameFlags.address(" 2001:DB8::0 ") == "2001:db8::")
        #expect(throws: ValueMistake("IP address is not correctly formatted: x")) { try NameFlags.address("x") }
        for (text, domain) in [("a.b", "a.b"), (".", "."), (" a.b. ", "a.b"), ("a-b.c1", "a-b.c1"), ("1.a", "1.a")] {
            #expect(try NameFlags.searchDomain(text) == domain)
        }
        for text in ["", "ex_ample", "--", "-a", "a-", "a..b", "1.2", ".a", String(repeating: "a", count: 255)] {
            #expect(throws: ValueMistake("\(text) is not a valid domain")) { try NameFlags.searchDomain(text) }
        }
        #expect(try NameFlags.link("a:b") == "a:b")
        #expect(throws: ValueMistake("bad format for links: a:b:c")) { try NameFlags.link("a:b:c") }
        #expect(throws: ValueMistake("empty string specified for links")) { try NameFlags.link("") }
        for text in ["02:42:ac:11:00:02", "02-42-AC-11-00-02", "0242.ac11.0002", "02:42:ac:11:00:02:00:00"] {
            #expect(try NameFlags.macAddress(text) == text)
        }
        for text in [
            "x", "", "02:42:ac:11:00", "02:42:ac:11:00:0g", "02:42:ac:11:00:002", "0242ac110002", "02:42-ac:11:00:02", "02x42xacx11x00x02",
        ] {
            #expect(throws: ValueMistake("\(text) is not a valid mac address")) { try NameFlags.macAddress(text) }
        }
        #expect(try NameFlags.label(" a=b c") == " a=b c")
        #expect(throws: ValueMistake("invalid label '=x': empty name")) { try NameFlags.label("=x") }
        #expect(throws: ValueMistake("label 'a b' contains whitespaces")) { try NameFlags.label("a b=c") }
        let error = #expect(throws: CommandLineError.self) { try NameFlags.all(["a", "", "b:c:d"], flag: "--link", NameFlags.link) }
        #expect(
            error?.description == #"invalid argument "" for "--link" flag: empty string specified for links"# && error?.exitStatus == 125)
    }

    @Test("Subnets with what belongs to them")
    func subnets() throws {
        let found = try SubnetFlags.subnets(
            ["172.20.0.0/16", "2001:db8::/64"], ranges: ["172.20.5.0/24"], gateways: ["2001:db8::1", "172.20.0.1"],
            reserved: [("r", "172.20.0.2"), ("s", "2001:db8::2")])
        #expect(
            found == [
                .init("172.20.0.0/16", range: "172.20.5.0/24", gateway: "172.20.0.1", reserved: ["r": "172.20.0.2"]),
                .init("2001:db8::/64", gateway: "2001:db8::1", reserved: ["s": "2001:db8::2"]),
            ])
        // One alone is the engine's to judge.
        #expect(try SubnetFlags.subnets(["x"], ranges: [], gateways: [], reserved: []) == [.init("x")])
    }

    @Test("Subnets that cannot be")
    func noSubnets() {
        let (one, two) = ("172.20.0.0/16", "172.21.0.0/16")
        for (subnets, ranges, gateways, reserved, words) in [
            ([one, "172.20.1.0/24"], [], [], [], "multiple overlapping subnet configuration is not supported"),
            (["172.20.1.0/24", one], [], [], [], "multiple overlapping subnet configuration is not supported"),
            ([one, "x"], [], [], [], "invalid subnet: invalid CIDR address: x"),
            ([], [], ["172.20.0.1"], [], "every ip-range or gateway must have a corresponding subnet"),
            ([one], [], ["172.20.0.1", "172.20.0.2"], [], "every ip-range or gateway must have a corresponding subnet"),
            ([one], [], ["x"], [], "no matching subnet for gateway x"),
            ([one], [], ["1.2.3.4"], [], "no matching subnet for gateway 1.2.3.4"),
            ([one], [], ["::1"], [], "no matching subnet for gateway ::1"),
            (
                [one, two], [], ["172.20.0.1", "172.20.0.2"], [],
                "cannot configure multiple gateways (172.20.0.2, 172.20.0.1) for the same subnet (172.20.0.0/16)"
            ),
            ([one], ["1.2.3.0/24"], [], [], "no matching subnet for range 1.2.3.0/24"), ([one], ["x"], [], [], "invalid CIDR address: x"),
            ([one], ["172.20.0.0/33"], [], [], "invalid CIDR address: 172.20.0.0/33"),
            ([one], ["172.20.1.0"], [], [], "invalid CIDR address: 172.20.1.0"),
            ([one], ["172.20.1.0/24/8"], [], [], "invalid CIDR address: 172.20.1.0/24/8"),
            ([one], ["172.20.1.0/+24"], [], [], "invalid CIDR address: 172.20.1.0/+24"),
            ([one], ["172.20.1.0/"], [], [], "invalid CIDR address: 172.20.1.0/"),
            ([], ["172.20.1.0/24"], [], [], "every ip-range or gateway must have a corresponding subnet"),
            (
                [one, two], ["172.20.1.0/24", "172.20.2.0/24"], [], [],
                "cannot configure multiple ranges (172.20.2.0/24, 172.20.1.0/24) on the same subnet (172.20.0.0/16)"
            ),
            ([one], [], [], ["1.2.3.4"], "no matching subnet for aux-address 1.2.3.4"),
            ([one], [], [], [""], "no matching subnet for aux-address "),
        ] as [([String], [String], [String], [String], String)] {
            #expect(throws: ValueMistake(words)) {
                try SubnetFlags.subnets(subnets, ranges: ranges, gateways: gateways, reserved: reserved.map { ("r", $0) })
            }
        }
    }

    @Test("Names with numbers are listed by the numbers")
    func order() {
        let names = ["n10", "n2", "b", "a", "n", "n02", "n2a", "10", "9", "", "n2"]
        #expect(names.sorted(by: NaturalOrder.isBefore) == ["", "9", "10", "a", "b", "n", "n2", "n2", "n2a", "n02", "n10"])
        #expect(!NaturalOrder.isBefore("x", "x") && NaturalOrder.isBefore("x1", "x01") && !NaturalOrder.isBefore("x01", "x1"))
    }
}
