import DockerAPI
import Testing

private func create(_ text: String) throws(RequestError) -> ContainerCreateRequest { try ContainerCreateRequest(parsing: Array(text.utf8)) }

@Suite("Requests are read as Go reads them, and nothing that they ask for is lost")
struct RequestTests {
    @Test("What the stock command line sends for a run, with its nulls, zeros and empty things")
    func stockClient() throws {
        let request = try create(
            """
            {"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"Tty":false,"OpenStdin":false,"StdinOnce":false,
             "Env":null,"Cmd":["true"],"Image":"busybox","Volumes":{},"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":{},
             "HostConfig":{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"","Config":{}},"NetworkMode":"none","PortBindings":{},
              "RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":true,"VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[24,80],"CapAdd":null,"CapDrop":null,
              "CgroupnsMode":"","Dns":[],"DnsOptions":[],"DnsSearch":[],"ExtraHosts":null,"GroupAdd":null,"IpcMode":"","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"",
              "Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"","UsernsMode":"","ShmSize":0,"Isolation":"","CpuShares":0,
              "Memory":0,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,"BlkioWeightDevice":[],"BlkioDeviceReadBps":[],"CpuPeriod":0,"CpuQuota":0,"CpusetCpus":"","CpusetMems":"",
              "Devices":[],"DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,"MemorySwappiness":-1,"OomKillDisable":false,"PidsLimit":0,
              "Ulimits":[],"CpuCount":0,"CpuPercent":0,"IOMaximumIOps":0,"IOMaximumBandwidth":0,"MaskedPaths":null,"ReadonlyPaths":null},
             "NetworkingConfig":{"EndpointsConfig":{"none":{"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"","DriverOpts":null,"GwPriority":0,"NetworkID":"",
              "EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null}}}}
            """)
        #expect(request.config.command == ["true"])
        #expect(request.config.environment == nil)
        #expect(request.config.entrypoint == nil)
        #expect(request.config.attachesStandardOutput)
        #expect(request.host.autoRemove)
        #expect(request.host.networkMode == "none")
        #expect(request.host.consoleSize == (24, 80))
        #expect(Array(request.endpoints.keys) == ["none"])
        #expect(request.endpoints["none"]?.asksForNothing == true)
        #expect(request.host.portBindings == [:] && request.host.nameServers == [] && request.host.extraHosts == nil)
    }

    @Test("A command may be one text; an empty list is not null; null in a list is the empty text")
    func shapes() throws {
        #expect(try create(#"{"Cmd":"ls -l"}"#).config.command == ["ls -l"])
        #expect(try create(#"{"Entrypoint":[]}"#).config.entrypoint == [])
        #expect(try create(#"{"Entrypoint":null}"#).config.entrypoint == nil)
        #expect(try create(#"{"Env":["A",null]}"#).config.environment == ["A", ""])
        #expect(try create(#"{"Labels":{"a":null,"b":"c"}}"#).config.labels == ["a": "", "b": "c"])
        #expect(try create(#"{"HostConfig":{"CapAdd":"ALL","CapDrop":["KILL"]}}"#).host.addedCapabilities == ["ALL"])
    }

    @Test("Members are found in any case, the last of one name counts, and two that differ by case are refused")
    func names() throws {
        #expect(try create(#"{"IMAGE":"a","hostconfig":{"privileged":true}}"#).config.image == "a")
        #expect(try create(#"{"Image":"a","Image":"b"}"#).config.image == "b")
        let error = #expect(throws: RequestError.self) { try create(#"{"Image":"a","image":"b"}"#) }
        #expect(error?.code == .invalid)
        #expect(error?.description.contains("'Image' and 'image'") == true)
    }

