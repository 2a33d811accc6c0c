internal import Glibc

/// The list of containers, asked for over the API by clients that keep their connections.
enum Lists {
    static let containerCount = 50
    static let clientCount = 4
    private static let seconds = 1.0

    /// How many seconds an answer takes, the connection being there.
    static func latency(_ socket: String, all: Bool = false, expecting count: Int = containerCount) throws(Trouble) -> Double {
        let connection = try UnixConnection(to: socket)
        try check(try connection.get(path(all)), count)
        let began = Clock.seconds()
        _ = try connection.get(path(all))
        return Clock.seconds() - began
    }

    /// How many answers a second some clients get at once, each a process of its own.
    static func rate(_ socket: String) throws(Trouble) -> Double {
        var children: [(pid_t, CInt)] = []
        for _ in 0..<clientCount {
            let output = try Command.scratchFile()
            children.append((try Command.spawn(["/proc/\(getpid())/exe", "--list", socket], out: output), output))
        }
        var total = 0.0
        for (child, output) in children {
            let status = Command.wait(child)
            defer { close(output) }
            guard status == 0, let rate = Double(Command.contents(output)) else { throw Trouble("a client ended with \(status)") }
            total += rate
        }
        return total
    }

    /// One of the clients: asks for a second, and prints how often a second it was answered.
    static func ask(_ socket: String) throws(Trouble) {
        let connection = try UnixConnection(to: socket)
        try check(try connection.get(path(false)), containerCount)
        let began = Clock.seconds()
        var count = 0
        while Clock.seconds() - began < seconds {
            _ = try connection.get(path(false))
            count += 1
        }
        print(Double(count) / (Clock.seconds() - began))
    }

    private static func path(_ all: Bool) -> String { "/v1.41/containers/json\(all ? "?all=1" : "")" }

    private static func check(_ body: [UInt8], _ count: Int) throws(Trouble) {
        let found = String(decoding: body, as: UTF8.self).split(separator: "\"Id\":", omittingEmptySubsequences: false).count - 1
        guard found == count else { throw Trouble("the list has \(found) containers, and not \(count)") }
    }
}

extension Measuring {
    /// Lists of fifty containers that run: how long one takes, and how many four clients get.
    mutating func lists(_ engines: [Engine]) {
        let names = (1...Lists.containerCount).map { "list\($0)" }
        let ready = engines.filter { engine in
            guarded(.list, engine) { () throws(Trouble) in
                for name in names { try engine.run(["-d", "--name", name], ["sleep", "10000"]) }
            }
        }
        var (latencies, rates): ([String: [Double]], [String: [Double]]) = ([:], [:])
        for round in 0..<max(2, min(10, options.samples)) {
            for engine in ready.indices.map({ ready[($0 + round) % ready.count] }) {
                guard let socket = engine.socket else { continue }
                _ = guarded(.list, engine) { () throws(Trouble) in
                    latencies[engine.name, default: []].append(try Lists.latency(socket) * 1000)
                    rates[engine.name, default: []].append(try Lists.rate(socket))
                }
            }
        }
        for engine in ready {
            report.add(Work.list.title, engine, latencies[engine.name] ?? [], unit: "ms")
            report.add(Text.listRate, engine, rates[engine.name] ?? [], unit: "/s", isRate: true)
            for name in names { _ = guarded(.list, engine) { () throws(Trouble) in try engine.remove(name) } }
        }
    }
}

extension Text {
    static let listRate = "lists of \(Lists.containerCount) containers a second, \(Lists.clientCount) clients"
}
