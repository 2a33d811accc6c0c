internal import Glibc

/// What is measured.
enum Work: String, CaseIterable {
    case command, run, bridge, exec, life, rate, many, list, copy = "cp", network, load, save, export, `import`, commit, pull, push, serve,
        log, memory, daemon, runtime

    /// Those of the large image.
    static let ofBigImage: Set<Work> = [.load, .save, .export, .import, .commit, .pull, .push, .serve]
    /// Those with a registry.
    static let ofRegistry: Set<Work> = [.pull, .push, .serve]

    var title: String {
        switch self {
        case .command: "version"
        case .run: "run --rm --network none, true"
        case .bridge: "run --rm in the default network, true"
        case .exec: "exec, true"
        case .life: "create, start, stop -t 0, rm"
        case .rate: "starts a second, 8 clients"
        case .many: "1,000 containers beside 10"
        case .list: "the list of \(Lists.containerCount) containers over the API"
        case .copy: "cp into a container and out of it"
        case .network: "from one container to another"
        case .load, .save, .export, .import: "\(rawValue) of an image of 900 MB, 50,000 files, 10 layers"
        case .commit: "commit of what is new in a container of that image"
        case .pull, .push: "\(rawValue) of that image, with a registry on loopback"
        case .serve: "blobs from the registry"
        case .log: "output to the log"
        case .memory: "memory of the idle daemon (PSS)"
        case .daemon: "start of the daemon until it answers"
        case .runtime: "bare runtime: run of a bundle, true"
        }
    }
}

/// Measures, and keeps what was found.
struct Measuring {
    var report: Report
    let options: Options
    let material: Material
    /// Whether the registries have the large image.
    var isFilled = false
    private static let blockLength = 5

    init(_ options: Options, _ material: Material) {
        (self.options, self.material, report) = (options, material, Report(machine: Host.machine()))
    }

    /// One work, of all engines that can do it.
    mutating func perform(_ work: Work, _ engines: [Engine]) {
        let whole = engines.filter { !$0.isRuntime }
        switch work {
        case .command:
            rounds(work, whole) { engine throws(Trouble) in [(work.title, try engine("version").seconds * 1000)] }
        case .run:
            let proved = whole.filter { engine in guarded(work, engine) { () throws(Trouble) in try engine.prove() } }
            rounds(work, proved, settling: true) { engine throws(Trouble) in
                [(work.title, try engine.run(["--rm"], ["true"]).seconds * 1000)]
            }
        case .bridge:
            rounds(work, whole, settling: true) { engine throws(Trouble) in
                [(work.title, try engine("run", "--rm", Engine.image, "true").seconds * 1000)]
            }
            each(work, whole, title: Text.startsInNetwork, unit: "/s", isRate: true, count: 3) { engine throws(Trouble) in
                try Self.rate(engine, [])
            }
        case .network: traffic(whole)
        case .exec:
            let ready = whole.filter { engine in
                guarded(work, engine) { () throws(Trouble) in try engine.run(["-d", "--name", "host"], ["sleep", "10000"]) }
            }
            rounds(work, ready) { engine throws(Trouble) in [(work.title, try engine("exec", "host", "true").seconds * 1000)] }
            for engine in ready { _ = guarded(work, engine) { () throws(Trouble) in try engine.remove("host") } }
        case .life:
            rounds(work, whole) { engine throws(Trouble) in
                let create = try Command.succeed(
                    engine.client + ["create"] + engine.flags + ["--name", "life", Engine.image, "sleep", "1000"],
                    in: engine.place)
                let start = try engine("start", "life")
                let stop = try engine("stop", "-t", "0", "life")
                let remove = try engine("rm", "life")
                return [("create", create), ("start", start), ("stop -t 0", stop), ("rm", remove)].map { ($0.0, $0.1.seconds * 1000) }
            }
        case .rate: each(work, whole, unit: "/s", isRate: true, count: 3) { engine throws(Trouble) in try Self.rate(engine, engine.flags) }
        case .many: crowds(whole)
        case .list: lists(whole.filter(\.hasDaemon))
        case .copy: copies(whole)
        case .load, .save, .export, .import, .commit: big(work, whole)
        case .pull, .push: transfers(work, whole)
        case .serve: serve(whole)
        case .log: logs(whole)
        case .memory: memory(whole)
        case .daemon: daemons(whole.filter(\.hasDaemon))
        case .runtime:
            rounds(work, engines.filter(\.isRuntime)) { [material] engine throws(Trouble) in
                let outcome = try engine("run", "--bundle", material.bundle, "bench-\(UInt32.random(in: 0 ... .max))")
                return [(work.title, outcome.seconds * 1000)]
            }
        }
    }

