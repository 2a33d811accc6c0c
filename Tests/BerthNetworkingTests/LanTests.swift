import BerthNetlink
import Testing

@testable import BerthNetworking

@Suite("Networks beside an interface of the host's: what their creators may say")
struct LanTests {
    @Test("Docker's options are read, and its defaults hold")
    func options() throws {
        let nothing = try LanOptions([:], .macvlan)
        #expect(nothing.parent == nil && nothing.mode == .macvlan(.bridge) && nothing.mtu == nil && !nothing.isRouted)
        #expect(try LanOptions([:], .ipvlan).mode == .ipvlan(.l2, .bridge))
        #expect(try LanOptions(["parent": "eth0.50", "macvlan_mode": "passthru", "mtu": "9000"], .macvlan).mode == .macvlan(.passthru))
        #expect(try LanOptions(["parent": "", "macvlan_mode": "private"], .macvlan).mode == .macvlan(.isolated))
        let routed = try LanOptions(["parent": "eth0", "ipvlan_mode": "l3s", "ipvlan_flag": "vepa", "org.example": "kept"], .ipvlan)
        #expect(routed.parent?.description == "eth0" && routed.mode == .ipvlan(.l3s, .vepa) && routed.isRouted)
        // Each driver has its own: the other's is nobody's business but its creator's.
        #expect(try LanOptions(["ipvlan_mode": "odd"], .macvlan).mode == .macvlan(.bridge))
    }

    @Test(
        "An option that cannot be is named, in Docker's words",
        arguments: [
            ("macvlan", "macvlan_mode", "odd", "requested macvlan mode 'odd' is not valid, 'bridge' mode is the macvlan driver default"),
            ("ipvlan", "ipvlan_mode", "l4", "requested ipvlan mode 'l4' is not valid, 'l2' mode is the ipvlan driver default"),
            ("ipvlan", "ipvlan_flag", "x", "requested ipvlan flag 'x' is not valid, 'bridge' is the ipvlan driver default"),
            ("ipvlan", "parent", "lo", "loopback interface is not a valid ipvlan parent link"),
            ("macvlan", "parent", "sixteen.letters.", "-o parent is no interface's name: 'sixteen.letters.'"),
            ("macvlan", "mtu", "67", "failed to parse mtu value: 67 (it must be 68 to 65535)"),
            (
                "macvlan", "com.docker.network.bridge.name", "x",
                "not supported here: the option 'com.docker.network.bridge.name' of a network"
            ),
        ])
    func refused(driver: String, key: String, value: String, words: String) throws {
        let kind = try #require(LanKind(rawValue: driver))
        #expect { _ = try LanOptions([key: value], kind) } throws: {
            guard let error = $0 as? NetworkError else { return false }
            return error.description.hasPrefix(words) && error.code == (key.hasPrefix("com.docker.network.b") ? .unsupported : .invalid)
        }
    }

    @Test(
        "A VLAN's name is an interface's and a number that there is",
        arguments: [
            ("eth0.1", "eth0", 1), ("a.4094", "a", 4094), ("a.007", "a", 7), ("eth0", nil, 0), ("eth0.", nil, 0), (".5", nil, 0),
            ("a.0", nil, 0),
            ("a.4095", nil, 0), ("a.b.5", nil, 0), ("a.+5", nil, 0), ("a.x", nil, 0), ("a.99999999999", nil, 0),
        ] as [(String, String?, UInt16)])
    func vlan(text: String, base: String?, id: UInt16) throws {
        let name = try #require(InterfaceName(text))
        guard let base else {
            #expect { _ = try VLANName(name) } throws: { ($0 as? NetworkError)?.code == .invalid }
            return
        }
        let found = try VLANName(name)
        #expect(found.base.description == base && found.id == id)
    }

    @Test("What is written to a parent that was made is read again, and nobody else's is")
    func alias() {
        for kind in LanKind.allCases {
            let alias = InterfaceAlias.parent(driver: kind.rawValue, network: "0123")
            #expect(InterfaceAlias(alias.text(engineID: "e"), engineID: "e") == alias)
            #expect(InterfaceAlias(alias.text(engineID: "e"), engineID: "f") == nil)
        }
        #expect(InterfaceAlias("berth/e/vxlan/0123", engineID: "e") == nil)
    }

    @Test("Where packets to elsewhere go follows from what the creator says")
    func routes() throws {
        let host = try HostNetwork()
        let parents = LanParents(engineID: "e", host: host)
        let macvlan = LanDriver(.macvlan, engineID: "e", host: host, parents: parents)
        let ipvlan = LanDriver(.ipvlan, engineID: "e", host: host, parents: parents)
        var configuration = NetworkConfiguration(name: "lan")
        #expect(macvlan.traits(of: configuration).defaultRoute == .none && ipvlan.traits(of: configuration).defaultRoute == .none)
        configuration.options = ["parent": "eth0", "ipvlan_mode": "l3"]
        #expect(macvlan.traits(of: configuration).defaultRoute == .gateway && ipvlan.traits(of: configuration).defaultRoute == .interface)
        #expect(!macvlan.traits(of: configuration).publishesPorts && !ipvlan.traits(of: configuration).hasHardwareAddresses)
        configuration.isInternal = true
        #expect(macvlan.traits(of: configuration).defaultRoute == .none && ipvlan.traits(of: configuration).defaultRoute == .none)
    }
}
