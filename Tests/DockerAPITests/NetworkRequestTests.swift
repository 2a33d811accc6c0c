import DockerAPI
import Testing

private func create(_ text: String, _ version: APIVersion = .newest) throws(RequestError) -> ContainerCreateRequest {
    try ContainerCreateRequest(parsing: Array(text.utf8), version: version)
}
private func network(_ text: String, _ version: APIVersion = .newest) throws(RequestError) -> NetworkCreateRequest {
    try NetworkCreateRequest(parsing: Array(text.utf8), version: version)
}

@Suite("What requests say of networks")
struct NetworkRequestTests {
    @Test(
        "Ports by name",
        arguments: [
            ("80/tcp", ContainerPort(80, .tcp)), ("80", ContainerPort(80, .tcp)), ("80/", ContainerPort(80, .tcp)),
            ("53/UDP", ContainerPort(53, .udp)), ("65535/sctp", ContainerPort(65535, .sctp)), ("", nil), ("/tcp", nil), ("80/x", nil),
            ("65536", nil), ("-1", nil), ("+80", nil), ("80-81/tcp", nil), ("000080", nil), ("80/tcp/x", nil), ("\u{0661}", nil),
        ])
    func ports(text: String, port: ContainerPort?) { #expect(ContainerPort(parsing: text) == port) }

    @Test("Published and exposed ports")
    func published() throws {
        let request = try create(
            #"{"ExposedPorts":{"80/tcp":{},"53/udp":null},"HostConfig":{"PublishAllPorts":true,"PortBindings":{"80/tcp":[{"HostIp":"::1","HostPort":"8080-8090"},{"HostPort":"0"}],"53/udp":null}}}"#
        )
        #expect(request.config.exposedPorts == [ContainerPort(80, .tcp), ContainerPort(53, .udp)])
        #expect(request.host.publishesAllPorts)
        #expect(
            request.host.portBindings == [
                ContainerPort(80, .tcp): [PortBinding(hostAddress: "::1", hostPort: "8080-8090"), PortBinding(hostPort: "0")],
                ContainerPort(53, .udp): [],
            ])
        #expect(try create("{}").host.portBindings == nil)
        #expect(request.host.portBindings?[ContainerPort(80, .tcp)]?.map(\.hostPorts) == [8080...8090, nil])
    }