    /// Samples in blocks, the engines in turn, each block starting with another: what disturbs the machine disturbs all.
    ///
    /// - Parameter settling: whether the time counts until nothing is left of the block.
    private mutating func rounds(
        _ work: Work, _ engines: [Engine], settling: Bool = false, _ sample: (Engine) throws(Trouble) -> [(String, Double)]
    ) {
        var found: [String: [(work: String, values: [Double])]] = [:]
        var settled: [String: [Double]] = [:]
        var left: [String: String] = [:]
        // What an engine makes once, for all its containers, it makes with the first.
        var ready = engines.filter { engine in
            guarded(work, engine) { () throws(Trouble) in _ = try sample(engine) }
        }
        let blocks = max(1, options.samples / Self.blockLength)
        for block in 0..<blocks {
            for index in ready.indices {
                let engine = ready[(index + block) % ready.count]
                let isWell = guarded(work, engine) { () throws(Trouble) in
                    let before = Host.Pending.now(engine.network)
                    var seconds = 0.0
                    for _ in 0..<Self.blockLength {
                        Clock.space()
                        let values = try sample(engine)
                        for (name, value) in values {
                            if let place = found[engine.name]?.firstIndex(where: { $0.work == name }) {
                                found[engine.name]?[place].values.append(value)
                            } else {
                                found[engine.name, default: []].append((name, [value]))
                            }
                            seconds += value / 1000
                        }
                    }
                    guard settling else { return }
                    let began = Clock.seconds()
                    if let rest = Host.settle(engine.network, to: before) {
                        left[engine.name] = rest
                        return
                    }
                    settled[engine.name, default: []].append((seconds + Clock.seconds() - began) / Double(Self.blockLength) * 1000)
                }
                if !isWell { found[engine.name] = nil }
            }
            ready.removeAll { found[$0.name] == nil }
        }
        for engine in ready {
            for (name, values) in found[engine.name] ?? [] { report.add(name, engine, values, unit: "ms") }
        }
        for (name, rest) in left.sorted(by: { $0.key < $1.key }) {
            report.failures.append("\(name) leaves \(rest) behind after \(Self.blockLength) containers of \(work.rawValue)")
        }
        for engine in ready where settling && left[engine.name] == nil {
            report.add("\(work.rawValue): until nothing is left of it", engine, settled[engine.name] ?? [], unit: "ms")
        }
    }

    /// A work that takes longer, a few times.
    private mutating func each(
        _ work: Work, _ engines: [Engine], title: String? = nil, unit: String, isRate: Bool = false, count: Int = 1,
        _ sample: (Engine) throws(Trouble) -> Double
    ) {
        var found: [String: [Double]] = [:]
        for _ in 0..<count {
            for engine in engines {
                _ = guarded(work, engine) { () throws(Trouble) in
                    Clock.space()
                    found[engine.name, default: []].append(try sample(engine))
                }
            }
        }
        for engine in engines { report.add(title ?? work.title, engine, found[engine.name] ?? [], unit: unit, isRate: isRate) }
    }

    /// One engine's failure costs no other its figures.
    mutating func guarded(_ work: Work, _ engine: Engine, _ body: () throws(Trouble) -> Void) -> Bool {
        do throws(Trouble) {
            try body()
            return true
        } catch {
            report.failures.append("\(work.rawValue) of \(engine.name): \(error)")
            return false
        }
    }

