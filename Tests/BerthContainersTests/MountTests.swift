import BerthNetworking
import BerthOCI
import BerthRuntime
import BerthVolumes
import Testing

@testable import BerthContainers

@Suite("Mounts, as they are said and as they are mounted")
struct MountTests {
    private static func mount(
        _ kind: Mount.Kind, _ source: String = "", _ target: String = "/t", _ change: (inout Mount) -> Void = { _ in }
    )
        -> Mount
    {
        var mount = Mount(kind, source: source, target: target)
        change(&mount)
        return mount
    }

    @Test(
        "What cannot be is refused in Docker's words",
        arguments: [
            (mount(.bind, "/a", ""), "invalid mount config for type \"bind\": field Target must not be empty"),
            (mount(.bind, "/a", "/./"), "invalid mount config for type \"bind\": invalid specification: destination can't be '/'"),
            (mount(.bind, "/a", "b"), "invalid mount config for type \"bind\": invalid mount path: 'b' mount path must be absolute"),
            (mount(.bind), "invalid mount config for type \"bind\": field Source must not be empty"),
            (mount(.bind, "a"), "invalid mount config for type \"bind\": invalid mount path: 'a' mount path must be absolute"),
            (
                mount(.volume) { $0.readOnly = true },
                "invalid mount config for type \"volume\": must not set ReadOnly mode when using anonymous volumes"
            ),
            (
                mount(.volume, "v") { $0.propagation = .shared },
                "invalid mount config for type \"volume\": field BindOptions must not be specified"
            ),
            (
                mount(.volume, "v") { $0.subpath = "../x" },
                "invalid mount config for type \"volume\": subpath must be a relative path within the volume"
            ),
            (
                mount(.volume, "v") { $0.subpath = "/x" },
                "invalid mount config for type \"volume\": subpath must be a relative path within the volume"
            ),
            (mount(.tmpfs, "s"), "invalid mount config for type \"tmpfs\": field Source must not be specified"),
            (mount(.image), "invalid mount config for type \"image\": field Source must not be empty"),
            (
                mount(.tmpfs) { ($0.options, $0.notation) = (["mode:1777"], .tmpfs(options: "mode:1777")) },
                "invalid tmpfs option [\"mode:1777\"]"
            ),
            (mount(.tmpfs) { ($0.options, $0.notation) = (["foo=1"], .tmpfs(options: "foo=1")) }, "invalid tmpfs option [\"foo\" \"1\"]"),
            (
                mount(.volume, "v", "t") { $0.notation = .volume(options: "", text: "v:t") },
                "invalid volume specification: 'v:t': invalid mount config for type \"volume\": invalid mount path: 't' mount path must be absolute"
            ),
        ])
    func refused(mount: Mount, words: String) {
        let error = #expect(throws: ContainerError.self) { try mount.check() }
        #expect(error?.description == words && error?.code == .invalid)
    }

    @Test("What can be")
    func allowed() throws {
        for mount in [
            Self.mount(.bind, "/a"), Self.mount(.volume, "v") { $0.subpath = "a/b" }, Self.mount(.volume), Self.mount(.image, "i"),
            Self.mount(.tmpfs) { $0.options = ["size=1m", "exec", "mode=1777", "ro"] },
            Self.mount(.bind, "/a") { ($0.readOnly, $0.recursion) = (true, .readonly) },
        ] { try mount.check() }
    }

    @Test("Whose volumes a container has too", arguments: [("c", "c", false), ("c:ro", "c", true), ("c:rw,z", "c", false)])
    func volumesFrom(text: String, container: String, readOnly: Bool) throws {
        let from = try VolumesFrom(parsing: text)
        #expect(from.container == container && from.readOnly == readOnly)
    }

    @Test(
        "Whose cannot be said",
        arguments: [
            ("", "volumes-from specification cannot be an empty string"), ("c:odd", "invalid mode: odd"),
            ("c:rshared", "invalid mode: rshared"),
            ("c:nocopy", "invalid mode: nocopy"), ("c:ro:rw", "invalid mode: ro:rw"),
        ])
    func noVolumesFrom(text: String, words: String) {
        let error = #expect(throws: ContainerError.self) { try VolumesFrom(parsing: text) }
        #expect(error?.description == words)
    }

