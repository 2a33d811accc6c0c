internal import BerthLaunch
internal import BerthLinux

/// What the options of the driver `fluentd` say, by Docker's rules.
struct FluentSettings: Hashable, Sendable {
    private enum Address: Hashable {
        case unix(path: String)
        case tcp(HostAndPort)
        case tls(HostAndPort)
    }
    private let address: Address
    private let isAsynchronous: Bool
    private let roomByteCount: UInt64
    private let retryMilliseconds: UInt64
    private let maximumRetryCount: UInt64
    private let hasNanoseconds: Bool
    private let asksForAnswers: Bool

    /// Docker's names of the options.
    static let optionNames: Set<String> = [
        "fluentd-address", "fluentd-async", "fluentd-async-connect", "fluentd-buffer-limit", "fluentd-retry-wait", "fluentd-max-retries",
        "fluentd-sub-second-precision", "fluentd-request-ack",
    ]
    private static let port: UInt16 = 24224

    /// - Throws: `invalid`, `unsupported`.
    init(_ options: [String: String]) throws(ContainerError) {
        func flag(_ name: String) throws(ContainerError) -> Bool { try options[name].map(OptionText.flag) ?? false }
        address = try Self.address(options["fluentd-address"] ?? "")
        guard options["fluentd-async"] == nil || options["fluentd-async-connect"] == nil else {
            throw ContainerError(.invalid, "conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect'")
        }
        let flags = (try flag("fluentd-async"), try flag("fluentd-async-connect"))
        isAsynchronous = flags.0 || flags.1
        roomByteCount = try options["fluentd-buffer-limit"].map(OptionText.memorySize) ?? 1 << 20
        retryMilliseconds = try options["fluentd-retry-wait"].map(OptionText.milliseconds) ?? 1000
        maximumRetryCount = try options["fluentd-max-retries"].map(OptionText.count) ?? UInt64(Int32.max)
        hasNanoseconds = try flag("fluentd-sub-second-precision")
        asksForAnswers = try flag("fluentd-request-ack")
    }

    private static func address(_ text: String) throws(ContainerError) -> Address {
        let wrong = { (why: String) in ContainerError(.invalid, "invalid fluentd-address \(text): \(why)") }
        guard let mark = text.firstRange(of: "://") else { return .tcp(try hostAndPort(text, wrong)) }
        let rest = String(text[mark.upperBound...])
        switch text[..<mark.lowerBound] {
        case "unix":
            guard rest.hasPrefix("/"), rest != "/" else { throw wrong("path is empty") }
            return .unix(path: rest)
        case "tcp": return .tcp(try hostAndPort(rest, wrong))
        case "tls": return .tls(try hostAndPort(rest, wrong))
        case let scheme: throw wrong("unsupported scheme: '\(scheme)'")
        }
    }

    private static func hostAndPort(_ text: String, _ wrong: (String) -> ContainerError) throws(ContainerError) -> HostAndPort {
        do throws(ContainerError) { return try HostAndPort(parsing: text) } catch { throw wrong(error.description) }
    }

    /// Where a container's entries are sent. Asks for an address, which blocks.
    func receiver(tag: String, _ facts: LogAttributes.Facts, _ attributes: [String: String]) throws(ContainerError) -> LogReceiver {
        let (place, name): (LogReceiver.Place, String)
        switch address {
        case .unix(let path): (place, name) = (.stream(path: path), "unix \(path)")
        case .tcp(let address):
            let endpoint = try HostLookup.endpoint(address.host, port: address.port ?? Self.port, isStream: true)
            (place, name) = (.tcp(endpoint), "tcp \(address.host.isEmpty ? "127.0.0.1" : address.host):\(endpoint.port)")
        case .tls(let address):
            let endpoint = try HostLookup.endpoint(address.host, port: address.port ?? Self.port, isStream: true)
            (place, name) = (.relayed(try TLSSettings().relay(to: endpoint, of: address)), "tls \(address.host):\(endpoint.port)")
        }
        var fields = attributes
        // What the entry itself says has these names.
        for name in ["source", "log"] { fields[name] = nil }
        fields["container_id"] = facts.names[.id] ?? ""
        fields["container_name"] = "/" + (facts.names[.name] ?? "")
        let ordered = fields.sorted { $0.key < $1.key }.map { LogReceiver.Field($0.key, $0.value) }
        var receiver = LogReceiver(
            place, name: name, .fluent(tag: tag, ordered, hasNanoseconds: hasNanoseconds, asksForAnswers: asksForAnswers))
        receiver.isNeededAtStart = !isAsynchronous
        (receiver.isWaitedFor, receiver.roomByteCount) = (!isAsynchronous, roomByteCount)
        (receiver.retryMilliseconds, receiver.maximumFailureCount) = (retryMilliseconds, maximumRetryCount)
        return receiver
    }
}
