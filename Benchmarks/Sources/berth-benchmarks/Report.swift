internal import FoundationEssentials

/// One kind of figure, of every engine that has it.
struct Series: Codable {
    var work: String
    var unit: String
    /// Whether more is better: a rate.
    var isRate: Bool
    var figures: [String: Figure] = [:]
}

/// The samples of one engine.
struct Figure: Codable {
    var median: Double
    var least: Double
    var most: Double
    var count: Int
    /// In the order in which they were taken: those of one place in two series belong to the same round.
    var samples: [Double]

    init(_ samples: [Double]) {
        self.samples = samples
        let sorted = samples.sorted()
        median = sorted.count % 2 == 1 ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
        (least, most, count) = (sorted[0], sorted[sorted.count - 1], sorted.count)
    }
}

/// What Berth has promised, and whether it was seen.
struct Bar: Codable {
    var promise: String
    var found: String
    var isMet: Bool
}

/// Everything that one run has found.
struct Report: Codable {
    var machine: Machine
    var engines: [String: String] = [:]
    var series: [Series] = []
    var bars: [Bar] = []
    /// What could not be measured, and what else was seen.
    var failures: [String] = []

    /// Adds an engine's samples to a series.
    mutating func add(_ work: String, _ engine: Engine, _ samples: [Double], unit: String, isRate: Bool = false) {
        add(work, engine.name, samples, unit: unit, isRate: isRate)
    }

    /// Adds the samples of whoever is called so.
    mutating func add(_ work: String, _ name: String, _ samples: [Double], unit: String, isRate: Bool = false) {
        guard !samples.isEmpty else { return }
        let index: Int
        if let found = series.firstIndex(where: { $0.work == work }) {
            index = found
        } else {
            series.append(Series(work: work, unit: unit, isRate: isRate))
            index = series.count - 1
        }
        series[index].figures[name] = Figure(samples)
    }

    func median(_ work: String, _ engine: String) -> Double? { series.first { $0.work == work }?.figures[engine]?.median }

    /// Compares with what the project has promised, as far as it was measured.
    mutating func judge() {
        func ratio(_ work: String, atLeast wanted: Double) {
            guard let own = median(work, "berth"), let other = median(work, "docker"), let one = series.first(where: { $0.work == work })
            else {
                return
            }
            let found = one.isRate ? own / other : other / own
            bars.append(
                Bar(
                    promise: "\(work): \(Text.number(wanted)) times better than docker", found: "\(Text.number(found)) times",
                    isMet: found >= wanted))
        }
        func atMost(_ work: String, _ limit: Double) {
            guard let own = median(work, "berth"), let unit = series.first(where: { $0.work == work })?.unit else { return }
            bars.append(
                Bar(
                    promise: "\(work): at most \(Text.number(limit)) \(unit)", found: "\(Text.number(own)) \(unit)", isMet: own <= limit))
        }
        ratio(Work.run.title, atLeast: 20)
        ratio(Work.exec.title, atLeast: 10)
        atMost(Work.daemon.title, 25)
        atMost(Work.memory.title, 15)
        atMost(Text.perContainer, 0.36)
        ratio(Work.log.title, atLeast: 10)
        ratio(Work.bridge.title, atLeast: 20)
        if let own = median(Work.bridge.title, "berth"), let without = median(Work.run.title, "berth") {
            bars.append(
                Bar(
                    promise: "the default network: at most 4 ms more than none", found: "\(Text.number(own - without)) ms",
                    isMet: own - without <= 4))
        }
        for title in [Text.startsInNetwork, Work.rate.title] {
            guard let own = median(title, "berth") else { continue }
            bars.append(Bar(promise: "\(title): at least 100 /s", found: "\(Text.number(own)) /s", isMet: own >= 100))
        }
        for title in [Work.network.title, Text.toPort, Text.connections, Text.connectionsToPort] { asFast(title) }
        if let one = series.first(where: { $0.work == Text.toPort })?.figures["berth"]?.samples,
            let many = series.first(where: { $0.work == Text.amongMany })?.figures["berth"]?.samples
        {
            compare("\(Text.amongMany): as fast as alone", many, one)
        }
        /// Against whichever of the others is better.
        func asFast(_ title: String) {
            guard let one = series.first(where: { $0.work == title }), let own = one.figures["berth"]?.samples else { return }
            let best = one.figures.filter { $0.key != "berth" }.max { $0.value.median < $1.value.median }
            guard let best else { return }
            compare("\(title): as fast as \(best.key)", own, best.value.samples)
        }
        /// The upper end of what the ratio may be reaches 0.97.
        func compare(_ promise: String, _ own: [Double], _ other: [Double]) {
            guard let interval = Interval(of: own, by: other) else { return }
            bars.append(Bar(promise: promise, found: "\(interval) times", isMet: interval.high >= 0.97))
        }
        func beside(_ other: String, _ work: Work, atLeast wanted: Double) {
            guard let own = median(work.title, "berth"), let theirs = median(work.title, other) else { return }
            let found = theirs / own
            bars.append(
                Bar(
                    promise: "\(work.title): \(Text.number(wanted)) times better than \(other)", found: "\(Text.number(found)) times",
                    isMet: found >= wanted))
        }
        for (work, wanted) in [(Work.load, 4.0), (.save, 10), (.export, 3), (.import, 3), (.commit, 4)] {
            beside("docker", work, atLeast: wanted)
            if work == .load { beside("podman", work, atLeast: 2) }
            atMost("\(work.rawValue): most memory (PSS)", 80)
        }
        for kind in Copies.Kind.allCases { for way in Copies.Way.allCases { ratio(Copies.title(kind, way), atLeast: 2) } }
        ratio(Text.listRate, atLeast: 10)
        for step in Crowd.Step.allCases {
            guard let many = series.first(where: { $0.work == Crowd.title(step, Crowd.many) })?.figures["berth"]?.samples,
                let few = series.first(where: { $0.work == Crowd.title(step, Crowd.few) })?.figures["berth"]?.samples
            else { continue }
            compare("\(Crowd.title(step, Crowd.many)): as fast as among \(Crowd.few)", many, few)
        }
        judgeTransfers()
    }

