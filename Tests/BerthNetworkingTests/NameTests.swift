import BerthNetlink
import BerthNetworking
import Testing

@Suite("Names are compared as everybody does, and bounded")
struct DomainNameTests {
    @Test func reading() throws {
        let name = try #require(DomainName("Web.Example"))
        #expect(name == DomainName("web.example.") && name.description == "web.example")
        #expect(name.bytes == [3] + Array("web".utf8) + [7] + Array("example".utf8) + [0])
        #expect(try #require(DomainName(".")).labels.isEmpty)
        #expect(DomainName("my_service-1") != nil)
        for text in [
            "", "..", "a..b", ".a", String(repeating: "a", count: 64), Array(repeating: "abcdefg", count: 32).joined(separator: "."),
        ] {
            #expect(DomainName(text) == nil, "\(text)")
        }
        #expect(DomainName(String(repeating: "a", count: 63)) != nil)
        // 255 bytes with the counts and the root.
        #expect(
            DomainName(
                (Array(repeating: String(repeating: "a", count: 63), count: 3) + [String(repeating: "b", count: 61)]).joined(separator: ".")
            ) != nil)
        #expect(
            DomainName(
                (Array(repeating: String(repeating: "a", count: 63), count: 3) + [String(repeating: "b", count: 62)]).joined(separator: ".")
            ) == nil)
    }

    @Test(
        "Addresses' names lead back to them",
        arguments: [
            ("172.17.0.2", "2.0.17.172.in-addr.arpa"),
            ("2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),  // RFC 3596, section 2.5
        ])
    func reverse(_ text: String, _ written: String) throws {
        let address = try #require(IPAddress(text))
        let name = DomainName(reverse: address)
        #expect(name.description == written && name.reverseAddress == address)
        #expect(DomainName(written.uppercased())?.reverseAddress == address)
    }

    @Test(
        "What only looks like one leads nowhere",
        arguments: [
            "2.0.17.in-addr.arpa", "1.2.0.17.172.in-addr.arpa", "02.0.17.172.in-addr.arpa", "256.0.17.172.in-addr.arpa",
            "+2.0.17.172.in-addr.arpa",
            "2.0.17.172.in-addr.arp", "10.b.ip6.arpa", "in-addr.arpa", "web",
        ])
    func noReverse(_ text: String) throws { #expect(try #require(DomainName(text)).reverseAddress == nil) }
}

@Suite("Questions are read as RFC 1035 and RFC 6891 write them, and answered so")
struct NameMessageTests {
    /// `dig web` as it comes over the wire: with EDNS, a cookie, and its letters as they were typed.
    static func message(
        _ name: String, _ kind: UInt16 = 1, flags: UInt16 = 0x0120, options: [UInt8]? = nil, group: UInt16 = 1, counts: [UInt16]? = nil
    ) -> [UInt8] {
        var message: [UInt8] = []
        for number in [0xBEEF, flags] + (counts ?? [1, 0, 0, options == nil ? 0 : 1]) { message += Self.bytes(number) }
        for label in name.split(separator: ".") { message += [UInt8(label.utf8.count)] + Array(label.utf8) }
        message.append(0)
        message += Self.bytes(kind)
        message += Self.bytes(group)
        return message + (options ?? [])
    }
    static func bytes(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 255)] }
    /// The root, 41, 1232 bytes, no code, version, no flags, a cookie of 8 bytes.
    static func options(_ byteCount: UInt16 = 1232, version: UInt8 = 0) -> [UInt8] {
        var record: [UInt8] = [0, 0, 41]
        record += bytes(byteCount)
        record += [0, version, 0, 0, 0, 12, 0, 10, 0, 8]
        return record + Array(1...8)
    }
    private func query(_ bytes: [UInt8]) throws -> NameQuery {
        guard case .query(let query) = NameQuery.read(bytes) else { throw NotRead() }
        return query
    }
    private struct NotRead: Error {}

    @Test func reading() throws {
        let query = try query(Self.message("WeB.Example", options: Self.options()))
        #expect(query.id == 0xBEEF && query.name == DomainName("web.example") && query.kind == .a && query.isOfInternet)
        #expect(query.wantsRecursion && query.hasOptions && query.maximumByteCount == 1232)
        let plain = try self.query(Self.message("web", 28, flags: 0))
        #expect(plain.kind == .aaaa && !plain.wantsRecursion && !plain.hasOptions && plain.maximumByteCount == 512)
        // Less than everybody takes nobody may say; more than goes whole is not sent.
        #expect(try self.query(Self.message("web", options: Self.options(100))).maximumByteCount == 512)
        #expect(try self.query(Self.message("web", options: Self.options(65_000))).maximumByteCount == 1232)
    }

    @Test func answering() throws {
        let query = try query(Self.message("WeB", options: Self.options()))
        let answer = NameAnswer(.success, [.address(try #require(IPAddress("172.17.0.2")))]).bytes(to: query)
        var expected: [UInt8] = [0xBE, 0xEF, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 1, 3]
        expected += Array("WeB".utf8) + [0, 0, 1, 0, 1]
        expected += [0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 2, 0x58, 0, 4, 172, 17, 0, 2]
        expected += [0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0]
        #expect(answer == expected)
        let plain = try self.query(Self.message("web", 12, flags: 0))
        let pointer = NameAnswer(.success, [.pointer(try #require(DomainName("a.b")))]).bytes(to: plain)
        #expect(pointer.prefix(12) == [0xBE, 0xEF, 0x80, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
        #expect(pointer.suffix(7) == [0, 5, 1, 97, 1, 98, 0].suffix(7))
        #expect(NameAnswer(.noSuchName).bytes(to: plain).prefix(4) == [0xBE, 0xEF, 0x80, 0x83])
    }

    @Test("What does not fit into a datagram is cut, and whole over a stream")
    func cutting() throws {
        let query = try query(Self.message("web"))
        let many = (0..<100).map { NameAnswer.Record.address(IPAddress(.v4, UInt128($0))) }
        let answer = NameAnswer(.success, many)
        let cut = answer.bytes(to: query, limit: query.maximumByteCount)
        #expect(cut.count < 512 && cut[2] & 2 != 0 && Array(cut[6..<8]) == [0, 0])
        let whole = answer.bytes(to: query)
        #expect(whole.count > 512 && whole[2] & 2 == 0 && Array(whole[6..<8]) == [0, 100])
        let six = (0..<70_000).map { NameAnswer.Record.address(IPAddress(.v6, UInt128($0))) }
        #expect(NameAnswer(.success, six).bytes(to: query).count <= 65_535)
    }

    @Test(
        "What cannot be read is told so, in as many words as there are",
        arguments: [
            (message("web", counts: [2, 0, 0, 0]), 1), (message("web", counts: [0, 0, 0, 0]), 1),
            (message("web", counts: [1, 1, 0, 0]), 1),
            (message("web", counts: [1, 0, 0, 1]), 1), (message("web", counts: [1, 0, 0, 65_535]), 1), (message("web", flags: 0x2800), 4),
            (message("web", options: options() + options(), counts: [1, 0, 0, 2]), 1), (message("web", options: options(version: 1)), 0),
            (Array(message("web").dropLast()), 1), (Array(message("web").prefix(12)), 1),
            ([0xBE, 0xEF, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xC0, 0x0C, 0, 1, 0, 1], 1),
            ([0xBE, 0xEF, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 1, count: 600), 1), ([0xBE, 0xEF, 1, 0], 1),
        ] as [([UInt8], UInt8)])
    func refusals(_ bytes: [UInt8], _ code: UInt8) throws {
        guard case .refusal(let answer) = NameQuery.read(bytes) else { throw NotRead() }
        #expect(answer.count >= 12 && Array(answer[..<2]) == [0xBE, 0xEF] && answer[2] & 0x80 != 0 && answer[3] & 15 == code)
        if code == 0 { #expect(answer.suffix(11) == [0, 0, 41, 4, 0xD0, 1, 0, 0, 0, 0, 0]) }
    }

    @Test(
        "What is no question is not answered: two servers would talk for ever",
        arguments: [[], [0xBE, 0xEF, 1], message("web", flags: 0x8180)] as [[UInt8]])
    func silence(_ bytes: [UInt8]) throws {
        guard case .nothing = NameQuery.read(bytes) else { throw NotRead() }
    }

    @Test("Whatever comes, it is read to its end and no further", arguments: 0..<8)
    func random(_ seed: Int) throws {
        var state = UInt64(seed + 1) &* 0x9E37_79B9_7F4A_7C15
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        let whole = Self.message("web.example", options: Self.options())
        for _ in 0..<5000 {
            var bytes = next() % 4 == 0 ? (0..<next() % 80).map { _ in UInt8(next() & 255) } : whole
            for _ in 0..<next() % 4 where !bytes.isEmpty { bytes[Int(next()) % bytes.count] = UInt8(next() & 255) }
            if next() % 3 == 0 { bytes = Array(bytes.prefix(Int(next()) % (bytes.count + 1))) }
            switch NameQuery.read(bytes) {
            case .query(let query):
                #expect(query.name.bytes.count <= 255)
                let answer = NameAnswer(.noSuchName).bytes(to: query, limit: query.maximumByteCount)
                #expect(answer.count <= query.maximumByteCount && Array(answer[..<2]) == Array(bytes[..<2]))
            case .refusal(let answer): #expect(answer.count < 512)
            case .nothing: continue
            }
        }
    }
}

@Suite("What names mean to a sandbox")
struct NameTableTests {
    private static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    private func table() throws -> NameTable {
        let front = NameTable.Network(
            name: "front", subnets: [try #require(Subnet("172.18.0.0/16")), try #require(Subnet("fd00::/64"))],
            hosts: [
                .init(
                    name: "web", aliases: ["www", "0123456789ab", "web"],
                    addresses: [try Self.address("172.18.0.2"), try Self.address("fd00::2")]),
                .init(name: "web2", aliases: ["www"], addresses: [try Self.address("172.18.0.3")]),
                .init(name: "web3", aliases: ["www"], addresses: [try Self.address("172.18.0.4")]),
            ])
        let back = NameTable.Network(
            name: "back", subnets: [try #require(Subnet("172.19.0.0/16"))],
            hosts: [
                .init(name: "db", addresses: [try Self.address("172.19.0.2")]),
                .init(name: "web", addresses: [try Self.address("172.19.0.3")]),
                .init(name: "not a..name", addresses: [try Self.address("172.19.0.9")]),
            ])
        return NameTable([front, back], links: ["mysql": [try Self.address("172.19.0.2")], "web3": [try Self.address("172.18.0.99")]])
    }

    private func ask(_ table: NameTable, _ name: String, _ kind: NameQuery.Kind = .a, turn: Int = 0, group: UInt16 = 1) throws -> (
        UInt16, [String]
    )? {
        guard case .query(let query) = NameQuery.read(NameMessageTests.message(name, kind.rawValue, group: group)) else {
            Issue.record("\(name) was not read")
            return nil
        }
        return table.answer(to: query, turn: turn).map { answer in
            let told = answer.records.map { record in
                switch record {
                case .address(let address): address.description
                case .pointer(let name): name.description
                }
            }
            return (answer.code.rawValue, told)
        }
    }

    @Test(
        "Names, aliases, links, and whose an address is",
        arguments: [
            ("web", .a, 0, ["172.18.0.2"]), ("WEB", .aaaa, 0, ["fd00::2"]), ("web2", .aaaa, 0, []), ("web.front", .a, 0, ["172.18.0.2"]),
            ("web.back", .a, 0, ["172.19.0.3"]), ("0123456789ab", .a, 0, ["172.18.0.2"]), ("db", .a, 0, ["172.19.0.2"]),
            ("mysql", .a, 0, ["172.19.0.2"]),
            ("web3", .a, 0, ["172.18.0.99"]), ("web", NameQuery.Kind(rawValue: 15), 0, []), ("web", .any, 0, ["172.18.0.2", "fd00::2"]),
            ("2.0.18.172.in-addr.arpa", .ptr, 0, ["web.front"]), ("2.0.18.172.in-addr.arpa", .a, 0, []),
            ("77.0.18.172.in-addr.arpa", .ptr, 3, []),
        ] as [(String, NameQuery.Kind, UInt16, [String])])
    func known(_ name: String, _ kind: NameQuery.Kind, _ code: UInt16, _ records: [String]) throws {
        let answer = try #require(try ask(try table(), name, kind))
        #expect(answer == (code, records))
    }

    @Test(
        "What is none of theirs is asked elsewhere",
        arguments: ["example.com", "webx", "web.front.example", "8.8.8.8.in-addr.arpa", "back", "front"])
    func unknown(_ name: String) throws {
        #expect(try ask(try table(), name) == nil)
        #expect(try ask(try table(), "web", group: 3) == nil)
    }

    @Test func equalsTakeTurns() throws {
        let table = try table()
        let all = ["172.18.0.2", "172.18.0.3", "172.18.0.4"]
        for turn in [0, 1, 2, 3, -1, Int.min, Int.max] {
            let told = try #require(try ask(table, "www", turn: turn)).1
            #expect(told.sorted() == all, "\(turn)")
        }
        #expect(try (0..<6).map { try #require(try ask(table, "www", turn: $0)).1[0] } == all + all)
    }
}
