import BerthLinux
import BerthNetlink
import BerthNetworking
import BerthReactor
import Foundation
import Testing

@Suite("A sandbox's name server, as dig, glibc and musl see it", .kernelTier, .serialized, .timeLimit(.minutes(3)))
struct NameServerTests {
    private let scene: NameScene
    init() throws { scene = try NameScene() }

    @Test("Addresses, names of addresses, what is not there and what has nothing of a kind")
    func known() async throws {
        let sockets = try NameSockets.make(in: scene.sandbox)
        let server = try scene.serve(sockets, try NameScene.table(many: 100))
        for transport in ["", "+tcp", "+noedns", "+bufsize=4096"] {
            #expect(try scene.short("\(transport) web A") == ["172.18.0.2"], "\(transport)")
            #expect(try scene.short("\(transport) WEB.front AAAA") == ["fd00::2"], "\(transport)")
            #expect(try scene.short("\(transport) 0123456789ab") == ["172.18.0.2"], "\(transport)")
            #expect(try scene.short("\(transport) -x 172.18.0.3") == ["web2.front."], "\(transport)")
            #expect(try scene.short("\(transport) -x fd00::2") == ["web.front."], "\(transport)")
            // NODATA and NXDOMAIN.
            let nothing = try scene.dig("\(transport) web2 AAAA")
            #expect(nothing.contains("status: NOERROR") && nothing.contains("ANSWER: 0"), "\(nothing)")
            #expect(try scene.status("\(transport) -x 172.18.9.9") == "NXDOMAIN", "\(transport)")
            #expect(try scene.short("\(transport) many").count == 100, "\(transport)")
        }
        let cut = try scene.dig("+ignore +noedns many")
        #expect(cut.contains(" tc ") && cut.contains("ANSWER: 0") && cut.contains("SERVER: 127.0.0.11#53"), "\(cut)")
        #expect(try scene.dig("web").contains("EDNS: version: 0, flags:; udp: 1232"))
        #expect(try scene.status("+edns=1 +noednsneg web") == "BADVERS")
        // Equals take turns.
        let first = try (0..<6).map { _ in try #require(try scene.short("www").first) }
        #expect(Set(first) == ["172.18.0.2", "172.18.0.3"])

        // Another table counts from now on.
        server.update(NameTable([]))
        #expect(try scene.status("web") == "SERVFAIL")
        server.update(try NameScene.table())
        #expect(try scene.short("web") == ["172.18.0.2"])
        await server.close()
        await server.close()
    }

    @Test("The resolvers of glibc and musl find what is there")
    func resolvers() async throws {
        let sockets = try NameSockets.make(in: scene.sandbox)
        let server = try scene.serve(sockets, try NameScene.table())
        let (glibc, code) = try scene.resolving("getent ahosts web; getent hosts 172.18.0.3; getent ahostsv4 www")
        #expect(code == 0 && glibc.contains("172.18.0.2") && glibc.contains("fd00::2") && glibc.contains("web2.front"), "\(glibc)")
        #expect(glibc.contains("172.18.0.3"), "\(glibc)")
        #expect(try scene.resolving("getent hosts 172.18.7.7").code == 2)
        #expect(try scene.resolving("getent ahosts web2; getent ahostsv6 web2").output.contains("::ffff:172.18.0.3"))
        try scene.scratch.shell(
            """
            cat > look.c <<'END'
            #include <arpa/inet.h>
            #include <netdb.h>
            #include <stdio.h>
            int main(int count, char **words) {
                for (int i = 1; i < count; i++) {
                    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
                    int code = getaddrinfo(words[i], NULL, &hints, &found);
                    if (code) { printf("%s: %s\\n", words[i], gai_strerror(code)); continue; }
                    for (; found; found = found->ai_next) {
                        char text[64], name[256] = "?";
                        getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
                        getnameinfo(found->ai_addr, found->ai_addrlen, name, sizeof name, NULL, 0, NI_NAMEREQD);
                        printf("%s: %s %s\\n", words[i], text, name);
                    }
                }
            }
            END
            musl-gcc -static -o look look.c
            """)
        let (musl, _) = try scene.resolving("\(scene.scratch.path)/look web web2 www")
        for line in ["web: 172.18.0.2 web.front", "web: fd00::2 web.front", "web2: 172.18.0.3 web2.front", "www: 172.18.0.3 web2.front"] {
            #expect(musl.contains(line + "\n"), "\(musl)")
        }
        await server.close()
    }

    @Test(
        "The sandbox may have port 53 for itself on every address, and the rules are what nft says they are",
        arguments: ["0.0.0.0", "127.0.0.11"])
    func beside(_ address: String) async throws {
        let own = try StubServer(in: scene.sandbox, at: address, last: 77)
        defer { try? own.stop() }  // the test's own thread
        let sockets = try NameSockets.make(in: scene.sandbox)
        #expect(sockets.udpPort > 1024 && sockets.tcpPort == sockets.udpPort)
        let server = try scene.serve(sockets, try NameScene.table())
        for transport in ["+notcp", "+tcp"] {
            #expect(try scene.short("\(transport) web") == ["172.18.0.2"])
            guard address == "0.0.0.0" else { continue }
            #expect(try NetlinkScene.run(in: scene.sandbox, "dig @127.0.0.1 +short \(transport) web").contains("192.0.2.77"))
        }
        #expect(own.questions.allSatisfy { _ in address == "0.0.0.0" })
        let rules = try NetlinkScene.run(in: scene.sandbox, "nft list chain ip berth-names output")
        for (transport, port) in [("udp", sockets.udpPort), ("tcp", sockets.tcpPort)] {
            #expect(rules.contains("ip daddr 127.0.0.11 \(transport) dport 53 dnat to 127.0.0.11:\(port)"), "\(rules)")
        }
        await server.close()

        // Made again, as when who has held them has gone: the rules lead to the new ones only.
        let again = try NameSockets.make(in: scene.sandbox)
        #expect(again.udpPort != sockets.udpPort)
        let other = try scene.serve(again, try NameScene.table())
        #expect(try scene.short("web") == ["172.18.0.2"])
        let after = try NetlinkScene.run(in: scene.sandbox, "nft list ruleset")
        #expect(after.components(separatedBy: "dnat").count == 3 && !after.contains(":\(sockets.udpPort)"), "\(after)")
        await other.close()
    }

    @Test("It can be made before the loopback interface is up, and after it went down", arguments: [false, true])
    func early(_ wasUp: Bool) async throws {
        let early = try NamespaceHandle.make()
        if wasUp { try NetlinkScene.run(in: early, "ip link set lo up; ip link set lo down") }
        let sockets = try NameSockets.make(in: early)
        let server = try NameServer(
            udp: try sockets.udp.duplicate(), tcp: try sockets.tcp.duplicate(), table: try NameScene.table(), upstream: NameUpstream(),
            reactor: scene.reactor)
        try NetlinkScene.run(in: early, "ip link set lo up")
        for transport in ["+notcp", "+tcp"] {
            #expect(try NetlinkScene.run(in: early, "dig @127.0.0.11 +short \(transport) web").contains("172.18.0.2"))
        }
        await server.close()
    }

    @Test("While nobody serves, questions wait, and the next who does answers them")
    func waiting() async throws {
        let sockets = try NameSockets.make(in: scene.sandbox)
        let first = try scene.serve(sockets, try NameScene.table())
        #expect(try scene.short("web") == ["172.18.0.2"])
        await first.close()

        let udp = try NameScene.Socket.make(in: scene.sandbox, .datagrams, connectedTo: "127.0.0.11", port: 53)
        // All answers may come before one is read.
        try udp.descriptor.setReceiveRoom(byteCount: 4 << 20)
        let tcp = try NameScene.Socket.make(in: scene.sandbox, .stream, connectedTo: "127.0.0.11", port: 53)
        for id in UInt16(0)..<1000 { try udp.send(NameScene.question("web", id: id)) }
        try tcp.send(NameScene.framed(NameScene.question("web")))
        #expect(try udp.receive(milliseconds: 300) == nil)
        #expect(try tcp.receive(milliseconds: 0) == nil)

        let second = try scene.serve(sockets, try NameScene.table())
        var answered: Set<UInt16> = []
        while answered.count < 1000, let answer = try udp.receive() { answered.insert(UInt16(answer[0]) << 8 | UInt16(answer[1])) }
        #expect(answered.count == 1000)
        #expect(try #require(try tcp.receive()).suffix(4) == [172, 18, 0, 2])
        await second.close()
    }

    @Test("Look-ups go on while one server takes the other's place, again and again")
    func replacing() async throws {
        let stub = try StubServer(in: scene.host, at: "127.0.0.53", last: 1)
        defer { try? stub.stop() }  // the test's own thread
        let upstream = NameUpstream(servers: [.init(try #require(ResolverFile.Server("127.0.0.53")), at: .engine)])
        let sockets = try NameSockets.make(in: scene.sandbox)
        var server = try scene.serve(sockets, try NameScene.table(), upstream)
        // They go on until every server had its turn, however fast either is.
        let enough = scene.scratch.path + "/enough"
        let command = try scene.resolvingCommand(
            """
            while [ ! -e \(enough) ]; do
                getent ahosts web >/dev/null && getent hosts 172.18.0.3 >/dev/null && dig +short example.com | grep -q 192.0.2.1 || echo lost
            done
            echo done
            """)
        let look = try Companion { [sandbox = scene.sandbox] in Result { try NetlinkScene.tryRun(in: sandbox, command).0 } }
        for _ in 0..<30 {
            await server.close()
            server = try scene.serve(sockets, try NameScene.table(), upstream)
            // Something is answered in between.
            #expect(try scene.short("+tries=3 +time=2 web") == ["172.18.0.2"])
        }
        try "".write(toFile: enough, atomically: false, encoding: .utf8)
        #expect(try look.join().get() == "done\n")
        #expect(try !stub.questions.isEmpty)
        await server.close()
    }

    @Test("Over one connection several questions may come at once; who ends sending still gets its answers, who is silent is let go")
    func connections() async throws {
        let sockets = try NameSockets.make(in: scene.sandbox)
        let server = try scene.serve(sockets, try NameScene.table())
        let idle = try NameScene.Socket.make(in: scene.sandbox, .stream, connectedTo: "127.0.0.11", port: 53)
        let began = ContinuousClock.now

        let many = try NameScene.Socket.make(in: scene.sandbox, .stream, connectedTo: "127.0.0.11", port: 53)
        let questions = (UInt16(0)..<200).flatMap { NameScene.framed(NameScene.question("web", id: $0)) }
        // In pieces that end anywhere.
        for start in stride(from: 0, to: questions.count, by: 37) {
            try many.send(Array(questions[start..<min(start + 37, questions.count)]))
        }
        many.descriptor.withRawDescriptor { _ = shutdown($0, Int32(SHUT_WR)) }
        var bytes: [UInt8] = []
        while let more = try many.receive(), !more.isEmpty { bytes += more }
        let size = Int(bytes[0]) << 8 + Int(bytes[1]) + 2
        #expect(bytes.count == 200 * size)
        let ids = stride(from: 0, to: bytes.count, by: size).map { (start: Int) -> Int in Int(bytes[start + 2]) << 8 + Int(bytes[start + 3])
        }
        #expect(ids == Array(0..<200))

        // More than are served at once: the last ones wait for the first.
        let crowd = try (0..<NameServer.connectionLimit + 6).map { _ in
            try NameScene.Socket.make(in: scene.sandbox, .stream, connectedTo: "127.0.0.11", port: 53)
        }
        let late = try #require(crowd.last)
        try late.send(NameScene.framed(NameScene.question("web")))
        #expect(try late.receive(milliseconds: 200) == nil)
        // One that announces more than is taken is ended, as is one that has been silent for long.
        try #require(crowd.first).send([0xFF, 0xFF, 1, 2, 3])
        #expect(try crowd[0].receive() == [])
        #expect(try idle.receive(milliseconds: 15_000) == [])
        let silence = began.duration(to: .now)
        #expect(silence > .seconds(9) && silence < .seconds(14))
        #expect(try #require(try late.receive(milliseconds: 15_000)).suffix(4) == [172, 18, 0, 2])
        await server.close()
    }

    @Test("Whatever is sent, it goes on answering", arguments: [1, 2])
    func hostile(_ seed: UInt64) async throws {
        let sockets = try NameSockets.make(in: scene.sandbox)
        let server = try scene.serve(sockets, try NameScene.table())
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        func piece() -> [UInt8] {
            var bytes = next(3) == 0 ? (0..<next(300)).map { _ in UInt8(next(256)) } : NameScene.question("web", id: UInt16(next(65_536)))
            for _ in 0..<next(4) where !bytes.isEmpty { bytes[next(bytes.count)] = UInt8(next(256)) }
            return next(50) == 0 ? bytes + [UInt8](repeating: 0, count: next(9000)) : bytes
        }
        let udp = try NameScene.Socket.make(in: scene.sandbox, .datagrams, connectedTo: "127.0.0.11", port: 53)
        for round in 0..<40 {
            for _ in 0..<250 { _ = try udp.descriptor.sendNow(piece()) }
            let tcp = try NameScene.Socket.make(in: scene.sandbox, .stream, connectedTo: "127.0.0.11", port: 53)
            // It may be ended in the middle.
            for _ in 0..<20 { _ = try? tcp.descriptor.sendNow(next(2) == 0 ? piece() : NameScene.framed(piece())) }
            if round % 10 == 0 { #expect(try scene.short("+tries=3 web") == ["172.18.0.2"]) }
        }
        #expect(try scene.short("+tries=3 web") == ["172.18.0.2"])
        #expect(try scene.short("+tcp web") == ["172.18.0.2"])
        await server.close()
    }
}
