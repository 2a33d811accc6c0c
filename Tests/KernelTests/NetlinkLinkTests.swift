import BerthLinux
import Foundation
import Testing

@testable import BerthNetlink

@Suite("Links, addresses and routes, as ip sees them", .kernelTier, .serialized, .timeLimit(.minutes(2)))
struct NetlinkLinkTests {
    private let scene: NetlinkScene
    init() throws { scene = try NetlinkScene() }

    /// The flags, kinds and numbers of `ip` and of ours, as lines.
    private func theirs(_ namespace: NamespaceHandle) throws -> [String] {
        try NetlinkScene.json(in: namespace, "ip -j -d link show").map { link in
            let flags = link["flags"] as? [String] ?? []
            let info = link["linkinfo"] as? [String: Any] ?? [:]
            let port = info["info_slave_data"] as? [String: Any]
            let portText = port.map {
                "hairpin \($0["hairpin"] ?? "") isolated \($0["isolated"] ?? "") learning \($0["learning"] ?? "") flood \($0["flood"] ?? "")"
            }
            return [
                "\(link["ifindex"] ?? "") \(link["ifname"] ?? "") \(info["info_kind"] ?? "-") mtu \(link["mtu"] ?? "")",
                "address \(link["address"] ?? "-") up \(flags.contains("UP")) running \(flags.contains("LOWER_UP") && flags.contains("UP"))",
                "loopback \(flags.contains("LOOPBACK")) master \(link["master"] ?? "-") alias \(link["ifalias"] ?? "")",
                "namespace \(link["link_netnsid"] ?? "-") \(portText ?? "no port")",
            ].joined(separator: " ")
        }
    }

    private func ours(_ namespace: NamespaceHandle) throws -> [String] {
        var socket = try NetlinkSocket(.route, in: namespace)
        let links = try socket.links()
        let names = Dictionary(uniqueKeysWithValues: links.map { ($0.index, $0.name) })
        return links.map { link in
            let portText = link.bridgePort.map {
                "hairpin \($0.isHairpin) isolated \($0.isIsolated) learning \($0.learns) flood \($0.floods)"
                    .replacingOccurrences(of: "true", with: "1").replacingOccurrences(of: "false", with: "0")
            }
            return [
                "\(link.index) \(link.name) \(link.kind ?? "-") mtu \(link.mtu)",
                "address \(link.hardwareAddress?.description ?? "-") up \(link.isUp) running \(link.isRunning)",
                "loopback \(link.isLoopback) master \(link.master.flatMap { names[$0] } ?? "-") alias \(link.alias)",
                "namespace \(link.peerNamespaceID.map(String.init) ?? "-") \(portText ?? "no port")",
            ].joined(separator: " ")
        }
    }

    private func routesOfIP(_ namespace: NamespaceHandle, _ version: IPAddress.Version) throws -> [String] {
        let family = version == .v4 ? "-4" : "-6"
        return try NetlinkScene.json(in: namespace, "ip -j -N -d \(family) route show table all").map { route in
            func hop(_ hop: [String: Any]) -> String {
                let gateway = hop["gateway"] ?? (hop["via"] as? [String: Any])?["host"] ?? "-"
                return "\(hop["dev"] ?? "-") \(gateway)"
            }
            let hops = (route["nexthops"] as? [[String: Any]])?.map(hop) ?? [hop(route)]
            var destination = route["dst"] as? String ?? ""
            if destination == "default" { destination = version == .v4 ? "0.0.0.0/0" : "::/0" }
            if !destination.contains("/") { destination += "/\(version.bitCount)" }
            return [
                "\(destination) \(route["type"] ?? "") \(hops.joined(separator: ", ")) source \(route["prefsrc"] ?? "-")",
                "metric \(route["metric"] ?? "-") table \(route["table"] ?? "254") origin \(route["protocol"] ?? "")",
            ].joined(separator: " ")
        }.sorted()
    }

