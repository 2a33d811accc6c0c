internal import BerthLinux
internal import CBerth

/// A plan's bytes, checked: every field lies inside its step and every string ends in NUL, so that C may walk them.
///
/// This is what the monitor holds. It never makes ``LaunchStep`` values of them: the bytes are performed as they are, and read again only
/// to say in words which step failed.
public struct EncodedPlan: Sendable {
    /// What the standard streams are.
    public let streams: LaunchPlan.StandardStreams
    /// Namespaces that the child is born into.
    public let namespaces: NamespaceKinds
    /// A cgroup v2 directory that the child is born into.
    public let cgroup: String?
    /// Whether the child is born into another process's process id namespace.
    public let entersProcesses: Bool
    /// Whether something is mounted as this process has it, not as the child does.
    let needsMounts: Bool
    let preparation: [UInt8]
    let steps: [UInt8]

    /// Checks the bytes, which may be anything.
    public init(checking bytes: [UInt8]) throws(LaunchPlanError) {
        guard bytes.count <= LaunchPlan.maximumByteCount else { throw .tooLong(byteCount: bytes.count) }
        var reader = PlanReader(bytes: bytes, offset: 0, end: bytes.count)
        let version = UInt16(try reader.byte()) | UInt16(try reader.byte()) << 8
        guard version == LaunchPlan.version else { throw .version(version) }
        guard let streams = LaunchPlan.StandardStreams(rawValue: try reader.byte()) else { throw .malformed(offset: 2) }
        self.streams = streams
        entersProcesses = try reader.byte() & 1 == 1
        namespaces = NamespaceKinds(rawValue: try reader.number())
        let cgroup = String(decoding: try reader.string(), as: UTF8.self)
        self.cgroup = cgroup.isEmpty ? nil : cgroup
        preparation = Array(try reader.data())
        steps = Array(try reader.data())
        guard reader.offset == reader.end else { throw .malformed(offset: reader.offset) }
        var needsMounts = false
        _ = try Self.check(preparation, &needsMounts)
        guard try Self.check(steps, &needsMounts) == BERTH_STEP_EXECUTE else { throw .noProgram }
        self.needsMounts = needsMounts
    }

    /// Walks the steps, and gives the kind of the last.
    private static func check(_ bytes: [UInt8], _ needsMounts: inout Bool) throws(LaunchPlanError) -> berth_step? {
        var last: berth_step?
        var offset = 0
        while offset < bytes.count {
            guard last != BERTH_STEP_EXECUTE else { throw .noProgram }
            let (kind, fields) = try PlanReader.step(of: bytes, at: offset)
            guard let shape = stepShapes[kind] else { throw .unknownStep(kind, offset: offset) }
            var reader = fields
            for field in shape.fields { try reader.skip(field) }
            // Without a name there is nothing to execute, and C reads the first argument unasked.
            if kind == UInt16(BERTH_STEP_EXECUTE.rawValue) {
                var arguments = fields
                guard try arguments.number() > 0, try !arguments.string().isEmpty else { throw .noProgram }
            }
            guard reader.offset == reader.end else { throw .malformed(offset: reader.offset) }
            if kind == UInt16(BERTH_STEP_BIND.rawValue) {
                var bind = fields
                for _ in 0..<2 { _ = try bind.string() }
                if try bind.number() & 4 != 0 { needsMounts = true }
            }
            last = berth_step(rawValue: UInt32(kind))
            offset = reader.end
        }
        return last
    }

    /// Says which step failed and why.
    ///
    /// - Parameter said: the reason in words, where there is a better one than the kernel's.
    func failure(at index: UInt32, errno: Errno, said: String = "", inPreparation: Bool) -> LaunchFailure {
        let why = said.isEmpty ? "\(errno)" : said
        guard let (kind, fields) = Self.step(at: index, of: inPreparation ? preparation : steps), let shape = stepShapes[kind] else {
            return LaunchFailure(stage: .preparation, errnoValue: errno.rawValue, reason: "step \(index) of the launch plan failed: \(why)")
        }
        var reader = fields
        let subject = shape.subject(&reader)
        let stage: LaunchFailure.Stage =
            switch berth_step(rawValue: UInt32(kind)) {
            case BERTH_STEP_EXECUTE: .program
            case BERTH_STEP_WORKING_DIRECTORY: .workingDirectory
            default: .preparation
            }
        return LaunchFailure(
            stage: stage, errnoValue: errno.rawValue, reason: "cannot \(shape.words)\(subject.isEmpty ? "" : " '\(subject)'"): \(why)")
    }

