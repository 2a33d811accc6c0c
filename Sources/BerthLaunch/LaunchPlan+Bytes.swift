internal import CBerth

// The bytes of a plan, little-endian:
//   version u16, streams u8, flags u8 (1: enters processes), namespaces u64, cgroup (string), preparation (bytes), steps (bytes)
// and each step: kind u16, zero u16, length u32, fields. A number is a u64; a string or bytes are a length u64, the bytes, and a NUL.
// The C performer walks the steps as they are: the decoder checks every length, so that the performer need not.
extension LaunchPlan {
    /// The most bytes that a plan may have.
    public static var maximumByteCount: Int { 16 << 20 }

    /// The plan as bytes of the present version.
    public func encoded() -> [UInt8] {
        var out = PlanWriter()
        out.bytes += [UInt8(truncatingIfNeeded: Self.version), UInt8(Self.version >> 8), streams.rawValue, entersProcesses ? 1 : 0]
        out.number(namespaces.rawValue)
        out.string(cgroup ?? "")
        out.data(Self.encode(preparation))
        out.data(Self.encode(steps))
        return out.bytes
    }

    static func encode(_ steps: [LaunchStep]) -> [UInt8] {
        var out = PlanWriter()
        for step in steps { out.step(step) }
        return out.bytes
    }
}

struct PlanWriter {
    var bytes: [UInt8] = []

