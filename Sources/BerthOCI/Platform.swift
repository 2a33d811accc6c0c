/// What a program runs on (OCI image specification, *Image Index*, "platform").
public struct Platform: Hashable, Sendable, CustomStringConvertible {
    /// The processor, in Go's words: `amd64`, `arm64`.
    public var architecture: String
    /// The operating system: `linux`.
    public var os: String
    /// The processor's variant: `v8` of `arm64`.
    public var variant: String?
    /// The operating system's version; only Windows images have one.
    public var osVersion: String?
    /// What the operating system must offer.
    public var osFeatures: [String]?
    /// The rest, kept as it came.
    public var unknown = UnknownFields()

    /// A platform of these words, taken as they are.
    public init(os: String, architecture: String, variant: String? = nil) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
    }

    /// The platform of this machine.
    public static var host: Platform {
        #if arch(x86_64)
            Platform(os: "linux", architecture: "amd64")
        #elseif arch(arm64)
            Platform(os: "linux", architecture: "arm64", variant: "v8")
        #else
            #error("Berth runs on x86-64 and arm64")
        #endif
    }

    /// Parses `linux/arm64/v8`, `linux/amd64` or `arm64`, with the field's other names (`x86_64`, `aarch64`).
    ///
    /// - Returns: `nil` for more than three parts, an empty part, or characters that no platform has.
    public init?(parsing text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { $0.lowercased() }
        let isWord: (String) -> Bool = { part in
            !part.isEmpty && part.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 95 || $0 == 46 }
        }
        guard (1...3).contains(parts.count), parts.allSatisfy(isWord) else { return nil }
        // Names that say a variant, too, unless one is given.
        let names = [
            "x86_64": ("amd64", nil), "x86-64": ("amd64", nil), "aarch64": ("arm64", nil), "i386": ("386", nil), "i686": ("386", nil),
            "armhf": ("arm", "v7"), "armel": ("arm", "v6"),
        ]
        if parts.count == 1 {
            if ["linux", "windows", "darwin"].contains(parts[0]) {
                self.init(os: parts[0], architecture: Platform.host.architecture)
            } else {
                let (architecture, variant) = names[parts[0]] ?? (parts[0], nil)
                self.init(os: "linux", architecture: architecture, variant: variant)
            }
        } else {
            let (architecture, variant) = names[parts[1]] ?? (parts[1], nil)
            self.init(os: parts[0], architecture: architecture, variant: parts.count == 3 ? parts[2] : variant)
        }
    }

    /// `os/architecture` or `os/architecture/variant`.
    public var description: String { "\(os)/\(architecture)" + (variant.map { "/\($0)" } ?? "") }
}

extension Platform: Codable, OpenObject {
    static var blank: Self { Self(os: "", architecture: "") }
    static var members: [Member<Self>] {
        [
            .required("architecture", \.architecture), .required("os", \.os), .optional("variant", \.variant),
            .optional("os.version", \.osVersion), .optional("os.features", \.osFeatures),
        ]
    }
    /// Decodes; members that are not known are kept.
    public init(from decoder: any Decoder) throws { self = try Self.read(from: decoder) }
    /// Encodes, with the members that were not known.
    public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension Platform {
    /// How well an image for this platform runs where another is wanted: the less the better, 0 is the same; `nil` if it does not.
    ///
    /// A processor runs what was made for its earlier variants, and the latest of these is the best (OCI image specification, *Image Index*, "variant";
    /// the order is the field's): of `arm` from `v8` down to `v5`, of `amd64` from `v4` down to `v1`, of `arm64` from `v9.x` down, where `v9.0` is
    /// `v8.5` and more. If there is nothing else, `arm64` also runs 32-bit programs of `arm`, and `amd64` those of `386`. No variant means `v7` of `arm`,
    /// `v8` of `arm64`, `v1` of `amd64`. An image that needs features of the system ("os.features") runs where all of them are wanted; a version of the
    /// system ("os.version") must be the same where both say one.
    public func preference(for wanted: Platform) -> Int? {
        guard os == wanted.os else { return nil }
        if let osVersion, let other = wanted.osVersion, osVersion != other { return nil }
        guard Set(osFeatures ?? []).isSubset(of: wanted.osFeatures ?? []) else { return nil }
        if architecture == wanted.architecture {
            if effectiveVariant == wanted.effectiveVariant { return 0 }
            guard let own = level, let most = wanted.level else { return nil }
            if own.major == most.major { return own.minor <= most.minor ? most.minor - own.minor : nil }
            guard architecture == "arm64", most.major == 9 else { return own.major < most.major ? most.major - own.major : nil }
            let last = most.minor + 5  // of v8: after all of v9
            return own.major == 8 && own.minor <= last ? most.minor + 1 + last - own.minor : nil
        }
        if wanted.architecture == "arm64", architecture == "arm", let own = level, own.major <= 8 { return 100 + 8 - own.major }
        return wanted.architecture == "amd64" && architecture == "386" ? 100 : nil
    }

    private var effectiveVariant: String? {
        guard let variant, !variant.isEmpty else { return ["arm": "v7", "arm64": "v8", "amd64": "v1"][architecture] }
        let text = variant.first?.isNumber ?? false ? "v" + variant : variant
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// `v8.2` as 8 and 2.
    private var level: (major: Int, minor: Int)? {
        guard let text = effectiveVariant, text.hasPrefix("v") else { return nil }
        let parts = text.dropFirst().split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0).map(Int.init) }
        guard (1...2).contains(parts.count), let major = parts[0] else { return nil }
        guard parts.count == 2 else { return (major, 0) }
        return parts[1].map { (major, $0) }
    }
}

extension Platform {
    /// The best of several for this platform: what runs best on it, and the first among equals (OCI image specification, *Image Index*).
    ///
    /// - Returns: `nil` if none of them runs on it.
    public func best<Item>(of items: some Sequence<Item>, _ platform: (Item) -> Platform) -> Item? {
        var best: (item: Item, preference: Int)?
        for item in items {
            guard let preference = platform(item).preference(for: self) else { continue }
            if best.map({ preference < $0.preference }) ?? true { best = (item, preference) }
        }
        return best?.item
    }
}