    @Test(
        "What is no port is refused in Docker's words",
        arguments: [
            (#"{"HostConfig":{"PortBindings":{"x/tcp":[]}}}"#, #"invalid port specification: "x""#),
            (#"{"HostConfig":{"PortBindings":{"80-81/tcp":[]}}}"#, #"invalid port specification: "80-81""#),
            (#"{"HostConfig":{"PortBindings":{"80/x":[]}}}"#, #"invalid port specification: "80/x""#),
            (#"{"HostConfig":{"PortBindings":{"80":[{"HostPort":"65536"}]}}}"#, #"invalid port specification: "65536""#),
            (#"{"HostConfig":{"PortBindings":{"80":[{"HostPort":"9-8"}]}}}"#, #"invalid port specification: "9-8""#),
            (#"{"HostConfig":{"PortBindings":{"80":[{"HostPort":"1-2-3"}]}}}"#, #"invalid port specification: "1-2-3""#),
            (#"{"HostConfig":{"PortBindings":{"80":[],"80/tcp":[]}}}"#, "80/tcp twice"),
            (#"{"HostConfig":{"PortBindings":[]}}"#, "HostConfig.PortBindings must be an object"),
            (#"{"HostConfig":{"PortBindings":{"80":{}}}}"#, "HostConfig.PortBindings.80 must be a list"),
            (#"{"ExposedPorts":{"65536":{}}}"#, #"invalid port specification: "65536""#),
        ])
    func noPorts(text: String, words: String) {
        let error = #expect(throws: RequestError.self) { try create(text) }
        #expect(error?.code == .invalid)
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test("More places than there are ports are refused")
    func tooManyPorts() throws {
        func request(_ count: Int) throws(RequestError) -> ContainerCreateRequest {
            try create(#"{"HostConfig":{"PortBindings":{"80":[\#(Array(repeating: "{}", count: count).joined(separator: ","))]}}}"#)
        }
        #expect(try request(3 << 16).host.portBindings?[ContainerPort(80, .tcp)]?.count == 3 << 16)
        let error = #expect(throws: RequestError.self) { try request(3 << 16 + 1) }
        #expect(error?.description == "invalid PortBindings: more than 196608 places for ports")
    }

    @Test("Places in networks; what is said to have been given is passed over")
    func endpoints() throws {
        let request = try create(
            #"{"NetworkingConfig":{"EndpointsConfig":{"n":{"IPAMConfig":{"IPv4Address":"172.20.0.9","LinkLocalIPs":["169.254.1.1"]},"Links":["a:b"],"Aliases":["web"],"MacAddress":"02:42:ac:14:00:09","DriverOpts":{"k":"v"},"GwPriority":-5,"IPAddress":"1.2.3.4","IPPrefixLen":8,"DNSNames":["x"]},"m":null}}}"#
        )
        var expected = EndpointSettings()
        expected.asked = .init(ipv4: "172.20.0.9", linkLocal: ["169.254.1.1"])
        (expected.links, expected.aliases, expected.driverOptions) = (["a:b"], ["web"], ["k": "v"])
        (expected.macAddress, expected.gatewayPriority) = ("02:42:ac:14:00:09", -5)
        #expect(request.endpoints == ["n": expected, "m": EndpointSettings()])
        #expect(!expected.asksForNothing && EndpointSettings().asksForNothing)
    }

    @Test("Before 1.48 there are no priorities, before 1.44 there is one network and a hardware address of the whole container")
    func versions() throws {
        let prioritised = #"{"NetworkingConfig":{"EndpointsConfig":{"n":{"GwPriority":5,"MacAddress":"02:00:00:00:00:01"}}}}"#
        #expect(try create(prioritised, APIVersion(1, 48)).endpoints["n"]?.gatewayPriority == 5)
        #expect(try create(prioritised, APIVersion(1, 47)).endpoints["n"]?.gatewayPriority == 0)
        #expect(try create(prioritised, APIVersion(1, 44)).endpoints["n"]?.macAddress == "02:00:00:00:00:01")
        #expect(try create(prioritised, APIVersion(1, 43)).endpoints["n"]?.macAddress == "")

        let several = #"{"NetworkingConfig":{"EndpointsConfig":{"n":{},"m":{}}}}"#
        #expect(try create(several, APIVersion(1, 44)).endpoints.count == 2)
        let error = #expect(throws: RequestError.self) { try create(several, APIVersion(1, 43)) }
        #expect(error?.description == "Container cannot be created with multiple network endpoints: m, n")
    }

    private func withMac(_ mode: String, _ endpoints: String, _ version: APIVersion) throws(RequestError) -> ContainerCreateRequest {
        try create(
            #"{"MacAddress":"02:00:00:00:00:01","HostConfig":{"NetworkMode":"\#(mode)"},"NetworkingConfig":{"EndpointsConfig":\#(endpoints)}}"#,
            version)
    }

    @Test("The container's hardware address goes to its own network")
    func macAddress() throws {
        let address = "02:00:00:00:00:01"
        #expect(try withMac("", "{}", APIVersion(1, 43)).endpoints["default"]?.macAddress == address)
        #expect(try withMac("bridge", #"{"default":{}}"#, APIVersion(1, 43)).endpoints["default"]?.macAddress == address)
        #expect(try withMac("n", #"{"other":{}}"#, APIVersion(1, 43)).endpoints["other"]?.macAddress == address)
        #expect(throws: RequestError.self) { try withMac("host", "{}", APIVersion(1, 43)) }
        let newer = try withMac("n", #"{"n":{"MacAddress":"02:00:00:00:00:01"},"m":{}}"#, .newest)
        #expect(newer.endpoints["n"]?.macAddress == address && newer.endpoints["m"]?.macAddress == "" && newer.warnings.count == 1)
        #expect(throws: RequestError.self) { try withMac("n", #"{"n":{"MacAddress":"02:00:00:00:00:02"}}"#, .newest) }
        #expect(throws: RequestError.self) { try withMac("n", #"{"m":{}}"#, .newest) }
        #expect(try withMac("host", "{}", .newest).warnings.count == 1)
    }

    @Test("A network")
    func networks() throws {
        let text =
            #"{"CheckDuplicate":true,"Name":"n","Driver":"bridge","Scope":"local","EnableIPv4":false,"EnableIPv6":true,"IPAM":{"Driver":"default","Options":{"a":"b"},"Config":[{"Subnet":"172.20.0.0/16","IPRange":"172.20.5.0/24","Gateway":"172.20.0.1","AuxiliaryAddresses":{"r":"172.20.0.2"}}]},"Internal":true,"Attachable":true,"Ingress":false,"ConfigOnly":false,"ConfigFrom":{"Network":"base"},"Options":{"o":"p"},"Labels":{"l":"m"}}"#
        let request = try network(text)
        #expect(request.name == "n" && request.driver == "bridge" && request.scope == "local" && request.configuredFrom == "base")
        #expect(request.enablesIPv4 == false && request.enablesIPv6 == true && request.isInternal && request.isAttachable)
        #expect(request.options == ["o": "p"] && request.labels == ["l": "m"])
        var addressing = NetworkAddressing()
        addressing.options = ["a": "b"]
        addressing.subnets = [.init("172.20.0.0/16", range: "172.20.5.0/24", gateway: "172.20.0.1", reserved: ["r": "172.20.0.2"])]
        #expect(request.addressing == addressing)
        #expect(try network(text, APIVersion(1, 47)).enablesIPv4 == nil)
        #expect(try network(#"{"Name":"n","IPAM":null,"ConfigFrom":null}"#).addressing == nil)
    }

    @Test("What a network cannot be asked for")
    func noNetworks() {
        for (text, words) in [
            (#"{"Name":1}"#, "Name must be text"), (#"{"IPAM":{"Config":{}}}"#, "IPAM.Config must be a list"),
            (#"{"IPAM":{"Config":[{"Frob":"x"}]}}"#, "IPAM.Config[0].Frob"), (#"{"Frob":1}"#, "Frob"),
            (#"{"ConfigFrom":{"Other":"x"}}"#, "ConfigFrom.Other"),
            (
                #"{"IPAM":{"Config":[\#(Array(repeating: "{}", count: NetworkAddressing.subnetLimit + 1).joined(separator: ","))]}}"#,
                "more than"
            ),
        ] {
            let error = #expect(throws: RequestError.self) { try network(text) }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
    }

    @Test("Into and out of one")
    func connections() throws {
        let text = #"{"Container":"c","EndpointConfig":{"Aliases":["a"],"GwPriority":3,"MacAddress":"02:00:00:00:00:01"}}"#
        let connect = try NetworkConnectRequest(parsing: Array(text.utf8))
        #expect(connect.container == "c" && connect.endpoint.aliases == ["a"] && connect.endpoint.gatewayPriority == 3)
        #expect(connect.endpoint.macAddress == "02:00:00:00:00:01")
        let older = try NetworkConnectRequest(parsing: Array(text.utf8), version: APIVersion(1, 43))
        #expect(older.endpoint.gatewayPriority == 0 && older.endpoint.macAddress == "")
        #expect(try NetworkConnectRequest(parsing: Array(#"{"Container":"c"}"#.utf8)).endpoint.asksForNothing)
        let disconnect = try NetworkDisconnectRequest(parsing: Array(#"{"Container":"c","Force":true}"#.utf8))
        #expect(disconnect.container == "c" && disconnect.isForced)
        #expect(throws: RequestError.self) { try NetworkDisconnectRequest(parsing: Array(#"{"Container":"c","Frob":1}"#.utf8)) }
    }

    @Test("Ports are told: null where only exposed in an inspection, by numbers in a list")
    func told() {
        var settings = NetworkSettings()
        settings.ports = [ContainerPort(80, .tcp): [PortBinding(hostAddress: "0.0.0.0", hostPort: "8080")], ContainerPort(443, .tcp): []]
        let text = String(decoding: settings.json, as: UTF8.self)
        #expect(text.contains(#""Ports":{"443/tcp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}"#), "\(text)")
        let published = PortSummary(ContainerPort(80, .tcp), hostAddress: "::", hostPort: 8080)
        #expect(String(decoding: published.json, as: UTF8.self) == #"{"IP":"::","PrivatePort":80,"PublicPort":8080,"Type":"tcp"}"#)
        #expect(String(decoding: PortSummary(ContainerPort(9, .udp)).json, as: UTF8.self) == #"{"PrivatePort":9,"Type":"udp"}"#)
    }

    @Test("What the default network gave is told twice; before 1.45 the id is an alias in networks of one's own")
    func olderAnswers() {
        var container = ContainerInspect()
        (container.id, container.config.hostname) = (String(repeating: "c", count: 64), "web")
        var endpoint = EndpointSettings(networkID: "n", endpointID: "e")
        (endpoint.address, endpoint.prefixLength, endpoint.aliases) = ("172.17.0.2", 16, ["web"])
        container.network.networks = ["bridge": endpoint, "own": endpoint]
        func told(_ json: [UInt8]) -> String { String(decoding: json, as: UTF8.self) }
        #expect(
            told(container.json).contains(
                #""EndpointID":"e","Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"IPAddress":"172.17.0.2","IPPrefixLen":16"#))
        #expect(!told(container.json(for: APIVersion(1, 45))).contains(#""cccccccccccc""#))
        let older = told(container.json(for: APIVersion(1, 44)))
        #expect(older.contains(#""Aliases":["web","cccccccccccc"]"#) && older.contains(#""Aliases":["web"]"#))
    }
}
