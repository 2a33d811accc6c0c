import Berth
import DockerAPI
import NIOHTTP1
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
        #expect(found.cpuPeriod == 5 && found.nanoCPUs == 6 && found.pidsLimit == nil && found.cpusetCPUs == "0")
    }

    @Test(
        "Mounts as -v has them",
        arguments: [
            ("/a:/b", Mount.Kind.bind, false, BindMount.Propagation?.none, true), ("/a:/b:ro", .bind, true, nil, true),
            ("/a:/b:rw,rshared", .bind, false, .rshared, true), ("/a:/b:z", .bind, false, nil, true), ("/a:/b:", .bind, false, nil, true),
            ("name:/b:nocopy,Z", .volume, false, nil, false), ("name:/b:ro,cached", .volume, true, nil, true),
        ])
    func binds(text: String, kind: Mount.Kind, readOnly: Bool, propagation: BindMount.Propagation?, copiesUp: Bool) throws {
        let mounts = try host(#"{"Binds":["\#(text)"]}"#).mounts
        let mount = try #require(mounts.first)
        #expect(mounts.count == 1 && mount.kind == kind && mount.readOnly == readOnly && mount.propagation == propagation)
        #expect(mount.copiesUp == copiesUp && mount.createsSource == (kind == .bind) && mount.target == "/b")
        let options = text.split(separator: ":", omittingEmptySubsequences: false).dropFirst(2).joined()
        #expect(mount.notation == .volume(options: options, text: text))
    }

    @Test("A place alone has a volume without a name")
    func places() throws {
        #expect(try host(#"{"Binds":["/a"]}"#).volumes == ["/a"])
        #expect(try configuration(#"{"Image":"i","Volumes":{"/v":{}}}"#).volumes == ["/v"])
    }

    @Test(
        "What is no mount",
        arguments: [
            ("", "invalid volume specification: ''"), (":/b", "invalid volume specification: ':/b'"),
            ("/a:ro", "invalid volume specification: '/a:ro'"), ("/a:", "invalid volume specification: '/a:'"),
            ("/a:/b:ro:c", "invalid volume specification: '/a:/b:ro:c'"), ("/a:/b:ro,rw", "invalid mode: ro,rw"),
            ("/a:/b:x", "invalid mode: x"), ("n:/b:z,Z", "invalid mode: z,Z"), ("n:/b:private,shared", "invalid mode: private,shared"),
        ])
    func noBinds(text: String, words: String) {
        let failure = #expect(throws: APIFailure.self) { try host(#"{"Binds":["\#(text)"]}"#) }
        #expect(failure?.message == words && failure?.status == .badRequest)
    }

    @Test("Mounts as --mount has them, of a version of the API")
    func mounts() throws {
        let bind = #"{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true}"#
        #expect(try host(#"{"Mounts":[\#(bind)]}"#).mounts[0].recursion == .enabled)
        let older = try ContainerConfiguration(
            try ContainerCreateRequest(parsing: Array(#"{"Image":"i","HostConfig":{"Mounts":[\#(bind)]}}"#.utf8)),
            version: APIVersion(1, 43))
        #expect(older.mounts[0].recursion == .writable)
        let volume = try host(
            #"{"VolumeDriver":"d","VolumesFrom":["c:ro"],"Mounts":[{"Type":"volume","Source":"v","Target":"/v","VolumeOptions":{"NoCopy":true,"Subpath":"s","Labels":{"a":"b"},"DriverConfig":{"Name":"x","Options":{"o":"p"}}}}]}"#
        )
        let mount = volume.mounts[0]
        #expect(mount.kind == .volume && !mount.copiesUp && mount.subpath == "s" && mount.volumeLabels == ["a": "b"])
        #expect(
            mount.volumeDriver == "x" && mount.volumeOptions == ["o": "p"] && volume.volumeDriver == "d" && volume.volumesFrom == ["c:ro"])
        let memory = try host(
            #"{"Tmpfs":{"/t":"size=1m,exec"},"Mounts":[{"Type":"tmpfs","Target":"/m","TmpfsOptions":{"SizeBytes":4096,"Mode":448,"Options":[["exec"],["uid","5"]]}}]}"#
        ).mounts
        #expect(memory.map(\.options) == [["size=1m", "exec"], ["mode=700", "size=4096", "exec", "uid=5"]])
        #expect(memory[0].notation == .tmpfs(options: "size=1m,exec"))
    }

    @Test("Security options")
    func security() throws {
        #expect(try host(#"{"SecurityOpt":["no-new-privileges","seccomp=unconfined"]}"#).noNewPrivileges == true)
        #expect(try host(#"{"SecurityOpt":["seccomp=unconfined"]}"#).seccomp == .unconfined)
        #expect(try host(#"{"SecurityOpt":["seccomp={}"]}"#).seccomp == .profile("{}"))
        #expect(try host(#"{"SecurityOpt":["no-new-privileges:false","label=disable","apparmor=unconfined"]}"#).noNewPrivileges == false)
        #expect(try host(#"{"SecurityOpt":["apparmor=unconfined"]}"#).securityModuleOptions == ["apparmor=unconfined"])
        #expect(try host(#"{"SecurityOpt":["writable-cgroups=true"]}"#).hasWritableControlGroups)
        for option in ["x", "no-new-privileges=maybe", "systempaths=unconfined", "y=z", "writable-cgroups=maybe"] {
            #expect(throws: APIFailure.self) { try host(#"{"SecurityOpt":["\#(option)"]}"#) }
        }
    }

    @Test(
        "What cannot be, or does not exist here, is refused",
        arguments: [
            #"{"Memory":-1}"#, #"{"CpuShares":-1}"#, #"{"NanoCpus":-5}"#, #"{"ShmSize":-1}"#, #"{"LogConfig":{"Type":"gelf"}}"#,
            #"{"RestartPolicy":{"Name":"sometimes"}}"#, #"{"PidMode":"odd"}"#,
            #"{"IpcMode":"container:"}"#, #"{"Runtime":"odd"}"#, #"{"Isolation":"hyperv"}"#, #"{"StorageOpt":{"size":"1G"}}"#,
            #"{"BlkioWeight":-1}"#, #"{"BlkioDeviceReadBps":[{"Path":"/dev/a","Rate":-1}]}"#, #"{"Devices":[{"Odd":"x"}]}"#,
            #"{"DeviceRequests":[{"Capabilities":["gpu"]}]}"#, #"{"IOMaximumIOps":1}"#,
            #"{"PortBindings":{"80/tcp":[{"HostIp":"not-one"}]}}"#, #"{"Dns":["name"]}"#, #"{"Mounts":[{"Type":"cluster","Target":"/v"}]}"#,
            #"{"Mounts":[{"Type":"npipe","Target":"/v"}]}"#, #"{"Mounts":[{"Type":"odd","Target":"/v"}]}"#,
            #"{"Mounts":[{"Type":"volume","Target":"/v","BindOptions":{}}]}"#,
            #"{"Mounts":[{"Type":"tmpfs","Target":"/v","TmpfsOptions":{"SizeBytes":-1}}]}"#,
            #"{"Mounts":[{"Type":"bind","Source":"/a","Target":"/v","BindOptions":{"NonRecursive":true,"ReadOnlyForceRecursive":true}}]}"#,
            #"{"Mounts":[{"Type":"bind","Source":"/a","Target":"/b","BindOptions":{"Propagation":"odd"}}]}"#,
        ])
    func refused(json: String) { #expect(throws: (any Error).self) { try host(json) } }

    @Test("Namespaces, devices, groups and kernel parameters arrive as they are said")
    func options() throws {
        let made = try host(
            #"{"IpcMode":"shareable","PidMode":"host","UTSMode":"container:u","UsernsMode":"host","CgroupnsMode":"host","Init":true,"GroupAdd":["g","5"],"Sysctls":{"net.a":"1"},"OomScoreAdj":-7,"Devices":[{"PathOnHost":"/dev/a","PathInContainer":"/dev/b","CgroupPermissions":"r"},{"PathOnHost":"/dev/c"}],"DeviceCgroupRules":["c 1:3 r"],"DeviceRequests":[{"Driver":"cdi","Count":-1,"DeviceIDs":["v/c=n"],"Capabilities":[["gpu"]],"Options":{"o":"p"}}],"MaskedPaths":[],"ReadonlyPaths":["/proc/sys"],"CgroupParent":"/a/b","Annotations":{"n":"v"},"MemorySwappiness":0,"CpuRealtimePeriod":3,"CpuRealtimeRuntime":2,"BlkioWeight":10,"BlkioWeightDevice":[{"Path":"/dev/w","Weight":11}],"BlkioDeviceReadBps":[{"Path":"/dev/w","Rate":12}],"BlkioDeviceWriteBps":[{"Path":"/dev/w","Rate":13}],"BlkioDeviceReadIOps":[{"Path":"/dev/w","Rate":14}],"BlkioDeviceWriteIOps":[{"Path":"/dev/w","Rate":15}]}"#
        )
        #expect(made.namespaces.ipc == .shareable && made.namespaces.pid == .host && made.namespaces.uts == .container("u"))
        #expect(made.namespaces.user == .host && made.namespaces.cgroup == .host)
        #expect(made.runsInit == true && made.addedGroups == ["g", "5"] && made.kernelParameters == ["net.a": "1"])
        #expect(made.outOfMemoryScore == -7 && made.deviceRules == ["c 1:3 r"])
        #expect(made.devices == [DeviceMapping(source: "/dev/a", target: "/dev/b", permissions: "r"), DeviceMapping(source: "/dev/c")])
        #expect(
            made.deviceRequests == [
                DeviceRequest(driver: "cdi", count: -1, deviceIDs: ["v/c=n"], capabilities: [["gpu"]], options: ["o": "p"])
            ])
        #expect(made.maskedPaths == [] && made.readOnlyPaths == ["/proc/sys"] && made.controlGroupParent == "/a/b")
        #expect(made.annotations == ["n": "v"] && made.resources.swappiness == 0)
        #expect(made.resources.realTimePeriod == 3 && made.resources.realTimeRuntime == 2)
        let block = made.resources.block
        #expect(block.weight == 10 && block.weightDevices == [BlockLimits.Device(path: "/dev/w", value: 11)])
        #expect(
            [block.readBytes, block.writeBytes, block.readOperations, block.writeOperations].map { $0.map(\.value) } == [
                [12], [13], [14], [15],
            ])
        // What is not said, or said as -1, is not set.
        #expect(try host(#"{"MemorySwappiness":-1,"Init":null,"Devices":[]}"#) == host("{}"))
    }

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
