import Berth
import BerthLinux
import BerthNetlink
import BerthNetworking
import Foundation
import Testing

/// Who is found by which names, asked in the containers' own namespaces.
@Suite("Names of an engine's containers", .kernelTier, .serialized, .timeLimit(.minutes(5)))
struct NetworkNamesTests {
    /// Runs something with a container's own files of names, as the C library of the host resolves.
    private func resolving(_ traffic: NetworkTraffic, _ name: String, _ command: String) throws -> String {
        let folder = try traffic.container(name).details().directory
        return try NetlinkScene.tryRun(
            in: traffic.namespace(name),
            """
            unshare --mount bash -c 'mount --bind \(folder)/resolv.conf /etc/resolv.conf; mount --bind \(folder)/hosts /etc/hosts; \(command)'
            """
        ).0
    }

    @Test func aContainerIsFoundByAllItsNames() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        try await traffic.network("back", 2)
        let db = try await traffic.start("db", in: ["front"]) { configuration in
            configuration.hostname = "database"
            configuration.endpoints[0].aliases = ["store", "all"]
        }
        try await traffic.start("cache", in: ["front"]) { $0.endpoints[0].aliases = ["all"] }
        try await traffic.start("asker", in: ["front"]) { $0.endpoints[0].links = ["db:linked"] }
        try await traffic.start("stranger", in: ["back"])
        let (four, six) = (try traffic.address("db", in: "front"), try traffic.address("db", in: "front", .v6))
        for name in ["db", "DB", String(db.id.prefix(12)), "database", "store", "db.front", "linked"] {
            #expect(try traffic.dig(at: "asker", name) == [four], "\(name)")
            #expect(try traffic.dig(at: "asker", "\(name) AAAA") == [six], "\(name)")
        }
        #expect(try traffic.dig(at: "asker", "-x \(four)") == ["db.front."])
        #expect(try traffic.dig(at: "asker", "-x \(six)") == ["db.front."])
        // A link is its own maker's.
        #expect(try traffic.dig(at: "cache", "linked") == [])
        // Of equals each in turn.
        let all = [four, try traffic.address("cache", in: "front")].sorted()
        var firsts: Set<String> = []
        for _ in 0..<4 {
            let answer = try NetlinkScene.run(in: traffic.namespace("asker"), "dig @127.0.0.11 +short all").split(separator: "\n").map(
                String.init)
            #expect(answer.sorted() == all)
            firsts.formUnion(answer.prefix(1))
        }
        #expect(firsts.sorted() == all)
        // By programs: one of the image's, and the host's C library.
        #expect(try await traffic.execute("asker", "nslookup db 127.0.0.11").output.contains(four))
        #expect(try resolving(traffic, "asker", "getent ahostsv4 db").contains(four))
        #expect(try resolving(traffic, "asker", "getent hosts database").contains(six))
        // Another network knows nothing of it.
        #expect(try traffic.dig(at: "stranger", "db") == [])
        #expect(try traffic.status(at: "stranger", "-x 10.88.2.77") == "NXDOMAIN")