    private mutating func judgeTransfers() {
        for kind in RegistryKind.allCases {
            for (work, wanted) in [(Work.pull, 4.0), (.push, 10)] {
                let title = Text.transfer(work, kind)
                if let own = median(title, "berth"), let other = median(title, "docker") {
                    bars.append(
                        Bar(
                            promise: "\(title): \(Text.number(wanted)) times better than docker",
                            found: "\(Text.number(other / own)) times",
                            isMet: other / own >= wanted))
                }
                if let own = median("\(title): most memory (PSS)", "berth") {
                    bars.append(
                        Bar(promise: "\(title): most memory (PSS): at most 80 MB", found: "\(Text.number(own)) MB", isMet: own <= 80))
                }
            }
        }
        for count in BlobRates.connectionCounts {
            let title = Text.blobs(count)
            guard let own = median(title, "berth"), let other = median(title, "nginx") else { continue }
            bars.append(
                Bar(promise: "\(title): half of nginx", found: "\(Text.number(own / other)) of it", isMet: own / other >= 0.5))
        }
    }

    /// As JSON, keys in order.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    /// As a table: a row for each work, a column for each engine, with how many times better Berth is in brackets.
    func table(_ order: [String]) -> String {
        let names = order.filter { engines[$0] != nil }
        var rows = [["", "unit"] + names.map { "\($0) \(engines[$0] ?? "")" }]
        for one in series {
            let own = one.figures["berth"]?.median
            rows.append(
                [one.work, one.unit]
                    + names.map { name in
                        guard let figure = one.figures[name] else { return "–" }
                        var text = Text.number(figure.median)
                        if figure.count > 1 { text += " \(Text.number(figure.least))…\(Text.number(figure.most))" }
                        if name != "berth", let own, own > 0, figure.median > 0 {
                            text += " (\(Text.number(one.isRate ? own / figure.median : figure.median / own))×)"
                        }
                        return text
                    })
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var text = "\(machine.processor), \(machine.cores) cores, kernel \(machine.kernel), cgroups \(machine.cgroups)\n"
        text += "Medians, least…most; in brackets how many times better Berth is.\n\n"
        for row in rows {
            var line = ""
            for (column, cell) in row.enumerated() { line += cell + String(repeating: " ", count: widths[column] - cell.count + 2) }
            text += line.trimmed.isEmpty ? "\n" : line.trimmedAtEnd + "\n"
        }
        if !bars.isEmpty {
            text += "\n" + bars.map { "\($0.isMet ? "met   " : "MISSED") \($0.promise): \($0.found)" }.joined(separator: "\n") + "\n"
        }
        if !failures.isEmpty { text += "\nBesides:\n" + failures.map { "  \($0)" }.joined(separator: "\n") + "\n" }
        return text
    }
}

/// Words and numbers of the report.
enum Text {
    static let startsInNetwork = "starts a second in the default network, 8 clients"
    static let toPort = "from outside to a published port"
    static let connections = "connections a second from one container to another"
    static let connectionsToPort = "connections a second from outside to a published port"
    static let amongMany = "from outside to a published port, among 1,000"
    static let perContainer = "memory for each further container (PSS)"

    /// Three digits that count.
    static func number(_ value: Double) -> String {
        let digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let rounded = (value * scale).rounded() / scale
        return rounded == rounded.rounded() ? String(Int64(rounded)) : "\(rounded)"
    }
}

extension String {
    /// Without spaces at its end.
    var trimmedAtEnd: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
