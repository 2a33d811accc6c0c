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
        let names = ["x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"]
        if parts.count == 1 {
            if ["linux", "windows", "darwin"].contains(parts[0]) {
                self.init(os: parts[0], architecture: Platform.host.architecture)
            } else {
                self.init(os: "linux", architecture: names[parts[0]] ?? parts[0])
            }
        } else {
            self.init(os: parts[0], architecture: names[parts[1]] ?? parts[1], variant: parts.count == 3 ? parts[2] : nil)
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
    /// the order is the field's): of `arm` from `v8` down to `v5`, of `amd64` from `v4` down to `v1`. `arm64` also runs 32-bit programs, if
    /// there is nothing else. No variant means `v7` of `arm`, `v8` of `arm64`, `v1` of `amd64`.
    public func preference(for wanted: Platform) -> Int? {
        guard os == wanted.os else { return nil }
        if architecture == wanted.architecture {
            if effectiveVariant == wanted.effectiveVariant { return 0 }
            guard let own = variantNumber, let most = wanted.variantNumber, own <= most else { return nil }
            return most - own
        }
        guard wanted.architecture == "arm64", architecture == "arm", let own = variantNumber, own <= 8 else { return nil }
        return 100 + 8 - own
    }

    private var effectiveVariant: String? {
        if let variant, !variant.isEmpty { return variant }
        return ["arm": "v7", "arm64": "v8", "amd64": "v1"][architecture]
    }

    private var variantNumber: Int? { effectiveVariant.flatMap { $0.hasPrefix("v") ? Int($0.dropFirst()) : nil } }
}
