import BerthOCI
import Testing

@Suite("Platforms")
struct PlatformTests {
    private static let armOf64 = ["linux/arm64/v8", "linux/arm/v8", "linux/arm", "linux/arm/v6", "linux/arm/v5"]

    @Test(
        "The field's names for them",
        arguments: [
            ("linux/amd64", "linux/amd64"), ("linux/arm64/v8", "linux/arm64/v8"), ("linux/x86_64", "linux/amd64"),
            ("linux/aarch64", "linux/arm64"),
            ("LINUX/AMD64", "linux/amd64"), ("arm64", "linux/arm64"), ("x86-64", "linux/amd64"), ("windows/amd64", "windows/amd64"),
            ("linux/arm/v7", "linux/arm/v7"), ("riscv64", "linux/riscv64"), ("armhf", "linux/arm/v7"), ("linux/armel", "linux/arm/v6"),
            ("linux/i686", "linux/386"),
        ])
    func names(text: String, meaning: String) {
        #expect(Platform(parsing: text)?.description == meaning)
    }

    @Test("A system alone is meant on this machine's processor")
    func systemAlone() {
        #expect(Platform(parsing: "linux")?.architecture == Platform.host.architecture)
    }

    @Test("What is none", arguments: ["", "/", "linux/", "/amd64", "linux//v8", "a/b/c/d", "linux/amd 64", "linux/ämd64", "linux/amd64\n"])
    func refused(text: String) {
        #expect(Platform(parsing: text) == nil)
    }

    private static let order: [(wanted: String, expected: [String])] = [

        ("linux/amd64", ["linux/amd64", "linux/386"]),
        ("linux/amd64/v3", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"]), ("linux/386", ["linux/386"]),
        ("linux/arm/v7", ["linux/arm", "linux/arm/v6", "linux/arm/v5"]),
        ("linux/arm/v6", ["linux/arm/v6", "linux/arm/v5"]),
        ("linux/arm64", ["linux/arm64/v8", "linux/arm/v8", "linux/arm", "linux/arm/v6", "linux/arm/v5"]),
        ("linux/riscv64", []), ("windows/amd64", ["windows/amd64"]), ("linux/arm64/8.0", armOf64),
        ("linux/arm64/v8.2", ["linux/arm64/v8.2"] + armOf64),
        ("linux/arm64/v9", ["linux/arm64/v8.2"] + armOf64),
        ("linux/arm64/v9.1", ["linux/arm64/v9.1", "linux/arm64/v8.6", "linux/arm64/v8.2"] + armOf64),
        ("linux/arm64/v8.9", ["linux/arm64/v8.6", "linux/arm64/v8.2"] + armOf64),
    ]

    @Test("The best match comes first, and what does not run is none", arguments: order)
    func preference(wanted: String, expected: [String]) throws {
        let all = [
            "linux/arm/v5", "linux/amd64/v3", "linux/arm/v6", "linux/amd64/v2", "linux/arm", "linux/amd64", "linux/arm/v8",
            "linux/arm64/v8",
            "linux/s390x", "windows/amd64", "linux/386", "linux/arm64/v8.2", "linux/arm64/v9.1", "linux/arm64/v8.6",
        ]
        let platform = try #require(Platform(parsing: wanted))
        let ranked = try all.map { try #require(Platform(parsing: $0)) }.compactMap { found in
            found.preference(for: platform).map { (found, $0) }
        }
        #expect(ranked.sorted { $0.1 < $1.1 }.map(\.0.description) == expected)
        #expect(Set(ranked.map(\.1)).count == ranked.count)
    }

    private static let bests: [(wanted: String, version: String?, features: [String], expected: Int?)] = [

        ("linux/amd64", nil, [], 1), ("linux/amd64", "10", [], 1), ("linux/amd64", nil, ["a"], 1), ("linux/arm64", nil, [], nil),
        ("windows/amd64", nil, [], 3), ("windows/amd64", "10.0.2", [], 4), ("windows/amd64", "11", [], nil),
        ("windows/amd64", nil, ["win32k", "x"], 3), ("windows/arm64", "9", ["win32k", "x"], 6), ("windows/arm64", "9", [], nil),
    ]

    @Test("The first among equals, and nothing that needs what is not there", arguments: bests)
    func best(wanted: String, version: String?, features: [String], expected: Int?) throws {
        func platform(_ text: String, _ version: String? = nil, _ features: [String]? = nil) throws -> Platform {
            var platform = try #require(Platform(parsing: text))
            (platform.osVersion, platform.osFeatures) = (version, features)
            return platform
        }
        let all = [
            try platform("linux/386"), try platform("linux/amd64"), try platform("linux/amd64"), try platform("windows/amd64", "10.0.1"),
            try platform("windows/amd64", "10.0.2"), try platform("windows/amd64", "10.0.2"),
            try platform("windows/arm64", nil, ["win32k"]),
        ]
        let found = try platform(wanted, version, features).best(of: all.enumerated()) { $0.element }
        #expect(found?.offset == expected)
    }
}
