import BerthNetlink
import BerthNetworking
import Testing

@Suite("Blocks of addresses are read strictly, and cut into smaller ones")
struct SubnetTests {
    @Test(
        "A block has a first and a last address, and what is before the slash may be any in it",
        arguments: [
            ("172.17.0.0/16", "172.17.0.0/16", "172.17.255.255"), ("10.1.2.3/24", "10.1.2.0/24", "10.1.2.255"),
            ("0.0.0.0/0", "0.0.0.0/0", "255.255.255.255"),
            ("10.0.0.1/32", "10.0.0.1/32", "10.0.0.1"), ("fd00::1/64", "fd00::/64", "fd00::ffff:ffff:ffff:ffff"),
            ("::/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ("fd00::7/128", "fd00::7/128", "fd00::7"),
        ])
    func blocks(_ text: String, _ written: String, _ last: String) throws {
        let subnet = try #require(Subnet(text))
        #expect(subnet.description == written)
        #expect(subnet.last.description == last)
        #expect(Subnet(written) == subnet)
    }

    @Test(
        "What is no block is none",
        arguments: [
            "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/ 8", "10.0.0.0/8/8", "::/129", "/8", "10.0.0/8",
            "abc",
        ])
    func noBlocks(_ text: String) { #expect(Subnet(text) == nil) }

    @Test func overlaps() throws {
        let all = try ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16", "0.0.0.0/0", "::/0", "fd00::/8", "fd00:1::/64"].map {
            try #require(Subnet($0))
        }
        for one in all {
            for other in all {
                let expected = one.version == other.version && one.range.overlaps(other.range)
                #expect(one.overlaps(other) == expected, "\(one) and \(other)")
                #expect(one.contains(other) == (expected && one.prefixLength <= other.prefixLength), "\(one) and \(other)")
            }
        }
    }

    @Test func cutting() throws {
        let block = try #require(Subnet("192.168.0.0/16"))
        let parts = Array(block.blocks(prefixLength: 20))
        #expect(parts.count == 16 && parts[0].description == "192.168.0.0/20" && parts[15].description == "192.168.240.0/20")
        #expect(Array(block.blocks(prefixLength: 16)) == [block])
        #expect(Array(block.blocks(prefixLength: 8)).isEmpty)
        // The last blocks of all: there is no address behind them.
        #expect(Array(try #require(Subnet("255.255.255.252/30")).blocks(prefixLength: 32)).count == 4)
        #expect(Array(try #require(Subnet("ffff::/16")).blocks(prefixLength: 18)).count == 4)
        #expect(Array(try #require(Subnet("::/0")).blocks(prefixLength: 0)).count == 1)
    }
}

@Suite("A pool gives each address once, and one that came back last")
struct AddressPoolTests {
    private func pool(_ subnet: String, _ range: String? = nil) throws -> AddressPool {
        try AddressPool(try #require(Subnet(subnet)), range: try range.map { try #require(Subnet($0)) })
    }

    @Test func allOfThem() throws {
        var pool = try pool("10.0.0.0/29")
        #expect(try (0..<6).map { _ in try pool.takeNext().description } == (1...6).map { "10.0.0.\($0)" })
        #expect(pool.takenCount == 6)
        #expect { try pool.takeNext() } throws: { ($0 as? NetworkError)?.code == .conflict }
        pool.giveBack(try #require(IPAddress("10.0.0.3")))
        #expect(try pool.takeNext().description == "10.0.0.3")
    }

    @Test("One that came back is given again when all others have had their turn")
    func turns() throws {
        var pool = try pool("10.0.0.0/28")
        let first = try pool.takeNext()
        pool.giveBack(first)
        for number in 2...14 { #expect(try pool.takeNext().description == "10.0.0.\(number)") }
        #expect(try pool.takeNext() == first)
    }

    @Test func range() throws {
        var pool = try pool("172.28.0.0/16", "172.28.5.0/30")
        // Within a larger subnet these are addresses as any others; Docker gives them, too.
        #expect(try (0..<4).map { _ in try pool.takeNext().description } == (0...3).map { "172.28.5.\($0)" })
        #expect { try pool.takeNext() } throws: { ($0 as? NetworkError)?.code == .conflict }
        try pool.take(try #require(IPAddress("172.28.9.9")))
        #expect { try self.pool("10.0.0.0/24", "10.0.1.0/25") } throws: { "\($0)".contains("no matching subnet for range 10.0.1.0/25") }
    }

    @Test func refusals() throws {
        var pool = try pool("10.0.0.0/24")
        for (text, code) in [
            ("10.0.1.1", NetworkError.Code.invalid), ("fd00::1", .invalid), ("10.0.0.0", .conflict), ("10.0.0.255", .conflict),
        ] {
            let address = try #require(IPAddress(text))
            #expect { try pool.take(address) } throws: { ($0 as? NetworkError)?.code == code }
            // What was never to be had is not given back either.
            pool.giveBack(address)
            #expect { try pool.take(address) } throws: { ($0 as? NetworkError)?.code == code }
        }
        let address = try #require(IPAddress("10.0.0.7"))
        try pool.take(address)
        #expect { try pool.take(address) } throws: { ($0 as? NetworkError)?.code == .conflict }
    }

    @Test(
        "Small and large blocks",
        arguments: [("10.0.0.0/31", 2), ("10.0.0.4/32", 1), ("10.0.0.0/30", 2), ("fd00::/126", 3), ("fd00::/127", 2)])
    func sizes(_ subnet: String, _ count: Int) throws {
        var pool = try pool(subnet)
        for _ in 0..<count { _ = try pool.takeNext() }
        #expect { try pool.takeNext() } throws: { ($0 as? NetworkError)?.code == .conflict }
    }

    @Test("The end of all addresses is the end")
    func end() throws {
        var pool = try pool("255.255.255.248/29")
        for _ in 0..<6 { _ = try pool.takeNext() }
        #expect { try pool.takeNext() } throws: { ($0 as? NetworkError)?.code == .conflict }
        var six = try self.pool("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126")
        for _ in 0..<3 { _ = try six.takeNext() }
        #expect { try six.takeNext() } throws: { ($0 as? NetworkError)?.code == .conflict }
    }

    @Test("Whatever is taken and given back, no address is given twice", arguments: 0..<20)
    func random(_ seed: Int) throws {
        var generator = Generator(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1)
        var pool = try pool("10.0.0.0/26", seed % 2 == 0 ? nil : "10.0.0.16/28")
        var held: Set<IPAddress> = []
        for _ in 0..<2000 {
            switch UInt8.random(in: 0..<4, using: &generator) {
            case 0, 1:
                let isFull = held.count(where: pool.range.contains) == (seed % 2 == 0 ? 62 : 16)
                do throws(NetworkError) {
                    let address = try pool.takeNext()
                    #expect(held.insert(address).inserted && pool.range.contains(address) && !isFull)
                } catch { #expect(isFull) }
            case 2:
                let address = IPAddress(.v4, pool.subnet.base.value + UInt128(UInt8.random(in: 1...62, using: &generator)))
                do throws(NetworkError) {
                    try pool.take(address)
                    #expect(held.insert(address).inserted)
                } catch { #expect(held.contains(address)) }
            default:
                guard let address = held.sorted().randomElement(using: &generator) else { continue }
                pool.giveBack(address)
                held.remove(address)
            }
            #expect(pool.takenCount == held.count)
        }
    }

    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }
}

@Suite("A network gets the subnets that it asks for, or ones that are free")
struct AddressPlanTests {
    private func plan(
        _ requests: [SubnetRequest], _ versions: Set<IPAddress.Version> = [.v4], networks: [String] = [], routes: [String] = []
    ) throws -> AddressPlan {
        try AddressPlan(
            requests, versions: versions,
            from: SubnetChoice(SubnetChoice.standard + [SubnetChoice.uniqueLocal(identifier: 0x12_3456_789a)]),
            networks: networks.map { try #require(Subnet($0)) }, routes: routes.map { try #require(Subnet($0)) })
    }
    private func told(_ plan: AddressPlan) -> [String] { plan.parts.map { "\($0.pool.subnet) \($0.gateway)" } }

    @Test("Without a word: Docker's pools in their order, around what is there")
    func choosing() throws {
        #expect(told(try plan([])) == ["172.17.0.0/16 172.17.0.1"])
        #expect(told(try plan([], networks: ["172.17.0.0/16"], routes: ["172.18.5.0/24", "0.0.0.0/0"])) == ["172.19.0.0/16 172.19.0.1"])
        // What covers all of them leaves the last.
        #expect(told(try plan([], routes: ["172.16.0.0/12"])) == ["192.168.0.0/20 192.168.0.1"])
        #expect(told(try plan([], [.v4, .v6])) == ["172.17.0.0/16 172.17.0.1", "fd12:3456:789a::/64 fd12:3456:789a::1"])
        #expect(told(try plan([], [.v6], networks: ["fd12:3456:789a::/64"])) == ["fd12:3456:789a:1::/64 fd12:3456:789a:1::1"])
        #expect { try plan([], routes: ["172.16.0.0/12", "192.168.0.0/16"]) } throws: {
            ($0 as? NetworkError)?.code == .conflict && "\($0)".hasPrefix("could not find an available, non-overlapping IPv4 address pool")
        }
    }

    @Test("What is said is taken, and the other version is chosen where it is wanted")
    func saying() throws {
        let said = SubnetRequest(
            subnet: "172.28.0.0/16", range: "172.28.5.0/24", gateway: "172.28.5.254",
            auxiliary: ["router": "172.28.5.1", "host": "172.28.5.0"])
        var plan = try plan([said], [.v4, .v6])
        #expect(told(plan) == ["172.28.0.0/16 172.28.5.254", "fd12:3456:789a::/64 fd12:3456:789a::1"])
        #expect(try plan.takeNext(.v4)?.description == "172.28.5.2")
        // The network's own are not given back.
        for text in ["172.28.5.254", "172.28.5.1"] {
            plan.giveBack(try #require(IPAddress(text)))
            #expect { try plan.take(try #require(IPAddress(text))) } throws: { ($0 as? NetworkError)?.code == .conflict }
        }
        #expect(told(try self.plan([SubnetRequest(subnet: "172.28.0.0/16", range: "172.28.5.0/24")])) == ["172.28.0.0/16 172.28.5.0"])
        #expect(told(try self.plan([SubnetRequest(subnet: "fd00:1::/64")])) == ["172.17.0.0/16 172.17.0.1", "fd00:1::/64 fd00:1::1"])
        // What is said may lie where a route leads: whoever says it knows.
        #expect(told(try self.plan([SubnetRequest(subnet: "10.1.0.0/16")], routes: ["10.0.0.0/8"])) == ["10.1.0.0/16 10.1.0.1"])
        var without = try self.plan([SubnetRequest(subnet: "10.1.0.0/16")])
        #expect(try without.takeNext(.v6) == nil)
    }

    @Test("Only of a subnet that was said may an address be asked for")
    func asking() throws {
        let (said, chosen) = (try #require(IPAddress("10.1.0.9")), try #require(IPAddress("172.17.0.9")))
        var plan = try plan([SubnetRequest(subnet: "10.1.0.0/16")])
        try plan.request(said)
        #expect { try plan.request(said) } throws: { ($0 as? NetworkError)?.code == .conflict }
        #expect { try plan.request(chosen) } throws: {
            "\($0)".hasPrefix("no configured subnet or ip-range contain the IP address 172.17.0.9")
        }
        plan.giveBack(said)
        try plan.request(said)
        var other = try self.plan([])
        #expect { try other.request(chosen) } throws: { "\($0)".hasPrefix("user specified IP address is supported only") }
        // What a sandbox has had before is its own.
        try other.take(chosen)
        #expect { try other.take(chosen) } throws: { ($0 as? NetworkError)?.code == .conflict }
    }

    @Test(
        "What cannot be is refused, in Docker's words",
        arguments: [
            (SubnetRequest(subnet: "abc"), "invalid network config:\ninvalid subnet abc: invalid CIDR block notation"),
            (SubnetRequest(subnet: "10.1.2.0/33"), "invalid network config:\ninvalid subnet 10.1.2.0/33: invalid CIDR block notation"),
            (SubnetRequest(subnet: "10.1.2.3/24"), "invalid network config:\ninvalid subnet 10.1.2.3/24: it should be 10.1.2.0/24"),
            (
                SubnetRequest(subnet: "10.1.2.0/24", range: "abc"),
                "invalid network config:\ninvalid ip-range abc: invalid CIDR block notation"
            ),
            (
                SubnetRequest(subnet: "10.1.2.0/24", range: "10.9.0.0/24"),
                "invalid network config:\ninvalid ip-range 10.9.0.0/24: parent subnet 10.1.2.0/24 doesn't contain ip-range"
            ),
            (
                SubnetRequest(subnet: "10.1.2.0/24", range: "10.1.0.0/16"),
                "invalid network config:\ninvalid ip-range 10.1.0.0/16: CIDR block is bigger than its parent subnet 10.1.2.0/24"
            ),
            (
                SubnetRequest(subnet: "10.1.2.0/24", gateway: "10.9.0.1"),
                "invalid network config:\ninvalid gateway 10.9.0.1: parent subnet 10.1.2.0/24 doesn't contain this address"
            ),
            (SubnetRequest(subnet: "10.1.2.0/24", gateway: "10.1.2.0"), "failed to allocate gateway (10.1.2.0): Address already in use"),
            (
                SubnetRequest(subnet: "10.1.2.0/24", gateway: "10.1.2.255"),
                "failed to allocate gateway (10.1.2.255): Address already in use"
            ),
            (
                SubnetRequest(subnet: "10.1.2.0/24", auxiliary: ["x": "10.9.0.1"]),
                "invalid network config:\ninvalid auxiliary address x: parent subnet 10.1.2.0/24 doesn't contain this address"
            ),
            (
                SubnetRequest(subnet: "10.1.2.0/24", range: "10.1.2.5/25"),
                "invalid network config:\ninvalid ip-range 10.1.2.5/25: it should be 10.1.2.0/25"
            ),
            (
                SubnetRequest(subnet: "10.1.2.0/24", range: "fd00::/64"),
                "invalid network config:\ninvalid ip-range fd00::/64: parent subnet is an IPv4 block"
            ),
            (
                SubnetRequest(subnet: "fd00::/64", gateway: "10.1.2.1"),
                "invalid network config:\ninvalid gateway 10.1.2.1: parent subnet is an IPv6 block"
            ),
            (SubnetRequest(subnet: "fd00::/64", gateway: "x"), "invalid network config:\ninvalid gateway x: invalid address"),
            (
                SubnetRequest(subnet: "10.1.2.3/24", range: "x", gateway: "x"),
                "invalid network config:\n* invalid subnet 10.1.2.3/24: it should be 10.1.2.0/24\n* invalid ip-range x: invalid CIDR block notation\n* invalid gateway x: invalid address"
            ),
            (
                SubnetRequest(subnet: "10.1.2.0/24", gateway: "10.1.2.1", auxiliary: ["x": "10.1.2.1"]),
                "failed to allocate secondary ip address (x:10.1.2.1): Address already in use"
            ),
            (
                SubnetRequest(subnet: "10.1.2.0/24", auxiliary: ["x": "10.1.2.7", "y": "10.1.2.7"]),
                "failed to allocate secondary ip address (y:10.1.2.7): Address already in use"
            ),
            (SubnetRequest(subnet: "172.20.5.0/24"), "Pool overlaps with other one on this address space"),
        ] as [(SubnetRequest, String)])
    func refusals(_ request: SubnetRequest, _ words: String) throws {
        #expect { try plan([request], networks: ["172.20.0.0/16"]) } throws: { "\($0)".hasPrefix(words) }
    }

    @Test func twoOfOneVersion() throws {
        #expect { try plan([SubnetRequest(subnet: "10.1.0.0/24"), SubnetRequest(subnet: "10.2.0.0/24")]) } throws: {
            "\($0)" == "bridge driver doesn't support multiple subnets"
        }
        #expect { try plan([SubnetRequest(subnet: "10.0.0.8/32", gateway: nil, auxiliary: ["x": "10.0.0.8"])]) } throws: {
            "\($0)" == "failed to allocate gateway (): No available addresses on this pool"
        }
    }
}
