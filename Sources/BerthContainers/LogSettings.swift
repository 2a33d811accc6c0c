internal import BerthLaunch

/// What a log driver's options say, by Docker's rules.
struct LogSettings: Hashable, Sendable {
    /// Whether there is a file: the log itself, or what of it is kept beside its receiver, so that it can be read here.
    private(set) var keepsFile = false
    /// When a file of the log is full; `nil` is never.
    private(set) var maximumByteCount: UInt64? = Self.defaultMaximumByteCount
    /// How many files there are at most.
    private(set) var fileCount = Self.defaultFileCount
    /// Whether full files are compressed.
    private(set) var compresses = false
    private let attributes: LogAttributes
    private var mode = LogMode()
    private var receiver = Receiver.none

    private enum Receiver: Hashable {
        case none
        case syslog(SyslogSettings)
        case journal
        case fluent(FluentSettings)
    }

    /// Unless told otherwise, a log takes no more than a hundred million bytes: as much as Docker's driver `local` keeps.
    static let defaultMaximumByteCount: UInt64 = 20_000_000
    static let defaultFileCount = 5
    /// The most files that may be asked for.
    static let fileCountLimit = 1000

    /// - Throws: `invalid` for an option that there is none of, and for a value that cannot be one.
    init(_ driver: LogDriver, _ options: [String: String]) throws(ContainerError) {
        attributes = try LogAttributes(driver == .local || driver == .none ? [:] : options)
        guard driver != .none else { return }
        mode = try LogMode(options)
        let isKept = try Self.keepsCopy(options)
        try Self.checkNames(options, of: driver)
        switch driver {
        case .jsonFile: try takeFile(options, prefix: "", compressing: false)
        case .local: try takeFile(options, prefix: "", compressing: true)
        case .syslog: receiver = .syslog(try SyslogSettings(options))
        case .journald: receiver = .journal
        case .fluentd: receiver = .fluent(try FluentSettings(options))
        case .none, .default: break
        }
        if driver.hasReceiver, isKept { try takeFile(options, prefix: "cache-", compressing: true) }
    }

    /// How the file is kept; the options of a copy's have a prefix.
    private mutating func takeFile(_ options: [String: String], prefix: String, compressing: Bool) throws(ContainerError) {
        (keepsFile, compresses) = (true, compressing)
        if let size = options[prefix + "max-size"] { maximumByteCount = try OptionText.size(size, of: prefix + "max-size") }
        if let count = options[prefix + "max-file"] { fileCount = try Self.fileCount(count, option: prefix + "max-file") }
        if let text = options[prefix + "compress"] { compresses = try OptionText.flag(text) }
        guard compresses, fileCount == 1 || maximumByteCount == nil else { return }
        throw ContainerError(
            .invalid,
            compressing
                ? "compression cannot be enabled when max file count is 1"
                : "compress cannot be true when max-file is less than 2 or max-size is not set")
    }

    private static func keepsCopy(_ options: [String: String]) throws(ContainerError) -> Bool {
        guard let text = options["cache-disabled"] else { return true }
        do throws(ContainerError) { return try !OptionText.flag(text) } catch {
            throw ContainerError(.invalid, "invalid value for option cache-disabled: \(text)")
        }
    }

    private static func checkNames(_ options: [String: String], of driver: LogDriver) throws(ContainerError) {
        var known: Set<String> = ["mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"]
        if !driver.hasReceiver { known.formUnion(["max-size", "max-file", "compress"]) }
        if driver != .local { known.formUnion(LogAttributes.optionNames) }
        if driver == .syslog { known.formUnion(SyslogSettings.optionNames) }
        if driver == .fluentd { known.formUnion(FluentSettings.optionNames) }
        guard let unknown = options.keys.filter({ !known.contains($0) }).min() else { return }
        throw ContainerError(
            .invalid, "unknown log opt '\(unknown)' for \(driver == .local ? "log driver local" : "\(driver.rawValue) log driver")")
    }

    private static func fileCount(_ text: String, option: String) throws(ContainerError) -> Int {
        guard let count = Int(text) else { throw ContainerError(.invalid, "invalid value for \(option): \(text): it must be a number") }
        guard count >= 1 else { throw ContainerError(.invalid, "\(option) cannot be less than 1") }
        guard count <= fileCountLimit else {
            throw ContainerError(.invalid, "\(option) is \(count): at most \(fileCountLimit) files are kept")
        }
        return count
    }

    /// What the monitor is told. Asks where receivers are, which blocks.
    func log(named name: String, hostname: String, _ facts: LogAttributes.Facts) throws(ContainerError) -> MonitoredLog {
        var log = MonitoredLog(name: keepsFile ? name : "")
        (log.maximumByteCount, log.fileCount, log.compresses) = (maximumByteCount ?? 0, UInt64(fileCount), compresses)
        log.receiver = try receiver(hostname: hostname, facts)
        guard log.receiver == nil else { return log }
        // A receiver has them in each entry: what is kept beside it does without, as with Docker.
        log.attributes = try attributes.member(facts)
        // With no room at all, one entry can wait.
        if keepsFile, !mode.blocks { log.roomByteCount = max(1, mode.roomByteCount) }
        return log
    }

    private func receiver(hostname: String, _ facts: LogAttributes.Facts) throws(ContainerError) -> LogReceiver? {
        let tag = (attributes.tag ?? .standard).filled(facts.names)
        var found: LogReceiver
        switch receiver {
        case .none: return nil
        case .syslog(let settings): found = try settings.receiver(tag: tag, hostname: hostname)
        case .journal: found = try JournalSettings.receiver(tag: tag, facts, try attributes.texts(facts))
        case .fluent(let settings): found = try settings.receiver(tag: tag, facts, try attributes.texts(facts))
        }
        if !mode.blocks { (found.isWaitedFor, found.roomByteCount) = (false, mode.roomByteCount) }
        return found
    }
}

/// Whether a container waits for its log.
struct LogMode: Hashable, Sendable {
    private(set) var blocks = true
    /// What is kept for a log that is not waited for. Default 1 MiB, as with Docker.
    private(set) var roomByteCount: UInt64 = 1 << 20

    init() {}

    /// - Throws: `invalid`.
    init(_ options: [String: String]) throws(ContainerError) {
        let mode = options["mode"] ?? ""
        guard ["", "blocking", "non-blocking"].contains(mode) else {
            throw ContainerError(.invalid, "logger: logging mode not supported: \(mode)")
        }
        blocks = mode != "non-blocking"
        guard let size = options["max-buffer-size"] else { return }
        guard !blocks else {
            throw ContainerError(.invalid, "logger: max-buffer-size option is only supported with 'mode=non-blocking'")
        }
        do throws(ContainerError) { roomByteCount = try OptionText.memorySize(size) } catch {
            throw ContainerError(.invalid, "error parsing option max-buffer-size: \(error.description)")
        }
    }
}
