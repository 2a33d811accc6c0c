internal import Glibc

/// Hosts behind pairs of interfaces, and `iperf3` in them and in containers.
struct Traffic {
    private var outsides: [String: Network] = [:]
    /// This program, in a container.
    private let own: [String]
    private static let seconds = "1"
    /// The program, with what it is linked to, in a container that has nothing but busybox.
    private static let mounts = ["/usr/bin/iperf3:/usr/bin/iperf3", "/usr/lib:/usr/lib", "/usr/lib:/lib", "/lib64:/lib64"].flatMap {
        ["-v", "\($0):ro"]
    }

    /// An outside host for each engine: what the engine's host has published, it reaches at 192.0.2.1.
    init(_ engines: [Engine]) throws(Trouble) {
        guard Files.exists("/usr/bin/iperf3") else { throw Trouble("iperf3 is not installed: it is what sends and receives") }
        guard let program = Files.link("/proc/self/exe") else { throw Trouble("/proc is not mounted") }
        own = ["-v", "\(program):\(Connections.program):ro"]
        for engine in engines {
            let (host, outside) = (engine.network.name, try Network("outside-of-\(engine.name)"))
            outsides[engine.name] = outside
            for words in [
                "-n \(host) link add bench0 type veth peer name eth0 netns \(outside.name)", "-n \(host) addr add 192.0.2.1/24 dev bench0",
                "-n \(host) link set bench0 up", "-n \(outside.name) addr add 192.0.2.2/24 dev eth0",
                "-n \(outside.name) link set eth0 up", "-n \(host) route add default via 192.0.2.2",
            ] { try Command.succeed(["ip"] + words.split(separator: " ").map(String.init)) }
        }
    }

    func remove() { for outside in outsides.values { outside.remove() } }

    /// Starts a container that receives and one that accepts connections, each with a published port.
    func serve(_ engine: Engine) throws(Trouble) {
        try start(engine, "served", ["-p", "5201:5201"], ["/usr/bin/iperf3", "-s"])
        try start(engine, "accepting", ["-p", "5301:5301"] + own, [Connections.program, "--accept", "5301"])
    }

    /// Starts one that has 999 ports more.
    func publishMany(_ engine: Engine) throws(Trouble) {
        try start(engine, "many", ["-p", "20000-20998:20000-20998"], ["sleep", "1000"])
    }

    /// From one container to another of the same network.
    func betweenContainers(_ engine: Engine) throws(Trouble) -> Double {
        let words = ["/usr/bin/iperf3", "-c", try address(engine, "served"), "-t", Self.seconds, "-J"]
        return try Self.rate(try run(engine, [], words))
    }

    /// From the outside host to a port that the host has published.
    func toPublishedPort(_ engine: Engine) throws(Trouble) -> Double {
        try Self.rate(try outside(engine, ["iperf3", "-c", "192.0.2.1", "-p", "5201", "-t", Self.seconds, "-J"]))
    }

    func connectionsBetweenContainers(_ engine: Engine) throws(Trouble) -> Double {
        try Connections.rate(try run(engine, own, [Connections.program, "--connect", "\(try address(engine, "accepting")):5301"]))
    }

    func connectionsToPublishedPort(_ engine: Engine) throws(Trouble) -> Double {
        try Connections.rate(try outside(engine, ["/proc/\(getpid())/exe", "--connect", "192.0.2.1:5301"]))
    }

    private func start(_ engine: Engine, _ name: String, _ flags: [String], _ command: [String]) throws(Trouble) {
        let words = ["run", "-d", "--name", name] + flags + Self.mounts + [Engine.image] + command
        try Command.succeed(engine.client + words, in: engine.place)
    }

    private func run(_ engine: Engine, _ flags: [String], _ command: [String]) throws(Trouble) -> String {
        let words = ["run", "--rm"] + flags + Self.mounts + [Engine.image] + command
        return try Command.succeed(engine.client + words, in: engine.place).output
    }

    private func outside(_ engine: Engine, _ command: [String]) throws(Trouble) -> String {
        try Command.succeed(command, in: Surroundings(network: outsides[engine.name])).output
    }

    private func address(_ engine: Engine, _ container: String) throws(Trouble) -> String {
        try engine("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container).output.trimmed
    }

    /// What was received a second, in Gbit: the last of the figures of `sum_received`.
    private static func rate(_ json: String) throws(Trouble) -> Double {
        let parts = json.split(separator: "\"sum_received\"")
        guard parts.count > 1, let figure = parts[1].split(separator: "\"bits_per_second\":").dropFirst().first,
            let value = Double(String(figure.prefix { $0 != "," && $0 != "}" && $0 != "\n" }).trimmed)
        else { throw Trouble("iperf3 says no rate: \(json.suffix(300))") }
        return value / 1e9
    }
}
