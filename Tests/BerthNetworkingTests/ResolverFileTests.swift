import BerthNetlink
import BerthNetworking
import Testing

@Suite("A container's resolv.conf says what Docker's says")
struct ResolverFileTests {
    private static let path = "/etc/resolv.conf"
    private func file(_ text: String) -> ResolverFile { ResolverFile(Array(text.utf8), path: Self.path) }
    /// Without our own first line and the empty one behind it.
    private func text(_ composition: ResolverFile.Composition) -> String {
        let lines = String(decoding: composition.contents, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        return lines.dropFirst(2).joined(separator: "\n")
    }
    private static func servers(_ texts: String...) throws -> [ResolverFile.Server] {
        try texts.map { try #require(ResolverFile.Server($0)) }
    }

    @Test func reading() throws {
        let file = file(
            """
            # nameserver 9.9.9.9
            ; nor this
            nameserver 10.0.0.1
            nameserver\tfe80::1%eth0  trailing
            nameserver 1.2.3.4.5
            nameserver
            domain old.example
            search example.com\texample.org
            search
            options ndots:2 edns0
            options ndots:3
              nameserver 10.0.0.2
            sortlist 130.155.160.0/255.255.240.0 130.155.0.0

            """)
        #expect(file.servers == (try Self.servers("10.0.0.1", "fe80::1%eth0", "10.0.0.2")))
        #expect(file.search == ["example.com", "example.org"] && file.options == ["ndots:2", "edns0", "ndots:3"])
        #expect(file.otherLines == ["sortlist 130.155.160.0/255.255.240.0 130.155.0.0"] && file.invalidServers == ["1.2.3.4.5"])
        #expect(file.option("ndots") == "3" && file.option("edns0")?.isEmpty == true && file.option("attempts") == nil)
        #expect(ResolverFile.Server("10.0.0.1%eth0") == nil && ResolverFile.Server("fe80::1%") == nil)
    }

    @Test(
        "On the default network",
        arguments: [
            ("nameserver 10.0.0.1", false, "nameserver 10.0.0.1\n", ""),
            ("nameserver 10.0.0.1\nnameserver fdb6:b8fe:b528::1", true, "nameserver 10.0.0.1\nnameserver fdb6:b8fe:b528::1\n", ""),
            ("nameserver 10.0.0.1\nnameserver fdb6:b8fe:b528::1", false, "nameserver 10.0.0.1\n", ""),
            ("nameserver 127.0.0.53", false, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n", "# Used default nameservers.\n"),
            (
                "nameserver 127.0.0.53\nnameserver ::1\nnameserver ::ffff:127.0.0.1", true,
                "nameserver 8.8.8.8\nnameserver 8.8.4.4\nnameserver 2001:4860:4860::8888\nnameserver 2001:4860:4860::8844\n",
                "# Used default nameservers.\n"
            ),
            ("nameserver 127.0.0.53\nnameserver fd3e:2d1a:1f5a::1", true, "nameserver fd3e:2d1a:1f5a::1\n", ""),
            (
                "nameserver 127.0.0.53\nnameserver fd3e:2d1a:1f5a::1", false, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n",
                "# Used default nameservers.\n"
            ),
        ])
    func direct(_ host: String, _ hasIPv6: Bool, _ servers: String, _ comment: String) {
        let composition = file(host).composed(for: .direct(hasIPv6: hasIPv6))
        #expect(text(composition) == "\(servers)\n# Based on host file: '/etc/resolv.conf' (legacy)\n\(comment)# Overrides: []\n")
        #expect(composition.upstream.servers.isEmpty)
    }

    @Test("What the user says is taken as it is, the container's own loopback interface included")
    func overriding() throws {
        let override = ResolverFile.Override(
            servers: try Self.servers("127.0.0.1", "::1"), search: ["com", ".", "example"], options: ["ndots:1", "edns0"])
        #expect(
            text(file("nameserver 10.0.0.1\nsearch invalid\noptions ndots:0").composed(for: .direct(hasIPv6: false), with: override)) == """
                nameserver 127.0.0.1
                nameserver ::1
                search com example
                options ndots:1 edns0

                # Based on host file: '/etc/resolv.conf' (legacy)
                # Overrides: [nameservers search options]
                # Option ndots from: override

                """)
        // Docker's "--dns-search .": none.
        let none = ResolverFile.Override(search: ["."])
        #expect(!text(file("search a.b\nnameserver 10.0.0.1").composed(for: .host, with: none)).contains("search a"))
    }

    @Test("With the host's network everything stays, what is not understood included")
    func host() {
        #expect(
            text(file("\nsomething unexpected\nnameserver 127.0.0.53\nnameserver 1.2.3.4.5\noptions ndots:1\n").composed(for: .host)) == """
                nameserver 127.0.0.53
                options ndots:1
                something unexpected

                # Based on host file: '/etc/resolv.conf'
                # Invalid nameservers: [1.2.3.4.5]
                # Overrides: []
                # Option ndots from: host

                """)
    }

    @Test(
        "On a user's networks the engine is asked, and asks those whom the host asks",
        arguments: [
            ("nameserver 10.0.0.1\nnameserver ::1\n", [], [], "host(10.0.0.1) host(::1)", "ndots:0", "internal"),
            ("nameserver 127.0.0.53\noptions ndots:1", [], [], "host(127.0.0.53)", "ndots:1", "host"),
            ("nameserver 127.0.0.53", [], ["ndots:2"], "host(127.0.0.53)", "ndots:2", "override"),
            ("nameserver 127.0.0.53\noptions trust-ad", [], [], "host(127.0.0.53)", "trust-ad ndots:0", "internal"),
            ("nameserver 10.0.0.1", ["127.0.0.53"], [], "127.0.0.53", "ndots:0", "internal"),
            ("nameserver 10.0.0.1\noptions ndots:-1 foo:bar ndots ndots:", [], [], "host(10.0.0.1)", "foo:bar ndots:0", "internal"),
            ("nameserver 10.0.0.1\noptions ndots:1 foo:bar ndots ndots:", [], [], "host(10.0.0.1)", "ndots:1 foo:bar", "host"),
            ("", [], [], "", "ndots:0", "internal"),
        ] as [(String, [String], [String], String, String, String)])
    func embedded(
        _ host: String, _ servers: [String], _ overridden: [String], _ others: String, _ options: String, _ origin: String
    ) throws {
        let override = ResolverFile.Override(servers: try servers.map { try #require(ResolverFile.Server($0)) }, options: overridden)
        let composition = file(host).composed(for: .embedded, with: override)
        let external = others.isEmpty ? "NO EXTERNAL NAMESERVERS DEFINED" : "ExtServers: [\(others)]"
        let names = [servers.isEmpty ? nil : "nameservers", overridden.isEmpty ? nil : "options"].compactMap(\.self)
        #expect(
            text(composition) == """
                nameserver 127.0.0.11
                options \(options)

                # Based on host file: '/etc/resolv.conf' (internal resolver)
                # \(external)
                # Overrides: [\(names.joined(separator: " "))]
                # Option ndots from: \(origin)

                """)
        #expect(composition.upstream.servers.map(\.description).joined(separator: " ") == others)
        #expect(composition.upstream.servers.allSatisfy { $0.port == 53 && ($0.place == .sandbox) == !servers.isEmpty })
        #expect(composition.upstream.keepsSingleLabels == (host.contains("ndots") || !overridden.isEmpty))
    }

    @Test("Whom systemd's resolver asks is asked by those who cannot reach it")
    func systemd() {
        let files = ["/etc/resolv.conf": "nameserver 127.0.0.53\n", "/run/systemd/resolve/resolv.conf": "nameserver 10.9.8.7\n"]
        func servers(_ form: ResolverFile.Form, _ files: [String: String]) -> [String] {
            ResolverFile.ofHost(for: form) { Array((files[$0] ?? "").utf8) }.servers.map(\.description)
        }
        #expect(servers(.direct(hasIPv6: true), files) == ["10.9.8.7"])
        #expect(servers(.embedded, files) == ["127.0.0.53"] && servers(.host, files) == ["127.0.0.53"])
        let both = files.merging(["/etc/resolv.conf": "nameserver 127.0.0.53\nnameserver 10.0.0.1\n"]) { $1 }
        #expect(servers(.direct(hasIPv6: true), both) == ["127.0.0.53", "10.0.0.1"])
        #expect(servers(.direct(hasIPv6: true), [:]).isEmpty)
    }

    @Test("Whatever a host's file says, reading it ends")
    func bounds() {
        let long = ResolverFile([UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20), path: "x")
        #expect(long.otherLines.map(\.utf8.count) == [ResolverFile.maximumByteCount])
        let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 5) }
        #expect(!ResolverFile(bytes, path: "x").composed(for: .embedded).contents.isEmpty)
    }
}
