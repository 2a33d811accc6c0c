import BerthClient
import BerthCommandLine
import Testing

@Suite("What --mount and --tmpfs say")
struct MountFlagTests {
    private func mount(_ text: String) throws -> String { try MountFlags.mount(text) { "/here/" + $0 }.json() }

    @Test(
        "Mounts as the daemon takes them",
        arguments: [
            ("src=v,dst=/t", #"{"Type":"volume","Source":"v","Target":"/t"}"#),
            ("type=bind,source=./x,target=/t,readonly", #"{"Type":"bind","Source":"/here/./x","Target":"/t","ReadOnly":true}"#),
            (
                "type=bind,src=/x,dst=/t,ro=true,bind-propagation=rprivate,bind-recursive=readonly",
                #"{"Type":"bind","Source":"/x","Target":"/t","ReadOnly":true,"BindOptions":{"Propagation":"rprivate","ReadOnlyForceRecursive":true}}"#
            ),
            (
                "type=bind,src=/x,dst=/t,bind-recursive=disabled",
                #"{"Type":"bind","Source":"/x","Target":"/t","BindOptions":{"NonRecursive":true}}"#
            ),
            (
                #"dst=/t,volume-nocopy,volume-label=a=b,volume-driver=local,"volume-opt=o=x,y",volume-subpath=s"#,
                #"{"Type":"volume","Target":"/t","VolumeOptions":{"DriverConfig":{"Name":"local","Options":{"o":"x,y"}},"Labels":{"a":"b"},"NoCopy":true,"Subpath":"s"}}"#
            ),
            (
                "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777",
                #"{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"Mode":1023,"SizeBytes":1048576}}"#
            ),
            ("type=image,src=i,dst=/t,image-subpath=s", #"{"Type":"image","Source":"i","Target":"/t","ImageOptions":{"Subpath":"s"}}"#),
        ])
    func said(text: String, json: String) throws { #expect(try mount(text) == json) }

    @Test(
        "What cannot be said, in Docker's words",
        arguments: [
            ("type=bind", "target is required"), ("type=,dst=/t", "type is required"),
            ("odd,dst=/t", "invalid field 'odd' must be a key=value pair"),
            ("odd=1,dst=/t", "unexpected key 'odd' in 'odd=1'"), ("ro=maybe,dst=/t", "invalid value for ro: maybe"),
            ("type=bind,src=/x,dst=/t,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"),
            ("src=x,dst=/t,bind-propagation=shared", "cannot mix 'bind-*' options with mount type 'volume'"),
            ("src=x,dst=/t,tmpfs-size=1", "cannot mix 'tmpfs-*' options with mount type 'volume'"),
            ("type=tmpfs,dst=/t,tmpfs-size=big", "invalid value for tmpfs-size: big"),
            ("type=tmpfs,dst=/t,tmpfs-mode=8", "invalid value for tmpfs-mode: 8"),
            (
                "type=bind,src=/x,dst=/t,bind-recursive=odd",
                "invalid value for bind-recursive: odd (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
            ),
            (
                "type=bind,src=/x,dst=/t,bind-recursive=writable",
                "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction"
            ),
            (
                "type=bind,src=/x,dst=/t,ro,bind-recursive=readonly",
                "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
            ),
        ])
    func refused(text: String, words: String) {
        let mistake = #expect(throws: ValueMistake.self) { try mount(text) }
        #expect(mistake?.description == words)
    }

    @Test("Memory, by its place")
    func temporary() {
        #expect(MountFlags.temporary(["/t:size=1m,exec", "/u", "/t:size=2m"]).json() == #"{"/t":"size=2m","/u":""}"#)
    }
}
