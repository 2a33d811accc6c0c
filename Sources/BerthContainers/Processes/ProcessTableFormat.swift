internal import BerthLinux
internal import Glibc

/// The columns that `ps` would show with some options, and how it would show them. The kernel is read; no program is run.
struct ProcessTableFormat: Hashable, Sendable {
    /// A column.
    struct Column: Hashable, Sendable {
        var title: String
        var value: Value
    }
    /// What is shown of a process.
    enum Value: Hashable, Sendable {
        case id, parentID, groupID, sessionID, threadCount
        case user, userID, realUser, realUserID, group, groupIDNumber
        case processorPercent, wholeProcessorPercent, memoryPercent, virtualSize, residentSize
        case terminal, state, longState, start, longStart, time, shortTime, elapsed, elapsedSeconds
        case priority, niceness, processor
        case name, command
    }
    let columns: [Column]

    /// Reads options as `ps` does.
    ///
    /// - Throws: `unsupported` for what is not shown here, `invalid` without the column `PID`.
    init(parsing text: String) throws(ContainerError) {
        var words = text.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)[...]
        var (chosen, style): ([Column], Style) = ([], .plain)
        while let word = words.popFirst() {
            if word.hasPrefix("--") {
                guard word == "--format" || word.hasPrefix("--format=") else { throw Self.refusal(word) }
                let list = word == "--format" ? words.popFirst() ?? "" : String(word.dropFirst("--format=".count))
                chosen += try Self.columns(list)
                continue
            }
            var letters = Substring(word)
            let isUnix = letters.first == "-"
            if isUnix { letters.removeFirst() }
            while let letter = letters.popFirst() {
                switch (letter, isUnix) {
                // Which processes are shown is the container's business.
                case ("e", true), ("A", true), ("a", _), ("x", _), ("w", _): continue
                case ("f", true): style = style == .extra ? .extra : .full
                case ("F", true): style = .extra
                case ("j", true): style = .jobs
                case ("u", _): style = .user
                case ("o", _):
                    let list = letters.isEmpty ? words.popFirst() ?? "" : String(letters)
                    letters = ""
                    chosen += try Self.columns(list)
                default: throw Self.refusal((isUnix ? "-" : "") + String(letter))
                }
            }
        }
        columns = chosen.isEmpty ? style.columns : chosen
        guard columns.contains(where: { $0.title == "PID" }) else { throw ContainerError(.invalid, "Couldn't find PID field in ps output") }
    }

    private static func refusal(_ option: String) -> ContainerError {
        ContainerError(
            .unsupported,
            "the ps option '\(option)' is not supported here: take -ef, -eF, aux, -ej, or -o with some of \(known.keys.sorted().joined(separator: ","))"
        )
    }

    private enum Style {
        case plain, full, extra, jobs, user

        var columns: [Column] {
            let names =
                switch self {
                case .plain: "pid,tty,time,cmd"
                case .full: "uid_,pid,ppid,c,stime,tty,time,cmd"
                case .extra: "uid_,pid,ppid,c,sz,rss,psr,stime,tty,time,cmd"
                case .jobs: "pid,pgid,sid_,tty,time,cmd"
                case .user: "user,pid,%cpu,%mem,vsz,rss,tty_,stat,start,bsdtime,command"
                }
            return names.split(separator: ",").compactMap { name in
                switch name {
                case "uid_": Column(title: "UID", value: .user)
                case "sid_": Column(title: "SID", value: .sessionID)
                case "tty", "tty_": Column(title: "TTY", value: .terminal)
                case "sz": Column(title: "SZ", value: .virtualSize)
                default: known[String(name)]
                }
            }
        }
    }

    /// A list as `pid,user=WHO,args`.
    private static func columns(_ list: String) throws(ContainerError) -> [Column] {
        var columns: [Column] = []
        for part in list.split(separator: ",", omittingEmptySubsequences: true) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard var column = known[String(pair[0])] else {
                throw ContainerError(
                    .unsupported,
                    "the ps column '\(pair[0])' is not supported here: take some of \(known.keys.sorted().joined(separator: ","))")
            }
            if pair.count == 2 { column.title = String(pair[1]) }
            columns.append(column)
        }
        guard !columns.isEmpty else { throw ContainerError(.invalid, "the ps option -o names no columns") }
        return columns
    }

    private static let known: [String: Column] = {
        var all: [String: Column] = [:]
        for (names, title, value) in [
            ("pid tgid", "PID", .id), ("ppid", "PPID", .parentID), ("pgid pgrp", "PGID", .groupID),
            ("sid sess session", "SESS", .sessionID),
            ("nlwp thcount", "NLWP", .threadCount), ("user uname euser", "USER", .user), ("uid euid", "UID", .userID),
            ("ruser", "RUSER", .realUser), ("ruid", "RUID", .realUserID), ("group egroup", "GROUP", .group),
            ("gid egid", "GID", .groupIDNumber), ("%cpu pcpu", "%CPU", .processorPercent), ("c", "C", .wholeProcessorPercent),
            ("%mem pmem", "%MEM", .memoryPercent), ("vsz vsize", "VSZ", .virtualSize), ("rss rssize rsz", "RSS", .residentSize),
            ("tty tt tname", "TT", .terminal), ("s state", "S", .state), ("stat", "STAT", .longState), ("stime", "STIME", .start),
            ("start start_time bsdstart", "START", .start), ("lstart", "STARTED", .longStart), ("time cputime", "TIME", .time),
            ("bsdtime", "TIME", .shortTime), ("etime", "ELAPSED", .elapsed), ("etimes", "ELAPSED", .elapsedSeconds),
            ("pri", "PRI", .priority), ("ni nice", "NI", .niceness), ("psr", "PSR", .processor), ("comm ucmd ucomm", "COMMAND", .name),
            ("args command", "COMMAND", .command), ("cmd", "CMD", .command),
        ] as [(String, String, Value)] {
            for name in names.split(separator: " ") { all[String(name)] = Column(title: title, value: value) }
        }
        all["tname"]?.title = "TTY"
        return all
    }()
}