    private static func step(at index: UInt32, of bytes: [UInt8]) -> (kind: UInt16, fields: PlanReader)? {
        var offset = 0
        var remaining = index
        while offset < bytes.count, let step = try? PlanReader.step(of: bytes, at: offset) {  // checked before: it does not fail
            if remaining == 0 { return step }
            remaining -= 1
            offset = step.fields.end
        }
        return nil
    }

    /// Runs the hook of a step that the child has come to, for the child.
    func runHook(at index: UInt32, for process: Int32) throws(LaunchFailure) {
        guard let (kind, fields) = Self.step(at: index, of: steps), kind == UInt16(BERTH_STEP_HOOK.rawValue) else {
            throw failure(at: index, errno: .EINVAL, inPreparation: false)
        }
        var said = [UInt8](repeating: 0, count: 1024)
        let result = unsafe steps.withUnsafeBufferPointer { steps in
            unsafe said.withUnsafeMutableBytes { said in
                unsafe berth_perform_hook(
                    steps.baseAddress! + fields.offset, process, said.baseAddress?.assumingMemoryBound(to: CChar.self), said.count)
            }
        }
        guard result != 0 else { return }
        let error = Errno.current
        throw failure(at: index, errno: error, said: String(decoding: said.prefix { $0 != 0 }, as: UTF8.self), inPreparation: false)
    }
}

/// What a step's fields are, and how its failure is told.
struct StepShape {
    enum Field { case number, string, data, numbers, strings }
    let fields: [Field]
    let words: String
    /// Which of the fields names what the step is about.
    let subjectIndex: Int?

    func subject(_ reader: inout PlanReader) -> String {
        guard let subjectIndex else { return "" }
        for (index, field) in fields.enumerated() {
            if index == subjectIndex {
                switch field {
                case .string: return (try? reader.string()).map { String(decoding: $0, as: UTF8.self) } ?? ""  // checked before
                case .strings:
                    guard let count = try? reader.number(), count > 0 else { return "" }
                    return (try? reader.string()).map { String(decoding: $0, as: UTF8.self) } ?? ""
                case .number: return (try? reader.number()).map { String($0) } ?? ""
                case .data, .numbers: return ""
                }
            }
            guard (try? reader.skip(field)) != nil else { return "" }
        }
        return ""
    }
}

private func shape(_ fields: [StepShape.Field], _ words: String, subject: Int? = nil) -> StepShape {
    StepShape(fields: fields, words: words, subjectIndex: subject)
}

