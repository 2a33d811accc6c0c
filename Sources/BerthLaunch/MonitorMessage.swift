/// What an engine asks of a monitor. One message a request, each answered by one ``MonitorAnswer`` of the same number.
///
/// Version 1 of the protocol. The bytes: version u8, kind u8, zero u16, number u64, then fields as in a launch plan.
public enum MonitorRequest: Hashable, Sendable {
    /// The first request of all. With it come two directories: the container's in the exec-root, and its own below the root.
    case initialize(Identity)
    /// Makes the root mount; the answer brings its descriptor.
    case mountRoot(RootMount)
    /// Performs a plan, which comes as a descriptor, to start the container.
    case launch(Launch)
    /// Performs a plan, which comes as a descriptor, beside the container's first process; the answer brings its streams.
    case execute(Execution)
    /// Sends a signal to the container's first process, or to an execution's.
    case signal(number: Int32, execution: UInt64)
    /// Sets a terminal's size.
    case resize(rows: UInt16, columns: UInt16, execution: UInt64)
    /// Asks for the container's streams; the answer brings them.
    case attach(StreamChoice)
    /// Asks what the monitor knows.
    case state
    /// Hands sockets over, at most ``HeldSocket/maximumCountPerMessage``; they come as descriptors in the same order. All are taken, or none.
    case hold([HeldSocket])
    /// Closes sockets by their keys, at most ``HeldSocket/maximumKeyCount``, and ends what goes through them. Keys that name nothing are fine.
    case drop([UInt64])
    /// Asks for duplicates of sockets that are kept, by their keys, as many as ``hold(_:)`` takes. The answer describes those that there are and
    /// brings the descriptors of the kept ones among them in the same order.
    case lend([UInt64])
    /// Asks what is held, from this key on.
    case held(from: UInt64)
    /// Has the monitor stay after its container's end as long as it holds something. With it comes a directory in which it listens too.
    case keepSandbox
    /// Takes that back: after the container's end the monitor closes what it holds and ends.
    case releaseSandbox
    /// Has a monitor that is for no container be one of which others are forked, from now on. The files take `0` to put it into the engine's cgroup.
    case becomeNursery(cgroupFiles: [String])
    /// Has the nursery fork itself. With it comes a socket: the new monitor's first connection, on which it says hello. What went wrong is said there too, with
    /// the number 0; nothing is answered on this connection.
    case fork

    /// Who the monitor is for.
    public struct Identity: Hashable, Sendable {
        /// The container's id.
        public var id: String
        /// Files that take `0` to put the monitor into the engine's cgroup.
        public var cgroupFiles: [String]
        /// Whether it is removed when it has ended: then its end is recorded and not synced, and neither is what it writes to its own layer. An engine that does
        /// not say so has others in mind.
        public var isRemovedAtItsEnd: Bool

        /// These.
        public init(id: String, cgroupFiles: [String], isRemovedAtItsEnd: Bool) {
            (self.id, self.cgroupFiles, self.isRemovedAtItsEnd) = (id, cgroupFiles, isRemovedAtItsEnd)
        }
    }

    /// How to start.
    public struct Launch: Hashable, Sendable {
        /// The log.
        public var log: MonitoredLog
        /// What becomes of standard input.
        public var input: InputPolicy
        /// A cgroup's file that counts kills by the kernel for want of memory (`oom_kill N`); empty: unknown.
        public var memoryEventsPath: String

        /// These.
        public init(log: MonitoredLog, input: InputPolicy, memoryEventsPath: String) {
            (self.log, self.input, self.memoryEventsPath) = (log, input, memoryEventsPath)
        }
    }

    /// How to start beside.
    public struct Execution: Hashable, Sendable {
        /// The engine's number for it, not 0.
        public var number: UInt64
        /// Which streams the answer brings.
        public var streams: StreamChoice

        /// These.
        public init(number: UInt64, streams: StreamChoice) { (self.number, self.streams) = (number, streams) }
    }

    /// What becomes of a container's standard input when a client says that it has no more.
    public enum InputPolicy: UInt8, Hashable, Sendable {
        /// There is none.
        case none = 0
        /// It stays open.
        case open = 1
        /// It is closed.
        case once = 2
    }

