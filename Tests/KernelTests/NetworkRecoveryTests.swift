import Berth
import BerthLinux
import BerthNetlink
import BerthNetworking
import Foundation
import Testing

/// What lives on of networks when an engine does not, and what does not.
@Suite("Networks of engines that are killed", .kernelTier, .serialized, .timeLimit(.minutes(10)))
struct NetworkRecoveryTests {
    /// Expects that a container which runs has what is told of it, and can be moved as before.
    private func expectWhole(_ traffic: NetworkTraffic, _ name: String, _ note: String) async throws {
        let container = try traffic.engine.containers.find(name)
        let details = try container.details()
        guard details.status == .running else { return }
        try traffic.place(name, at: container)
        #expect(Set(details.configuration.endpoints.map(\.network)) == Set(details.endpoints.map(\.networkName)), "\(note) \(name)")
        // Its addresses are those of its interfaces.
        var found: Set<String> = []
        for link in try NetlinkScene.json(in: traffic.namespace(name), "ip -j address") where link["ifname"] as? String != "lo" {
            for address in link["addr_info"] as? [[String: Any]] ?? [] where address["scope"] as? String == "global" {
                found.insert("\(link["ifname"] ?? "") \(address["local"] ?? "")")
            }
        }
        let told = Set(details.endpoints.flatMap { endpoint in endpoint.addresses.map { "\(endpoint.interface) \($0)" } })
        #expect(found == told, "\(note) \(name)")
        // It leads to everywhere else, and names are answered.
        #expect(try NetlinkScene.tryRun(in: traffic.namespace(name), "ip route get 192.0.2.9").1 == 0, "\(note) \(name)")
        let first = try #require(details.endpoints.first { $0.networkName == "first" }, "\(note) \(name)")
        let own = try traffic.dig(at: name, "\(name).first")
        #expect(own == [try #require(first.ipv4).address.description], "\(note) \(name)")
        // Its ports are published, whichever network has them.
        let ports = details.endpoints.flatMap(\.ports)
        #expect(ports.count == 4, "\(note) \(name)")
        if let port = ports.first {
            try traffic.answer(name, 80)
            #expect(try traffic.ask(from: "outside", "192.0.2.1", port.hostPort) == "\(name) 192.0.2.9", "\(note) \(name)")
            #expect(try traffic.ask(from: "host", "::1", port.hostPort)?.hasPrefix("\(name) ") ?? false, "\(note) \(name)")
        }
        for network in ["second", "third"] {
            if details.endpoints.contains(where: { $0.networkName == network }) { try await container.disconnect(from: network) }
            try await container.connect(EndpointConfiguration(network: network))
            try await container.disconnect(from: network)
        }
    }

    @Test func anEngineKilledWhileNetworksComeAndGoLeavesNothing() async throws {
        let traffic = try await NetworkTraffic()
        let names = (0..<NetworkHost.stayingCount).map { "staying\($0)" }
        // What is made once, and stays.
        for (number, name) in ["first", "second", "third"].enumerated() { try await traffic.network(name, number + 1) }
        try await traffic.start("once", in: ["first"])
        try await traffic.container("once").remove(force: true)
        var before = try NetworkInventory(traffic)
        try await until("the first to be gone") {
            before = try NetworkInventory(traffic)
            return !before.links.contains { $0.hasPrefix("veth") }
        }
        let rounds = ProcessInfo.processInfo.environment["BERTH_LONG"] == nil ? 2 : 100
        for round in 0..<rounds {
            for name in names {
                var configuration = NetworkHost.configuration(name, in: "first")
                configuration.networking.publishedPorts = NetworkHost.ports(at: nil)
                try await traffic.engine.containers.create(configuration).start()
            }
            await traffic.engine.close()
            let host = try EngineHost("network-churn", at: traffic.scene, count: 50)
            try await until("the other engine to be at work") {
                try FileManager.default.contentsOfDirectory(atPath: traffic.scene.root + "/containers").count > names.count + 20
            }
            try await Task.sleep(for: .microseconds(Int64.random(in: 0...500_000)))
            host.kill()
            try await traffic.openAgain()
            for name in names { try await expectWhole(traffic, name, "round \(round)") }
            let passing = traffic.engine.containers.all().map(\.name).filter { $0.hasPrefix("passing") }
            for name in passing.prefix(5) { try await expectWhole(traffic, name, "round \(round)") }
            try await traffic.removeContainers()
            try await traffic.expect(onlyWhatThereWas: before, "round \(round)")
        }
        try await traffic.remove()
    }

