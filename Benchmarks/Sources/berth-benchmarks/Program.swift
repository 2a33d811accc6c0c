internal import Glibc

/// `berth-benchmarks`: container engines, measured side by side.
@main
struct Program {
    static func main() {
        do {
            let words = Array(CommandLine.arguments.dropFirst())
            if words.contains("--help") || words.contains("-h") {
                print(Options.help)
                return
            }
            if words.count == 2, words[0] == "--connect" { return try Connections.connect(to: words[1]) }
            if words.count == 2, words[0] == "--accept", let port = UInt16(words[1]) { try Connections.accept(at: port) }
            if words.count == 2, words[0] == "--list" { return try Lists.ask(words[1]) }
            if words.first == "--fetch" { return try BlobRates.fetch(Array(words.dropFirst())) }
            let options = try Options(words)
            guard geteuid() == 0 else { throw Trouble("containers need root here") }
            if !options.isInside {
                // Its packages come from a network that there is none of inside.
                if options.works.contains(where: Work.ofBigImage.contains) { _ = try BigImage(in: options.image, script: options.script) }
                try goInside()
            }
            try measure(options)
        } catch {
            say("berth-benchmarks: \(error)")
            exit(1)
        }
    }

    /// Starts this program again, in network and mount namespaces of its own: bridges, firewall rules and mounts of the engines go with it.
    private static func goInside() throws(Trouble) {
        guard let unshare = Files.program("unshare"), let own = Files.link("/proc/self/exe") else {
            throw Trouble("unshare is not installed: it is in Debian's util-linux")
        }
        let words = [unshare, "--mount", "--net", "--propagation", "private", "--", own, "--inside"] + CommandLine.arguments.dropFirst()
        var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        unsafe execv(unshare, &arguments)
        throw Trouble("\(unshare) cannot be executed: \(unsafe String(cString: strerror(errno)))")
    }

    private static func measure(_ options: Options) throws {
        // crun refuses a v2 hierarchy beside v1 ones; here it is out of everybody's sight.
        if !Files.exists("/sys/fs/cgroup/cgroup.controllers"), Files.exists("/sys/fs/cgroup/unified/cgroup.procs") {
            try Command.succeed(["umount", "/sys/fs/cgroup/unified"])
        }
        var name = Array("\(options.folder)/berth-benchmarks.XXXXXX".utf8CString)
        guard unsafe mkdtemp(&name) != nil else {
            throw Trouble("\(options.folder) cannot be written: \(unsafe String(cString: strerror(errno)))")
        }
        let folder = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        // Containers look into it.
        unsafe chmod(folder, 0o755)
        defer { remove(folder) }

        if options.works.contains(where: Work.ofRegistry.contains) {
            unsafe mkdir("\(folder)/registry", 0o755)
            try mountDisk(at: "\(folder)/registry")
        }
        say("making what the engines are given")
        let material = try Material(in: "\(folder)/material", registries: "\(folder)/registry", options)
        var measuring = Measuring(options, material)
        var engines: [Engine] = []
        defer {
            for engine in engines {
                engine.stop()
                engine.network.remove()
            }
        }
        for name in options.engines {
            let place = "\(folder)/\(name)"
            unsafe mkdir(place, 0o755)
            try mountDisk(at: place)
            let network = try Network(name)
            let found =
                name == "berth" ? options.bin.map { Engine.berth($0, in: place, network) } : try Engine.installed(name, in: place, network)
            guard let engine = found else {
                say("\(name) is not installed")
                network.remove()
                continue
            }
            do {
                try engine.start()
                try engine.prepare(tar: material.smallTar)
                measuring.report.engines[name] = engine.version
                engines.append(engine)
                say("\(name) \(engine.version) is ready")
            } catch {
                engine.stop()
                network.remove()
                measuring.report.failures.append("\(name): \(error)")
                say("\(name) cannot be measured: \(error)")
            }
        }
        for work in options.works {
            say(work.title)
            measuring.perform(work, engines)
        }
        measuring.report.judge()
        print(options.isJSON ? try measuring.report.json() : measuring.report.table(options.engines + ["nginx"]))
    }

    /// A file system of its own, with a journal, for what one engine keeps: on one without, making files is much slower in the minutes after many were
    /// deleted, and each engine would pay for those before it.
    private static func mountDisk(at place: String) throws(Trouble) {
        let file = "\(place).ext4"
        try Command.succeed(["truncate", "--size=16G", file])
        try Command.succeed(["mkfs.ext4", "-q", "-F", file])
        // Past the memory of the file system below, as to a disk: by way of it everything would be copied, and written, twice.
        let device = String(try Command.succeed(["losetup", "--find", "--show", "--direct-io=on", file]).output.prefix { $0 != "\n" })
        defer { _ = try? Command.run(["losetup", "--detach", device]) }  // when it is unmounted; one that is left over is told by `losetup`
        try Command.succeed(["mount", "-o", "discard", device, place])
    }

    /// What the engines have left mounted goes first; then their files.
    private static func remove(_ folder: String) {
        let mounts = (Files.text("/proc/self/mounts") ?? "").split(separator: "\n").compactMap {
            $0.split(separator: " ").dropFirst().first.map(String.init)
        }
        for mount in mounts.reversed() where mount.hasPrefix(folder) {
            _ = try? Command.run(["umount", "-l", mount])  // one that is gone already is what is wanted
        }
        do throws(Trouble) { try Command.succeed(["rm", "-rf", folder]) } catch { say("\(folder) is left: \(error)") }
    }

    private static func say(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = unsafe write(2, bytes, bytes.count)
    }
}
