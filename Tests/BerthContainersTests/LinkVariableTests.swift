import BerthNetworking
import Testing

@testable import BerthContainers

@Suite("What a container's environment says of those that it is linked to")
struct LinkVariableTests {
    private func variables(_ ports: [String], _ environment: [String] = []) throws -> [String] {
        let ports = try ports.map { try #require(Port($0)) }
        return LinkVariables(alias: "my-db", owner: "web", address: "172.17.0.5", ports: ports, environment: environment).list
    }

    /// The example of Docker's documentation of legacy links, and a variable without a value.
    @Test("A port, a name and an environment")
    func one() throws {
        #expect(
            try variables(["5432/tcp"], ["PASSWORD=a=b", "HOME=/root", "PATH=/bin", "BARE"]) == [
                "MY_DB_PORT=tcp://172.17.0.5:5432", "MY_DB_PORT_5432_TCP=tcp://172.17.0.5:5432", "MY_DB_PORT_5432_TCP_ADDR=172.17.0.5",
                "MY_DB_PORT_5432_TCP_PORT=5432", "MY_DB_PORT_5432_TCP_PROTO=tcp", "MY_DB_NAME=/web/my-db", "MY_DB_ENV_PASSWORD=a=b",
            ])
        #expect(try variables([]) == ["MY_DB_NAME=/web/my-db"])
    }

    @Test("The lowest comes first, of two of one number that of TCP; three and more in a row are also told as a range")
    func several() throws {
        let list = try variables(["1053/udp", "81/tcp", "80/tcp", "82/tcp", "90/tcp", "91/tcp"])
        #expect(list.first == "MY_DB_PORT=tcp://172.17.0.5:80")
        #expect(
            list[1...4] == [
                "MY_DB_PORT_80_TCP_START=tcp://172.17.0.5:80", "MY_DB_PORT_80_TCP_PORT_START=80",
                "MY_DB_PORT_80_TCP_END=tcp://172.17.0.5:82", "MY_DB_PORT_80_TCP_PORT_END=82",
            ])
        #expect(Set(list.map { $0.prefix { $0 != "=" } }).count == list.count)
        #expect(list.filter { $0.contains("_START=") }.count == 2 && list.last == "MY_DB_NAME=/web/my-db")
        #expect(list.contains("MY_DB_PORT_1053_UDP=udp://172.17.0.5:1053"))
        #expect(try variables(["53/udp", "53/tcp"]).first == "MY_DB_PORT=tcp://172.17.0.5:53")
        let highest = try variables(["65535/tcp", "65534/tcp", "65533/tcp", "1/udp"])
        #expect(highest.first == "MY_DB_PORT=udp://172.17.0.5:1" && highest.contains("MY_DB_PORT_65533_TCP_PORT_END=65535"))
    }
}
