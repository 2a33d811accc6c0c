import Berth
import BerthLinux
import Foundation
import Testing

@Suite("What containers have at places of their file systems, read from inside", .kernelTier, .serialized)
struct VolumeTests {
    /// Runs a script in a container and gives what it has written.
    private func output(
        _ engine: Engine, _ script: String, image: String = "busybox", keeping: Bool = false,
        _ change: (inout ContainerConfiguration) -> Void = { _ in }
    ) async throws -> [String] {
        var configuration = ContainerConfiguration(image: image)
        (configuration.command, configuration.network) = (["sh", "-c", script], .none)
        change(&configuration)
        let container = try await engine.containers.create(configuration)
        try await container.start()
        _ = try await container.wait()
        var lines: [String] = []
        for try await line in try container.logs() { lines.append(line.text) }
        if !keeping { try await container.remove(removingVolumes: true) }
        return lines
    }

    /// An image that has a volume with something in it.
    private func image(_ engine: Engine, in folder: String) async throws {
        _ = try run(
            "/bin/sh", "-c",
            """
            cd '\(folder)' && mkdir -p tree/data/sub tree/bin && cp /bin/busybox tree/bin && for n in sh cat ls stat touch grep echo; do ln -s busybox tree/bin/$n; done
            echo hello >tree/data/sub/file; ln tree/data/sub/file tree/data/again; ln -s /nowhere tree/data/link
            chown -R 1000:1001 tree/data; chmod 4755 tree/data/sub/file; chmod 750 tree/data; ln -s data tree/alias; echo x >tree/afile; tar -C tree -cf with.tar .
            """)
        let archive = try HostFile.open(folder + "/with.tar")
        _ = try await engine.images.importRootFileSystem(
            from: archive, as: try ImageReference(parsing: "with"), changes: ["VOLUME /data"]
        ).value
    }

