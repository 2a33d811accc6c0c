public import BerthLinux

/// Another program that a monitor tells what its container says, entry by entry.
public struct LogReceiver: Hashable, Sendable {
    /// Where it listens.
    public enum Place: Hashable, Sendable {
        /// At a Unix socket of bytes.
        case stream(path: String)
        /// At a Unix socket of datagrams.
        case datagrams(path: String)
        /// At a port of TCP.
        case tcp(InternetEndpoint)
        /// At a port of UDP.
        case udp(InternetEndpoint)
        /// Behind a program that speaks TLS with it.
        case relayed(LogRelay)
    }

    /// A name and what it stands for.
    public struct Field: Hashable, Sendable {
        /// The name.
        public var name: String
        /// What it stands for.
        public var value: String

        /// These.
        public init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
    }

    /// How an entry is written down.
    public enum Format: Hashable, Sendable {
        /// As a line of syslog.
        case syslog(Syslog)
        /// In journald's native protocol, with these fields in each.
        case journal([Field])
        /// In fluentd's forward protocol under a tag, with these fields in each, its time in nanoseconds or in seconds; whether the next waits for the answer to it.
        case fluent(tag: String, [Field], hasNanoseconds: Bool, asksForAnswers: Bool = false)
    }

    /// A line of syslog.
    public struct Syslog: Hashable, Sendable {
        /// What stands before the text.
        public enum Style: UInt64, Hashable, Sendable {
            /// As the C library writes it: without a host.
            case local = 0
            /// As in RFC 3164.
            case rfc3164 = 1
            /// As in RFC 5424.
            case rfc5424 = 2
            /// Likewise, with microseconds.
            case rfc5424Micro = 3
        }
        /// What stands before the text.
        public var style: Style
        /// The facility's number, 0 ... 23.
        public var facility: UInt64
        /// The host's name.
        public var hostname: String
        /// The program's name.
        public var tag: String

        /// These.
        public init(style: Style, facility: UInt64, hostname: String, tag: String) {
            (self.style, self.facility, self.hostname, self.tag) = (style, facility, hostname, tag)
        }
    }

    /// Where it listens.
    public var place: Place
    /// The place in words, for what is said of it: `tcp 127.0.0.1:514`.
    public var name: String
    /// How an entry is written down.
    public var format: Format
    /// Whether the container is started only where the receiver can be reached.
    public var isNeededAtStart = true
    /// Whether the container waits for a receiver that is connected and does not read; otherwise what does not fit is left out. A receiver that is gone is not
    /// waited for.
    public var isWaitedFor = true
    /// How much waits for the receiver. Default 1 MiB.
    public var roomByteCount: UInt64 = 1 << 20
    /// When a receiver that is gone is first tried again; each time after it takes twice as long, up to a minute.
    public var retryMilliseconds: UInt64 = 1000
    /// After how many failures what waits is given up.
    public var maximumFailureCount: UInt64 = .max

    /// These, and everything else by default.
    public init(_ place: Place, name: String, _ format: Format) { (self.place, self.name, self.format) = (place, name, format) }
}

extension PlanWriter {
    mutating func receiver(_ receiver: LogReceiver) {
        switch receiver.place {
        case .stream(let path): place(1, path)
        case .datagrams(let path): place(2, path)
        case .tcp(let endpoint): place(3, endpoint)
        case .udp(let endpoint): place(4, endpoint)
        case .relayed(let relay):
            place(5, relay.program)
            for argument in relay.arguments { string(argument) }
        }
        string(receiver.name)
        switch receiver.format {
        case .syslog(let line):
            for value in [1, line.style.rawValue, line.facility] { number(value) }
            for text in [line.hostname, line.tag] { string(text) }
        case .journal(let fields):
            number(2)
            self.fields(fields)
        case .fluent(let tag, let fields, let hasNanoseconds, let asksForAnswers):
            number(3)
            string(tag)
            self.fields(fields)
            number((hasNanoseconds ? 1 : 0) | (asksForAnswers ? 2 : 0))
        }
        for flag in [receiver.isNeededAtStart, receiver.isWaitedFor] { number(flag ? 1 : 0) }
        for value in [receiver.roomByteCount, receiver.retryMilliseconds, receiver.maximumFailureCount] { number(value) }
    }

    private mutating func place(_ kind: UInt64, _ path: String) {
        number(kind)
        string(path)
    }

    private mutating func place(_ kind: UInt64, _ endpoint: InternetEndpoint) {
        number(kind)
        data(endpoint.address)
        number(UInt64(endpoint.port))
        number(UInt64(endpoint.scope))
    }

    private mutating func fields(_ fields: [LogReceiver.Field]) {
        number(UInt64(fields.count))
        for field in fields {
            string(field.name)
            string(field.value)
        }
    }
}

extension PlanReader {
    /// The most fields that an entry has.
    private static let maximumFieldCount: UInt64 = 4096

    mutating func receiver() throws(MonitorProtocolError) -> LogReceiver {
        let place: LogReceiver.Place =
            switch try value() {
            case 1: .stream(path: try text())
            case 2: .datagrams(path: try text())
            case 3: .tcp(try endpoint())
            case 4: .udp(try endpoint())
            case 5: .relayed(try relay())
            default: throw .malformed
            }
        var receiver = LogReceiver(place, name: try text(), try format())
        (receiver.isNeededAtStart, receiver.isWaitedFor) = (try value() != 0, try value() != 0)
        (receiver.roomByteCount, receiver.retryMilliseconds, receiver.maximumFailureCount) = (try value(), try value(), try value())
        return receiver
    }

    private mutating func format() throws(MonitorProtocolError) -> LogReceiver.Format {
        switch try value() {
        case 1:
            guard let style = LogReceiver.Syslog.Style(rawValue: try value()) else { throw .malformed }
            let facility = try value()
            return .syslog(LogReceiver.Syslog(style: style, facility: facility, hostname: try text(), tag: try text()))
        case 2: return .journal(try fields())
        case 3:
            let (tag, fields, flags) = (try text(), try fields(), try value())
            return .fluent(tag: tag, fields, hasNanoseconds: flags & 1 != 0, asksForAnswers: flags & 2 != 0)
        default: throw .malformed
        }
    }

    private mutating func relay() throws(MonitorProtocolError) -> LogRelay {
        let program = try text()
        var arguments: [String] = []
        for _ in 0..<8 { arguments.append(try text()) }
        guard let relay = LogRelay(program: program, arguments: arguments) else { throw .malformed }
        return relay
    }

    private mutating func endpoint() throws(MonitorProtocolError) -> InternetEndpoint {
        let address: [UInt8]
        do { address = Array(try data()) } catch { throw .malformed }
        let (port, scope) = (try value(as: UInt16.self), try value(as: UInt32.self))
        guard let endpoint = InternetEndpoint(address: address, port: port, scope: scope) else { throw .malformed }
        return endpoint
    }

    private mutating func fields() throws(MonitorProtocolError) -> [LogReceiver.Field] {
        let count = try value()
        guard count <= Self.maximumFieldCount else { throw .malformed }
        var fields: [LogReceiver.Field] = []
        for _ in 0..<count { fields.append(LogReceiver.Field(try text(), try text())) }
        return fields
    }
}
