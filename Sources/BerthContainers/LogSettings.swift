internal import BerthLaunch

/// What a log driver's options say, by Docker's rules.
struct LogSettings: Hashable, Sendable {
    /// When a file of the log is full; `nil` is never.
    private(set) var maximumByteCount: UInt64?
    /// How many files there are at most.
    private(set) var fileCount: Int
    /// Whether full files are compressed.
    private(set) var compresses: Bool
    private let attributes: LogAttributes

    /// Unless told otherwise, a log takes no more than a hundred million bytes: as much as Docker's driver `local` keeps.
    static let defaultMaximumByteCount: UInt64 = 20_000_000
    static let defaultFileCount = 5
    /// The most files that may be asked for.
    static let fileCountLimit = 1000

    /// - Throws: `invalid` for an option that there is none of, and for a value that cannot be one; `unsupported`.
    init(_ driver: LogDriver, _ options: [String: String]) throws(ContainerError) {
        (maximumByteCount, fileCount) = (Self.defaultMaximumByteCount, Self.defaultFileCount)
        compresses = driver == .local
        attributes = try LogAttributes(driver == .jsonFile ? options : [:])
        guard driver != .none else { return }
        try Self.checkMode(options)
        try Self.checkNames(options, of: driver)
        if let size = options["max-size"] { maximumByteCount = try LogOptionText.size(size, of: "max-size") }
        if let count = options["max-file"] { fileCount = try Self.fileCount(count, option: "max-file") }
        if let text = options["compress"] { compresses = try LogOptionText.flag(text) }
        guard compresses, fileCount == 1 || maximumByteCount == nil else { return }
        // Who has not asked for it does not have to take it back, but for Docker's clients, who know that they must.
        throw ContainerError(
            .invalid,
            driver == .local
                ? "compression cannot be enabled when max file count is 1"
                : "compress cannot be true when max-file is less than 2 or max-size is not set")
    }

    private static func checkMode(_ options: [String: String]) throws(ContainerError) {
        switch options["mode"] ?? "" {
        case "", "blocking":
            guard options["max-buffer-size"] == nil else {
                throw ContainerError(.invalid, "logger: max-buffer-size option is only supported with 'mode=non-blocking'")
            }
        case "non-blocking":
            throw ContainerError(
                .unsupported,
                "the log mode 'non-blocking' is not supported here: the log is written by a process of its own, mode=blocking")
        case let mode: throw ContainerError(.invalid, "logger: logging mode not supported: \(mode)")
        }
    }

    private static func checkNames(_ options: [String: String], of driver: LogDriver) throws(ContainerError) {
        var known: Set<String> = ["mode", "max-buffer-size", "max-size", "max-file", "compress"]
        if driver == .jsonFile { known.formUnion(LogAttributes.optionNames) }
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

    /// What the monitor is told.
    func log(named name: String, _ facts: LogAttributes.Facts) throws(ContainerError) -> MonitoredLog {
        var log = MonitoredLog(name: name)
        (log.maximumByteCount, log.fileCount, log.compresses) = (maximumByteCount ?? 0, UInt64(fileCount), compresses)
        log.attributes = try attributes.member(facts)
        return log
    }
}
