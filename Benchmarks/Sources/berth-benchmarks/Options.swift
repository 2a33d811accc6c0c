/// What the command line chooses.
struct Options {
    var bin: String?
    var engines = ["berth", "docker", "podman", "crun", "runc"]
    var works = Work.allCases
    var samples = 20
    var isJSON = false
    var image = "/var/tmp/berth-benchmarks-image"
    var script = "Benchmarks/big-image"
    var folder = "/tmp"
    /// Set when the program has started itself again in namespaces of its own.
    var isInside = false

    static let help = """
        Usage:  berth-benchmarks [OPTIONS]

        Measures container engines side by side: those of the list that are installed, in network and mount namespaces of their own.

        Options:
          --bin FOLDER         Berth's programs (berth, berthd, berth-monitor)
          --engines LIST       Which to measure (default berth,docker,podman,crun,runc)
          --works LIST         What to measure (default all: \(Work.allCases.map(\.rawValue).joined(separator: ",")))
          --samples N          How often a short work is measured (default 20); one of the large image is at most three times
          --folder FOLDER      Where the engines keep what they store while this runs (default /tmp)
          --image FOLDER       Where the large image is, or is put when it is made (default /var/tmp/berth-benchmarks-image)
          --script FILE        What makes the large image (default Benchmarks/big-image)
          --format table|json  How the figures are printed (default table)
          --help               This text

        Example:
          berth-benchmarks --bin .build/release --engines berth,docker --works run,exec --samples 50
        """

    init(_ words: [String]) throws(Trouble) {
        var rest = words[...]
        while let word = rest.popFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            func value() throws(Trouble) -> String {
                if parts.count == 2 { return parts[1] }
                guard let next = rest.popFirst() else { throw Trouble("\(word) needs a value") }
                return next
            }
            switch parts[0] {
            case "--bin": bin = try value()
            case "--engines": engines = try value().split(separator: ",").map(String.init)
            case "--works":
                works = []
                for name in try value().split(separator: ",") {
                    guard let work = Work(rawValue: String(name)) else {
                        throw Trouble("there is no work \"\(name)\": there are \(Work.allCases.map(\.rawValue).joined(separator: ", "))")
                    }
                    works.append(work)
                }
            case "--samples":
                let text = try value()
                guard let number = Int(text), (1...10_000).contains(number) else { throw Trouble("--samples is \"\(text)\": 1 to 10000") }
                samples = number
            case "--folder": folder = try value()
            case "--image": image = try value()
            case "--script": script = try value()
            case "--format":
                switch try value() {
                case "json": isJSON = true
                case "table": isJSON = false
                case let other: throw Trouble("there is no format \"\(other)\": there are table and json")
                }
            case "--inside": isInside = true
            default: throw Trouble("unknown option \"\(word)\"\n\n\(Self.help)")
            }
        }
        if engines.contains("berth"), bin == nil {
            throw Trouble("--bin is missing: the folder of Berth's programs; or leave berth out of --engines")
        }
    }
}