        // Networks come and go.
        try await traffic.container("stranger").connect(EndpointConfiguration(network: "front"))
        #expect(try traffic.dig(at: "stranger", "db") == [four])
        #expect(try traffic.dig(at: "asker", "stranger") == [try traffic.address("stranger", in: "front")])
        try await traffic.container("stranger").disconnect(from: "front")
        #expect(try traffic.dig(at: "stranger", "db") == [])
        #expect(try traffic.dig(at: "asker", "stranger") == [])
        // Who has ended is not found; who starts again is.
        try await db.kill()
        #expect(try traffic.dig(at: "asker", "db") == [])
        try await db.start()
        try traffic.place("db", at: db)
        #expect(try traffic.dig(at: "asker", "db") == [try traffic.address("db", in: "front")])
        try await traffic.remove()
    }

    @Test func linksAndAddedHostsAreInTheFile() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.start("db", in: ["bridge"])
        try await traffic.start("app", in: ["bridge"]) {
            $0.networking.links = ["db:store"]
            $0.networking.extraHosts = ["up:host-gateway", "fixed:192.0.2.77", "six:2001:db8::77"]
            $0.networking.nameServers = [try .of("192.0.2.53")]
            $0.networking.nameSearch = ["example.org"]
            $0.networking.nameOptions = ["ndots:3"]
        }
        let hosts = try await traffic.file("/etc/hosts", of: "app")
        let gateway = try #require(traffic.engine.networks.find("bridge").part(.v4)?.gateway)
        let database = try traffic.container("db")
        for line in [
            "\(try traffic.address("db", in: "bridge"))\tstore \(database.id.prefix(12)) db", "\(gateway)\tup", "192.0.2.77\tfixed",
            "2001:db8::77\tsix",
        ] {
            #expect(hosts.split(separator: "\n").contains(Substring(line)), "\(line) in \(hosts)")
        }
        #expect(
            try await traffic.file("/etc/resolv.conf", of: "app").split(separator: "\n").filter { !$0.hasPrefix("#") }
                == ["nameserver 192.0.2.53", "search example.org", "options ndots:3"])
        #expect(try resolving(traffic, "app", "getent hosts up").hasPrefix("\(gateway)"))
        // One that does not run cannot be linked.
        try await database.kill()
        let refusal = await #expect(throws: ContainerError.self) {
            try await traffic.start("late", in: ["bridge"]) { $0.networking.links = ["db:store"] }
        }
        #expect("\(refusal!)".contains("Cannot link to a non running container: /db AS /late/store"), "\(refusal!)")
        try await traffic.remove()
    }

    /// As with Docker: it is the host as the default network has it, wherever the container is; and its bridge is there for it.
    @Test func hostGatewayIsThatOfTheDefaultNetwork() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        try await traffic.network("shut", 2) { $0.isInternal = true }
        func lines(_ name: String) async throws -> [Substring] {
            try await traffic.file("/etc/hosts", of: name).split(separator: "\n").filter { $0.hasSuffix("\tup") || $0.hasSuffix("\tfixed") }
        }
        let hosts = ["up:host-gateway", "fixed:192.0.2.77"]
        for (name, networks) in [("web", ["front"]), ("inner", ["shut"]), ("plain", ["bridge"]), ("alone", [])] {
            try await traffic.start(name, in: networks) {
                ($0.networking.extraHosts, $0.networking.nameServers) = (hosts, [try .of("192.0.2.53")])
            }
        }
        let gateway = try #require(traffic.engine.networks.find("bridge").part(.v4)?.gateway)
        for name in ["web", "inner", "plain", "alone"] {
            #expect(try await lines(name) == ["\(gateway)\tup", "192.0.2.77\tfixed"], "\(name)")
        }
        #expect(try await traffic.file("/etc/resolv.conf", of: "alone").contains("nameserver 192.0.2.53\n"))
        try traffic.answer("host", 99, at: "\(gateway)")
        try traffic.expect("host \(traffic.address("web", in: "front"))", from: "web", "\(gateway)", 99)
        // With the host's network: of its own hosts alone.
        try await traffic.start("atHost", in: []) { ($0.network, $0.networking.extraHosts) = (.host, hosts) }
        #expect(try await lines("atHost") == ["\(gateway)\tup", "192.0.2.77\tfixed"])
        // Its files follow its networks with what was so when it was attached.
        try await traffic.container("web").connect(EndpointConfiguration(network: "shut"))
        let after = try await traffic.file("/etc/hosts", of: "web")
        let added = try traffic.address("web", in: "shut")
        #expect(after.contains("\(gateway)\tup\n") && after.contains("\(added)\t"), "\(after)")
        // What the engine's maker says counts instead.
        await traffic.engine.close()
        try await traffic.openAgain(hostGateway: HostGateway([.of("192.0.2.1"), .of("2001:db8::1")]))
        #expect(try await traffic.file("/etc/hosts", of: "web") == after)
        try await traffic.start("said", in: ["front"]) { $0.networking.extraHosts = hosts }
        #expect(try await lines("said") == ["192.0.2.1\tup", "2001:db8::1\tup", "192.0.2.77\tfixed"])
        try traffic.answer("host", 98)
        try traffic.expect("host \(traffic.address("said", in: "front"))", from: "said", "192.0.2.1", 98, by: [false])
        try await traffic.remove()
    }

    /// The sockets are the monitor's: the next engine answers, also what was asked in between.
    @Test func questionsWaitForTheNextEngine() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        for name in ["db", "asker"] { try await traffic.start(name, in: ["front"]) }
        let db = try traffic.address("db", in: "front")
        #expect(try traffic.dig(at: "asker", "db") == [db])
        let asker = try traffic.namespace("asker")
        // One that has asked before, and two that ask for the first time while nobody is there.
        let known = try NameScene.Socket.make(in: asker, .datagrams, connectedTo: "127.0.0.11", port: 53)
        let address = try IPAddress.of(db).bytes
        try known.send(NameScene.question("db"))
        #expect(try known.receive(milliseconds: 20_000)?.suffix(4) == address[...])
        var late: [NameScene.Socket] = []
        try await traffic.reopen {
            try known.send(NameScene.question("db"))
            #expect(try known.receive(milliseconds: 300) == nil)
            for kind in [InternetSocket.Kind.datagrams, .stream] {
                let socket = try NameScene.Socket.make(in: asker, kind, connectedTo: "127.0.0.11", port: 53)
                try socket.send(late.isEmpty ? NameScene.question("db") : NameScene.framed(NameScene.question("db")))
                late.append(socket)
            }
        }
        for socket in [known] + late { #expect(try socket.receive(milliseconds: 20_000)?.suffix(4) == address[...]) }
        #expect(try traffic.dig(at: "asker", "db") == [db])
        // And again, with a container that came later.
        try await traffic.start("third", in: ["front"])
        #expect(try traffic.dig(at: "asker", "third") == [try traffic.address("third", in: "front")])
        try await traffic.reopen()
        #expect(try traffic.dig(at: "third", "db") == [db])
        try await traffic.remove()
    }
}
