internal import BerthLinux
internal import BerthOCI
internal import FoundationEssentials

/// Devices as their vendors describe them: the files of the Container Device Interface, of which each says what a container needs for a device.
struct DeviceDescriptions: Sendable {
    /// What a container gets.
    struct Edits: Decodable, Sendable, Hashable {
        struct Node: Decodable, Sendable, Hashable {
            var path: String
            var hostPath: String?
            var type: String?
            var major: Int64?
            var minor: Int64?
            var fileMode: UInt32?
            var permissions: String?
            var uid: UInt32?
            var gid: UInt32?
        }
        struct Mount: Decodable, Sendable, Hashable {
            var hostPath: String
            var containerPath: String
            var options: [String]?
            var type: String?
        }
        struct Hook: Decodable, Sendable, Hashable {
            var hookName: String
            var path: String
            var args: [String]?
            var env: [String]?
            var timeout: Int?
        }
        var env: [String]?
        var deviceNodes: [Node]?
        var mounts: [Mount]?
        var hooks: [Hook]?
        var additionalGids: [UInt32]?
    }
    struct Specification: Decodable, Sendable {
        struct Device: Decodable, Sendable {
            var name: String
            var containerEdits: Edits?
        }
        var cdiVersion: String
        var kind: String
        var devices: [Device]?
        var containerEdits: Edits?
    }

    /// Where the files are unless the engine is told otherwise; what lies in a later one counts before what lies in an earlier one.
    static let standardDirectories = ["/etc/cdi", "/var/run/cdi"]
    /// The most bytes of one file.
    static let maximumByteCount = 4 << 20

    /// By qualified names.
    private(set) var devices: [String: (kind: String, edits: [Edits])] = [:]
    /// Files that cannot be read, and why.
    private(set) var mistakes: [String] = []

    /// Reads them. Blocks. A directory that is not there describes nothing.
    init(directories: [String] = Self.standardDirectories) {
        for directory in directories {
            guard let entries = try? Directory.open(directory).entries() else { continue }
            let names = entries.map(\.name.description).filter { $0.hasSuffix(".json") || $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }
            var here: [String: (kind: String, edits: [Edits])] = [:]
            for name in names.sorted() {
                let path = "\(directory)/\(name)"
                do {
                    let specification = try Self.read(path)
                    for device in specification.devices ?? [] {
                        let qualified = "\(specification.kind)=\(device.name)"
                        if here[qualified] != nil { mistakes.append("\(path): \(qualified) is described twice in \(directory)") }
                        here[qualified] = (specification.kind, [specification.containerEdits, device.containerEdits].compactMap(\.self))
                    }
                } catch {
                    mistakes.append("\(path): \(error)")
                }
            }
            devices.merge(here) { $1 }
        }
    }

    private static func read(_ path: String) throws -> Specification {
        let bytes = try HostFile.read(path, limit: maximumByteCount)
        if path.hasSuffix(".json") { return try JSONDecoder().decode(Specification.self, from: Data(bytes)) }
        let value = try YAML.parse(String(decoding: bytes, as: UTF8.self))
        return try JSONDecoder().decode(Specification.self, from: try JSONEncoder().encode(value))
    }

    /// What a container gets for these names. What is said for all of a kind comes once.
    ///
    /// - Throws: `invalid` naming those that nobody describes.
    func edits(for names: [String]) throws(ContainerError) -> [Edits] {
        let missing = names.filter { devices[$0] == nil }
        guard missing.isEmpty else {
            let reasons = mistakes.isEmpty ? "" : " (\(mistakes.joined(separator: "; ")))"
            throw ContainerError(
                .invalid, "CDI device injection failed: unresolvable CDI devices \(missing.joined(separator: ", "))\(reasons)")
        }
        var result: [Edits] = []
        for name in names {
            for edits in devices[name]?.edits ?? [] where !result.contains(edits) { result.append(edits) }
        }
        return result
    }

    /// The names of a kind, as `all` or by number or id.
    func names(ofKind kind: String) -> [String] { devices.filter { $0.value.kind == kind }.map(\.key).sorted() }
}

/// Devices of the host's that a container can be given by name, as `vendor.com/gpu=0`: what their vendors describe (Container Device Interface).
public struct DescribedDevices: Sendable, Hashable {
    /// Where the descriptions are.
    public var directories: [String]
    /// The qualified names.
    public var names: [String]
    /// Descriptions that cannot be read, and why.
    public var mistakes: [String]

    /// Looks at what there is now. Blocks.
    public init(in directories: [String] = ContainerDefaults().deviceDirectories) {
        let found = DeviceDescriptions(directories: directories)
        (self.directories, names, mistakes) = (directories, found.devices.keys.sorted(), found.mistakes)
    }
}
