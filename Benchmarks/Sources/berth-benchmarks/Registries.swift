internal import Glibc

/// A registry on loopback, in the network of whoever uses it: what images are pulled from and pushed to.
enum RegistryKind: String, CaseIterable {
    case debian = "docker-registry"
    case own = "Berth's registry"
}

/// Where registries keep what they have, and how they are started.
struct Registries {
    /// On a file system of its own.
    let folder: String
    let bin: String?

    static let address = "127.0.0.1:5000"
    static let image = "\(address)/bench/big:1"

    /// Those that are installed.
    var kinds: [RegistryKind] { RegistryKind.allCases.filter { $0 == .debian ? Files.program("docker-registry") != nil : bin != nil } }

    /// The large image is here.
    func full(_ kind: RegistryKind) -> String { "\(folder)/\(kind == .debian ? "debian" : "own")-full" }
    /// Nothing is here before a push.
    func empty(_ kind: RegistryKind) -> String { "\(folder)/\(kind == .debian ? "debian" : "own")-pushed" }

    /// Runs something while a registry answers.
    func serving<T>(_ kind: RegistryKind, _ data: String, in network: Network, _ body: () throws(Trouble) -> T) throws(Trouble) -> T {
        let child = try Command.spawn(try words(kind, data), in: Surroundings(network: network))
        defer {
            kill(child, SIGTERM)
            _ = Command.wait(child)
        }
        try Host.awaitPort(5000, in: network, limit: 20)
        return try body()
    }

    private func words(_ kind: RegistryKind, _ data: String) throws(Trouble) -> [String] {
        switch kind {
        case .own:
            return ["\(bin ?? "")/berthd", "registry", "serve", "--store", data, "--listen", Self.address]
        case .debian:
            let file = "\(data).yml"
            let text = """
                {"version": 0.1, "log": {"level": "error"}, "http": {"addr": "\(Self.address)"},
                 "storage": {"filesystem": {"rootdirectory": "\(data)"}, "delete": {"enabled": true}}}
                """
            try Files.write(Array(text.utf8), to: file)
            return [Files.program("docker-registry") ?? "docker-registry", "serve", file]
        }
    }

    /// Brings the large image into each of them.
    func fill(_ image: BigImage, by engine: Engine) throws(Trouble) {
        try engine("load", "-i", image.archive)
        try engine("tag", BigImage.name, Self.image)
        for kind in kinds {
            _ = try serving(kind, full(kind), in: engine.network) { () throws(Trouble) in
                try Command.succeed(engine.client + engine.words(.push), in: engine.place)
            }
        }
        try forget(engine)
    }

    /// Takes the image away from an engine, with all of its names.
    func forget(_ engine: Engine) throws(Trouble) {
        for name in [Self.image, BigImage.name] where try engine.run(command: ["image", "inspect", name]).status == 0 {
            try engine("rmi", "-f", name)
        }
    }

    /// Makes ready what a work needs.
    func prepare(_ work: Work, _ kind: RegistryKind, _ image: BigImage, _ engine: Engine) throws(Trouble) {
        guard work == .push else { return try forget(engine) }
        try Command.succeed(["rm", "-rf", empty(kind)])
        if try engine.run(command: ["image", "inspect", BigImage.name]).status != 0 { try engine("load", "-i", image.archive) }
        try engine("tag", BigImage.name, Self.image)
    }
}

extension Engine {
    /// The words of a pull or a push of the large image.
    func words(_ work: Work) -> [String] { [work.rawValue] + (name == "podman" ? ["--tls-verify=false"] : []) + [Registries.image] }
}

extension Measuring {
    /// The large image from a registry and to one.
    mutating func transfers(_ work: Work, _ engines: [Engine]) {
        guard let image = material.bigImage, let registries = material.registries, let first = engines.first else { return }
        if !isFilled {
            // Berth hands on the bytes that the archive has.
            let engine = engines.first { $0.name == "berth" } ?? first
            let isDone = guarded(work, engine) { () throws(Trouble) in try registries.fill(image, by: engine) }
            isFilled = isDone
        }
        for kind in registries.kinds {
            var found: [String: [Expense]] = [:]
            var able = engines
            for round in 0..<min(3, options.samples) {
                // Each round starts with another: whoever is first finds memory that nobody has used for a while.
                for engine in able.indices.map({ able[($0 + round) % able.count] }) {
                    let isWell = guarded(work, engine) { () throws(Trouble) in
                        try registries.prepare(work, kind, image, engine)
                        let data = work == .push ? registries.empty(kind) : registries.full(kind)
                        let expense = try registries.serving(kind, data, in: engine.network) { () throws(Trouble) in
                            // What others have written, or given back to the disk, does not hold it up in this one's time.
                            sync()
                            Host.awaitQuietDisks(limit: 10)
                            Clock.space()
                            return try Expense(of: engine.words(work), by: engine)
                        }
                        found[engine.name, default: []].append(expense)
                        if work == .push { try Command.succeed(["rm", "-rf", data]) }
                    }
                    if !isWell { able.removeAll { $0.name == engine.name } }
                }
            }
            let title = Text.transfer(work, kind)
            for engine in engines {
                let all = found[engine.name] ?? []
                report.add(title, engine, all.map(\.seconds), unit: "s")
                report.add("\(title): processor time", engine, all.map(\.processorSeconds), unit: "s")
                report.add("\(title): most memory (PSS)", engine, all.map(\.peakMegabytes), unit: "MB")
            }
        }
        for engine in engines { _ = guarded(work, engine) { () throws(Trouble) in try registries.forget(engine) } }
    }
}

extension Text {
    static func transfer(_ work: Work, _ kind: RegistryKind) -> String {
        "\(work.rawValue) \(work == .push ? "to" : "from") \(kind.rawValue)"
    }
}