    private func ourRoutes(_ namespace: NamespaceHandle, _ version: IPAddress.Version) throws -> [String] {
        var socket = try NetlinkSocket(.route, in: namespace)
        let names = Dictionary(uniqueKeysWithValues: try socket.links().map { ($0.index, $0.name) })
        return try socket.routes(version).map { route in
            let hops = route.hops.map { "\($0.interface.flatMap { names[$0] } ?? "-") \($0.gateway?.description ?? "-")" }
            return [
                "\(route.destination) \(route.kind.rawValue) \((hops.isEmpty ? ["- -"] : hops).joined(separator: ", "))",
                "source \(route.source?.description ?? "-") metric \(route.metric.map(String.init) ?? "-") table \(route.table)",
                "origin \(route.origin)",
            ].joined(separator: " ")
        }.sorted()
    }

    /// The kernel gives link-local addresses and their routes, and tells of carriers, by and by: both are asked until they say the same, with a bound.
    private func expectSoonSame(_ note: String, _ read: () throws -> (ours: [String], theirs: [String])) throws {
        var last = try read()
        for _ in 0..<100 where last.ours != last.theirs { last = try read() }
        #expect(!last.ours.isEmpty)
        expectSame(last.ours, last.theirs, note)
    }

    private func expectAddressesAsIP(_ namespace: NamespaceHandle) throws {
        try expectSoonSame("addresses") { try addresses(namespace) }
    }

    private func addresses(_ namespace: NamespaceHandle) throws -> (ours: [String], theirs: [String]) {
        var socket = try NetlinkSocket(.route, in: namespace)
        let names = Dictionary(uniqueKeysWithValues: try socket.links().map { ($0.index, $0.name) })
        let ours = try socket.addresses().map {
            "\(names[$0.interface] ?? "?") \($0.prefix) \($0.broadcast?.description ?? "-") \($0.flags.contains(.withoutDuplicateDetection))"
        }
        let theirs = try NetlinkScene.json(in: namespace, "ip -j addr show").flatMap { link in
            (link["addr_info"] as? [[String: Any]] ?? []).map { info in
                "\(link["ifname"] ?? "?") \(info["local"] ?? ""))/\(info["prefixlen"] ?? "") \(info["broadcast"] ?? "-") \(info["nodad"] as? Bool ?? false)"
                    .replacingOccurrences(of: ")", with: "")
            }
        }
        return (ours, theirs)
    }

