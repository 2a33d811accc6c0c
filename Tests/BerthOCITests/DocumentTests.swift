import BerthOCI
import FoundationEssentials
import Testing

private let a = "sha256:" + String(repeating: "a", count: 64)
private let b = "sha256:" + String(repeating: "b", count: 64)

// What umoci 0.4 wrote of an image, and what skopeo made of it in Docker's older format; line breaks are added.
private let umociIndex = #"""
    {"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",
    "digest":"sha256:e7bac186c92b734e6edb7fec8f12b8dda3744e8c232f23281be3bf7f9968b5d1","size":369,
    "annotations":{"org.opencontainers.image.ref.name":"a"}}]}
    """#
private let umociManifest = #"""
    {"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json",
    "digest":"sha256:29f1143c500bf9a3b96bf0721c99c88910ae6fb170aa8da499f69269a93ca935","size":571},
    "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",
    "digest":"sha256:c39c289f968b29f3761224a5f808d8b7e2f17e5fe7e007fcfddc3313eb50efdc","size":100}],
    "annotations":{"k":"v"}}
    """#
private let umociConfiguration = #"""
    {"created":"2024-05-06T07:08:09.123456789Z","author":"me","architecture":"amd64","os":"linux",
    "config":{"User":"u:g","ExposedPorts":{"80/tcp":{}},"Env":["A=1"],"Entrypoint":["/e"],"Cmd":["sh"],
    "Volumes":{"/data":{}},"WorkingDir":"/w","Labels":{"l":"1"},"StopSignal":"SIGINT"},"rootfs":{"type":"layers",
    "diff_ids":["sha256:53b7ffff136ed531a0a13c06af94018e4065a4f439f56b548bd8b06b84f0c708"]},
    "history":[{"created":"2026-11-25T20:47:07.965767453Z","created_by":"umoci insert"},
    {"created":"2026-11-25T20:47:07.972089909Z","created_by":"x","author":"me","empty_layer":true}]}
    """#
private let dockerManifest = #"""
    {"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",
    "config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":571,
    "digest":"sha256:29f1143c500bf9a3b96bf0721c99c88910ae6fb170aa8da499f69269a93ca935"},
    "layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":100,
    "digest":"sha256:c39c289f968b29f3761224a5f808d8b7e2f17e5fe7e007fcfddc3313eb50efdc"}]}
    """#

/// Decodes and encodes, and says both as values.
private func roundTrip<Document: Codable>(_ text: String, as: Document.Type) throws -> (before: JSONValue, after: JSONValue, Document) {
    let document = try JSONDecoder().decode(Document.self, from: Data(text.utf8))
    let after = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(document))
    return (try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)), after, document)
}

@Suite("Image documents keep what they hold beyond what is known here")
struct ImageDocumentTests {
    @Test("A manifest")
    func manifest() throws {
        let text = """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/x.y","annotations":{"k":"v"},
             "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"\(a)","size":12,"data":"e30=","new":{"deep":[1,null,true]}},
             "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"\(b)","size":9223372036854775807,"urls":["https://x/y"],"annotations":{}}],
             "subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"\(b)","size":1},"large":18446744073709551615,"half":0.5}
            """
        let (before, after, manifest) = try roundTrip(text, as: Manifest.self)
        #expect(before == after)
        #expect(manifest.layers[0].byteCount == UInt64(Int64.max))
        #expect(manifest.configuration.unknown.fields["new"] == .object(["deep": .array([.integer(1), .null, .bool(true)])]))
        #expect(manifest.unknown.fields["large"] == .unsigned(.max))
    }

    @Test("An index, and the platforms in it")
    func index() throws {
        let text = """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
             {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"\(a)","size":3,
              "platform":{"architecture":"amd64","os":"windows","os.version":"10.0","os.features":["win32k"],"features":["sse4"],"variant":"v2"}},
             {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"\(b)","size":4,"platform":{"architecture":"unknown","os":"unknown"},
              "annotations":{"vnd.docker.reference.type":"attestation-manifest"}}],"subject":null,"x":[]}
            """
        let (before, after, index) = try roundTrip(text, as: Index.self)
        #expect(before == after)
        let platform = try #require(index.manifests[0].platform)
        #expect(platform.description == "windows/amd64/v2")
        #expect(platform.osVersion == "10.0")
        #expect(platform.osFeatures == ["win32k"])
    }

    @Test("A configuration as Docker's builders write it")
    func configuration() throws {
        let text = """
            {"architecture":"arm64","os":"linux","variant":"v8","os.version":"1","os.features":["f"],"created":"2024-05-06T07:08:09.123456789Z","author":"me",
             "config":{"User":"u:g","ExposedPorts":{"80/tcp":{},"53/udp":{}},"Env":["PATH=/bin","A="],"Entrypoint":["/e"],"Cmd":["c","d"],
              "Volumes":{"/data":{}},"WorkingDir":"/w","Labels":{"l":"1"},"StopSignal":"SIGINT","OnBuild":["RUN x"],"Shell":["/bin/sh","-c"],
              "Healthcheck":{"Test":["CMD","true"],"Interval":1000000000,"Timeout":2,"StartPeriod":3,"StartInterval":4,"Retries":5,"Later":6},"ArgsEscaped":true,"Memory":1},
             "rootfs":{"type":"layers","diff_ids":["\(a)","\(b)"]},
             "history":[{"created":"2024-05-06T07:08:09Z","created_by":"COPY x","comment":"buildkit.dockerfile.v0","author":"x","empty_layer":true,"more":1}],
             "docker_version":"20.10","container":"c0","container_config":{"Cmd":["/bin/sh"]},"moby.buildkit.buildinfo.v1":"e30="}
            """
        let (before, after, configuration) = try roundTrip(text, as: ImageConfiguration.self)
        #expect(before == after)
        #expect(configuration.diffIDs.map(\.description) == [a, b])
        #expect(configuration.execution.exposedPorts == ["53/udp", "80/tcp"])
        #expect(configuration.execution.healthcheck?.startInterval == 4)
        #expect(configuration.platform.description == "linux/arm64/v8")
    }

    @Test("What other tools write survives whole")
    func otherTools() throws {
        let index = try roundTrip(umociIndex, as: Index.self)
        let manifest = try roundTrip(umociManifest, as: Manifest.self)
        let configuration = try roundTrip(umociConfiguration, as: ImageConfiguration.self)
        let docker = try roundTrip(dockerManifest, as: Manifest.self)
        for (before, after) in [
            (index.before, index.after), (manifest.before, manifest.after), (configuration.before, configuration.after),
            (docker.before, docker.after),
        ] { #expect(before == after) }
        #expect(index.2.manifests[0].annotations == ["org.opencontainers.image.ref.name": "a"])
        #expect(manifest.2.mediaType == nil)
        #expect(docker.2.mediaType == MediaType(rawValue: "application/vnd.docker.distribution.manifest.v2+json"))
        #expect(docker.2.configuration.digest == manifest.2.configuration.digest)
        #expect(configuration.2.history.map(\.emptyLayer) == [nil, true])
    }

    @Test("null and absent are the same in a configuration")
    func nulls() throws {
        let bare = #"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#
        let nulls = """
            {"architecture":"amd64","os":"linux","variant":null,"created":null,"author":null,"history":null,"rootfs":{"type":"layers","diff_ids":[]},
             "config":{"User":null,"ExposedPorts":null,"Env":null,"Entrypoint":null,"Cmd":null,"Volumes":null,"WorkingDir":null,"Labels":null,"StopSignal":null,
              "Healthcheck":null,"OnBuild":null,"Shell":null}}
            """
        let decoder = JSONDecoder()
        #expect(
            try decoder.decode(ImageConfiguration.self, from: Data(bare.utf8))
                == decoder.decode(ImageConfiguration.self, from: Data(nulls.utf8)))
    }

    @Test("Go's zero time, which reproducible builders write, is no time")
    func zeroTime() throws {
        let text = """
            {"architecture":"amd64","os":"linux","created":"0001-01-01T00:00:00Z","rootfs":{"type":"layers","diff_ids":[]},
             "history":[{"created":"0001-01-01T00:00:00Z","created_by":"bazel"},{"created":"1970-01-01T00:00:00Z"}]}
            """
        let configuration = try JSONDecoder().decode(ImageConfiguration.self, from: Data(text.utf8))
        #expect(configuration.created == nil)
        #expect(configuration.history.map(\.created) == [nil, Timestamp(nanoseconds: 0)])
    }

    @Test(
        "What is no such document is an error",
        arguments: [
            "", "[]", "{}", #"{"schemaVersion":1,"config":{},"layers":[]}"#, #"{"schemaVersion":"2","layers":[]}"#,
            #"{"schemaVersion":2,"config":{"mediaType":"m","digest":"sha256:x","size":1},"layers":[]}"#,
            #"{"schemaVersion":2,"config":{"mediaType":"m","digest":"\#(a)","size":-1},"layers":[]}"#,
            #"{"schemaVersion":2,"config":{"mediaType":"m","digest":"\#(a)","size":1.5},"layers":[]}"#,
            #"{"schemaVersion":2,"config":{"mediaType":"m","digest":"\#(a)","size":9223372036854775808},"layers":[]}"#,
            #"{"schemaVersion":2,"config":{"mediaType":"m","digest":"\#(a)","size":1},"layers":{}}"#,
            #"{"schemaVersion":2,"config":{"mediaType":"m","digest":"\#(a)","size":1}}"#,
        ])
    func damagedManifest(text: String) {
        #expect(throws: (any Error).self) { try JSONDecoder().decode(Manifest.self, from: Data(text.utf8)) }
    }

    @Test(
        "What is no such configuration is an error",
        arguments: [
            #"{"architecture":"amd64","os":"linux"}"#, #"{"architecture":"amd64","os":"linux","rootfs":{"type":"tree","diff_ids":[]}}"#,
            #"{"os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#,
            #"{"architecture":1,"os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#,
            #"{"architecture":"amd64","os":"linux","created":"yesterday","rootfs":{"type":"layers","diff_ids":[]}}"#,
            #"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:1"]}}"#,
            #"{"architecture":"amd64","os":"linux","config":{"Env":"A=1"},"rootfs":{"type":"layers","diff_ids":[]}}"#,
        ])
    func damagedConfiguration(text: String) {
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(ImageConfiguration.self, from: Data(text.utf8)) }
    }
}

@Suite("A runtime specification keeps what it holds beyond what is known here, and can say what that is")
struct RuntimeSpecTests {
    static let text = """
        {"ociVersion":"1.2.0","hostname":"h","domainname":"d","annotations":{"a":"b"},"hooks":{"prestart":[{"path":"/x"}]},"solaris":{},
         "root":{"path":"rootfs","readonly":true,"future":1},
         "process":{"terminal":true,"consoleSize":{"height":24,"width":80,"depth":1},"user":{"uid":1,"gid":2,"umask":18,"additionalGids":[3],"username":"x"},
          "args":["a"],"env":["A=1"],"cwd":"/","capabilities":{"bounding":["CAP_KILL"],"effective":[],"inheritable":[],"permitted":[],"ambient":[],"soon":[]},
          "rlimits":[{"type":"RLIMIT_NOFILE","soft":1,"hard":18446744073709551615,"x":0}],"noNewPrivileges":true,"oomScoreAdj":-5,"apparmorProfile":"p"},
         "mounts":[{"destination":"/a","type":"bind","source":"/b","options":["ro"]},{"destination":"/c","uidMappings":[{"hostID":1}]}],
         "linux":{"namespaces":[{"type":"network","path":"/p","x":1}],"cgroupsPath":"/c","rootfsPropagation":"slave","maskedPaths":["/m"],"readonlyPaths":["/r"],
          "sysctl":{"a.b":"1"},"uidMappings":[{"containerID":0}],"gidMappings":[],"intelRdt":{"closID":"x"},
          "devices":[{"path":"/dev/x","type":"c","major":1,"minor":2,"fileMode":438,"uid":0,"gid":0,"x":1}],
          "resources":{"devices":[{"allow":false,"type":"c","major":1,"minor":2,"access":"rwm","x":1}],"memory":{"limit":1,"reservation":2,"swap":-1,"swappiness":0,
            "disableOOMKiller":true,"kernel":1},"cpu":{"shares":1,"quota":2,"period":3,"realtimeRuntime":5,"realtimePeriod":6,"cpus":"0","mems":"0","burst":4},"pids":{"limit":-1,"x":1},"blockIO":{"weight":10,"leafWeight":2,"weightDevice":[{"major":8,"minor":0,"weight":11,"x":1}],"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":12,"x":1}],"throttleWriteBpsDevice":[],"throttleReadIOPSDevice":[],"throttleWriteIOPSDevice":[]}},
          "seccomp":{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"architectures":["SCMP_ARCH_X86_64"],"flags":[],"listenerPath":"/s",
           "syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","errnoRet":1,"x":1,"args":[{"index":0,"value":18446744073709551615,"valueTwo":1,"op":"SCMP_CMP_EQ","x":1}]}]}}}
        """

    @Test("Every part survives a round trip")
    func wholeRoundTrip() throws {
        let (before, after, _) = try roundTrip(Self.text, as: RuntimeSpec.self)
        #expect(before == after)
    }

    @Test("What is not known is named by where it is")
    func unknownMembers() throws {
        let (_, _, specification) = try roundTrip(Self.text, as: RuntimeSpec.self)
        #expect(
            Set(specification.unknownMembers) == [
                "solaris", "root.future", "process.consoleSize.depth", "process.user.username",
                "process.capabilities.soon",
                "process.rlimits[0].x", "mounts[1].uidMappings", "linux.intelRdt", "linux.namespaces[0].x", "linux.devices[0].x",
                "linux.resources.blockIO.leafWeight", "linux.resources.blockIO.weightDevice[0].x",
                "linux.resources.blockIO.throttleReadBpsDevice[0].x",
                "linux.resources.devices[0].x", "linux.resources.memory.kernel", "linux.resources.cpu.burst", "linux.resources.pids.x",
                "linux.seccomp.listenerPath", "linux.seccomp.syscalls[0].x", "linux.seccomp.syscalls[0].args[0].x",
            ])
        #expect(RuntimeSpec().unknownMembers == [])
    }

    @Test(
        "What must be there, and what is of the wrong kind, is an error",
        arguments: [
            #"{}"#, #"{"ociVersion":1}"#, #"{"ociVersion":"1.2.0","process":{"args":["a"],"cwd":"/"}}"#,
            #"{"ociVersion":"1.2.0","root":{}}"#,
            #"{"ociVersion":"1.2.0","mounts":[{"source":"x"}]}"#,
            #"{"ociVersion":"1.2.0","process":{"user":{"uid":-1,"gid":0},"cwd":"/"}}"#,
            #"{"ociVersion":"1.2.0","process":{"user":{"uid":4294967296,"gid":0},"cwd":"/"}}"#,
            #"{"ociVersion":"1.2.0","linux":{"namespaces":[{}]}}"#,
            #"{"ociVersion":"1.2.0","linux":{"seccomp":{"defaultAction":"A","syscalls":[{"action":"B"}]}}}"#,
        ])
    func damaged(text: String) {
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(RuntimeSpec.self, from: Data(text.utf8)) }
    }
}

@Suite("Any JSON value")
struct JSONValueTests {
    @Test("Each kind is kept apart from the others")
    func kinds() throws {
        let text =
            #"[null,true,false,0,1,-9223372036854775808,9223372036854775807,9223372036854775808,18446744073709551615,0.5,-1e300,"","1","true",[],{},{"a":{"b":[{}]}}]"#
        let value = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect(
            value
                == .array([
                    .null, .bool(true), .bool(false), .integer(0), .integer(1), .integer(.min), .integer(.max), .unsigned(1 << 63),
                    .unsigned(.max),
                    .number(0.5), .number(-1e300), .string(""), .string("1"), .string("true"), .array([]), .object([:]),
                    .object(["a": .object(["b": .array([.object([:])])])]),
                ]))
        #expect(try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value)) == value)
    }

    @Test("A document of a thousand lists in each other is an error, and no crash")
    func depth() {
        let text = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) }
    }
}