    @Test(
        "What is not known is refused by name, wherever it is",
        arguments: [
            (#"{"Healthcheck":{"Test":["CMD","x"],"Mood":"good"}}"#, "Healthcheck.Mood"),
            (#"{"Volumes":{"/data":{}}, "NetworkDisabled":true}"#, "NetworkDisabled"),
            (#"{"ExposedPorts":{"80/tcp":{}},"Frobnicate":1}"#, "Frobnicate"),
            (#"{"HostConfig":{"Devices":[{"PathOnHost":"/dev/x","New":true}]}}"#, "HostConfig.Devices[0].New"),
            (#"{"HostConfig":{"Ulimits":[{"Name":"nofile","Soft":1,"Hard":1,"New":true}]}}"#, "HostConfig.Ulimits[0].New"),
            (#"{"HostConfig":{"LogConfig":{"Type":"json-file","Rotate":1}}}"#, "HostConfig.LogConfig.Rotate"),
            (#"{"HostConfig":{"RestartPolicy":{"Name":"no","Delay":1}}}"#, "HostConfig.RestartPolicy.Delay"),
            (
                #"{"HostConfig":{"Mounts":[{"Type":"bind","Source":"/a","Target":"/b","BindOptions":{"Odd":true}}]}}"#,
                "HostConfig.Mounts[0].BindOptions.Odd"
            ),
            (#"{"HostConfig":{"DeviceRequests":[{"Driver":"cdi","New":true}]}}"#, "HostConfig.DeviceRequests[0].New"),
            (#"{"NetworkingConfig":{"EndpointsConfig":{"n":{"Priority":5}}}}"#, "NetworkingConfig.EndpointsConfig.n.Priority"),
            (#"{"Unsigned":18446744073709551615}"#, "Unsigned"), (#"{"Fraction":0.5}"#, "Fraction"),
        ])
    func unsupported(text: String, name: String) {
        let error = #expect(throws: RequestError.self) { try create(text) }
        #expect(error?.code == .unsupported)
        #expect(error?.description.contains(name) == true, "\(error?.description ?? "")")
    }

    @Test(
        "What is not known and says nothing is let pass",
        arguments: [
            #"{"New":null}"#, #"{"New":false}"#, #"{"New":0}"#, #"{"New":0.0}"#, #"{"New":""}"#, #"{"New":[]}"#, #"{"New":[0,"",{}]}"#,
            #"{"New":{"a":{"b":[null]}}}"#,
        ])
    func zeros(text: String) throws {
        #expect(throws: Never.self) { try create(text) }
    }

    @Test(
        "What is of the wrong kind, absurd or no JSON is invalid, and the member is named",
        arguments: [
            ("", "EOF"), ("{", "unexpected end"), ("[]", "must be an object"), ("\"x\"", "must be an object"), ("1", "must be an object"),
            ("{}{}", "unexpected content after JSON"),
            (#"{"Image":1}"#, "Image must be text"), (#"{"Image":{}}"#, "Image must be text"),
            (#"{"Tty":"true"}"#, "Tty must be true or false"), (#"{"Tty":1}"#, "Tty must be"),
            (#"{"Env":"A=1"}"#, "Env must be a list"), (#"{"Env":[1]}"#, "Env must be a list"), (#"{"Env":{}}"#, "Env must be a list"),
            (#"{"Cmd":[["a"]]}"#, "Cmd must be a list"),
            (#"{"Labels":["a"]}"#, "Labels must be an object"), (#"{"Labels":{"a":1}}"#, "Labels.a must be text"),
            (#"{"StopTimeout":1.5}"#, "StopTimeout must be a whole"),
            (#"{"StopTimeout":9223372036854775808}"#, "StopTimeout must be a whole number of 64 bits"),
            (#"{"StopTimeout":1e3}"#, "StopTimeout must be a whole"),
            (#"{"StopTimeout":1e999}"#, "too large"), (#"{"HostConfig":[]}"#, "HostConfig must be an object"),
            (#"{"HostConfig":{"Memory":"1g"}}"#, "HostConfig.Memory must be"),
            (#"{"HostConfig":{"Memory":-9223372036854775809}}"#, "HostConfig.Memory must be"),
            (#"{"HostConfig":{"ConsoleSize":[1]}}"#, "ConsoleSize must have two"),
            (#"{"HostConfig":{"Isolation":"hyperv"}}"#, "Invalid isolation: \"hyperv\" - linux only supports 'default'"),
            (#"{"HostConfig":{"Runtime":"odd"}}"#, "unknown or invalid runtime name: odd"),
            (#"{"HostConfig":{"DeviceRequests":[{"Capabilities":["gpu"]}]}}"#, "list of lists"),
            (#"{"HostConfig":{"ConsoleSize":[1,"2"]}}"#, "ConsoleSize must be a list of whole"),
            (#"{"HostConfig":{"Ulimits":[1]}}"#, "HostConfig.Ulimits[0] must be an object"),
            (#"{"HostConfig":{"Ulimits":{}}}"#, "HostConfig.Ulimits must be a list"),
            (#"{"HostConfig":{"LogConfig":{"Config":{"a":[]}}}}"#, "HostConfig.LogConfig.Config.a must be text"),
            (#"{"HostConfig":{"RestartPolicy":{"Name":"no","MaximumRetryCount":"3"}}}"#, "RestartPolicy.MaximumRetryCount must be"),
            (#"{"Healthcheck":{"Interval":"30s"}}"#, "Healthcheck.Interval must be"),
            (#"{"NetworkingConfig":{"EndpointsConfig":[]}}"#, "EndpointsConfig must be"),
            (#"{"NetworkingConfig":{"EndpointsConfig":{"a":1}}}"#, "EndpointsConfig.a must be an object"),
        ])
    func invalid(text: String, words: String) {
        let error = #expect(throws: RequestError.self) { try create(text) }
        #expect(error?.code == .invalid)
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test("A hundred thousand lists in each other are refused, and a megabyte of text is not")
    func sizes() throws {
        let deep = #"{"Env":"# + String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000) + "}"
        let error = #expect(throws: RequestError.self) { try create(deep) }
        #expect(error?.code == .invalid)
        #expect(try create(#"{"Image":"\#(String(repeating: "x", count: 1 << 20))"}"#).config.image.utf8.count == 1 << 20)
    }

    @Test("However much a client asks for that is not there, the error is readable")
    func longErrors() {
        let name = String(repeating: "x", count: 1 << 20)
        for text in [
            #"{"\#(name)":1}"#, #"{"Labels":{"\#(name)":1}}"#, "{" + (0..<10_000).map { "\"member\($0)\":1" }.joined(separator: ",") + "}",
        ] {
            let error = #expect(throws: RequestError.self) { try create(text) }
            #expect((10...RequestError.longestDescription).contains(error?.description.unicodeScalars.count ?? 0))
        }
    }

    @Test("Bytes that are no UTF-8 are the replacement character, as with Go")
    func invalidUTF8() throws {
        #expect(try ContainerCreateRequest(parsing: Array(#"{"Image":""#.utf8) + [0xff] + Array(#""}"#.utf8)).config.image == "\u{fffd}")
    }

    @Test("A further process: what prepares it, and what starts it")
    func executions() throws {
        let prepared = try ExecCreateRequest(
            parsing: Array(
                #"{"User":"u","Privileged":true,"Tty":true,"ConsoleSize":[1,2],"AttachStdin":true,"DetachKeys":"a","Env":["A=1"],"WorkingDir":"/w","Cmd":["x","y"],"Detach":true}"#
                    .utf8))
        #expect((prepared.user, prepared.command, prepared.consoleSize) == ("u", ["x", "y"], [1, 2]))
        #expect(prepared.privileged && prepared.terminal && prepared.attachesStandardInput && !prepared.attachesStandardOutput)
        #expect(try ExecStartRequest(parsing: []) == ExecStartRequest(parsing: Array("{}".utf8)))
        #expect(try ExecStartRequest(parsing: Array(#"{"Detach":true,"Cmd":["x"]}"#.utf8)).detach)
        for text in [#"{"Tty":1}"#, "[]", #"{"ConsoleSize":{}}"#] {
            #expect(throws: RequestError.self) { try ExecStartRequest(parsing: Array(text.utf8)) }
            #expect(throws: RequestError.self) { try ExecCreateRequest(parsing: Array(text.utf8)) }
        }
        let error = #expect(throws: RequestError.self) { try ExecCreateRequest(parsing: Array(#"{"Cmd":["x"],"Later":1}"#.utf8)) }
        #expect(error?.code == .unsupported)
    }
}

@Suite("Filters")
struct FilterTests {
    @Test(
        "Both shapes that clients write",
        arguments: [
            ("", [:]), ("null", [:]), ("{}", [:]), (#"{"status":{"running":true,"exited":true}}"#, ["status": ["exited", "running"]]),
            (#"{"label":["b","a=1"]}"#, ["label": ["b", "a=1"]]), (#"{"label":{"a":true,"b":false}}"#, ["label": ["a"]]),
            (#"{"x":{}}"#, ["x": []]),
        ] as [(String, [String: [String]])])
    func shapes(text: String, filters: [String: [String]]) throws {
        #expect(try Filters.parse(text) == filters)
    }

    @Test("What is none", arguments: ["{", "[]", "1", #"{"a":1}"#, #"{"a":"b"}"#, #"{"a":[1]}"#, #"{"a":{"b":"true"}}"#, #"{"a":null}"#])
    func refused(text: String) {
        let error = #expect(throws: RequestError.self) { try Filters.parse(text) }
        #expect(error?.code == .invalid)
    }

    @Test("There is a bound, and it is named")
    func bound() {
        let many = "[" + (0..<Filters.countLimit).map { "\"\($0)\"" }.joined(separator: ",") + "]"
        let error = #expect(throws: RequestError.self) { try Filters.parse("{\"a\":\(many)}") }
        #expect(error?.description.contains("1024") == true)
    }
}

@Suite("Versions of the API")
struct APIVersionTests {
    @Test("What is one", arguments: [("1.51", 1, 51), ("1.9", 1, 9), ("0.0", 0, 0), ("9999.9999", 9999, 9999)])
    func versions(text: String, major: Int, minor: Int) {
        #expect(APIVersion(parsing: text) == APIVersion(major, minor))
    }

    @Test("What is none", arguments: ["", "1", "1.", ".1", "1.2.3", "v1.2", "1.-2", "1.+2", "1. 2", "1.12345", "١.٢", "1,2"])
    func refused(text: String) {
        #expect(APIVersion(parsing: text) == nil)
    }

    @Test("They are ordered by number, not by text")
    func order() {
        #expect(APIVersion(1, 9) < APIVersion(1, 21))
        #expect(APIVersion.oldest < APIVersion.newest)
        #expect(APIVersion(1, 51) < APIVersion(2, 0))
    }
}
