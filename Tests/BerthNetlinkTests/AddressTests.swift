import Testing

@testable import BerthNetlink

@Suite("Addresses and names")
struct AddressTests {
    @Test(
        "Canonical texts stay as they are",
        arguments: ["0.0.0.0", "255.255.255.255", "172.17.0.1", "::", "::1", "fd00::1", "2001:db8::1:0:0:1", "::ffff:10.0.0.1"])
    func canonical(text: String) throws {
        #expect(try #require(IPAddress(text)).description == text)
    }

    @Test(
        "What is no address is none",
        arguments: [
            "", "1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4/8", "fe80::1%eth0", "::1::", "12345::",
            "1.2.3.4\0", "ẞ", "0x7f.0.0.1",
        ])
    func noAddress(text: String) { #expect(IPAddress(text) == nil) }

    @Test func numbersAndBytes() throws {
        let four = try #require(IPAddress("172.17.0.2"))
        #expect(four.bytes == [172, 17, 0, 2] && four.value == 0xac11_0002 && four.version == .v4)
        #expect(IPAddress(bytes: four.bytes) == four)
        let six = try #require(IPAddress("fd00::2"))
        #expect(six.bytes == [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2])
        #expect(IPAddress(bytes: six.bytes) == six)
        #expect(IPAddress(bytes: [1, 2, 3]) == nil)
        #expect(four < six)
        #expect(try #require(IPAddress("10.0.0.9")) < #require(IPAddress("10.0.0.10")))
        #expect(IPAddress(.v4, UInt128.max).description == "255.255.255.255")
        #expect(try #require(IPAddress("2001:DB8:0:0:0:0:0:1")).description == "2001:db8::1")
    }

    @Test(
        "A prefix has a first and a last address",
        arguments: [
            ("172.17.5.9/16", "172.17.0.0", "172.17.255.255", "255.255.0.0"), ("10.1.2.3/32", "10.1.2.3", "10.1.2.3", "255.255.255.255"),
            ("1.2.3.4/0", "0.0.0.0", "255.255.255.255", "0.0.0.0"), ("10.0.0.5/31", "10.0.0.4", "10.0.0.5", "255.255.255.254"),
            ("fd00::5/64", "fd00::", "fd00::ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::"),
            ("::5/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::"),
            ("::5/128", "::5", "::5", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ])
    func prefix(text: String, first: String, last: String, mask: String) throws {
        let prefix = try #require(IPPrefix(text))
        #expect(prefix.description == text)
        #expect(prefix.first.description == first && prefix.last.description == last && prefix.mask.description == mask)
        #expect(prefix.contains(prefix.first) && prefix.contains(prefix.last))
        #expect(prefix.network.address == prefix.first && prefix.network.length == prefix.length)
    }

    @Test(arguments: [
        "", "/", "1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/+8", "1.2.3.4/08", "1.2.3.4/8/8", "::/129", "/8",
    ])
    func noPrefix(text: String) { #expect(IPPrefix(text) == nil) }

    @Test func overlaps() throws {
        func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }
        #expect(try prefix("10.0.0.0/8").overlaps(prefix("10.1.0.0/16")))
        #expect(try prefix("10.1.0.0/16").overlaps(prefix("10.0.0.0/8")))
        #expect(try prefix("0.0.0.0/0").overlaps(prefix("10.0.0.0/8")))
        #expect(try !prefix("10.0.0.0/9").overlaps(prefix("10.128.0.0/9")))
        #expect(try !prefix("::/0").overlaps(prefix("0.0.0.0/0")))
    }

    @Test func hardwareAddresses() throws {
        let address = try #require(HardwareAddress("02:42:AC:11:00:02"))
        #expect(address.description == "02:42:ac:11:00:02" && address.isUnicast)
        #expect(HardwareAddress("02-42-ac-11-00-02") == address)
        #expect(HardwareAddress(bytes: address.bytes) == address)
        #expect(try !#require(HardwareAddress("01:00:5e:00:00:01")).isUnicast)
        for text in ["", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "2:42:ac:11:00:02", "0g:42:ac:11:00:02", "+2:42:ac:11:00:02", "::::::"] {
            #expect(HardwareAddress(text) == nil, "\(text)")
        }
    }

    @Test func interfaceNames() {
        for name in ["eth0", "br-0123456789ab", "a", "ü"] { #expect(InterfaceName(name)?.description == name) }
        for name in ["", ".", "..", "a/b", "a:b", "eth%d", "a b", "a\0", "a\nb", "0123456789abcdef", "à"] {
            #expect(InterfaceName(name) == nil, "\(name)")
        }
    }
}