/// What the values of a table are relative to.
struct ProcessTableFacts: Sendable {
    /// Now, in nanoseconds since 1970.
    var now: Int64
    /// The machine's memory.
    var memoryByteCount: UInt64
    /// The host's names of users and groups.
    var users: [UInt32: String]
    var groups: [UInt32: String]
}

extension ProcessTableFormat {
    /// One process's line: what `ps` prints, taken apart at its spaces, all that is left being in the last column.
    func row(_ process: ProcessReading, _ facts: ProcessTableFacts) -> [String] {
        columns.map { text($0.value, process, facts).split(separator: " ").joined(separator: " ") }
    }

    private func text(_ value: Value, _ process: ProcessReading, _ facts: ProcessTableFacts) -> String {
        let elapsed = max(0, facts.now - process.startedAt)
        switch value {
        case .id: return String(process.id)
        case .parentID: return String(process.parentID)
        case .groupID: return String(process.groupID)
        case .sessionID: return String(process.sessionID)
        case .threadCount: return String(process.threadCount)
        case .user: return Self.name(process.userIDs[1], facts.users)
        case .userID: return String(process.userIDs[1])
        case .realUser: return Self.name(process.userIDs[0], facts.users)
        case .realUserID: return String(process.userIDs[0])
        case .group: return Self.name(process.groupIDs[1], facts.groups)
        case .groupIDNumber: return String(process.groupIDs[1])
        case .processorPercent:
            let tenths = elapsed > 0 ? Int64(process.processorTime) * 1000 / elapsed : 0
            return tenths > 999 ? String(tenths / 10) : "\(tenths / 10).\(tenths % 10)"
        case .wholeProcessorPercent: return String(min(99, elapsed > 0 ? Int64(process.processorTime) * 100 / elapsed : 0))
        case .memoryPercent:
            let tenths = min(999, process.residentByteCount * 1000 / max(1, facts.memoryByteCount))
            return "\(tenths / 10).\(tenths % 10)"
        case .virtualSize: return String(process.virtualByteCount >> 10)
        case .residentSize: return String(process.residentByteCount >> 10)
        case .terminal: return Self.terminal(process.terminal)
        case .state: return String(process.state)
        case .longState: return Self.longState(process)
        case .start: return Self.start(process.startedAt, facts.now)
        case .longStart: return Self.local(process.startedAt, "%a %b %e %H:%M:%S %Y")
        case .time: return Self.clock(Int64(process.processorTime / 1_000_000_000), hours: true)
        case .shortTime:
            let seconds = process.processorTime / 1_000_000_000
            return "\(seconds / 60):\(Self.two(Int64(seconds % 60)))"
        case .elapsed: return Self.clock(elapsed / 1_000_000_000, hours: false)
        case .elapsedSeconds: return String(elapsed / 1_000_000_000)
        case .priority: return String(39 - process.priority)
        case .niceness: return String(process.niceness)
        case .processor: return String(process.processor)
        case .name: return Self.printable(process.name) + (process.state == "Z" ? " <defunct>" : "")
        case .command:
            if process.arguments.isEmpty { return "[\(Self.printable(process.name))]" + (process.state == "Z" ? " <defunct>" : "") }
            return process.arguments.map(Self.printable).joined(separator: " ")
        }
    }