    /// Streams of a process that a client takes.
    public struct StreamChoice: OptionSet, Hashable, Sendable {
        /// The bits.
        public let rawValue: UInt8
        /// These bits.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Standard input.
        public static var input: Self { Self(rawValue: 1) }
        /// Standard output.
        public static var output: Self { Self(rawValue: 2) }
        /// Standard error.
        public static var errors: Self { Self(rawValue: 4) }
    }
}

/// How a container's root comes about.
public enum RootMount: Hashable, Sendable {
    /// An overlay: names relative to `base`, the uppermost layer first; and the context of SELinux's of all that is in it, empty for none.
    case overlay(base: String, lowers: [String], upper: String, work: String, label: String = "")
    /// A directory as it is.
    case directory(String)
}

/// A monitor's answer or, with the number 0, its own news.
public enum MonitorAnswer: Hashable, Sendable {
    /// Done. What the request asked for comes as descriptors.
    case done
    /// Started: the process, when by its clock ticks, and when by the wall's.
    case started(processID: Int32, startTicks: UInt64, startedAt: Int64)
    /// Not done.
    case failed(stage: UInt8, errno: Int32, reason: String)
    /// The container is running, or has never been started (process id 0).
    case running(processID: Int32, startTicks: UInt64, startedAt: Int64)
    /// News: the container has ended.
    case exited(ExitStatus)
    /// News: an execution has ended.
    case executionExited(number: UInt64, ExitStatus)
    /// What is held, by ascending keys; whether there is more after them.
    case held([HeldSocket], hasMore: Bool)

    /// How a process ended.
    public struct ExitStatus: Hashable, Sendable {
        /// The exit code, or 128 and the signal.
        public var code: Int32
        /// The signal that ended it, or 0.
        public var signal: Int32
        /// Whether the kernel killed something in the container for want of memory.
        public var outOfMemory: Bool
        /// Nanoseconds since 1970.
        public var startedAt: Int64
        /// Nanoseconds since 1970.
        public var finishedAt: Int64

        /// These.
        public init(code: Int32, signal: Int32, outOfMemory: Bool, startedAt: Int64, finishedAt: Int64) {
            (self.code, self.signal, self.outOfMemory, self.startedAt, self.finishedAt) = (code, signal, outOfMemory, startedAt, finishedAt)
        }
    }
}

/// Why bytes are no message.
public enum MonitorProtocolError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The version is not ours.
    case version(UInt8)
    /// A kind that we do not know.
    case unknownKind(UInt8)
    /// They end too early or late, or a value is out of its range.
    case malformed

    /// A sentence for people.
    public var description: String {
        switch self {
        case .version(let version): "the monitor's protocol is spoken in version \(version), and this side speaks version 1"
        case .unknownKind(let kind): "unknown kind \(kind) of a monitor's message"
        case .malformed: "malformed message of a monitor's protocol"
        }
    }
}

private let protocolVersion: UInt8 = 1

private func header(_ kind: UInt8, _ number: UInt64) -> PlanWriter {
    var out = PlanWriter()
    out.bytes = [protocolVersion, kind, 0, 0]
    out.number(number)
    return out
}

private func open(_ bytes: [UInt8]) throws(MonitorProtocolError) -> (kind: UInt8, number: UInt64, fields: PlanReader) {
    guard bytes.count >= 12 else { throw .malformed }
    guard bytes[0] == protocolVersion else { throw .version(bytes[0]) }
    var reader = PlanReader(bytes: bytes, offset: 4, end: bytes.count)
    guard let number = try? reader.number() else { throw .malformed }  // the one way to fail is told
    return (bytes[1], number, reader)
}

extension PlanReader {
    mutating func value() throws(MonitorProtocolError) -> UInt64 {
        do { return try number() } catch { throw .malformed }
    }
    mutating func value<Value: FixedWidthInteger>(as: Value.Type) throws(MonitorProtocolError) -> Value {
        Value(truncatingIfNeeded: try value())
    }
    mutating func text() throws(MonitorProtocolError) -> String {
        do { return String(decoding: try string(), as: UTF8.self) } catch { throw .malformed }
    }
    mutating func texts() throws(MonitorProtocolError) -> [String] {
        let count = try value()
        guard count <= 4096 else { throw .malformed }
        var result: [String] = []
        for _ in 0..<count { result.append(try text()) }
        return result
    }
    var isAtEnd: Bool { offset == end }
    fileprivate func finish() throws(MonitorProtocolError) {
        guard isAtEnd else { throw .malformed }
    }
}