    mutating func number(_ value: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func data(_ data: [UInt8]) {
        number(UInt64(data.count))
        bytes += data
        bytes.append(0)
    }

    mutating func string(_ text: String) { data(Array(text.utf8)) }

    mutating func step(_ step: LaunchStep) {
        var fields = PlanWriter()
        let kind = fields.fields(of: step)
        bytes += [UInt8(truncatingIfNeeded: kind.rawValue), UInt8(truncatingIfNeeded: kind.rawValue >> 8), 0, 0]
        let count = UInt32(fields.bytes.count)
        for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
        bytes += fields.bytes
    }

    private mutating func fields(of step: LaunchStep) -> berth_step {
        switch step {
        case .writeFile(let path, let contents):
            string(path)
            string(contents)
            return BERTH_STEP_WRITE_FILE
        case .hostDirectory(let path):
            string(path)
            return BERTH_STEP_HOST_DIRECTORY
        case .deviceProgram(let cgroup, let program):
            string(cgroup)
            data(program)
            return BERTH_STEP_DEVICE_PROGRAM
        case .copyWhereEmpty(let source, let target):
            string(source)
            string(target)
            return BERTH_STEP_COPY_FILE
        case .enterNamespace(let path, let kinds):
            string(path)
            number(kinds.rawValue)
            return BERTH_STEP_ENTER_NAMESPACE
        case .enterProcess(let kinds):
            number(kinds.rawValue)
            return BERTH_STEP_ENTER_PROCESS
        case .unshare(let kinds):
            number(kinds.rawValue)
            return BERTH_STEP_UNSHARE
        case .loopbackUp: return BERTH_STEP_LOOPBACK_UP
        case .propagation(let flags):
            number(flags)
            return BERTH_STEP_PROPAGATION
        case .attachRoot: return BERTH_STEP_ATTACH_ROOT
        case .attachRootAt(let path):
            string(path)
            return BERTH_STEP_ATTACH_ROOT_AT
        case .hook(let hook):
            number(hook.isOutside ? 1 : 0)
            for text in [hook.name, hook.path] { string(text) }
            for list in [hook.arguments, hook.environment] { strings(list) }
            for text in [hook.stateBeforeProcess, hook.stateAfterProcess] { string(text) }
            number(UInt64(max(0, hook.milliseconds)))
            return BERTH_STEP_HOOK
        case .mount(let type, let source, let target, let flags, let data):
            for text in [type, source, target] { string(text) }
            number(flags)
            string(data)
            return BERTH_STEP_MOUNT
        case .bind(let source, let target, let recursive, let attributes, let propagation, let attributesBelow, let isPeer):
            string(source)
            string(target)
            let how: UInt64 = (recursive ? 1 : 0) | (attributesBelow ? 2 : 0) | (isPeer ? 4 : 0)
            for value in [how, attributes, propagation] { number(value) }
            return BERTH_STEP_BIND
        case .bindBeneath(let source, let path, let target, let recursive, let attributes, let propagation, let attributesBelow):
            for text in [source, path, target] { string(text) }
            let how: UInt64 = (recursive ? 1 : 0) | (attributesBelow ? 2 : 0)
            for value in [how, attributes, propagation] { number(value) }
            return BERTH_STEP_BIND_BENEATH
        case .directory(let path, let permissions, let userID, let groupID):
            string(path)
            for value in [permissions, userID, groupID] { number(UInt64(value)) }
            return BERTH_STEP_DIRECTORY
        case .device(let path, let mode, let major, let minor, let userID, let groupID):
            string(path)
            for value in [mode, major, minor, userID, groupID] { number(UInt64(value)) }
            return BERTH_STEP_DEVICE
        case .symbolicLink(let target, let path):
            string(target)
            string(path)
            return BERTH_STEP_SYMLINK
        case .mask(let path):
            string(path)
            return BERTH_STEP_MASK
        case .readOnly(let path):
            string(path)
            return BERTH_STEP_READ_ONLY
        case .pivotRoot: return BERTH_STEP_PIVOT
        case .rootReadOnly: return BERTH_STEP_ROOT_READ_ONLY
        case .hostname(let name):
            string(name)
            return BERTH_STEP_HOSTNAME
        case .domainname(let name):
            string(name)
            return BERTH_STEP_DOMAINNAME
        case .keyring(let name):
            string(name)
            return BERTH_STEP_KEYRING
        case .resourceLimit(let resource, let soft, let hard):
            for value in [UInt64(resource), soft, hard] { number(value) }
            return BERTH_STEP_RESOURCE_LIMIT
        case .makeTerminal(let rows, let columns, let bindsConsole):
            for value in [UInt64(rows), UInt64(columns), bindsConsole ? 1 : 0] { number(value) }
            return BERTH_STEP_MAKE_TERMINAL
        case .standardStreams(let owner):
            number(UInt64(owner))
            return BERTH_STEP_STANDARD_STREAMS
        case .bounding(let set):
            number(set.rawValue)
            return BERTH_STEP_BOUNDING
        case .groups(let groups):
            number(UInt64(groups.count))
            for group in groups { number(UInt64(group)) }
            return BERTH_STEP_GROUPS
        case .user(let userID, let groupID):
            number(UInt64(userID))
            number(UInt64(groupID))
            return BERTH_STEP_USER
        case .capabilities(let effective, let permitted, let inheritable, let ambient):
            for set in [effective, permitted, inheritable, ambient] { number(set.rawValue) }
            return BERTH_STEP_CAPABILITIES
        case .noNewPrivileges: return BERTH_STEP_NO_NEW_PRIVILEGES
        case .seccomp(let program, let flags):
            data(program)
            number(UInt64(flags))
            return BERTH_STEP_SECCOMP
        case .workingDirectory(let path):
            string(path)
            return BERTH_STEP_WORKING_DIRECTORY
        case .umask(let mask):
            number(UInt64(mask))
            return BERTH_STEP_UMASK
        case .label(let path, let label):
            string(path)
            string(label)
            return BERTH_STEP_LABEL
        case .confinement(let name, let file, let contents):
            string(name)
            string(file)
            data(Array(contents.utf8))
            return BERTH_STEP_CONFINEMENT
        case .oomScore(let score):
            string(String(score))
            return BERTH_STEP_OOM_SCORE
        case .initFile: return BERTH_STEP_INIT_FILE
        case .becomeInit(let arguments, let environment):
            for list in [arguments, environment] { strings(list) }
            return BERTH_STEP_INIT
        case .bindFrom(let namespace, let source, let target, let attributes):
            for text in [namespace, source, target] { string(text) }
            number(attributes)
            return BERTH_STEP_BIND_FROM
        case .execute(let arguments, let environment, let searchPath):
            for list in [arguments, environment] { strings(list) }
            string(searchPath)
            return BERTH_STEP_EXECUTE
        }
    }

    private mutating func strings(_ list: [String]) {
        number(UInt64(list.count))
        for text in list { string(text) }
    }
}