    /// Containers that come and go, started by eight clients at once.
    private static func rate(_ engine: Engine, _ flags: [String]) throws(Trouble) -> Double {
        let (clients, each) = (8, 5)
        let line = (engine.client + ["run", "--rm"] + flags + [Engine.image, "true"]).joined(separator: " ")
        let loop = ["/bin/sh", "-c", "for i in \((1...each).map(String.init).joined(separator: " ")); do \(line) || exit 1; done"]
        let before = Host.Pending.now(engine.network)
        let began = Clock.seconds()
        var children: [pid_t] = []
        for _ in 0..<clients { children.append(try Command.spawn(loop, in: engine.place)) }
        let statuses = children.map(Command.wait)
        let seconds = Clock.seconds() - began
        guard statuses.allSatisfy({ $0 == 0 }) else { throw Trouble("a client ended with \(statuses.max() ?? 0)") }
        if let rest = Host.settle(engine.network, to: before) { throw Trouble("\(rest) are left behind") }
        return Double(clients * each) / seconds
    }

    /// What is done with the large image: how long it took the command, the processors' time, and the most memory.
    private mutating func big(_ work: Work, _ engines: [Engine]) {
        guard let image = material.bigImage else { return }
        var found: [String: [Expense]] = [:]
        var able = engines.filter { engine in
            guarded(work, engine) { () throws(Trouble) in
                guard try engine.has(work.rawValue) else { throw Trouble("it has no such command") }
            }
        }
        for round in 0..<min(3, options.samples) {
            // Each round starts with another: whoever is first finds memory that nobody has used for a while.
            for engine in able.indices.map({ able[($0 + round) % able.count] }) {
                let isWell = guarded(work, engine) { () throws(Trouble) in
                    let words = try image.command(work, engine)
                    // What others have written does not wait for the disk in this one's time.
                    sync()
                    Clock.space()
                    found[engine.name, default: []].append(try Expense(of: words, by: engine))
                    try image.clear(work, engine)
                }
                if !isWell { able.removeAll { $0.name == engine.name } }
            }
        }
        for engine in engines {
            let all = found[engine.name] ?? []
            report.add(work.title, engine, all.map(\.seconds), unit: "s")
            report.add("\(work.rawValue): processor time", engine, all.map(\.processorSeconds), unit: "s")
            report.add("\(work.rawValue): most memory (PSS)", engine, all.map(\.peakMegabytes), unit: "MB")
        }
    }

    /// How much goes between two containers and from outside to a published port, and how many connections are made there.
    private mutating func traffic(_ engines: [Engine]) {
        let places: Traffic
        do throws(Trouble) { places = try Traffic(engines) } catch {
            report.failures.append("network: \(error)")
            return
        }
        defer { places.remove() }
        var found: [String: [String: [Double]]] = [:]
        var ready = engines.filter { engine in
            guarded(.network, engine) { () throws(Trouble) in try places.serve(engine) }
        }
        // In turn, each round starting with another: what disturbs the machine disturbs all.
        for round in 0..<max(1, options.samples / 2) {
            for engine in ready.indices.map({ ready[($0 + round) % ready.count] }) {
                let isWell = guarded(.network, engine) { () throws(Trouble) in
                    func add(_ title: String, _ value: Double) { found[title, default: [:]][engine.name, default: []].append(value) }
                    add(Work.network.title, try places.betweenContainers(engine))
                    add(Text.toPort, try places.toPublishedPort(engine))
                    add(Text.connections, try places.connectionsBetweenContainers(engine))
                    add(Text.connectionsToPort, try places.connectionsToPublishedPort(engine))
                    guard engine.name == "berth" else { return }  // a thousand ports are a thousand processes of docker's
                    try places.publishMany(engine)
                    add(Text.amongMany, try places.toPublishedPort(engine))
                    try engine.remove("many")
                }
                if !isWell { ready.removeAll { $0.name == engine.name } }
            }
        }
        for title in [Work.network.title, Text.toPort, Text.amongMany, Text.connections, Text.connectionsToPort] {
            let unit = title.hasPrefix("connections") ? "/s" : "Gbit/s"
            for engine in ready { report.add(title, engine, found[title]?[engine.name] ?? [], unit: unit, isRate: true) }
        }
        for engine in ready {
            for name in ["served", "accepting"] { _ = guarded(.network, engine) { () throws(Trouble) in try engine.remove(name) } }
        }
    }