    @Test(
        "Paths are cleaned",
        arguments: [("/a//b/./c/../d/", "/a/b/d"), ("/../..", "/"), ("/", "/"), ("//x", "/x")])
    func clean(path: String, cleaned: String) { #expect(PathText.clean(path) == cleaned) }

    private func words(_ mount: Mount, _ sources: MountSources = MountSources()) throws -> [String] {
        let made = try ContainerMount(mount).specification(sources)
        return [made.type ?? "", made.source ?? ""] + (made.options ?? [])
    }

    @Test("What the runtime mounts")
    func specification() throws {
        #expect(try words(Self.mount(.bind, "/a")) == ["bind", "/a", "rbind", "rprivate"])
        #expect(try words(Self.mount(.bind, "/a") { $0.readOnly = true }) == ["bind", "/a", "rbind", "rprivate", "rro"])
        #expect(
            try words(Self.mount(.bind, "/a") { ($0.readOnly, $0.recursion, $0.propagation) = (true, .writable, .rslave) })
                == ["bind", "/a", "rbind", "rslave", "ro"])
        #expect(try words(Self.mount(.bind, "/a") { $0.recursion = .disabled }) == ["bind", "/a", "bind", "rprivate"])
        let sources = MountSources(
            volumes: [
                "v": .directory("/vol"), "b": .bind(path: "/srv", options: ["bind", "ro"]),
                "m": .fileSystem(type: "nfs", device: ":/x", options: ["addr=192.0.2.1"]),
            ], images: ["/one": ["/l1"], "/t": ["/l2", "/l1"], "/many": Array(repeating: "/layer", count: 1000)])
        #expect(try words(Self.mount(.volume, "v"), sources) == ["bind", "/vol", "rbind", "rprivate"])
        #expect(
            try words(Self.mount(.volume, "v") { $0.subpath = "a/b" }, sources)
                == ["bind", "/vol", "rbind", "rprivate", "X-berth.beneath=a/b"])
        #expect(try words(Self.mount(.volume, "b"), sources) == ["bind", "/srv", "bind", "rprivate", "ro"])
        #expect(
            try words(Self.mount(.volume, "m") { $0.readOnly = true }, sources) == ["nfs", ":/x", "addr=192.0.2.1", "X-berth.ro"])
        // Memory that is mounted already is not mounted anew.
        var memory = MountSources(volumes: ["v": .fileSystem(type: "tmpfs", device: "tmpfs", options: ["size=1m"])])
        #expect(try words(Self.mount(.volume, "v"), memory) == ["tmpfs", "tmpfs", "size=1m"])
        memory.memories["/t"] = MountedMemory(namespace: nil, place: "/first")
        #expect(try words(Self.mount(.volume, "v"), memory) == ["bind", "/first", "bind", "x-berth.namespace="])
        #expect(
            try words(Self.mount(.volume, "v") { ($0.readOnly, $0.subpath) = (true, "a") }, memory)
                == ["bind", "/first", "bind", "x-berth.namespace=", "ro", "X-berth.beneath=a"])
        #expect(
            try words(Self.mount(.tmpfs) { $0.options = ["size=1m", "exec"] })
                == ["tmpfs", "tmpfs", "noexec", "nosuid", "nodev", "rprivate", "size=1m", "exec"])
        #expect(try words(Self.mount(.image, "i"), sources) == ["overlay", "overlay", "ro", "lowerdir=/l2:/l1"])
        #expect(try words(Self.mount(.image, "i", "/one"), sources) == ["bind", "/l1", "bind", "rprivate", "ro"])
        #expect(throws: ContainerError.self) { try words(Self.mount(.image, "i", "/many"), sources) }
        #expect(throws: ContainerError.self) { try words(Self.mount(.volume, "missing"), sources) }
    }

    @Test("What is chosen stands for what would be there, and what lies deeper comes later")
    func order() throws {
        var input = SpecificationInput(
            id: "c", configuration: ContainerConfiguration(image: "i"), image: ImageConfiguration.Execution(), hostname: "h", network: .new,
            files: [("/etc/hosts", "/f/hosts")], hostDevices: [], seccomp: nil)
        input.configuration.command = ["x"]
        input.mounts = [
            ContainerMount(Self.mount(.bind, "/deep", "/a/b/c")), ContainerMount(Self.mount(.tmpfs, "", "/dev/shm")),
            ContainerMount(Self.mount(.bind, "/etc", "/etc")),
        ]
        let mounts = try #require(try input.specification(runningAs: .root).mounts)
        #expect(mounts.filter { $0.destination == "/dev/shm" }.map(\.source) == ["tmpfs"])
        #expect(mounts.suffix(4).map(\.destination) == ["/etc", "/dev/shm", "/etc/hosts", "/a/b/c"])
    }
}