    /// What a bridge driver makes: a bridge with addresses, and a container's interface in its own namespace, in two batches.
    @Test func aContainersAttachmentIsAsIPSeesIt() throws {
        var host = try NetlinkSocket(.route, in: scene.host)
        let bridge = try InterfaceName.named("br-0123456789ab")
        try host.perform([
            .makeLink(
                NewLink(
                    LinkEnd(name: bridge, index: 100, hardwareAddress: HardwareAddress("02:42:00:00:00:01")), .bridge(.init()), isUp: true)),
            .changeLink(.name(bridge), LinkChange(alias: "berth network 0123")),
            .addAddress(InterfaceAddress(try .of("172.17.0.1/16"), on: 100, broadcast: try .of("172.17.255.255"))),
            .addAddress(InterfaceAddress(try .of("fd00::1/64"), on: 100, flags: .withoutDuplicateDetection)),
            .addRoute(Route(to: try .of("10.9.0.0/16"), kind: .unreachable)),
        ])
        let outer = try InterfaceName.named("veth0123")
        let peer = LinkEnd(
            name: try .named("eth0"), index: 2, hardwareAddress: HardwareAddress("02:42:ac:11:00:02"), mtu: 1400,
            namespace: scene.inside)
        try host.perform([
            .makeLink(NewLink(LinkEnd(name: outer), .veth(peer: peer), isUp: true, master: 100)),
            .changeLink(.name(outer), LinkChange(mtu: 1400, alias: "berth sandbox 4567")),
        ])
        var inside = try NetlinkSocket(.route, in: scene.inside)
        try inside.perform([
            .changeLink(.name(try .named("lo")), LinkChange(isUp: true)), .changeLink(.index(2), LinkChange(isUp: true)),
            .addAddress(InterfaceAddress(try .of("172.17.0.2/16"), on: 2, broadcast: try .of("172.17.255.255"))),
            .addAddress(InterfaceAddress(try .of("fd00::2/64"), on: 2, flags: .withoutDuplicateDetection)),
            .addRoute(Route(to: try .of("0.0.0.0/0"), gateway: try .of("172.17.0.1"))),
            .addRoute(Route(to: try .of("::/0"), interface: 2, gateway: try .of("fd00::1"), metric: 512)),
            .addRoute(Route(to: try .of("10.1.0.0/24"), interface: 2, source: try .of("172.17.0.2"), table: 4711)),
        ])
        // Each way there is an answer, though nobody listens.
        for address in ["172.17.0.1", "fd00::1"] {
            let (output, _) = try NetlinkScene.tryRun(in: scene.inside, "timeout 10 bash -c 'exec 3<>/dev/tcp/\(address)/9'")
            #expect(output.contains("Connection refused"), "\(output)")
        }
        try host.perform(
            .changeBridgePort(.name(outer), BridgePortChange(isHairpin: true, isIsolated: true, learns: false, floods: false)))
        for namespace in [scene.host, scene.inside] {
            try expectSoonSame("links") { (try ours(namespace), try theirs(namespace)) }
            try expectAddressesAsIP(namespace)
            for version in IPAddress.Version.allCases {
                try expectSoonSame("routes") { (try ourRoutes(namespace, version), try routesOfIP(namespace, version)) }
            }
        }
        // What was asked for, in ip's words.
        let port = try #require(try theirs(scene.host).first { $0.contains("veth0123") })
        #expect(
            port.contains("veth mtu 1400") && port.contains("up true running true")
                && port.contains("master br-0123456789ab alias berth sandbox 4567"))
        #expect(
            port.hasSuffix("hairpin 1 isolated 1 learning 0 flood 0")
                || port.hasSuffix("hairpin true isolated true learning false flood false"))
        #expect(try theirs(scene.inside).contains { $0.hasPrefix("2 eth0 veth mtu 1400 address 02:42:ac:11:00:02 up true running true") })
        #expect(try NetlinkScene.run(in: scene.inside, "ip route").contains("default via 172.17.0.1 dev eth0"))
        #expect(try NetlinkScene.run(in: scene.host, "ip route show type unreachable").contains("10.9.0.0/16"))
    }

    /// The other way round: what ip makes is what we read.
    @Test func whatIPMakesIsRead() throws {
        try NetlinkScene.run(
            in: scene.host,
            """
            ip link set lo up; ip link add br0 type bridge; ip link add v0 type veth peer name v1; ip link set v0 master br0 alias 'somebody else'
            ip link add v2 type veth peer name v3; ip link add mv0 link v2 type macvlan mode bridge
            for l in br0 v0 v1 v2 v3 mv0; do ip link set $l up; done
            bridge link set dev v0 hairpin on
            ip addr add 10.0.0.1/24 brd + dev v1; ip addr add 10.0.0.7/32 dev br0; ip addr add fd00:7::1/64 nodad dev v1
            ip addr add 10.2.0.1 peer 10.2.0.2/32 dev v3
            ip route add 10.5.0.0/16 nexthop via 10.0.0.2 dev v1 nexthop via 10.2.0.2 dev v3
            ip route add 10.6.0.0/16 via inet6 fd00:7::2 dev v1; ip route add blackhole 10.7.0.0/16 metric 7; ip route add fd00:8::/48 via fd00:7::2
            ip route add default via 10.0.0.2; ip route add prohibit fd00:9::/64; ip -6 route add default via fd00:7::2 table 300
            ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v1
            """)
        try expectSoonSame("links") { (try ours(scene.host), try theirs(scene.host)) }
        try expectAddressesAsIP(scene.host)
        for version in IPAddress.Version.allCases {
            try expectSoonSame("routes") { (try ourRoutes(scene.host, version), try routesOfIP(scene.host, version)) }
            #expect(try ourRoutes(scene.host, version).count > 5)
        }
        var socket = try NetlinkSocket(.route, in: scene.host)
        let link = try #require(try socket.link(.name(.named("v1"))))
        let neighbours = try socket.neighbours(on: link.index, .v4).filter { $0.state == 0x80 }
        #expect(neighbours == [Neighbour(try .of("10.0.0.9"), at: HardwareAddress("02:00:00:00:00:09"), on: link.index)])
        #expect(try socket.addresses(on: link.index).map(\.prefix.description).contains("10.0.0.1/24"))
        #expect(try socket.routes(.v6, table: 300).map(\.destination.description) == ["::/0"])
    }

    @Test func interfacesChangeAndGo() throws {
        var host = try NetlinkSocket(.route, in: scene.host)
        let (a, b) = (try InterfaceName.named("a0"), try InterfaceName.named("b0"))
        try host.perform(.makeLink(NewLink(LinkEnd(name: a), .veth(peer: LinkEnd(name: b)))))
        try host.perform(.makeLink(NewLink(LinkEnd(name: try .named("br0"), index: 50), .bridge(.init()))))
        let index = try #require(try host.link(.name(a))).index
        let other = try #require(try host.link(.name(b)))
        #expect(other.peer == index)
        try host.perform([
            .renameLink(index: index, to: try .named("c0")),
            .changeLink(
                .index(index),
                LinkChange(isUp: true, master: 50, mtu: 1300, hardwareAddress: HardwareAddress("02:00:00:00:00:07"), alias: "x")),
        ])
        var link = try #require(try host.link(.index(index)))
        #expect(link.name == "c0" && link.isUp && link.master == 50 && link.mtu == 1300 && link.alias == "x")
        #expect(link.hardwareAddress?.description == "02:00:00:00:00:07")
        try host.perform(.changeLink(.index(index), LinkChange(isUp: false, master: 0, alias: "")))
        link = try #require(try host.link(.index(index)))
        #expect(!link.isUp && link.master == nil && link.alias.isEmpty && link.bridgePort == nil)

        try host.perform(.changeLink(.name(b), LinkChange(namespace: scene.inside)))
        #expect(try host.link(.name(b)) == nil)
        #expect(try NetlinkScene.run(in: scene.inside, "ip -o link").contains("b0"))
        let address = InterfaceAddress(try .of("10.0.0.1/24"), on: index)
        let route = Route(to: try .of("10.9.0.0/16"), interface: 50)
        try host.perform([.addAddress(address), .changeLink(.index(50), LinkChange(isUp: true)), .addRoute(route)])
        try host.perform(.replaceRoute(Route(to: route.destination, kind: .blackhole)))
        #expect(try NetlinkScene.run(in: scene.host, "ip route").contains("blackhole 10.9.0.0/16"))
        let neighbour = Neighbour(try .of("10.0.0.4"), at: HardwareAddress("02:00:00:00:00:04"), on: 50)
        try host.perform(.setNeighbour(neighbour))
        #expect(try NetlinkScene.run(in: scene.host, "ip neigh").contains("10.0.0.4 dev br0 lladdr 02:00:00:00:00:04 PERMANENT"))
        try host.perform([
            .removeNeighbour(neighbour), .removeAddress(address), .removeRoute(Route(to: route.destination, kind: .blackhole)),
            .removeLink(.name(try .named("c0"))),
        ])
        #expect(try NetlinkScene.run(in: scene.host, "ip -4 addr; ip route; ip neigh show nud permanent").contains("10.") == false)
        #expect(try !NetlinkScene.run(in: scene.inside, "ip -o link").contains("b0"))
    }

    @Test func errorsHaveTheKernelsSentenceAndTheIndex() throws {
        var host = try NetlinkSocket(.route, in: scene.host)
        let name = try InterfaceName.named("br0")
        let bridge = NetlinkRequest.makeLink(NewLink(LinkEnd(name: name), .bridge(.init())))
        try host.perform(bridge)
        func failure(_ requests: [NetlinkRequest]) throws -> NetlinkError {
            var found: NetlinkError?
            do throws(NetlinkError) { try host.perform(requests) } catch { found = error }
            return try #require(found)
        }
        #expect(try failure([bridge]).description == "cannot make the bridge interface br0: File exists (EEXIST)")
        #expect(try failure([bridge]).code == .exists)
        let missing = try failure([.changeLink(.name(name), LinkChange(isUp: true)), .removeLink(.name(try .named("none"))), bridge])
        #expect(missing.code == .notFound && missing.index == 1 && missing.purpose == "remove the interface none")
        // What came before the failing one has been done.
        #expect(try #require(try host.link(.name(name))).isUp)
        let route = try failure([.addRoute(Route(to: try .of("10.0.0.0/8"), gateway: try .of("192.0.2.1")))])
        #expect(route.explanation == "Nexthop has invalid gateway" && route.underlying?.name == "ENETUNREACH", "\(route)")
        let mask = try failure([.addRoute(Route(to: try .of("10.0.0.1/8"), interface: 1))])
        #expect(mask.code == .invalid && mask.explanation == "Invalid prefix for given prefix length", "\(mask)")
        let address = try failure([.removeAddress(InterfaceAddress(try .of("10.0.0.1/8"), on: 1))])
        #expect(address.code == .notFound, "\(address)")
        let small = try failure([.changeLink(.name(name), LinkChange(mtu: 1))])
        #expect(small.explanation == "mtu less than device minimum" && small.code == .invalid, "\(small)")
        let alone = #expect(throws: NetlinkError.self) { try host.perform(bridge) }
        #expect(alone?.index == nil)
        // Refused before anything is sent: the first of the batch is not done either.
        let refused = try failure([
            .makeLink(NewLink(LinkEnd(name: try .named("br1")), .bridge(.init()))),
            .changeLink(.name(name), LinkChange(alias: String(repeating: "x", count: 300))),
        ])
        #expect(refused.index == 1 && refused.underlying == nil)
        #expect(try host.link(.name(.named("br1"))) == nil)
        #expect(try host.link(.index(4711)) == nil)
        let stranger = #expect(throws: NetlinkError.self) { try NamespaceHandle(adopting: HostFile.open("/dev/null")).run { 1 } }
        #expect(stranger?.code == .invalid)
        #expect(throws: NetlinkError.self) { _ = try NetlinkSocket(.route, adopting: HostFile.open("/dev/null")) }
        let duplicate = try host.duplicate()
        #expect(throws: NetlinkError.self) { _ = try NetlinkSocket(.netfilter, adopting: duplicate.duplicate()) }
        var again = try NetlinkSocket(.route, adopting: duplicate.duplicate())
        #expect(try again.link(.name(name)) != nil)
    }

    /// Kinds that a kernel may lack: where ip can make one, so can we; where it cannot, the error says so in the kernel's words.
    @Test(arguments: ["dummy", "macvlan", "ipvlan", "vlan"])
    func kindsThatAKernelMayLack(kind: String) throws {
        try NetlinkScene.run(in: scene.host, "ip link add p0 type veth peer name p1; ip link set p0 up")
        let (output, code) = try NetlinkScene.tryRun(
            in: scene.host,
            "ip link add t0 \(kind == "dummy" ? "" : "link p0") type \(kind) \(kind == "vlan" ? "id 5" : "") && ip link del t0")
        var host = try NetlinkSocket(.route, in: scene.host)
        let parent = try #require(try host.link(.name(.named("p0")))).index
        let kinds: [String: NewLink.Kind] = [
            "dummy": .dummy, "macvlan": .macvlan(parent: parent, .bridge), "ipvlan": .ipvlan(parent: parent, .l3, .isolated),
            "vlan": .vlan(parent: parent, id: 5),
        ]
        let end = LinkEnd(name: try .named("eth0"), namespace: scene.inside)
        let request = NetlinkRequest.makeLink(NewLink(end, try #require(kinds[kind]), isUp: true))
        if code == 0 {
            try host.perform(request)
            let made = try #require(try NetlinkScene.json(in: scene.inside, "ip -j -d link show eth0").first)
            let info = try #require(made["linkinfo"] as? [String: Any])
            #expect(info["info_kind"] as? String == kind)
            let data = info["info_data"] as? [String: Any]
            #expect(data?["mode"] as? String == ["macvlan": "bridge", "ipvlan": "l3"][kind])
            #expect(data?["id"] as? Int == (kind == "vlan" ? 5 : nil))
        } else {
            let error = #expect(throws: NetlinkError.self) { try host.perform(request) }
            #expect(error?.code == .unsupported)
            #expect(error?.explanation == "Unknown device type", "ip: \(output)")
        }
    }

    /// What is in a namespace that is known by its number alone.
    @Test func namespacesHaveNumbers() throws {
        try NetlinkScene.run(in: scene.inside, "ip link add one type veth peer name two")
        var host = try NetlinkSocket(.route, in: scene.host)
        #expect(try host.numberedNamespaces().isEmpty)
        let number = try host.number(of: scene.inside)
        #expect(try host.number(of: scene.inside) == number)
        #expect(try host.numberedNamespaces() == [number])
        let links = try host.links(in: number)
        #expect(Set(links.map(\.name)) == ["lo", "one", "two"])
        let one = try #require(links.first { $0.name == "one" })
        try host.perform(.removeLink(index: one.index, in: number))
        #expect(try host.links(in: number).map(\.name) == ["lo"])
        #expect(try host.links().map(\.name) == ["lo"])
        let again = #expect(throws: NetlinkError.self) { try host.perform(.removeLink(index: one.index, in: number)) }
        #expect(again?.code == .notFound)
        let nobodys = NumberedNamespace(number: number.number + 1)
        #expect(try host.links(in: nobodys).isEmpty)
        let nowhere = #expect(throws: NetlinkError.self) { try host.perform(.removeLink(index: 1, in: nobodys)) }
        #expect(nowhere?.code == .invalid)
    }

    /// Whoever has the right to may send to any socket: answers that are forged are not taken for the kernel's. In the tier's own namespace, where a
    /// socket's first requests have numbers that can be guessed.
    @Test func onlyTheKernelIsListenedTo() throws {
        var host = try NetlinkSocket(.route)
        let forged = """
            import socket, struct
            s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            for sequence in range(1, 60):
                for kind, number in (2, -17), (3, 0):
                    s.sendto(struct.pack("=IHHIIi", 36, kind, 0, sequence, \(host.port), number) + bytes(16), (\(host.port), 0))
            """
        let (output, code) = try Scratch.run("/usr/bin/python3", ["-c", forged])
        try #require(code == 0, "\(output)")
        #expect(try host.links().map(\.name).contains("lo"))
        #expect(try host.link(.index(1))?.isLoopback == true)
        try host.perform(.changeLink(.name(.named("lo")), LinkChange(isUp: true)))
    }

    /// An answer that nobody has taken, of a request of the socket's former user, is not taken for the answer to the next.
    @Test func answersToOthersAreLeftAlone() throws {
        var host = try NetlinkSocket(.route, in: scene.host)
        let former = try host.duplicate()
        for _ in 0..<3 {
            let request = NetlinkRequest.removeLink(.index(9999))
            try unsafe former.writeAll(request.encoded(sequence: 3, port: host.port, flags: NetlinkMessage.Flags.acknowledge).span.bytes)
        }
        #expect(try host.link(.index(1))?.name == "lo")
        for _ in 0..<3 {
            let request = NetlinkRequest.removeLink(.index(9999))
            try unsafe former.writeAll(request.encoded(sequence: 3, port: host.port, flags: NetlinkMessage.Flags.acknowledge).span.bytes)
        }
        #expect(try host.links().count == 1)
        try host.perform(.changeLink(.index(1), LinkChange(isUp: true)))
    }

    /// More than the kernel has room to acknowledge, and a failure far behind.
    @Test func longBatches() throws {
        var host = try NetlinkSocket(.route, in: scene.host)
        try host.perform(.changeLink(.name(.named("lo")), LinkChange(isUp: true)))
        let addresses = (0..<1500).map { InterfaceAddress(IPPrefix(IPAddress(.v4, 0x0a00_0001 + UInt128($0))), on: 1) }
        try host.perform(addresses.map(NetlinkRequest.addAddress))
        #expect(
            try host.addresses(on: 1).filter { $0.prefix.address >= IPAddress(.v4, 0x0a00_0001) && $0.prefix.address.version == .v4 }.count
                >= 1500)
        let error = #expect(throws: NetlinkError.self) { try host.perform(addresses.reversed().map(NetlinkRequest.addAddress)) }
        #expect(error?.code == .exists && error?.index == 0)
        var last = addresses.map(NetlinkRequest.removeAddress)
        last.insert(.removeLink(.index(9999)), at: 1100)
        let far = #expect(throws: NetlinkError.self) { try host.perform(last) }
        #expect(far?.index == 1100 && far?.code == .notFound)
        // Together with the failing one, at most 63 that come behind it were done; the rest were not.
        #expect((337...400).contains(try host.addresses(on: 1).filter { $0.prefix.length == 32 && $0.prefix.address.version == .v4 }.count))
    }

    /// Lists come to an end while somebody else changes what is listed.
    @Test func listsEndWhileTheyChange() async throws {
        var host = try NetlinkSocket(.route, in: scene.host)
        try host.perform(.changeLink(.name(.named("lo")), LinkChange(isUp: true)))
        let fixed = (0..<600).map { InterfaceAddress(IPPrefix(IPAddress(.v4, 0x0a00_0001 + UInt128($0))), on: 1) }
        try host.perform(fixed.map(NetlinkRequest.addAddress))
        let namespace = scene.host
        let disturbance = Task.detached {
            var other = try NetlinkSocket(.route, in: namespace)
            // One of this scope stands before those that are looked for: when it goes, they move up.
            var moving = InterfaceAddress(try .of("10.200.0.1/32"), on: 1)
            moving.scope = 254
            while !Task.isCancelled { try other.perform([.addAddress(moving), .removeAddress(moving)]) }
        }
        var (wholeCount, endCount) = (0, 0)
        for _ in 0..<30 {
            do throws(NetlinkError) {
                let found = Set(try host.addresses(on: 1).map(\.prefix))
                endCount += 1
                // The kernel notes a change a moment after it has made it, so that a list in a hundred lacks an entry.
                if fixed.allSatisfy({ found.contains($0.prefix) }) { wholeCount += 1 }
            } catch {
                // It may not hold still at all, which is said, not hidden.
                #expect(error.code == .changed)
            }
        }
        disturbance.cancel()
        try await disturbance.value
        #expect(try host.addresses(on: 1).filter { $0.prefix.length == 32 && $0.prefix.address.version == .v4 }.count >= 600)
        #expect(wholeCount > 0 && wholeCount * 2 > endCount)
    }
}