    /// Output to the log, the log read back, and output to a client without a log.
    private mutating func logs(_ engines: [Engine]) {
        let megabytes = Double(Material.lineByteCount) / 1e6
        let mount = ["-v", "\(material.folder)/lines:/lines:ro"]
        var readBack: [String: [Double]] = [:]
        each(.log, engines, unit: "MB/s", isRate: true, count: 3) { engine throws(Trouble) in
            let began = Clock.seconds()
            try engine.run(["-d", "--name", "log"] + mount, ["cat", "/lines/lines"])
            try engine("wait", "log")
            let rate = megabytes / (Clock.seconds() - began)
            let back = try engine("logs", "log", output: .discarded)
            readBack[engine.name, default: []].append(megabytes / back.seconds)
            let last = try engine("logs", "--tail", "1", "log").output
            guard last == Material.lastLine else { throw Trouble("the log ends with \"\(last.suffix(120))\", and not with the last line") }
            try engine.remove("log")
            return rate
        }
        for engine in engines { report.add("the log read back", engine, readBack[engine.name] ?? [], unit: "MB/s", isRate: true) }
        each(.log, engines, title: "output to a client, no log", unit: "MB/s", isRate: true, count: 3) { engine throws(Trouble) in
            megabytes / (try engine.run(["--rm", "--log-driver", "none"] + mount, ["cat", "/lines/lines"], output: .discarded)).seconds
        }
    }

    /// What the daemon needs when nothing runs, and what each container adds.
    private mutating func memory(_ engines: [Engine]) {
        for engine in engines {
            var found: MemoryFigures?
            _ = guarded(.memory, engine) { () throws(Trouble) in found = try MemoryFigures(of: engine) }
            guard let found else { continue }
            if engine.hasDaemon { report.add(Work.memory.title, engine, [found.idle], unit: "MB") }
            report.add(Text.perContainer, engine, [found.perContainer], unit: "MB")
            if engine.name == "berth" { report.add("memory of a monitor (PSS)", engine, found.monitors, unit: "MB") }
        }
    }

    /// Starts of the daemon.
    private mutating func daemons(_ engines: [Engine]) {
        var found: [String: [Double]] = [:]
        for _ in 0..<5 {
            for engine in engines {
                _ = guarded(.daemon, engine) { () throws(Trouble) in
                    engine.stop()
                    Clock.space()
                    found[engine.name, default: []].append(try engine.start() * 1000)
                }
            }
        }
        for engine in engines { report.add(Work.daemon.title, engine, found[engine.name] ?? [], unit: "ms") }
    }
}

/// What an engine's processes hold, in MB.
private struct MemoryFigures {
    var idle: Double
    var perContainer: Double
    var monitors: [Double]

    init(of engine: Engine) throws(Trouble) {
        // As many as the peers' figures were taken with.
        let count = 50
        // A daemon that has worked before holds what it needed then: this is one that has just come up.
        engine.stop()
        try engine.start()
        let others = Set(Host.processes(in: engine.network)).subtracting(engine.ownProcesses())
        func held() -> [(name: String, megabytes: Double)] {
            Host.processes(in: engine.network).filter { !others.contains($0) }.map { (Host.name(of: $0), Host.memory(of: $0) / 1_048_576) }
        }
        func total(_ processes: [(name: String, megabytes: Double)]) -> Double { processes.reduce(0) { $0 + $1.megabytes } }
        usleep(1_000_000)
        idle = total(held())
        for index in 0..<count { try engine.run(["-d", "--name", "many\(index)"], ["sleep", "10000"]) }
        usleep(1_000_000)
        let full = held()
        perContainer = (total(full) - idle) / Double(count)
        monitors = full.filter { $0.name == "berth-monitor" }.map(\.megabytes)
        for index in 0..<count { try engine.remove("many\(index)") }
    }
}
