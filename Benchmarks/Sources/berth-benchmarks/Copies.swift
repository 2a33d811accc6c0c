internal import Glibc

/// What is copied into containers and out of them: a large file, and a tree of small ones.
struct Copies {
    let folder: String
    static let fileMegabytes = 200
    static let treeFileCount = 5_000

    enum Kind: String, CaseIterable {
        case file, tree

        var title: String { self == .file ? "a file of \(fileMegabytes) MB" : "a tree of \(treeFileCount) files" }
        var unit: String { self == .file ? "MB/s" : "files/s" }
        var amount: Double { Double(self == .file ? fileMegabytes : treeFileCount) }
    }

    enum Way: String, CaseIterable { case into, outOf = "out of" }

    static func title(_ kind: Kind, _ way: Way) -> String { "cp \(way.rawValue) a container, \(kind.title)" }

    /// Makes them.
    func make() throws(Trouble) {
        unsafe mkdir(folder, 0o755)
        var random = SystemRandomNumberGenerator()
        let words = (0..<125_000).map { _ in random.next() }
        let megabyte = unsafe words.withUnsafeBytes { unsafe Array($0) }
        try Files.write((0..<Self.fileMegabytes).flatMap { _ in megabyte }, to: "\(folder)/\(Kind.file.rawValue)")
        let tree = "\(folder)/\(Kind.tree.rawValue)"
        unsafe mkdir(tree, 0o755)
        for number in 0..<Self.treeFileCount {
            let place = "\(tree)/\(number / 50)"
            if number % 50 == 0 { unsafe mkdir(place, 0o755) }
            try Files.write(Array(megabyte[number..<(number + 4096)]), to: "\(place)/\(number)")
        }
    }

    /// One copy, and how much a second that was. Nothing of it is left.
    func rate(_ kind: Kind, _ way: Way, _ engine: Engine) throws(Trouble) -> Double {
        let (inside, outside) = ("copied:/\(kind.rawValue)", "\(engine.folder)/\(kind.rawValue)")
        // What others have written does not wait for the disk in this one's time.
        sync()
        Clock.space()
        switch way {
        case .into: return kind.amount / (try engine("cp", "\(folder)/\(kind.rawValue)", inside).seconds)
        case .outOf:
            let seconds = try engine("cp", inside, outside).seconds
            try Command.succeed(["diff", "-r", "\(folder)/\(kind.rawValue)", outside])
            try Command.succeed(["rm", "-r", outside])
            try engine("exec", "copied", "rm", "-r", "/\(kind.rawValue)")
            return kind.amount / seconds
        }
    }
}

extension Measuring {
    /// Into a container that runs, and out of it again.
    mutating func copies(_ engines: [Engine]) {
        guard let copies = material.copies else { return }
        var found: [String: [String: [Double]]] = [:]
        var ready = engines.filter { engine in
            guarded(.copy, engine) { () throws(Trouble) in try engine.run(["-d", "--name", "copied"], ["sleep", "10000"]) }
        }
        let able = ready
        // Once first for what an engine makes only once; then in turn, each round starting with another.
        for round in 0...min(5, options.samples) {
            for engine in ready.indices.map({ ready[($0 + round) % ready.count] }) {
                let isWell = guarded(.copy, engine) { () throws(Trouble) in
                    for kind in Copies.Kind.allCases {
                        for way in Copies.Way.allCases {
                            let rate = try copies.rate(kind, way, engine)
                            if round > 0 { found[Copies.title(kind, way), default: [:]][engine.name, default: []].append(rate) }
                        }
                    }
                }
                if !isWell { ready.removeAll { $0.name == engine.name } }
            }
        }
        for kind in Copies.Kind.allCases {
            for way in Copies.Way.allCases {
                let title = Copies.title(kind, way)
                for engine in able { report.add(title, engine, found[title]?[engine.name] ?? [], unit: kind.unit, isRate: true) }
            }
        }
        for engine in able { _ = guarded(.copy, engine) { () throws(Trouble) in try engine.remove("copied") } }
    }
}