extension MonitorRequest {
    /// The request as bytes, under a number of the engine's choice that is not 0.
    public func encoded(number: UInt64) -> [UInt8] {
        switch self {
        case .initialize(let identity):
            var out = header(1, number)
            out.string(identity.id)
            out.texts(identity.cgroupFiles)
            out.number(identity.isRemovedAtItsEnd ? 1 : 0)
            return out.bytes
        case .mountRoot(.overlay(let base, let lowers, let upper, let work, let label)):
            var out = header(2, number)
            out.string(base)
            out.texts(lowers)
            out.string(upper)
            out.string(work)
            // At the end, where a monitor that knows of none has not looked.
            if !label.isEmpty { out.string(label) }
            return out.bytes
        case .mountRoot(.directory(let path)):
            var out = header(3, number)
            out.string(path)
            return out.bytes
        case .launch(let launch):
            var out = header(4, number)
            out.string(launch.log.name)
            out.number(UInt64(launch.input.rawValue))
            out.string(launch.memoryEventsPath)
            launch.log.encodeRest(to: &out)
            return out.bytes
        case .execute(let execution):
            var out = header(5, number)
            out.number(execution.number)
            out.number(UInt64(execution.streams.rawValue))
            return out.bytes
        case .signal(let signal, let execution):
            var out = header(6, number)
            out.number(UInt64(truncatingIfNeeded: signal))
            out.number(execution)
            return out.bytes
        case .resize(let rows, let columns, let execution):
            var out = header(7, number)
            for value in [UInt64(rows), UInt64(columns), execution] { out.number(value) }
            return out.bytes
        case .attach(let streams):
            var out = header(8, number)
            out.number(UInt64(streams.rawValue))
            return out.bytes
        case .state: return header(9, number).bytes
        case .hold(let sockets):
            var out = header(10, number)
            out.sockets(sockets)
            return out.bytes
        case .drop(let keys):
            var out = header(11, number)
            out.keys(keys)
            return out.bytes
        case .lend(let keys):
            var out = header(12, number)
            out.keys(keys)
            return out.bytes
        case .held(let key):
            var out = header(13, number)
            out.number(key)
            return out.bytes
        case .keepSandbox: return header(14, number).bytes
        case .releaseSandbox: return header(15, number).bytes
        case .becomeNursery(let files):
            var out = header(16, number)
            out.texts(files)
            return out.bytes
        case .fork: return header(17, number).bytes
        }
    }

    /// The number of a request, also of one of a kind that is not known here; `nil` where the bytes are none of this version.
    public static func number(of bytes: [UInt8]) -> UInt64? {
        try? open(bytes).number  // what is no request has no number
    }

    /// Reads a request. The bytes may be anything.
    public static func decode(_ bytes: [UInt8]) throws(MonitorProtocolError) -> (number: UInt64, request: MonitorRequest) {
        var (kind, number, fields) = try open(bytes)
        let request: MonitorRequest
        switch kind {
        case 1:
            let (id, files) = (try fields.text(), try fields.texts())
            let isRemoved = try fields.isAtEnd ? false : fields.value() != 0
            request = .initialize(Identity(id: id, cgroupFiles: files, isRemovedAtItsEnd: isRemoved))
        case 2:
            request = .mountRoot(
                .overlay(
                    base: try fields.text(), lowers: try fields.texts(), upper: try fields.text(), work: try fields.text(),
                    label: fields.isAtEnd ? "" : try fields.text()))
        case 3: request = .mountRoot(.directory(try fields.text()))
        case 4:
            var log = MonitoredLog(name: try fields.text())
            guard let input = InputPolicy(rawValue: try fields.value(as: UInt8.self)) else { throw .malformed }
            let path = try fields.text()
            try log.decodeRest(from: &fields)
            request = .launch(Launch(log: log, input: input, memoryEventsPath: path))
        case 5: request = .execute(Execution(number: try fields.value(), streams: StreamChoice(rawValue: try fields.value(as: UInt8.self))))
        case 6: request = .signal(number: try fields.value(as: Int32.self), execution: try fields.value())
        case 7:
            request = .resize(
                rows: try fields.value(as: UInt16.self), columns: try fields.value(as: UInt16.self), execution: try fields.value())
        case 8: request = .attach(StreamChoice(rawValue: try fields.value(as: UInt8.self)))
        case 9: request = .state
        case 10: request = .hold(try fields.sockets(atMost: HeldSocket.maximumCountPerMessage))
        case 11: request = .drop(try fields.keys(atMost: HeldSocket.maximumKeyCount))
        case 12: request = .lend(try fields.keys(atMost: HeldSocket.maximumCountPerMessage))
        case 13: request = .held(from: try fields.value())
        case 14: request = .keepSandbox
        case 15: request = .releaseSandbox
        case 16: request = .becomeNursery(cgroupFiles: try fields.texts())
        case 17: request = .fork
        default: throw .unknownKind(kind)
        }
        try fields.finish()
        return (number, request)
    }
}