    @Test(
        "What the image has at its VOLUME is in the volume: files, owners, modes, links; a second container finds what the first has left")
    func copyUp() async throws {
        let test = try await TestEngine()
        let engine = test.engine
        try await image(engine, in: test.folder)
        let script =
            "stat -c '%a %u %g' /data /data/sub/file; cat /data/sub/file; stat -c %h /data/again; ls -l /data/link | grep -o 'link -> .*'"
        let expected = ["750 1000 1001", "4755 1000 1001", "hello", "2", "link -> /nowhere"]
        #expect(try await output(engine, script, image: "with") == expected)
        // By name.
        #expect(
            try await output(engine, script + "; echo new >/data/new", image: "with") { $0.mounts = [Mount(volume: "vol", at: "/data")] }
                == expected)
        #expect(engine.volumes.all().map(\.name) == ["vol"])
        #expect(
            try await output(engine, "cat /v/new; ls /v") { $0.mounts = [Mount(volume: "vol", at: "/v", readOnly: true)] } == [
                "new", "again", "link", "new", "sub",
            ])
        var bare = Mount(volume: "bare", at: "/data")
        bare.copiesUp = false
        #expect(try await output(engine, "ls /data; stat -c %a /data", image: "with") { $0.mounts = [bare] } == ["755"])
        // A place that is a file.
        let error = await #expect(throws: ContainerError.self) {
            try await output(engine, "true", image: "with") { $0.volumes = ["/afile"] }
        }
        #expect(error?.description == "cannot mount volume over existing file, file exists /afile")
        #expect(Set(engine.volumes.all().map(\.name)) == ["vol", "bare"] && engine.containers.all().isEmpty)
        try await test.remove()
    }

    @Test("Options of mounts are in force: seen in the kernel's own list, and by trying")
    func options() async throws {
        let test = try await TestEngine()
        let (engine, folder) = (test.engine, test.folder)
        _ = try run(
            "/bin/sh", "-c", "mkdir -p '\(folder)/host/below'; echo x >'\(folder)/host/file'; mount -t tmpfs tmpfs '\(folder)/host/below'")
        func bind(_ change: (inout Mount) -> Void) -> Mount {
            var mount = Mount(.bind, source: folder + "/host", target: "/m")
            change(&mount)
            return mount
        }
        func list(_ mount: Mount) async throws -> [String] {
            try await output(engine, "grep -E ' /m(/below)? ' /proc/self/mountinfo | cut -d' ' -f5,6,7") { $0.mounts = [mount] }
        }
        #expect(try await list(bind { _ in }) == ["/m rw,relatime -", "/m/below rw,relatime -"])
        #expect(try await list(bind { $0.readOnly = true }) == ["/m ro,relatime -", "/m/below ro,relatime -"])
        #expect(try await list(bind { ($0.readOnly, $0.recursion) = (true, .writable) }) == ["/m ro,relatime -", "/m/below rw,relatime -"])
        #expect(try await list(bind { $0.recursion = .disabled }) == ["/m rw,relatime -"])
        // Mounts travel only from a mount that lets them.
        for (propagation, words) in [(BindMount.Propagation.rshared, "not a shared mount"), (.slave, "not a shared or slave mount")] {
            let error = await #expect(throws: ContainerError.self) { try await list(bind { $0.propagation = propagation }) }
            #expect(error?.description.contains(words) == true)
        }
        _ = try run("/bin/sh", "-c", "cd '\(folder)'; mkdir shared; mount --bind shared shared; mount --make-shared shared; mkdir shared/s")
        for (propagation, mark) in [(BindMount.Propagation.rshared, "shared:"), (.rslave, "master:")] {
            var mount = Mount(.bind, source: folder + "/shared/s", target: "/m")
            mount.propagation = propagation
            let lines = try await list(mount)
            #expect(lines.count == 1 && lines[0].contains(mark), "\(lines)")
            // What is mounted inside is seen outside, of one that is shared, and only there.
            mount.recursion = .enabled
            #expect(
                try await output(engine, "mkdir -p /m/inner; mount -t tmpfs made-inside /m/inner && echo mounted") {
                    ($0.mounts, $0.privileged) = ([mount], true)
                } == ["mounted"])
            let isSeen = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8).contains("made-inside")
            #expect(isSeen == (propagation == .rshared))
            if isSeen { _ = try run("/bin/umount", folder + "/shared/s/inner") }
        }
        let memory = Mount(temporaryAt: "/t", options: ["size=1m", "mode=700", "exec"])
        #expect(
            try await output(engine, "grep ' /t ' /proc/self/mountinfo | cut -d' ' -f6,9-; stat -c %a /t") { $0.mounts = [memory] }
                == ["rw,nosuid,nodev,relatime tmpfs rw,size=1024k,mode=700", "700"])
        #expect(
            try await output(engine, "touch /x; touch /t/x; ls /t") { ($0.mounts, $0.readOnlyRoot) = ([memory], true) }.contains("x"))
        _ = try run("/bin/umount", folder + "/host/below", folder + "/shared")
        try await test.remove()
    }

    @Test("A part of a volume is mounted, and no link in it leads out, whoever changes it")
    func subpaths() async throws {
        let test = try await TestEngine()
        let engine = test.engine
        _ = try await output(
            engine, "mkdir -p /v/a/b; echo inside >/v/a/b/file; ln -s /etc /v/out; ln -s a/b /v/in; ln -s ../../../../../etc /v/up"
        ) {
            $0.mounts = [Mount(volume: "vol", at: "/v")]
        }
        func list(_ subpath: String) async throws -> [String] {
            try await output(engine, "ls /m") {
                var mount = Mount(volume: "vol", at: "/m")
                (mount.subpath, mount.readOnly) = (subpath, true)
                $0.mounts = [mount]
            }
        }
        #expect(try await list("a/b") == ["file"])
        #expect(try await list("in") == ["file"])
        for subpath in ["out", "up", "missing"] {
            let error = await #expect(throws: ContainerError.self) { try await list(subpath) }
            #expect(error?.description.contains("cannot bind the subpath '\(subpath)'") == true)
        }
        try await test.remove()
    }

    @Test("Volumes with options are what they say, and nothing of them is mounted outside")
    func driverOptions() async throws {
        let test = try await TestEngine()
        let (engine, folder) = (test.engine, test.folder)
        let before = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
        _ = try await engine.volumes.create(
            VolumeConfiguration(name: "memory", options: ["type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=5"]))
        _ = try run("/bin/mkdir", folder + "/host")
        _ = try await engine.volumes.create(
            VolumeConfiguration(name: "bound", options: ["type": "none", "device": folder + "/host", "o": "bind"]))
        let mounts = [Mount(volume: "memory", at: "/m"), Mount(volume: "bound", at: "/b")]
        #expect(
            try await output(engine, "stat -c %u /m; grep ' /m ' /proc/self/mountinfo | cut -d' ' -f9-; touch /b/made") {
                $0.mounts = mounts
            }
                == ["5", "tmpfs rw,size=1024k,uid=5"])
        #expect(FileManager.default.fileExists(atPath: folder + "/host/made"))
        #expect(
            try await output(engine, "touch /m/x 2> /dev/null || echo no") {
                $0.mounts = [Mount(volume: "memory", at: "/m", readOnly: true)]
            } == ["no"])
        #expect(try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) == before)
        // A directory that is not there.
        _ = try await engine.volumes.create(
            VolumeConfiguration(name: "lost", options: ["type": "none", "device": folder + "/nowhere", "o": "bind"]))
        let lost = await #expect(throws: ContainerError.self) {
            try await output(engine, "true") { $0.mounts = [Mount(volume: "lost", at: "/l")] }
        }
        #expect(lost?.description.contains("failed to mount local volume") == true)
        try await test.remove()
    }

    @Test(
        "Memory is the same for all that have it, however they start and whoever ends, also over a restart of the engine, and goes with the last"
    )
    func memory() async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        _ = try await engine.volumes.create(VolumeConfiguration(name: "memory", options: ["type": "tmpfs", "device": "tmpfs"]))
        func make(_ script: String, _ change: (inout Mount) -> Void = { _ in }) async throws -> Container {
            var mount = Mount(volume: "memory", at: "/run/way/m")
            change(&mount)
            return try await engine.containers.create(scene.configuration(["sh", "-c", script + "; sleep 1000"]) { $0.mounts = [mount] })
        }
        func told(_ container: Container, _ script: String) async throws -> String {
            var asked = ExecutionConfiguration(command: ["sh", "-c", "exec 2>&1; " + script])
            asked.attachesOutput = true
            let execution = try await container.makeExecution(asked)
            let streams = try await execution.start()
            var text = ""
            while case .output(let bytes)? = try await streams.read() { text += String(decoding: bytes, as: UTF8.self) }
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        for round in 0..<5 {
            var containers: [Container] = []
            for _ in 0..<8 { containers.append(try await make("true")) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for container in containers { group.addTask { try await container.start() } }
                try await group.waitForAll()
            }
            var devices: Set<String> = []
            for container in containers {
                devices.insert(try await told(container, "stat -c %d /run/way/m; echo \(round) > /run/way/m/round"))
            }
            #expect(devices.count == 1, "round \(round): \(devices)")
            // It goes from one to the next: no two of the first and the last have run at the same time.
            for turn in 0..<4 {
                let next = try await make("true")
                let first = containers.removeFirst()
                async let started: Void = next.start()
                async let removed: Void = first.remove(force: true)
                _ = try await (started, removed)
                containers.append(next)
                #expect(try await told(next, "cat /run/way/m/round") == "\(round)", "turn \(turn)")
            }
            let ids = containers.map(\.id)
            await engine.close()
            engine = try await scene.open()
            let late = try await make("true") { $0.readOnly = true }
            try await late.start()
            #expect(try await told(late, "cat /run/way/m/round") == "\(round)")
            #expect(try await told(late, "touch /run/way/m/x").contains("Read-only file system"))
            // Only a part of it; and all of it, of one that can only read it.
            for id in ids { try await engine.containers.find(id).remove(force: true) }
            let writer = try await make("mkdir /run/way/m/part; echo deep > /run/way/m/part/file")
            try await writer.start()
            try await until("the part to be there") { try await told(writer, "cat /run/way/m/part/file") == "deep" }
            let part = try await make("true") { $0.subpath = "part" }
            try await part.start()
            #expect(try await told(part, "ls /run/way/m") == "file")
            for container in [late, writer, part] { try await container.remove(force: true) }
        }
        let last = try await make("true")
        try await last.start()
        #expect(try await told(last, "ls -A /run/way/m") == "")
        try await scene.remove(with: engine)
    }

    @Test("An image's files are mounted for reading, all of them or a part", arguments: ["", "bin"])
    func images(_ subpath: String) async throws {
        let test = try await TestEngine()
        var mount = Mount(.image, source: "busybox", target: "/i")
        mount.subpath = subpath.isEmpty ? nil : subpath
        let lines = try await output(test.engine, "ls /i; touch /i/x || echo no") { $0.mounts = [mount] }
        #expect(lines.contains(subpath.isEmpty ? "etc" : "busybox") && lines.contains("no"))
        try await test.remove()
    }

    @Test("Volumes of another container, what goes with a container and what stays; nothing is forgotten over a restart of the engine")
    func lives() async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        var configuration = scene.configuration(["sleep", "1000"]) { $0.name = "keeper" }
        configuration.volumes = ["/anonymous"]
        configuration.mounts = [Mount(volume: "named", at: "/named")]
        let keeper = try await engine.containers.create(configuration)
        let borrower = try await engine.containers.create(
            scene.configuration(["sh", "-c", "touch /anonymous/x || echo no"]) { ($0.volumesFrom, $0.name) = (["keeper:ro"], "borrower") })
        let anonymous = try #require(keeper.details().mounts.first { $0.target == "/anonymous" }?.volume)
        #expect(try borrower.details().mounts.allSatisfy { $0.readOnly } && borrower.details().mounts.count == 2)
        #expect(engine.volumes.users(of: anonymous) == [borrower.id, keeper.id].sorted())
        await engine.close()
        engine = try await scene.open()
        #expect(engine.volumes.users(of: "named") == [borrower.id, keeper.id].sorted())
        let again = try engine.containers.find("borrower")
        try await again.start()
        #expect(try await again.wait().code == 0)
        // The other still has it.
        try await again.remove(removingVolumes: true)
        #expect(engine.volumes.users(of: anonymous) == [keeper.id])
        let inUse = await #expect(throws: VolumeError.self) { try await engine.volumes.remove("named") }
        #expect(inUse?.description == "remove named: volume is in use - [\(keeper.id)]")
        try await engine.containers.find("keeper").remove(removingVolumes: true)
        #expect(engine.volumes.all().map(\.name) == ["named"])
        // One that removes itself takes its own along.
        let brief = try await engine.containers.create(
            scene.configuration(["true"]) { ($0.removesItself, $0.volumes, $0.mounts) = (true, ["/v"], [Mount(volume: "named", at: "/n")]) }
        )
        #expect(engine.volumes.all().count == 2)
        let waiter = try brief.waiter(.removed)
        try await brief.start()
        _ = try await waiter.value()
        #expect(engine.volumes.all().map(\.name) == ["named"] && engine.volumes.users(of: "named").isEmpty)
        try await scene.remove(with: engine)
    }

    @Test("A volume that is lost with a kill between a container's document and its volume is made at the next start")
    func missing() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(
            scene.configuration(["sh", "-c", "ls -d /v && touch /v/x"]) { $0.mounts = [Mount(volume: "vol", at: "/v")] })
        await engine.close()
        try FileManager.default.removeItem(atPath: scene.root + "/volumes/vol")
        let next = try await scene.open()
        #expect(next.volumes.all().isEmpty && next.volumes.users(of: "vol") == [container.id])
        let found = try next.containers.find(container.id)
        try await found.start()
        #expect(try await found.wait().code == 0)
        #expect(FileManager.default.fileExists(atPath: scene.root + "/volumes/vol/_data/x"))
        try await scene.remove(with: next)
    }

    @Test("A container's document with mounts is of the version that older engines set aside, and one without is of the first")
    func documents() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let plain = try await engine.containers.create(scene.configuration(["true"]))
        let mounted = try await engine.containers.create(scene.configuration(["true"]) { $0.mounts = [Mount(volume: "vol", at: "/v")] })
        for (container, version) in [(plain, 1), (mounted, 2)] {
            let text = try String(contentsOfFile: "\(scene.root)/containers/\(container.id)/container.json", encoding: .utf8)
            #expect(text.hasSuffix("\"version\":\(version)}\n"))
        }
        try await scene.remove(with: engine)
    }
}