private let stepShapes: [UInt16: StepShape] = Dictionary(
    uniqueKeysWithValues: [
        (BERTH_STEP_WRITE_FILE, shape([.string, .data], "write", subject: 0)),
        (BERTH_STEP_HOST_DIRECTORY, shape([.string], "make the directory", subject: 0)),
        (BERTH_STEP_DEVICE_PROGRAM, shape([.string, .data], "attach the device rules to the cgroup", subject: 0)),
        (BERTH_STEP_COPY_FILE, shape([.string, .string], "fill", subject: 1)),
        (BERTH_STEP_ENTER_NAMESPACE, shape([.string, .number], "join the namespace", subject: 0)),
        (BERTH_STEP_ENTER_PROCESS, shape([.number], "join the container's namespaces")),
        (BERTH_STEP_UNSHARE, shape([.number], "make namespaces")),
        (BERTH_STEP_LOOPBACK_UP, shape([], "set the loopback interface up")),
        (BERTH_STEP_PROPAGATION, shape([.number], "set the propagation of mounts")),
        (BERTH_STEP_ATTACH_ROOT, shape([], "attach the root file system")),
        (BERTH_STEP_ATTACH_ROOT_AT, shape([.string], "attach the root file system at", subject: 0)),
        (
            BERTH_STEP_HOOK,
            shape([.number, .string, .string, .strings, .strings, .string, .string, .number], "run the hook", subject: 1)
        ),
        (BERTH_STEP_MOUNT, shape([.string, .string, .string, .number, .string], "mount", subject: 2)),
        (BERTH_STEP_BIND, shape([.string, .string, .number, .number, .number], "bind", subject: 0)),
        (BERTH_STEP_BIND_BENEATH, shape([.string, .string, .string, .number, .number, .number], "bind the subpath", subject: 1)),
        (BERTH_STEP_DIRECTORY, shape([.string, .number, .number, .number], "make the directory", subject: 0)),
        (BERTH_STEP_DEVICE, shape([.string, .number, .number, .number, .number, .number], "make the device", subject: 0)),
        (BERTH_STEP_SYMLINK, shape([.string, .string], "make the symbolic link", subject: 1)),
        (BERTH_STEP_MASK, shape([.string], "mask", subject: 0)),
        (BERTH_STEP_READ_ONLY, shape([.string], "make read-only", subject: 0)),
        (BERTH_STEP_PIVOT, shape([], "change the root")),
        (BERTH_STEP_ROOT_READ_ONLY, shape([], "make the root read-only")),
        (BERTH_STEP_HOSTNAME, shape([.data], "set the host name")),
        (BERTH_STEP_DOMAINNAME, shape([.data], "set the domain name")),
        (BERTH_STEP_KEYRING, shape([.string], "join a session keyring")),
        (BERTH_STEP_RESOURCE_LIMIT, shape([.number, .number, .number], "set the resource limit", subject: 0)),
        (BERTH_STEP_MAKE_TERMINAL, shape([.number, .number, .number], "open a terminal")),
        (BERTH_STEP_STANDARD_STREAMS, shape([.number], "set the standard streams")),
        (BERTH_STEP_BOUNDING, shape([.number], "limit the bounding set of capabilities")),
        (BERTH_STEP_GROUPS, shape([.numbers], "set the supplementary groups")),
        (BERTH_STEP_USER, shape([.number, .number], "become the user", subject: 0)),
        (BERTH_STEP_CAPABILITIES, shape([.number, .number, .number, .number], "set the capabilities")),
        (BERTH_STEP_NO_NEW_PRIVILEGES, shape([], "give up new privileges")),
        (BERTH_STEP_SECCOMP, shape([.data, .number], "load the seccomp filter")),
        (BERTH_STEP_WORKING_DIRECTORY, shape([.string], "change to the working directory", subject: 0)),
        (BERTH_STEP_UMASK, shape([.number], "set the umask")),
        (BERTH_STEP_OOM_SCORE, shape([.data], "set oom_score_adj")),
        (BERTH_STEP_LABEL, shape([.string, .string], "label", subject: 0)),
        (BERTH_STEP_CONFINEMENT, shape([.string, .string, .data], "have the security module confine the program by", subject: 0)),
        (BERTH_STEP_INIT_FILE, shape([], "make the program of process 1")),
        (BERTH_STEP_INIT, shape([.strings, .strings], "become process 1 of", subject: 0)),
        (BERTH_STEP_BIND_FROM, shape([.string, .string, .string, .number], "share", subject: 1)),
        (BERTH_STEP_EXECUTE, shape([.strings, .strings, .string], "execute", subject: 0)),
    ].map { (UInt16($0.0.rawValue), $0.1) })

/// Reads the fields of a plan and never beyond their end.
struct PlanReader {
    let bytes: [UInt8]
    var offset: Int
    let end: Int

    static func step(of bytes: [UInt8], at offset: Int) throws(LaunchPlanError) -> (kind: UInt16, fields: PlanReader) {
        guard offset + 8 <= bytes.count else { throw .malformed(offset: offset) }
        let kind = UInt16(bytes[offset]) | UInt16(bytes[offset + 1]) << 8
        var length = 0
        for index in 0..<4 { length |= Int(bytes[offset + 4 + index]) << (8 * index) }
        guard bytes[offset + 2] == 0, bytes[offset + 3] == 0, length <= bytes.count - offset - 8 else { throw .malformed(offset: offset) }
        return (kind, PlanReader(bytes: bytes, offset: offset + 8, end: offset + 8 + length))
    }

    mutating func byte() throws(LaunchPlanError) -> UInt8 {
        guard offset < end else { throw .malformed(offset: offset) }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func number() throws(LaunchPlanError) -> UInt64 {
        guard end - offset >= 8 else { throw .malformed(offset: offset) }
        var value: UInt64 = 0
        for index in 0..<8 { value |= UInt64(bytes[offset + index]) << UInt64(8 * index) }
        offset += 8
        return value
    }

    mutating func data() throws(LaunchPlanError) -> ArraySlice<UInt8> {
        let count = try number()
        guard count < UInt64(end - offset), bytes[offset + Int(count)] == 0 else { throw .malformed(offset: offset) }
        defer { offset += Int(count) + 1 }
        return bytes[offset..<offset + Int(count)]
    }

    /// Data without NUL inside: C would see only its beginning.
    mutating func string() throws(LaunchPlanError) -> ArraySlice<UInt8> {
        let start = offset
        let data = try data()
        guard !data.contains(0) else { throw .malformed(offset: start) }
        return data
    }

    mutating func skip(_ field: StepShape.Field) throws(LaunchPlanError) {
        switch field {
        case .number: _ = try number()
        case .string: _ = try string()
        case .data: _ = try data()
        case .numbers, .strings:
            let count = try number()
            guard count <= 65536 else { throw .malformed(offset: offset) }
            for _ in 0..<count {
                if case .numbers = field { _ = try number() } else { _ = try string() }
            }
        }
    }
}