extension MonitorAnswer {
    /// The answer as bytes, under the request's number; 0 for news.
    public func encoded(number: UInt64) -> [UInt8] {
        switch self {
        case .done: return header(128, number).bytes
        case .started(let id, let ticks, let at):
            var out = header(129, number)
            for value in [UInt64(truncatingIfNeeded: id), ticks, UInt64(bitPattern: at)] { out.number(value) }
            return out.bytes
        case .failed(let stage, let errno, let reason):
            var out = header(130, number)
            out.number(UInt64(stage))
            out.number(UInt64(truncatingIfNeeded: errno))
            out.string(String(reason.prefix(4096)))
            return out.bytes
        case .running(let id, let ticks, let at):
            var out = header(131, number)
            for value in [UInt64(truncatingIfNeeded: id), ticks, UInt64(bitPattern: at)] { out.number(value) }
            return out.bytes
        case .exited(let status):
            var out = header(132, number)
            out.status(status)
            return out.bytes
        case .executionExited(let execution, let status):
            var out = header(133, number)
            out.number(execution)
            out.status(status)
            return out.bytes
        case .held(let sockets, let hasMore):
            var out = header(134, number)
            out.sockets(sockets)
            out.number(hasMore ? 1 : 0)
            return out.bytes
        }
    }

    /// Reads an answer. The bytes may be anything.
    public static func decode(_ bytes: [UInt8]) throws(MonitorProtocolError) -> (number: UInt64, answer: MonitorAnswer) {
        var (kind, number, fields) = try open(bytes)
        let answer: MonitorAnswer
        switch kind {
        case 128: answer = .done
        case 129:
            answer = .started(
                processID: try fields.value(as: Int32.self), startTicks: try fields.value(), startedAt: try fields.value(as: Int64.self))
        case 130:
            answer = .failed(stage: try fields.value(as: UInt8.self), errno: try fields.value(as: Int32.self), reason: try fields.text())
        case 131:
            answer = .running(
                processID: try fields.value(as: Int32.self), startTicks: try fields.value(), startedAt: try fields.value(as: Int64.self))
        case 132: answer = .exited(try fields.status())
        case 133: answer = .executionExited(number: try fields.value(), try fields.status())
        case 134:
            answer = .held(try fields.sockets(atMost: HeldSocket.maximumCountPerAnswer), hasMore: try fields.value() != 0)
        default: throw .unknownKind(kind)
        }
        try fields.finish()
        return (number, answer)
    }
}

extension PlanWriter {
    fileprivate mutating func texts(_ texts: [String]) {
        number(UInt64(texts.count))
        for text in texts { string(text) }
    }

    fileprivate mutating func status(_ status: MonitorAnswer.ExitStatus) {
        for value in [Int64(status.code), Int64(status.signal), status.outOfMemory ? 1 : 0, status.startedAt, status.finishedAt] {
            number(UInt64(bitPattern: value))
        }
    }
}

extension PlanReader {
    fileprivate mutating func status() throws(MonitorProtocolError) -> MonitorAnswer.ExitStatus {
        MonitorAnswer.ExitStatus(
            code: try value(as: Int32.self), signal: try value(as: Int32.self), outOfMemory: try value() != 0,
            startedAt: try value(as: Int64.self),
            finishedAt: try value(as: Int64.self))
    }
}
