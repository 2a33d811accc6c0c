internal import Glibc

/// An outside host behind a pair of interfaces, and `iperf3` in it and in containers.
struct Traffic {
    private let outside = "berth-bench-\(getpid())"
    private static let seconds = "1"
    /// The program, with what it is linked to, in a container that has nothing but busybox.
    private static let mounts = ["/usr/bin/iperf3:/usr/bin/iperf3", "/usr/lib:/usr/lib", "/usr/lib:/lib", "/lib64:/lib64"].flatMap {
        ["-v", "\($0):ro"]
    }

    init() throws(Trouble) {
        guard Files.exists("/usr/bin/iperf3") else { throw Trouble("iperf3 is not installed: it is what sends and receives") }
        for words in [
            "netns add \(outside)", "link add bench0 type veth peer name eth0 netns \(outside)", "addr add 192.0.2.1/24 dev bench0",
            "link set bench0 up", "-n \(outside) addr add 192.0.2.2/24 dev eth0", "-n \(outside) link set eth0 up",
            "route add default via 192.0.2.2",
        ] { try Command.succeed(["ip"] + words.split(separator: " ").map(String.init)) }
    }

    /// What cannot be removed goes with the namespace of the run, or is said to be there by the next.
    func remove() {
        for words in [["link", "del", "bench0"], ["netns", "del", outside]] { _ = try? Command.succeed(["ip"] + words) }
    }

    /// Starts a container that receives, published at a port of the host's.
    func serve(_ engine: Engine, at port: Int) throws(Trouble) {
        let words = ["run", "-d", "--name", "served", "-p", "\(port):5201"] + Self.mounts + [Engine.image, "/usr/bin/iperf3", "-s"]
        try Command.succeed(engine.client + words, environment: engine.environment)
    }

    /// From one container to another of the same network.
    func betweenContainers(_ engine: Engine) throws(Trouble) -> Double {
        let address = try engine("inspect", "--format", "{{.NetworkSettings.IPAddress}}", "served").output.trimmed
        let words = ["run", "--rm"] + Self.mounts + [Engine.image, "/usr/bin/iperf3", "-c", address, "-t", Self.seconds, "-J"]
        return try Self.rate(try Command.succeed(engine.client + words, environment: engine.environment).output)
    }

    /// From the outside host to a port that the host has published.
    func toPublishedPort(at port: Int) throws(Trouble) -> Double {
        let words = ["ip", "netns", "exec", outside, "iperf3", "-c", "192.0.2.1", "-p", "\(port)", "-t", Self.seconds, "-J"]
        return try Self.rate(try Command.succeed(words).output)
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
