import Berth
import DockerAPI
import Testing

@testable import BerthDaemon

@Suite("What a request to make a container means")
struct CreateRequestTests {
    private func configuration(_ json: String) throws -> ContainerConfiguration {
        try ContainerConfiguration(try ContainerCreateRequest(parsing: Array(json.utf8)), version: .newest)
    }
    private func host(_ json: String) throws -> ContainerConfiguration { try configuration(#"{"Image":"i","HostConfig":\#(json)}"#) }

    @Test("Nothing said is nothing set")
    func defaults() throws {
        var expected = ContainerConfiguration(image: "i")
        expected.network = .default
        #expect(try configuration(#"{"Image":"i"}"#) == expected)
        #expect(try configuration(#"{"image":"i","Cmd":null,"HostConfig":{"Memory":0,"Binds":null,"ShmSize":0}}"#) == expected)
    }

    @Test("What is said is set")
    func said() throws {
        let found = try configuration(
            #"{"Image":"i","Cmd":["a","b"],"Entrypoint":"e","Env":["A=b"],"WorkingDir":"/w","User":"u","Hostname":"h","Tty":true,"OpenStdin":true,"StdinOnce":true,"StopSignal":"INT","StopTimeout":3,"Labels":{"k":"v"},"HostConfig":{"NetworkMode":"none","Privileged":true,"ReadonlyRootfs":true,"AutoRemove":true,"CapAdd":["X"],"CapDrop":["Y"],"ConsoleSize":[3,4],"Ulimits":[{"Name":"nofile","Soft":1,"Hard":2}]}}"#
        )
        #expect(found.command == ["a", "b"] && found.entrypoint == ["e"] && found.environment == ["A=b"])
        #expect(found.workingDirectory == "/w" && found.user == "u" && found.hostname == "h")
        #expect(found.terminal && found.openStandardInput && found.standardInputOnce)
        #expect(found.stopSignal == "INT" && found.stopTimeoutSeconds == 3 && found.labels == ["k": "v"] && found.network == .none)
        #expect(found.privileged && found.readOnlyRoot && found.removesItself)
        #expect(found.addedCapabilities == ["X"] && found.droppedCapabilities == ["Y"])
        #expect(found.initialTerminalRows == 3 && found.initialTerminalColumns == 4)
        #expect(found.resourceLimits == [ResourceLimit(name: "nofile", soft: 1, hard: 2)])
    }

    @Test("Limits are the host's numbers, and zero is none")
    func limits() throws {
        let found = try host(
            #"{"Memory":1,"MemorySwap":-1,"CpuShares":3,"CpuQuota":-1,"CpuPeriod":5,"NanoCpus":6,"PidsLimit":-1,"CpusetCpus":"0"}"#
        )
        .resources
        #expect(found.memoryByteCount == 1 && found.memorySwapByteCount == -1 && found.cpuShares == 3 && found.cpuQuota == -1)
        #expect(found.cpuPeriod == 5 && found.nanoCPUs == 6 && found.pidsLimit == -1 && found.cpusetCPUs == "0")
    }

    @Test(
        "Bind mounts as -v has them",
        arguments: [
            ("/a:/b", BindMount(source: "/a", target: "/b")), ("/a:/b:ro", BindMount(source: "/a", target: "/b", readOnly: true)),
            ("/a:/b:rw,rshared", BindMount(source: "/a", target: "/b", propagation: .rshared)),
            ("/a:/b:z", BindMount(source: "/a", target: "/b")),
        ])
    func binds(text: String, mount: BindMount) throws { #expect(try host(#"{"Binds":["\#(text)"]}"#).bindMounts == [mount]) }

    @Test("What is no bind mount", arguments: ["", "/a", ":/b", "/a:", "name:/b", "/a:/b:ro,rw", "/a:/b:x", "/a:/b:ro:c", "/a:/b:"])
    func noBinds(text: String) { #expect(throws: APIFailure.self) { try host(#"{"Binds":["\#(text)"]}"#) } }

    @Test("Security options")
    func security() throws {
        #expect(try host(#"{"SecurityOpt":["no-new-privileges","seccomp=unconfined"]}"#).noNewPrivileges)
        #expect(try host(#"{"SecurityOpt":["seccomp=unconfined"]}"#).seccomp == .unconfined)
        #expect(try host(#"{"SecurityOpt":["seccomp={}"]}"#).seccomp == .profile("{}"))
        #expect(try host(#"{"SecurityOpt":["no-new-privileges:false","label=disable","apparmor=unconfined"]}"#).noNewPrivileges == false)
        for option in ["x", "no-new-privileges=maybe", "apparmor=p", "label=type:t", "systempaths=unconfined", "y=z"] {
            #expect(throws: APIFailure.self) { try host(#"{"SecurityOpt":["\#(option)"]}"#) }
        }
    }

    @Test(
        "What cannot be, or does not exist here, is refused",
        arguments: [
            #"{"Memory":-1}"#, #"{"CpuShares":-1}"#, #"{"NanoCpus":-5}"#, #"{"ShmSize":-1}"#, #"{"LogConfig":{"Type":"syslog"}}"#,
            #"{"LogConfig":{"Config":{"max-size":"1"}}}"#, #"{"RestartPolicy":{"Name":"always"}}"#, #"{"PidMode":"host"}"#,
            #"{"PortBindings":{"80/tcp":[{"HostIp":"not-one"}]}}"#, #"{"Dns":["name"]}"#, #"{"Mounts":[{"Type":"volume","Target":"/v"}]}"#,
            #"{"Mounts":[{"Type":"bind","Source":"/a","Target":"/b","BindOptions":{"Propagation":"odd"}}]}"#,
        ])
    func refused(json: String) { #expect(throws: (any Error).self) { try host(json) } }

    @Test("Ports, names and places in networks arrive as they are said")
    func networking() throws {
        let made = try host(
            #"{"PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080-8082"}],"53/udp":[]},"Dns":["192.0.2.1"],"DnsSearch":["a"],"DnsOptions":["ndots:2"],"ExtraHosts":["b:192.0.2.2"],"Links":["c:d"],"PublishAllPorts":true}"#
        ).networking
        #expect(
            made.publishedPorts == [
                PortRequest(Port(53, .udp)), PortRequest(Port(80, .tcp), hostAddress: IPAddress("127.0.0.1"), hostPorts: 8080...8082),
            ])
        #expect(made.nameServers == [IPAddress("192.0.2.1")] && made.nameSearch == ["a"] && made.nameOptions == ["ndots:2"])
        #expect(made.extraHosts == ["b:192.0.2.2"] && made.links == ["c:d"] && made.publishesAllPorts)
        let places = try configuration(
            #"{"Image":"i","HostConfig":{"NetworkMode":"n"},"NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":["x"],"GwPriority":3,"MacAddress":"02:42:00:00:00:09","IPAMConfig":{"IPv4Address":"10.0.0.9","IPv6Address":"fd00::9"}},"m":{}}}}"#
        ).endpoints
        #expect(places.map(\.network) == ["m", "n"] && places[1].aliases == ["x"] && places[1].gatewayPriority == 3)
        #expect(places[1].ipv4 == IPAddress("10.0.0.9") && places[1].ipv6 == IPAddress("fd00::9"))
        #expect(places[1].hardwareAddress == HardwareAddress("02:42:00:00:00:09"))
    }

    @Test(
        "Addresses that are none are refused",
        arguments: [
            #"{"MacAddress":"02:42"}"#, #"{"MacAddress":"01:00:5e:00:00:01"}"#, #"{"IPAMConfig":{"IPv4Address":"fd00::1"}}"#,
            #"{"IPAMConfig":{"IPv6Address":"10.0.0.1"}}"#, #"{"IPAMConfig":{"LinkLocalIPs":["x"]}}"#,
        ])
    func noAddresses(json: String) {
        #expect(throws: APIFailure.self) { try configuration(#"{"Image":"i","NetworkingConfig":{"EndpointsConfig":{"n":\#(json)}}}"#) }
    }

    @Test("Without an image there is nothing to make")
    func noImage() { #expect(throws: APIFailure.self) { try configuration("{}") } }
}
