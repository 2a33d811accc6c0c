import Berth
import DockerAPI
import Testing

@testable import BerthDaemon

@Suite("What a request to edit a container means")
struct EditRequestTests {
    private func made(_ json: String) throws -> ContainerConfiguration {
        try ContainerConfiguration(try ContainerCreateRequest(parsing: Array(json.utf8)), version: .newest)
    }
    private func edited(_ former: ContainerConfiguration, _ json: String) throws -> ContainerConfiguration {
        var configuration = former
        try ContainerEditRequest(parsing: Array(json.utf8), of: former).apply(to: &configuration)
        return configuration
    }

    private static let full = """
        {"Image":"i","Hostname":"h","Domainname":"d","User":"u","Tty":true,"OpenStdin":true,"StdinOnce":true,"AttachStdin":true,
        "AttachStdout":true,"AttachStderr":true,"ExposedPorts":{"80/tcp":{}},"Env":["A=1"],"Cmd":["c"],"Entrypoint":["e"],
        "Volumes":{"/anon":{}},"WorkingDir":"/w","Labels":{"l":"1"},"StopSignal":"INT","StopTimeout":3,
        "Healthcheck":{"Test":["CMD","t"],"Retries":2,"OnFailure":"restart"},
        "HostConfig":{"Binds":["/a:/b:ro"],"Mounts":[{"Type":"volume","Source":"v","Target":"/v"}],"Tmpfs":{"/t":"size=1m"},
        "VolumesFrom":["o"],"VolumeDriver":"local","NetworkMode":"front","PortBindings":{"80/tcp":[{"HostPort":"8080"}]},
        "PublishAllPorts":true,"Dns":["1.1.1.1"],"DnsSearch":["s"],"DnsOptions":["o"],"ExtraHosts":["h:1.2.3.4"],"Links":["l:m"],
        "LogConfig":{"Type":"local","Config":{"max-size":"1m"}},"RestartPolicy":{"Name":"always"},"ConsoleSize":[3,4],"Init":true,
        "Privileged":true,"ReadonlyRootfs":true,"CapAdd":["NET_ADMIN"],"CapDrop":["CHOWN"],"GroupAdd":["g"],"Annotations":{"a":"b"},
        "SecurityOpt":["no-new-privileges","seccomp=unconfined","writable-cgroups=true","label=disable"],"MaskedPaths":["/m"],
        "ReadonlyPaths":["/r"],"Sysctls":{"net.a":"1"},"OomScoreAdj":5,"CgroupParent":"/p",
        "Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/x","CgroupPermissions":"r"}],"DeviceCgroupRules":["c 1:3 r"],
        "DeviceRequests":[{"Driver":"cdi","DeviceIDs":["v/c=n"]}],"Ulimits":[{"Name":"nofile","Soft":1,"Hard":2}],"ShmSize":4096,
        "IpcMode":"host","PidMode":"host","UTSMode":"host","UsernsMode":"host","CgroupnsMode":"host","Memory":1000,"MemorySwap":3000,
        "MemoryReservation":500,"MemorySwappiness":7,"OomKillDisable":true,"CpuShares":2,"CpuPeriod":1000,"CpuQuota":2000,
        "CpusetCpus":"0","CpusetMems":"0","CpuRealtimePeriod":10,"CpuRealtimeRuntime":5,"PidsLimit":9,"BlkioWeight":100,
        "BlkioWeightDevice":[{"Path":"/dev/a","Weight":10}],"BlkioDeviceReadBps":[{"Path":"/dev/a","Rate":1}],
        "BlkioDeviceWriteBps":[{"Path":"/dev/a","Rate":2}],"BlkioDeviceReadIOps":[{"Path":"/dev/a","Rate":3}],
        "BlkioDeviceWriteIOps":[{"Path":"/dev/a","Rate":4}]},
        "NetworkingConfig":{"EndpointsConfig":{"front":{"Aliases":["x"],"MacAddress":"02:00:00:00:00:01"}}}}
        """

    @Test("What a request names is so, and all that one to make a container can say can be named")
    func all() throws {
        let plain = try made(#"{"Image":"i"}"#)
        let full = try made(Self.full)
        #expect(try edited(plain, Self.full) == full)
        // And the other way: each is named, and has its default.
        #expect(try edited(full, Self.full) == full)
        #expect(try edited(full, "{}") == full)
    }

    @Test("One thing named, one thing changed")
    func one() throws {
        let full = try made(Self.full)
        var expected = full
        expected.environment = ["B=2"]
        #expect(try edited(full, #"{"Env":["B=2"]}"#) == expected)
        expected = full
        expected.restart = .no
        #expect(try edited(full, #"{"HostConfig":{"RestartPolicy":{"Name":"no"}}}"#) == expected)
        expected = full
        expected.privileged = false
        #expect(try edited(full, #"{"hostconfig":{"privileged":null}}"#) == expected)
        expected = full
        expected.mounts.removeAll { $0.kind == .volume }
        expected.mounts.append(Mount(volume: "w", at: "/v"))
        let mounts = try edited(full, #"{"HostConfig":{"Mounts":[{"Type":"volume","Source":"w","Target":"/v"}]}}"#)
        #expect(mounts == expected, "what -v and --tmpfs say stays")
    }

    @Test("Places in networks are named one by one")
    func networks() throws {
        let full = try made(Self.full)
        let more = try edited(full, #"{"NetworkingConfig":{"EndpointsConfig":{"back":{"Aliases":["y"]}}}}"#)
        #expect(more.endpoints.map(\.network) == ["front", "back"] && more.endpoints[0] == full.endpoints[0])
        let less = try edited(more, #"{"NetworkingConfig":{"EndpointsConfig":{"back":null}}}"#)
        #expect(less == full)
        let moved = try edited(full, #"{"HostConfig":{"NetworkMode":"none"}}"#)
        #expect(moved.network == .none && moved.endpoints.isEmpty)
    }

    @Test("Swap that follows from the memory follows it")
    func memory() throws {
        var former = try made(#"{"Image":"i"}"#)
        (former.resources.memoryByteCount, former.resources.memorySwapByteCount) = (1000, 2000)
        let more = try edited(former, #"{"HostConfig":{"Memory":5000}}"#)
        #expect(more.resources.memoryByteCount == 5000 && more.resources.memorySwapByteCount == nil)
        former.resources.memorySwapByteCount = 1500
        #expect(try edited(former, #"{"HostConfig":{"Memory":1200}}"#).resources.memorySwapByteCount == 1500)
    }

    @Test(
        "What cannot be edited, or is no such request",
        arguments: [
            "", "[]", #"{"HostConfig":{"Runtime":"runc"}}"#, #"{"Nonsense":1}"#, #"{"HostConfig":{"ContainerIDFile":"/x"}}"#,
            #"{"MacAddress":"02:00:00:00:00:01"}"#, #"{"Env":1}"#, #"{"HostConfig":{"Privileged":"yes"}}"#,
            #"{"HostConfig":{"RestartPolicy":{"Name":"sometimes"}}}"#, #"{"Env":[],"env":[]}"#,
        ])
    func wrong(_ json: String) throws {
        let former = try made(#"{"Image":"i"}"#)
        #expect(throws: (any Error).self) { try ContainerEditRequest(parsing: Array(json.utf8), of: former) }
    }
}
