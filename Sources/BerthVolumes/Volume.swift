public import BerthOCI

/// What a volume is to be.
public struct VolumeConfiguration: Hashable, Sendable {
    /// The name. Default `nil`: 64 hexadecimal digits are made up, and the volume is anonymous: whatever removes unused volumes may take it.
    public var name: String?
    /// Who keeps it. Default ``VolumeConfiguration/localDriver``, the only one there is.
    public var driver: String
    /// The driver's options: ``VolumeSource`` says which the local driver has. Default `nil`: none were given, which is told apart from an empty list.
    public var options: [String: String]?
    /// Labels. Default `nil`: none were given, likewise.
    public var labels: [String: String]?

    /// The driver of directories of this machine's, and of what it can mount.
    public static var localDriver: String { "local" }

    /// A volume of this name; without one, an anonymous one.
    public init(name: String? = nil, driver: String = localDriver, options: [String: String]? = nil, labels: [String: String]? = nil) {
        (self.name, self.driver, self.options, self.labels) = (name, driver, options, labels)
    }
}

/// Files that outlive containers, by a name.
public struct Volume: Hashable, Sendable {
    /// The name.
    public let name: String
    /// When it was made.
    public let createdAt: Timestamp
    /// Who keeps it.
    public let driver: String
    /// The driver's options.
    public let options: [String: String]?
    /// Labels.
    public let labels: [String: String]?
    /// The directory of its files, absolute. Of one with options nothing is there: what they say is mounted in its containers.
    public let mountPoint: String

    /// The label that says that nobody has named it, as Docker has it.
    public static var anonymousLabel: String { "com.docker.volume.anonymous" }

    /// Whether its files are what its options say, and not in its own directory.
    public var hasOptions: Bool { !(options ?? [:]).isEmpty }
    /// Whether nobody has named it.
    public var isAnonymous: Bool { labels?[Self.anonymousLabel] != nil }
}

/// What is kept of a volume (`volumes/<name>/volume.json`).
struct VolumeDocument: Sendable, Codable, Hashable {
    var createdAt: Timestamp
    var driver: String
    var options: [String: String]?
    var labels: [String: String]?
}

/// Names of volumes, in Docker's words.
enum VolumeName {
    static func check(_ name: String) throws(VolumeError) {
        guard name.utf8.count != 1 else {
            throw VolumeError(
                .invalid, "create \(name): volume name is too short, names should be at least two alphanumeric characters")
        }
        guard isValid(name) else {
            throw VolumeError(
                .invalid,
                "create \(name): \"\(printable(name))\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
            )
        }
        guard name.utf8.count <= 255 else {
            throw VolumeError(.invalid, "create \(name.prefix(32))…: volume name is too long: it may have 255 characters")
        }
    }

    static func isValid(_ name: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        }
        guard name.utf8.count >= 2, let first = name.utf8.first, isAlphanumeric(first) else { return false }
        return name.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    /// Nothing of it may move a terminal's cursor.
    private static func printable(_ name: String) -> String {
        var text = ""
        for scalar in name.unicodeScalars {
            text +=
                scalar.value < 32 || scalar.value == 127
                ? "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16) : String(scalar)
        }
        return text
    }
}
