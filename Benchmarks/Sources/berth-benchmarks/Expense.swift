internal import Glibc

/// What a command has cost: its own time, and what its engine's processes did for it.
struct Expense {
    var seconds: Double
    /// Processor time of the command, of what it started, and of the engine's processes.
    var processorSeconds: Double
    /// The most that they held together, above what the engine's processes held before.
    var peakMegabytes: Double

    /// How often memory is looked at, in looks for the command's end, a millisecond apart.
    private static let looksPerSample = 20
    /// How often it is looked whose: that reads something of every process there is, which takes time from what is measured.
    private static let looksPerSearch = 200

    /// Runs a command that must succeed.
    init(of words: [String], by engine: Engine) throws(Trouble) {
        let servers = engine.ownProcesses()
        let before = servers.reduce(0) { $0 + Host.processorSeconds(of: $1) }
        let errors = try Command.scratchFile()
        defer { close(errors) }
        let began = Clock.seconds()
        let child = try Command.spawn(engine.client + words, in: engine.place, err: errors)
        var (status, usage, look, peak): (CInt, rusage, Int, Double) = (0, rusage(), 0, 0)
        var processes: Set<Int32> = []
        while unsafe wait4(child, &status, WNOHANG, &usage) == 0 {
            if look % Self.looksPerSearch == 0 { processes = engine.ownProcesses(with: child) }
            if look % Self.looksPerSample == 0 { peak = max(peak, processes.reduce(0) { $0 + Host.memory(of: $1) }) }
            look += 1
            usleep(1000)
        }
        seconds = Clock.seconds() - began
        guard status == 0 else {
            throw Trouble("`\((engine.client + words).joined(separator: " "))` failed: \(Command.contents(errors).suffix(600))")
        }
        let own = Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        processorSeconds = own + servers.reduce(0) { $0 + Host.processorSeconds(of: $1) } - before
        peakMegabytes = peak / 1_048_576
    }
}

/// The large image, and what is done with it.
struct BigImage {
    /// An archive for `load`.
    let archive: String
    /// The same as a root file system.
    let rootFileSystem: String

    static let name = "bench/big:1"

    /// Makes it, where the folder has it not from a run before.
    init(in folder: String, script: String) throws(Trouble) {
        (archive, rootFileSystem) = ("\(folder)/image.tar", "\(folder)/rootfs.tar")
        try Command.succeed(["bash", script, folder])
    }

    /// The words of a work's command; what has to be there is made before.
    func command(_ work: Work, _ engine: Engine) throws(Trouble) -> [String] {
        if work != .load, work != .import, try engine.run(command: ["image", "inspect", Self.name]).status != 0 {
            try engine("load", "-i", archive)
        }
        let target = "\(engine.folder)/big.tar"
        switch work {
        case .load: return ["load", "-i", archive]
        case .save: return ["save", "-o", target, Self.name]
        case .import: return ["import", rootFileSystem, "bench/imported:1"]
        case .export:
            try engine("create", "--network", "none", "--name", "big", Self.name, "true")
            return ["export", "-o", target, "big"]
        default:
            // A tenth of the image, in two thousand files or so, is new.
            try engine("run", "--network", "none", "--name", "big", Self.name, "cp", "-a", "/usr/lib/python3", "/usr/lib/gcc", "/srv")
            return ["commit", "big", "bench/committed:1"]
        }
    }

    /// Takes away what a work has made.
    func clear(_ work: Work, _ engine: Engine) throws(Trouble) {
        switch work {
        case .load: try engine("rmi", "-f", Self.name)
        case .import: try engine("rmi", "-f", "bench/imported:1")
        case .export: try engine.remove("big")
        case .save: break
        default:
            try engine.remove("big")
            try engine("rmi", "-f", "bench/committed:1")
        }
        unsafe unlink("\(engine.folder)/big.tar")
    }
}
