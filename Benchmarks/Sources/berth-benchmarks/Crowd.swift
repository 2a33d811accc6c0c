internal import Glibc

/// Containers made, listed, started and removed, few or many: what one costs is not to depend on how many there are.
struct Crowd {
    enum Step: String, CaseIterable { case create, list, start, remove }

    static let few = 10
    static let many = 1_000
    static let atOnce = 100

    /// The samples of each step, in containers a second.
    private(set) var rates: [Step: [Double]] = [:]

    static func title(_ step: Step, _ count: Int) -> String { "containers a second, \(step.rawValue), among \(Text.number(Double(count)))" }

    /// Takes so many through all steps.
    mutating func pass(_ count: Int, _ engine: Engine) throws(Trouble) {
        guard let socket = engine.socket else { return }
        let groups = stride(from: 0, to: count, by: Self.atOnce).map { first in
            (first..<min(first + Self.atOnce, count)).map { "crowd\($0)" }
        }
        for group in groups {
            try add(.create, group.count) { () throws(Trouble) in
                for name in group {
                    try Command.succeed(
                        engine.client + ["create"] + engine.flags + ["--name", name, Engine.image, "sleep", "10000"], in: engine.place)
                }
            }
        }
        for _ in groups { rates[.list, default: []].append(Double(count) / (try Lists.latency(socket, all: true, expecting: count))) }
        for group in groups { try add(.start, group.count) { () throws(Trouble) in try Self.atOnce(group, engine, ["start"]) } }
        for group in groups {
            try add(.remove, group.count) { () throws(Trouble) in for name in group { try engine.remove(name) } }
        }
    }

    private mutating func add(_ step: Step, _ count: Int, _ body: () throws(Trouble) -> Void) throws(Trouble) {
        let began = Clock.seconds()
        try body()
        rates[step, default: []].append(Double(count) / (Clock.seconds() - began))
    }

    /// A client for each of some containers, all at once.
    private static func atOnce(_ names: [String], _ engine: Engine, _ words: [String]) throws(Trouble) {
        var children: [pid_t] = []
        for name in names { children.append(try Command.spawn(engine.client + words + [name], in: engine.place)) }
        let statuses = children.map(Command.wait)
        guard statuses.allSatisfy({ $0 == 0 }) else { throw Trouble("a client ended with \(statuses.max() ?? 0)") }
    }
}

extension Measuring {
    /// Of Berth alone: a thousand containers of Docker's are ten minutes.
    mutating func crowds(_ engines: [Engine]) {
        for engine in engines where engine.name == "berth" {
            var (few, many) = (Crowd(), Crowd())
            _ = guarded(.many, engine) { () throws(Trouble) in try few.pass(Crowd.few, engine) }
            // What an engine keeps for the next container is there from its first on.
            let before = Host.Pending.now(engine.network)
            _ = guarded(.many, engine) { () throws(Trouble) in
                for _ in 1..<(Crowd.many / Crowd.atOnce) { try few.pass(Crowd.few, engine) }
                try many.pass(Crowd.many, engine)
            }
            for step in Crowd.Step.allCases {
                for (count, crowd) in [(Crowd.few, few), (Crowd.many, many)] {
                    report.add(Crowd.title(step, count), engine, crowd.rates[step] ?? [], unit: "/s", isRate: true)
                }
            }
            if let rest = Host.settle(engine.network, to: before) {
                report.failures.append("\(engine.name) leaves \(rest) behind after many")
            }
        }
    }
}
