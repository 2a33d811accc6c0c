import BerthOCI
import Testing

@Suite("Platforms")
struct PlatformTests {
    @Test(
        "The field's names for them",
        arguments: [
            ("linux/amd64", "linux/amd64"), ("linux/arm64/v8", "linux/arm64/v8"), ("linux/x86_64", "linux/amd64"),
            ("linux/aarch64", "linux/arm64"),
            ("LINUX/AMD64", "linux/amd64"), ("arm64", "linux/arm64"), ("x86-64", "linux/amd64"), ("windows/amd64", "windows/amd64"),
            ("linux/arm/v7", "linux/arm/v7"), ("riscv64", "linux/riscv64"),
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

    @Test(
        "The best match comes first, and what does not run is none",
        arguments: [
            ("linux/amd64", ["linux/amd64"]), ("linux/amd64/v3", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"]),
            ("linux/arm/v7", ["linux/arm", "linux/arm/v6", "linux/arm/v5"]),
            ("linux/arm/v6", ["linux/arm/v6", "linux/arm/v5"]),
            ("linux/arm64", ["linux/arm64/v8", "linux/arm/v8", "linux/arm", "linux/arm/v6", "linux/arm/v5"]),
            ("linux/riscv64", []), ("windows/amd64", ["windows/amd64"]),
        ])
    func preference(wanted: String, expected: [String]) throws {
        let all = [
            "linux/arm/v5", "linux/amd64/v3", "linux/arm/v6", "linux/amd64/v2", "linux/arm", "linux/amd64", "linux/arm/v8",
            "linux/arm64/v8",
            "linux/s390x", "windows/amd64",
        ]
        let platform = try #require(Platform(parsing: wanted))
        let ranked = try all.map { try #require(Platform(parsing: $0)) }.compactMap { found in
            found.preference(for: platform).map { (found, $0) }
        }
        #expect(ranked.sorted { $0.1 < $1.1 }.map(\.0.description) == expected)
        #expect(Set(ranked.map(\.1)).count == ranked.count)
    }
}
