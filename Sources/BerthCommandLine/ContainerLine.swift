/// The line that makes a container, taken apart: `berth edit` puts it together otherwise.
public struct ContainerLine: Sendable, Hashable {
    /// Its flags, in their order.
    public private(set) var flags: [Grammar.Occurrence]
    /// The image.
    public var image: String
    /// What follows that.
    public var command: [String]

    /// What a grammar has read, of which the first word is the image.
    public init(_ line: Grammar.Line) {
        (flags, image, command) = (line.occurrences, line.words.first ?? "", Array(line.words.dropFirst()))
    }

    /// The words that a grammar reads so.
    public var words: [String] { flagWords + [image] + command }
    /// Those of the flags.
    public var flagWords: [String] { flags.map { "--\($0.name)=\($0.value)" } }

    /// Takes a flag in. In the place of one of its name, unless that may be said several times; then in the place of one that is about the same, such as a
    /// variable of that name or a mount at that place, else beside what is there.
    ///
    /// - Parameter isList: whether it may be said several times.
    public mutating func add(_ flag: Grammar.Occurrence, isList: Bool) {
        if !isList {
            flags.removeAll { $0.name == flag.name }
        } else if flag.name != "publish" {
            flags.removeAll { $0.family == flag.family && $0.subject == flag.subject }
        } else {
            flags.removeAll { $0 == flag }
        }
        flags.append(flag)
    }

    /// Takes out what is said: `NAME`, all of a flag; `NAME=SUBJECT`, what is about that, as `env=PATH`, `publish=80/tcp` or `mount=/data`; `command`, the words
    /// behind the image.
    ///
    /// - Throws: if there is no such thing.
    public mutating func remove(_ text: String) throws(ValueMistake) {
        let parts = text.drop { $0 == "-" }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if parts == ["command"] { return command = [] }
        let asked = Grammar.Occurrence(name: parts[0], value: parts.count == 2 ? parts[1] : "")
        let count = flags.count
        flags.removeAll { flag in
            guard flag.family == asked.family else { return false }
            return parts.count == 1 ? flag.name == asked.name : flag.value == asked.value || flag.subject == asked.portOrValue
        }
        guard flags.count < count else { throw ValueMistake("nothing of it is said of the container") }
    }
}

extension Grammar.Occurrence {
    /// The three ways to say a mount are one.
    fileprivate var family: String { ["mount", "tmpfs"].contains(name) ? "volume" : name }

    /// What it is about.
    fileprivate var subject: String {
        func before(_ separator: Character) -> String { String(value.prefix { $0 != separator }) }
        switch name {
        case "env", "label", "annotation", "sysctl", "log-opt", "storage-opt", "ulimit": return before("=")
        case "blkio-weight-device", "device-read-bps", "device-read-iops", "device-write-bps", "device-write-iops", "tmpfs":
            return before(":")
        case "network": return (try? NetworkAttachment(parsing: value).target) ?? value  // what is wrong with it is said when it is read
        case "publish": return value.split(separator: ":").last.map(String.init).map(Self.port) ?? value
        case "volume":
            let parts = value.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            return String(parts.count > 1 ? parts[1] : parts[0])
        case "mount":
            let fields = (try? CommaSeparated.values(value)) ?? []  // likewise
            let places = fields.compactMap { field -> String? in
                let parts = field.split(separator: "=", maxSplits: 1).map(String.init)
                return parts.count == 2 && ["target", "dst", "destination"].contains(parts[0].lowercased()) ? parts[1] : nil
            }
            return places.last ?? value
        default: return value
        }
    }

    /// What is to be taken out, as ``subject`` has it.
    fileprivate var portOrValue: String { name == "publish" ? Self.port(value) : value }

    private static func port(_ text: String) -> String { text.contains("/") ? text : text + "/tcp" }
}
