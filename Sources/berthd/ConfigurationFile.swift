internal import Berth
internal import BerthLinux
internal import FoundationEssentials

/// The daemon's configuration file: those keys of dockerd's `daemon.json` that exist here, under the same names.
struct ConfigurationFile: Decodable {
    // Of the daemon.
    var hosts: [String]?
    var root: String?
    var execRoot: String?
    var group: String?
    var pidFile: String?
    var logLevel: String?
    var isDebugging: Bool?
    var labels: [String]?
    var usesSELinux: Bool?
    var keepsContainers: Bool?
    // Of registries.
    var registryMirrors: [String]?
    var insecureRegistries: [String]?
    var maxConcurrentDownloads: Int?
    var maxConcurrentUploads: Int?
    var maxDownloadAttempts: Int?
    var offline: Bool?
    // Of containers that say nothing of it.
    var logDriver: String?
    var logOptions: [String: String]?
    var defaultUlimits: Limits?
    var defaultShmSize: Size?
    var defaultIPCMode: String?
    var defaultCgroupnsMode: String?
    var cgroupParent: String?
    var runsInit: Bool?
    var noNewPrivileges: Bool?
    var seccompProfile: String?
    var nameServers: [String]?
    var nameSearch: [String]?
    var nameOptions: [String]?
    var deviceDirectories: [String]?
    // Of networks of which nobody says it.
    var addressPools: [AddressPool]?
    var bridgeAddress: String?
    var bridgeAddress6: String?
    var bridgeRange: String?
    var bridgeRange6: String?
    var enablesIPv6: Bool?
    var mtu: Int?
    var connectsContainers: Bool?
    var masquerades: Bool?
    var publishAddress: String?

    private enum Key: String, CodingKey, CaseIterable {
        case hosts
        case root = "data-root"
        case execRoot = "exec-root"
        case group
        case pidFile = "pidfile"
        case logLevel = "log-level"
        case isDebugging = "debug"
        case labels
        case usesSELinux = "selinux-enabled"
        case keepsContainers = "live-restore"
        case registryMirrors = "registry-mirrors"
        case insecureRegistries = "insecure-registries"
        case maxConcurrentDownloads = "max-concurrent-downloads"
        case maxConcurrentUploads = "max-concurrent-uploads"
        case maxDownloadAttempts = "max-download-attempts"
        case offline
        case logDriver = "log-driver"
        case logOptions = "log-opts"
        case defaultUlimits = "default-ulimits"
        case defaultShmSize = "default-shm-size"
        case defaultIPCMode = "default-ipc-mode"
        case defaultCgroupnsMode = "default-cgroupns-mode"
        case cgroupParent = "cgroup-parent"
        case runsInit = "init"
        case noNewPrivileges = "no-new-privileges"
        case seccompProfile = "seccomp-profile"
        case nameServers = "dns"
        case nameSearch = "dns-search"
        case nameOptions = "dns-opts"
        case deviceDirectories = "cdi-spec-dirs"
        case addressPools = "default-address-pools"
        case bridgeAddress = "bip"
        case bridgeAddress6 = "bip6"
        case bridgeRange = "fixed-cidr"
        case bridgeRange6 = "fixed-cidr-v6"
        case enablesIPv6 = "ipv6"
        case mtu
        case connectsContainers = "icc"
        case masquerades = "ip-masq"
        case publishAddress = "ip"
    }
    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// `{"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}`.
    struct Limits: Decodable {
        private struct Limit: Decodable {
            var name: String?
            var soft: Int64
            var hard: Int64
            private enum CodingKeys: String, CodingKey { case name = "Name", soft = "Soft", hard = "Hard" }
        }
        let limits: [ResourceLimit]

        init(from decoder: any Decoder) throws {
            let found = try [String: Limit](from: decoder).sorted { $0.key < $1.key }
            limits = found.map { ResourceLimit(name: $1.name ?? $0, soft: $1.soft, hard: $1.hard) }
        }
    }

    /// `{"base": "10.10.0.0/16", "size": 24}`.
    struct AddressPool: Decodable {
        var base: String
        var size: Int
    }

