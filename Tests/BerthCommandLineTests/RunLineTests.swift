import BerthClient
import BerthCommandLine
import Testing

@Suite("The command line that makes a container again")
struct RunLineTests {
    private func line(config: String = "", host: String = "", networks: String = "", image: String = "{}") throws -> String {
        let container = """
            {"Id":"0123456789abcdef","Name":"/n","Config":{"Image":"i","Hostname":"0123456789ab","AttachStdout":true\(config.isEmpty ? "" : ",")\(config)},
            "HostConfig":{"NetworkMode":"bridge"\(host.isEmpty ? "" : ",")\(host)},"NetworkSettings":{"Networks":{\(networks)}}}
            """
        let words = RunLine.words(
            try JSONTree(parsing: Array(container.utf8)), image: try JSONTree(parsing: Array(#"{"Config":\#(image)}"#.utf8)))
        #expect(words.prefix(2) == ["--name", "n"])
        return RunLine.line(Array(words.dropFirst(2)))
    }

    @Test(
        "What is said of a container is a flag",
        arguments: [
            (#""Init":true,"AutoRemove":true"#, "--rm --init i"),
            (#""RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3}"#, "--restart on-failure:3 i"),
            (
                #""Binds":["/a:/b:ro"],"VolumesFrom":["c:ro"],"VolumeDriver":"local""#,
                "--volume /a:/b:ro --volumes-from c:ro --volume-driver local i"
            ),
            (#""Tmpfs":{"/t":"size=1m","/u":""}"#, "--tmpfs /t:size=1m --tmpfs /u i"),
            (
                #""Mounts":[{"Type":"volume","Source":"v","Target":"/v","ReadOnly":true,"VolumeOptions":{"NoCopy":true,"Subpath":"s","Labels":{"a":"b,c"},"DriverConfig":{"Name":"local","Options":{"o":"x"}}}}]"#,
                #"--mount 'type=volume,source=v,target=/v,readonly,volume-nocopy,volume-subpath=s,"volume-label=a=b,c",volume-driver=local,volume-opt=o=x' i"#
            ),
            (
                #""Mounts":[{"Type":"bind","Source":"/a","Target":"/b","BindOptions":{"Propagation":"rslave","ReadOnlyNonRecursive":true}},{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":4096,"Mode":511}}]"#,
                "--mount type=bind,source=/a,target=/b,bind-propagation=rslave,bind-recursive=writable --mount type=tmpfs,target=/t,tmpfs-size=4096,tmpfs-mode=777 i"
            ),
            (
                #""PidMode":"host","IpcMode":"shareable","UTSMode":"host","CgroupnsMode":"private","CgroupParent":"/p","Sysctls":{"net.a":"1"}"#,
                "--pid host --ipc shareable --uts host --cgroup-parent /p --sysctl net.a=1 i"
            ),
            (
                #""Devices":[{"PathOnHost":"/dev/a","PathInContainer":"/dev/b","CgroupPermissions":"r"}],"DeviceCgroupRules":["c 1:3 r"],"DeviceRequests":[{"Driver":"cdi","DeviceIDs":["v.com/c=1"]},{"Count":-1}]"#,
                "--device /dev/a:/dev/b:r --device-cgroup-rule 'c 1:3 r' --device v.com/c=1 --gpus all i"
            ),
            (
                #""GroupAdd":["12"],"SecurityOpt":["no-new-privileges"],"Annotations":{"a":"b"}"#,
                "--annotation a=b --group-add 12 --security-opt no-new-privileges i"
            ),
            (#""MaskedPaths":[],"ReadonlyPaths":[]"#, "--security-opt systempaths=unconfined i"),
            (#""MaskedPaths":[],"ReadonlyPaths":[],"Privileged":true"#, "--privileged i"),
            (
                #""Memory":8388608,"MemorySwap":16777216,"NanoCpus":1500000000,"MemorySwappiness":0,"OomScoreAdj":-5,"BlkioDeviceReadBps":[{"Path":"/dev/a","Rate":7}]"#,
                "--memory 8388608 --oom-score-adj -5 --memory-swappiness 0 --cpus 1.5 --device-read-bps /dev/a:7 i"
            ),
            (
                #""LogConfig":{"Type":"local","Config":{"max-size":"1m"}},"Links":["a:b"]"#,
                "--link a:b --log-driver local --log-opt max-size=1m i"
            ),
        ])
    func settings(host: String, words: String) throws { #expect(try line(host: host) == words) }

    @Test("What the image says is not repeated")
    func image() throws {
        let config =
            #""Env":["A=1","B=2"],"Labels":{"l":"1"},"Volumes":{"/i":{},"/o":{}},"Cmd":["sh"],"User":"u","Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":2000000000,"Retries":3}"#
        let own =
            #"{"Env":["A=1"],"Labels":{"l":"1"},"Volumes":{"/i":{}},"Cmd":["sh"],"User":"u","Healthcheck":{"Test":["CMD-SHELL","true"],"Retries":3}}"#
        #expect(try line(config: config, image: own) == "--volume /o --env B=2 --health-interval 2s i")
        #expect(
            try line(config: config)
                == "--volume /i --volume /o --env A=1 --env B=2 --label l=1 --user u --health-cmd true --health-interval 2s --health-retries 3 i sh"
        )
        #expect(try line(config: #""Healthcheck":{"Test":["NONE"]}"#, image: own) == "--no-healthcheck i")
    }

    @Test("Networks come with what was said of its places in them")
    func networks() throws {
        let places =
            #""bridge":{"IPAMConfig":null,"Aliases":null},"n":{"Aliases":["web","0123456789ab"],"IPAMConfig":{"IPv4Address":"10.0.0.2"}}"#
        #expect(try line(networks: places) == "--network name=n,alias=web,ip=10.0.0.2 i")
    }
}
