// swift-tools-version: 6.2
import PackageDescription

// What reads strangers' bytes, under libFuzzer: Tests/Fuzz/run builds this with the sanitizer, which brings what CFuzzer declares.
let houseRules: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

func room(_ name: String) -> Target.Dependency { .product(name: name, package: "berth") }
func fuzzer(_ name: String, of parts: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: ["CFuzzer"] + parts, swiftSettings: houseRules)
}

let package = Package(
    name: "berth-fuzz",
    // Digests are computed by swift-crypto, which this trait brings.
    dependencies: [.package(name: "berth", path: "../..", traits: ["Engine"])],
    targets: [
        .target(name: "CFuzzer"),
        .target(name: "FuzzBytes", dependencies: [room("BerthTar")], swiftSettings: houseRules),
        fuzzer("fuzz-tar", of: ["FuzzBytes", room("BerthTar")]),
        fuzzer("fuzz-documents", of: [room("BerthOCI")]),
        fuzzer("fuzz-archives", of: ["BerthImages", "BerthLayers", "BerthContent", "BerthOCI"].map(room)),
        fuzzer("fuzz-layers", of: ["FuzzBytes"] + ["BerthLayers", "BerthSnapshots", "BerthTar", "BerthLinux"].map(room)),
    ]
)