    /// A number of bytes, or a text such as `64m`.
    struct Size: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let number = try? value.decode(UInt64.self) { text = String(number) } else { text = try value.decode(String.self) }
        }
    }

    /// Nothing said.
    init() {}

    init(from decoder: any Decoder) throws {
        let all = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        let unknown = all.filter { Key(rawValue: $0) == nil }.sorted()
        guard unknown.isEmpty else {
            throw Refusal("the following directives don't match any configuration option: \(unknown.joined(separator: ", "))")
        }
        let values = try decoder.container(keyedBy: Key.self)
        func value<Value: Decodable>(_ key: Key) throws -> Value? { try values.decodeIfPresent(Value.self, forKey: key) }
        (hosts, root, execRoot, group) = (try value(.hosts), try value(.root), try value(.execRoot), try value(.group))
        (pidFile, logLevel, isDebugging) = (try value(.pidFile), try value(.logLevel), try value(.isDebugging))
        (labels, usesSELinux, keepsContainers) = (try value(.labels), try value(.usesSELinux), try value(.keepsContainers))
        (registryMirrors, insecureRegistries) = (try value(.registryMirrors), try value(.insecureRegistries))
        (maxConcurrentDownloads, maxConcurrentUploads) = (try value(.maxConcurrentDownloads), try value(.maxConcurrentUploads))
        (maxDownloadAttempts, offline) = (try value(.maxDownloadAttempts), try value(.offline))
        (logDriver, logOptions, defaultUlimits) = (try value(.logDriver), try value(.logOptions), try value(.defaultUlimits))
        (defaultShmSize, defaultIPCMode) = (try value(.defaultShmSize), try value(.defaultIPCMode))
        (defaultCgroupnsMode, cgroupParent) = (try value(.defaultCgroupnsMode), try value(.cgroupParent))
        (runsInit, noNewPrivileges, seccompProfile) = (try value(.runsInit), try value(.noNewPrivileges), try value(.seccompProfile))
        (nameServers, nameSearch, nameOptions) = (try value(.nameServers), try value(.nameSearch), try value(.nameOptions))
        (deviceDirectories, addressPools) = (try value(.deviceDirectories), try value(.addressPools))
        (bridgeAddress, bridgeAddress6) = (try value(.bridgeAddress), try value(.bridgeAddress6))
        (bridgeRange, bridgeRange6, enablesIPv6) = (try value(.bridgeRange), try value(.bridgeRange6), try value(.enablesIPv6))
        (mtu, connectsContainers, masquerades) = (try value(.mtu), try value(.connectsContainers), try value(.masquerades))
        publishAddress = try value(.publishAddress)
        guard keepsContainers != false else {
            throw Refusal("live-restore cannot be false here: containers run on when the daemon ends, however it ends")
        }
    }

    /// What a flag or this file says.
    ///
    /// - Throws: ``Refusal`` where both do, as dockerd refuses it.
    func one<Value>(_ key: String, _ flag: Value?, _ inFile: Value?) throws -> Value? {
        guard flag == nil || inFile == nil else {
            let (said, read) = (Self.words(of: flag), Self.words(of: inFile))
            throw Refusal(
                "unable to configure the daemon: the following directives are specified both as a flag and in the configuration file: \(key): (from flag: \(said), from file: \(read))"
            )
        }
        return flag ?? inFile
    }

    private static func words<Value>(of value: Value?) -> String {
        switch value {
        case let texts as [String]: "[\(texts.joined(separator: " "))]"
        case let value?: "\(value)"
        case nil: ""
        }
    }

    /// The same of flags that may be given several times.
    func one<Element>(_ key: String, _ flags: [Element], _ inFile: [Element]?) throws -> [Element]? {
        try one(key, flags.isEmpty ? nil : flags, inFile)
    }

    /// Where it is, unless a flag says otherwise.
    static let standardPath = "/etc/berth/daemon.json"
    private static let maximumByteCount = 1 << 20

    /// Reads it.
    ///
    /// - Parameter path: where it must be; `nil` for the standard path, where it need not be.
    static func read(_ path: String?) throws -> ConfigurationFile {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try HostFile.read(path ?? standardPath, limit: maximumByteCount) } catch {
            if path == nil, error == .ENOENT { return ConfigurationFile() }
            throw Refusal("unable to configure the daemon with file \(path ?? standardPath): \(error)")
        }
        do { return try JSONDecoder().decode(ConfigurationFile.self, from: Data(bytes)) } catch {
            throw Refusal("unable to configure the daemon with file \(path ?? standardPath): \(Self.words(of: error))")
        }
    }

    private static func words(of error: any Error) -> String {
        switch error {
        case let error as Refusal: error.description
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "\(context.codingPath.last?.stringValue ?? "it") is of another kind than it must be"
        default: "it is no JSON object"
        }
    }
}
