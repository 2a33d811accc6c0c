import BerthLinux
import BerthNetlink
import BerthNetworking
import Foundation
import Testing

@Suite("A container's hosts file says what Docker's says, and is the container's once it has been edited")
struct HostsFileTests {
    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    @Test func hostGatewayIsOneAddressOfAVersion() throws {
        let (four, six) = (try address("192.0.2.1"), try address("2001:db8::1"))
        #expect(try HostGateway([six, four]).addresses == [six, four])
        #expect(try HostGateway([address("::ffff:192.0.2.1")]).addresses == [four])
        #expect(HostGateway.defaultNetwork.addresses.isEmpty)
        for (addresses, version) in [([four, four], 4), ([six, four, six], 6), ([four, try address("::ffff:192.0.2.2")], 4)] {
            let error = #expect(throws: NetworkError.self) { try HostGateway(addresses) }
            #expect(error?.code == .invalid && error?.description == "only one IPv\(version) host gateway IP address can be specified")
        }
    }

    @Test func ordered() throws {
        let gateway = [try address("172.17.0.1"), try address("fd00::1")]
        var file = HostsFile(
            added: try ["db:10.0.0.5", "six:2001:db8::5", "host.docker.internal:host-gateway", "db:::ffff:10.0.0.6"].flatMap {
                try HostsFile.added($0, gateway: gateway)
            },
            ownNames: HostsFile.names(hostname: "web", domainName: "example.com"),
            ownAddresses: [try address("172.18.0.2"), try address("fd00:1::2")])
        file.added += HostsFile.link(alias: "mysql", hostname: "0123456789ab", name: "db1", addresses: [try address("172.17.0.9")])
        #expect(
            String(decoding: file.contents, as: UTF8.self) == """
                127.0.0.1\tlocalhost
                ::1\tlocalhost ip6-localhost ip6-loopback
                fe00::\tip6-localnet
                ff00::\tip6-mcastprefix
                ff02::1\tip6-allnodes
                ff02::2\tip6-allrouters
                10.0.0.5\tdb
                2001:db8::5\tsix
                172.17.0.1\thost.docker.internal
                fd00::1\thost.docker.internal
                10.0.0.6\tdb
                172.17.0.9\tmysql 0123456789ab db1
                172.18.0.2\tweb.example.com web
                fd00:1::2\tweb.example.com web

                """)
        file.hasIPv6 = false
        #expect(!String(decoding: file.contents, as: UTF8.self).contains("::"))
        #expect(
            HostsFile.link(alias: "db1", hostname: "h", name: "db1", addresses: gateway).map(\.names) == [["db1", "h"], ["db1", "h"]])
    }

    @Test(
        "Names",
        arguments: [("web", nil, ["web"]), ("web.a.b", nil, ["web.a.b", "web"]), ("web.a", "b", ["web.a.b", "web"]), ("", nil, [])]
            as [(String, String?, [String])])
    func names(_ hostname: String, _ domainName: String?, _ expected: [String]) {
        #expect(HostsFile.names(hostname: hostname, domainName: domainName) == expected)
    }

    @Test(
        "What is no host is refused in Docker's words",
        arguments: [
            ("web", "bad format for add-host: \"web\""), (":1.2.3.4", "bad format for add-host"),
            ("web:", "invalid IP address in add-host: \"\""),
            ("web:1.2.3", "invalid IP address in add-host: \"1.2.3\""), ("we b:1.2.3.4", "a name has no spaces"),
            ("we\n1.1.1.1 b:1.2.3.4", "a name has no spaces"), ("w#b:1.2.3.4", "bad format"),
            ("web:host-gateway", "unable to derive the IP value for host-gateway"),
        ])
    func refused(_ text: String, _ words: String) {
        #expect { try HostsFile.added(text, gateway: []) } throws: { "\($0)".contains(words) && ($0 as? NetworkError)?.code == .invalid }
    }

    @Test("Who has edited a file keeps it")
    func deciding() throws {
        let (old, new) = (Array("old and long\n".utf8), Array("new\n".utf8))
        let mark = FileInPlace.Mark(of: old)
        #expect(FileInPlace.Mark(rawValue: mark.rawValue) == mark && mark.byteCount == 13)
        for text in ["", "1", "-1-0", "1-", "1-zz", "01-0", "1-0-0", "1-+1"] { #expect(FileInPlace.Mark(rawValue: text) == nil, "\(text)") }
        func decide(_ present: String, _ wanted: [UInt8]) -> FileInPlace.Decision {
            FileInPlace.decide(present: Array(present.utf8), writtenBefore: mark, wanted: wanted)
        }
        #expect(decide("old and long\n", new) == .isOurs && decide("new\n", new) == .isRight && decide("old and lonG\n", new) == .isEdited)
        #expect(decide("", new) == .isEdited && decide("old and long\n", old) == .isRight)
        // Broken off between the two calls that write it.
        #expect(decide("new\nand long\n", new) == .isOurs && decide("new\nand long\n\n", new) == .isEdited)
    }

    @Test("Rewriting keeps the file, and whatever else stands at its name is not touched")
    func rewriting() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "berth-hosts-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }  // a test's leavings
        let directory = try Directory.open(path)
        func put(_ text: String) throws { try text.write(toFile: path + "/hosts", atomically: false, encoding: .utf8) }
        func read() throws -> String { try String(contentsOfFile: path + "/hosts", encoding: .utf8) }
        func inode() throws -> Int {
            try #require(try FileManager.default.attributesOfItem(atPath: path + "/hosts")[.systemFileNumber] as? Int)
        }
        func rewrite(_ before: String, _ wanted: String, _ name: String = "hosts") throws -> FileInPlace.Decision {
            try FileInPlace.rewrite(
                try PathBytes(name), in: directory, writtenBefore: .init(of: Array(before.utf8)), wanted: Array(wanted.utf8))
        }
        try put("first\n")
        let number = try inode()
        #expect(try rewrite("first\n", "second and longer\n") == .isOurs)
        #expect(try read() == "second and longer\n")
        #expect(try rewrite("second and longer\n", "third\n") == .isOurs)
        #expect(try read() == "third\n")
        #expect(try rewrite("second and longer\n", "third\n") == .isRight)
        try put("mine\n")
        #expect(try rewrite("third\n", "fourth\n") == .isEdited)
        #expect(try read() == "mine\n")
        #expect(try inode() == number)
        try put(String(repeating: "x", count: FileInPlace.maximumByteCount + 1))
        #expect(try rewrite("third\n", "fourth\n") == .isEdited)
        try FileManager.default.createSymbolicLink(atPath: path + "/link", withDestinationPath: path + "/hosts")
        #expect(throws: Errno.ELOOP) { try rewrite("third\n", "fourth\n", "link") }
        #expect(throws: Errno.ENOENT) { try rewrite("third\n", "fourth\n", "nothing") }
        #expect(unsafe mkfifo(path + "/pipe", 0o600) == 0)
        #expect(throws: Errno.EINVAL) { try rewrite("third\n", "fourth\n", "pipe") }
    }
}
