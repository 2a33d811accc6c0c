internal import BerthLinux
internal import FoundationEssentials

/// The daemon's configuration file: those keys of dockerd's `daemon.json` that exist here, under the same names.
struct ConfigurationFile: Decodable {
    var registryMirrors: [String]?
    var insecureRegistries: [String]?
    var maxConcurrentDownloads: Int?
    var maxConcurrentUploads: Int?
    var maxDownloadAttempts: Int?
    var offline: Bool?
    var logDriver: String?
    var logOptions: [String: String]?
    var usesSELinux: Bool?

    private enum Key: String, CodingKey, CaseIterable {
        case registryMirrors = "registry-mirrors"
        case insecureRegistries = "insecure-registries"
        case maxConcurrentDownloads = "max-concurrent-downloads"
        case maxConcurrentUploads = "max-concurrent-uploads"
        case maxDownloadAttempts = "max-download-attempts"
        case offline
        case logDriver = "log-driver"
        case logOptions = "log-opts"
        case usesSELinux = "selinux-enabled"
    }
    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Where it is, unless a flag says otherwise.
    static let standardPath = "/etc/berth/daemon.json"
    private static let maximumByteCount = 1 << 20

    /// Nothing said.
    init() {}

    init(from decoder: any Decoder) throws {
        let all = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        let unknown = all.filter { Key(rawValue: $0) == nil }.sorted()
        guard unknown.isEmpty else {
            throw Refusal("the following directives don't match any configuration option: \(unknown.joined(separator: ", "))")
        }
        let values = try decoder.container(keyedBy: Key.self)
        registryMirrors = try values.decodeIfPresent([String].self, forKey: .registryMirrors)
        insecureRegistries = try values.decodeIfPresent([String].self, forKey: .insecureRegistries)
        maxConcurrentDownloads = try values.decodeIfPresent(Int.self, forKey: .maxConcurrentDownloads)
        maxConcurrentUploads = try values.decodeIfPresent(Int.self, forKey: .maxConcurrentUploads)
        maxDownloadAttempts = try values.decodeIfPresent(Int.self, forKey: .maxDownloadAttempts)
        logDriver = try values.decodeIfPresent(String.self, forKey: .logDriver)
        logOptions = try values.decodeIfPresent([String: String].self, forKey: .logOptions)
        usesSELinux = try values.decodeIfPresent(Bool.self, forKey: .usesSELinux)
        offline = try values.decodeIfPresent(Bool.self, forKey: .offline)
    }

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