    /// What is wider than its column is cut, and says so.
    private static func name(_ id: UInt32, _ names: [UInt32: String]) -> String {
        guard let name = names[id] else { return String(id) }
        return name.count > 8 ? name.prefix(7) + "+" : name
    }

    private static func terminal(_ device: DeviceNumber?) -> String {
        guard let device else { return "?" }
        switch device.major {
        case 136...143: return "pts/\((device.major - 136) << 8 + device.minor)"
        case 4: return device.minor < 64 ? "tty\(device.minor)" : "ttyS\(device.minor - 64)"
        case 5: return device.minor == 1 ? "console" : "?"
        default: return "?"
        }
    }

    private static func longState(_ process: ProcessReading) -> String {
        var text = String(process.state)
        if process.niceness < 0 { text += "<" } else if process.niceness > 0 { text += "N" }
        if process.lockedByteCount > 0 { text += "L" }
        if process.sessionID == process.id { text += "s" }
        if process.threadCount > 1 { text += "l" }
        if process.terminal != nil, process.isForeground { text += "+" }
        return text
    }

    private static func start(_ started: Int64, _ now: Int64) -> String {
        if local(started, "%Y%j") == local(now, "%Y%j") { return local(started, "%H:%M") }
        return local(started, local(started, "%Y") == local(now, "%Y") ? "%b%d" : "%Y")
    }

    private static func local(_ nanoseconds: Int64, _ format: String) -> String {
        var (seconds, parts) = unsafe (time_t(nanoseconds / 1_000_000_000), tm())
        guard unsafe localtime_r(&seconds, &parts) != nil else { return "?" }
        var text = [CChar](repeating: 0, count: 64)
        let count = unsafe strftime(&text, text.count, format, &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : String(number) }

    /// `[DD-]HH:MM:SS`, or `[[DD-]HH:]MM:SS`.
    private static func clock(_ seconds: Int64, hours: Bool) -> String {
        let (days, hour) = (seconds / 86400, seconds / 3600 % 24)
        let rest = "\(two(seconds / 60 % 60)):\(two(seconds % 60))"
        if days > 0 { return "\(hours ? two(days) : two(days))-\(two(hour)):\(rest)" }
        return hours || hour > 0 ? "\(two(hour)):\(rest)" : rest
    }

    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? $0 == "\n" || $0 == "\t" ? " " : "?" : $0 }))
    }
}