    /// Nobody owns the table while no engine is there: who flushes it then takes it away, until the next one comes.
    @Test func rulesThatAreFlushedWithoutAnEngineComeBackWithTheNext() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        try await traffic.start("web", in: ["front"]) {
            $0.networking.publishedPorts =
                NetworkHost.ports(at: 8080...8080) + [PortRequest(Port(81, .tcp), hostAddress: try .of("127.0.0.1"))]
        }
        try traffic.answer("web", 80, 81, 82)
        let address = try traffic.address("web", in: "front")
        // Beside those of engines that are no more, which nobody brings back.
        let id = traffic.engine.id
        func own() throws -> Set<String> { Set(try NetlinkScene.ruleSet(in: traffic.host).filter { $0.contains("berth-\(id)") }) }
        let before = try own()
        #expect(!before.isEmpty)
        func expectGuarded() throws {
            try traffic.expect("web 192.0.2.9", from: "outside", "192.0.2.1", 8080)
            for port: UInt16 in [80, 81, 82] { try traffic.expectNothing(from: "outside", address, port) }
            try traffic.expect("outside 192.0.2.1", from: "web", "192.0.2.9", 80)
        }
        try expectGuarded()
        try await traffic.reopen {
            try Scratch.bash("nft flush ruleset")
            #expect(try NetlinkScene.ruleSet(in: traffic.host).isEmpty)
            // The sockets still carry what comes to a published port, but nothing keeps out who has a route.
            try traffic.expect("web 10.88.1.1", from: "outside", "192.0.2.1", 8080)
            try traffic.expect("web 192.0.2.9", from: "outside", address, 82)
        }
        let difference = try own().symmetricDifference(before)
        #expect(difference.isEmpty, "\(difference)")
        try expectGuarded()
        // And nobody can do that again.
        try Scratch.bash("nft flush ruleset")
        try expectGuarded()
        try await traffic.remove()
    }

    /// What a container has in its networks stays its own, and goes on, by what the kernel says.
    @Test(arguments: ["{\"version\":", #"{"version":99,"name":"web"}"#])
    func aSandboxWhoseRecordCannotBeReadGoesOn(_ text: String) async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        try await traffic.network("back", 2) { $0.options["com.docker.network.bridge.gateway_mode_ipv6"] = "routed" }
        let web = try await traffic.start("web", in: ["front", "back"]) { configuration in
            configuration.networking.publishedPorts =
                NetworkHost.ports(at: 8080...8080) + [
                    PortRequest(Port(81, .tcp), hostAddress: try .of("127.0.0.1"), hostPorts: 8081...8081)
                ]
            configuration.endpoints[0].aliases = ["www"]
        }
        try await traffic.start("asker", in: ["front"])
        try await traffic.start("beside", in: []) { $0.network = .container("web") }
        try traffic.answer("web", 80, 81, 82)
        try traffic.answer("asker", 80)
        let before = try web.details().endpoints
        let file = "\(traffic.scene.execRoot)/sandboxes/\(web.id).json"
        func address(_ network: String, _ version: IPAddress.Version = .v4) throws -> String {
            try traffic.address("web", in: network, version)
        }
        func expectWhole(_ note: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
            let engine = traffic.engine
            #expect(engine.information().unreadableSandboxes.keys.sorted() == [web.id], "\(note)", sourceLocation: sourceLocation)
            #expect(engine.networks.unreadable.isEmpty)
            let told = try await engine.check().value.findings.filter { $0.kind == .unreadableSandbox }
            #expect(told.map(\.subject) == [web.id], "\(note)", sourceLocation: sourceLocation)
            let folder = try FileManager.default.contentsOfDirectory(atPath: traffic.scene.execRoot + "/sandboxes")
            let aside = try #require(
                folder.first { $0.hasPrefix("\(web.id).json.unreadable-") }, "\(note): \(folder)", sourceLocation: sourceLocation)
            #expect(try String(contentsOfFile: "\(traffic.scene.execRoot)/sandboxes/\(aside)", encoding: .utf8) == text)
            #expect(!folder.contains("\(web.id).json"), "\(note)", sourceLocation: sourceLocation)
            let details = try engine.containers.find("web").details()
            #expect(
                details.status == .running && details.endpoints.map(\.id) == before.map(\.id), "\(note)", sourceLocation: sourceLocation)
            for (now, then) in zip(details.endpoints, before) {
                #expect(now.addresses == then.addresses && now.names == then.names && Set(now.ports) == Set(then.ports), "\(note): \(now)")
                #expect(now.hardwareAddress == then.hardwareAddress && now.interface == then.interface && now.gateway4 == then.gateway4)
            }
            // Packets and names.
            try traffic.expect("web 192.0.2.9", from: "outside", "192.0.2.1", 8080, sourceLocation: sourceLocation)
            try traffic.expect("web 192.0.2.9", from: "outside", "192.0.2.1", 8080, sourceLocation: sourceLocation)
            try traffic.expect("web 2001:db8::9", from: "outside", address("back", .v6), 80, by: [false], sourceLocation: sourceLocation)
            for port: UInt16 in [80, 81, 82] {
                try traffic.expectNothing(from: "outside", address("front"), port, sourceLocation: sourceLocation)
            }
            try traffic.expect("outside 192.0.2.1", from: "web", "192.0.2.9", 80, sourceLocation: sourceLocation)
            for name in ["web", "www"] {
                #expect(try traffic.dig(at: "asker", name) == [address("front")], "\(note)", sourceLocation: sourceLocation)
            }
            #expect(
                try traffic.dig(at: "web", "asker") == [traffic.address("asker", in: "front")], "\(note)", sourceLocation: sourceLocation)
        }
        try await traffic.reopen { try text.write(toFile: file, atomically: true, encoding: .utf8) }
        try await expectWhole("at once")
        // Nobody else gets its addresses.
        for number in 0..<3 { try await traffic.start("late\(number)", in: ["front"]) }
        let taken = try ["web", "asker", "late0", "late1", "late2"].map { try traffic.address($0, in: "front") }
        #expect(Set(taken).count == 5, "\(taken)")
        let asked = await #expect(throws: ContainerError.self) {
            try await traffic.start("greedy", in: ["front"]) { $0.endpoints[0].ipv4 = try .of(taken[0]) }
        }
        #expect("\(asked!)".contains("Address already in use"), "\(asked!)")
        // Its networks stay as they are.
        try await traffic.network("third", 3)
        let stays = try traffic.container("web")
        for isComing in [true, false] {
            let refusal = await #expect(throws: ContainerError.self) {
                if isComing {
                    try await stays.connect(EndpointConfiguration(network: "third"))
                } else {
                    try await stays.disconnect(from: "back")
                }
            }
            #expect(refusal?.code == .conflict && "\(refusal!)".contains("was set aside"), "\(refusal!)")
        }
        let busy = await #expect(throws: NetworkError.self) { try await traffic.engine.networks.remove("back") }
        #expect(busy?.code == .forbidden)
        try await traffic.reopen()
        try await expectWhole("a second time")

        // It lives as long as the last of those in it, and then all of it is free.
        let left = try address("front")
        try await traffic.container("web").kill()
        #expect(try await traffic.execute("beside", "ip -4 -o addr show eth0").output.contains(left))
        let stillTaken = await #expect(throws: ContainerError.self) {
            try await traffic.start("greedier", in: ["front"]) { $0.endpoints[0].ipv4 = try .of(left) }
        }
        #expect("\(stillTaken!)".contains("Address already in use"), "\(stillTaken!)")
        try await traffic.container("beside").remove(force: true)
        try await traffic.start("heir", in: ["front"]) {
            $0.endpoints[0].ipv4 = try .of(left)
            $0.networking.publishedPorts = NetworkHost.ports(at: 8080...8080)
        }
        try traffic.answer("heir", 80)
        try traffic.expect("heir 192.0.2.9", from: "outside", "192.0.2.1", 8080)
        try await traffic.container("heir").remove(force: true)
        // Started again it is like any other, also for the next engine.
        try await traffic.container("web").start()
        try traffic.place("web", at: traffic.container("web"))
        try await traffic.container("web").connect(EndpointConfiguration(network: "third"))
        try await traffic.reopen()
        #expect(try traffic.container("web").details().endpoints.map(\.networkName) == ["front", "back", "third"])
        try await traffic.container("web").disconnect(from: "third")
        try await traffic.remove()
    }

    /// What cannot be read keeps its bridge, and the others keep their rules.
    @Test func aNetworkThatCannotBeReadCostsTheOthersNothing() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        let lost = try await traffic.network("lost", 2)
        try await traffic.start("web", in: ["front"]) {
            $0.networking.publishedPorts = [PortRequest(Port(80, .tcp), hostPorts: 8080...8080)]
        }
        try traffic.answer("web", 80)
        let root = traffic.engine.root
        try await traffic.reopen { try "{".write(toFile: "\(root)/networks/\(lost.id).json", atomically: false, encoding: .utf8) }
        #expect(traffic.engine.networks.unreadable.keys.contains(lost.id))
        // The first change of the rules: what was there before is there after it.
        try await traffic.start("more", in: ["front"]) {
            $0.networking.publishedPorts = [PortRequest(Port(80, .tcp), hostPorts: 8081...8081)]
        }
        try traffic.answer("more", 80)
        for (name, port) in [("web", 8080), ("more", 8081)] as [(String, UInt16)] {
            try traffic.expect("\(name) 192.0.2.9", from: "outside", "192.0.2.1", port, by: [false])
        }
        try traffic.expectNothing(from: "outside", try traffic.address("web", in: "front"), 80)
        let links = try NetlinkScene.json(in: traffic.host, "ip -j link")
        #expect(links.contains { ($0["ifalias"] as? String)?.hasSuffix("/network/\(lost.id)") ?? false })
        try await traffic.remove()
    }

    /// Sends numbers and expects them back, until a file is there; then says how many.
    private static let client = """
        import os, socket, sys, time
        kind, address, port, stop = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        s.settimeout(30)
        s.connect((address, port))
        f = s.makefile("rb") if kind == "tcp" else None
        if f: assert f.readline().startswith(b"web ")
        n = 0
        while n < 4 or not os.path.exists(stop):
            line = b"%d\\n" % n
            s.sendall(line)
            got = f.readline() if f else s.recv(200)
            assert got == line if f else got.startswith(b"web "), (n, got)
            n += 1
            time.sleep(0.002)
        print(n)
        """

    /// Asks for a name again and again, as programs do, and stops at the first time that there is no answer.
    private static let asker = """
        n=0; until [ -e "$1" ] && [ $n -gt 3 ]; do
        r=$(dig @127.0.0.11 +short web); [ "$r" = "$2" ] || { echo "dig: $r"; exit 1; }
        r=$(getent ahostsv4 web) || { echo "getent: $?"; exit 1; }
        n=$((n+1)); done; echo $n
        """

    @Test func connectionsAndQuestionsGoOnWhenTheEngineIsKilledAndRulesAreFlushed() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        await traffic.engine.close()
        let host = try EngineHost("network", at: traffic.scene)
        // The engine there has the root: what is known of its containers, the kernel knows.
        let report = try await host.ready()
        for (id, process) in report.writers {
            let file = URL(fileURLWithPath: "\(traffic.scene.root)/containers/\(id)/container.json")
            let name = try #require(String(contentsOf: file, encoding: .utf8).firstMatch(of: /"name":"(web|asker)"/)).1
            try traffic.place(String(name), process: process)
        }
        try traffic.answer("web", 80)
        let folder = traffic.scene.folder
        try Self.client.write(toFile: folder + "/client.py", atomically: false, encoding: .utf8)
        try Self.asker.write(toFile: folder + "/asker.sh", atomically: false, encoding: .utf8)
        let stop = folder + "/stop"
        var workers: [(String, Foundation.Process, Foundation.Pipe)] = []
        func work(_ note: String, at place: String, _ command: String) throws {
            let path = try traffic.namespace(place).descriptor.withRawDescriptor { "/proc/\(getpid())/fd/\($0)" }
            let (process, output) = (Foundation.Process(), Foundation.Pipe())
            process.executableURL = URL(fileURLWithPath: "/usr/bin/nsenter")
            process.arguments = ["--net=\(path)", "/bin/bash", "-c", command]
            (process.standardOutput, process.standardError, process.standardInput) = (output, output, FileHandle.nullDevice)
            try process.run()
            workers.append((note, process, output))
        }
        for (place, address) in [
            ("host", "127.0.0.1"), ("host", "::1"), ("host", "192.0.2.1"), ("outside", "192.0.2.1"), ("outside", "2001:db8::1"),
        ] {
            for kind in ["tcp", "udp"] {
                try work(
                    "\(place) \(kind) \(address)", at: place, "exec /usr/bin/python3 \(folder)/client.py \(kind) \(address) 8080 \(stop)")
            }
        }
        let web = try traffic.dig(at: "asker", "web")
        #expect(web.count == 1)
        try "nameserver 127.0.0.11\noptions ndots:0\n".write(toFile: folder + "/resolv.conf", atomically: false, encoding: .utf8)
        try work(
            "names", at: "asker",
            "exec unshare --mount bash -c 'mount --bind \(folder)/resolv.conf /etc/resolv.conf; . \(folder)/asker.sh' sh \(stop) \(web.first ?? "")"
        )
        func goOn(_ note: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
            try await Task.sleep(for: .milliseconds(300))  // what is not to happen is given a while
            for (worker, process, output) in workers where !process.isRunning {
                let text = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
                Issue.record("\(note): \(worker) has ended: \(text)", sourceLocation: sourceLocation)
            }
            #expect(try NetlinkScene.run(in: traffic.host, "nft list tables").contains("berth"), "\(note)", sourceLocation: sourceLocation)
            try traffic.expect("web 192.0.2.9", from: "outside", "192.0.2.1", 8080, sourceLocation: sourceLocation)
            try traffic.expect("web fd00:88:1::1", from: "host", "::1", 8080, sourceLocation: sourceLocation)
        }
        try await goOn("at first")
        try Scratch.bash("nft flush ruleset; iptables -F; iptables -t nat -F")
        try await goOn("after a flush")
        host.kill()
        try await goOn("without an engine")
        try await traffic.openAgain()
        try await goOn("with another engine")
        try Scratch.bash("nft flush ruleset; iptables -F")
        try await goOn("after another flush")
        #expect(try traffic.engine.containers.find("web").details().endpoints.flatMap(\.ports).count == 4)
        try #require(FileManager.default.createFile(atPath: stop, contents: nil))
        for (worker, process, output) in workers {
            process.waitUntilExit()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            #expect(Int(text.split(separator: "\n").last ?? "") ?? 0 > 3 && process.terminationStatus == 0, "\(worker): \(text)")
        }
        try await traffic.remove()
    }
}
