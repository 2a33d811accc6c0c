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

let package = Package(
    name: "berth-fuzz",
    dependencies: [.package(name: "berth", path: "../..", traits: [])],
    targets: [
        .target(name: "CFuzzer"),
        .executableTarget(
            name: "fuzz-tar",
            dependencies: ["CFuzzer", .product(name: "BerthTar", package: "berth")], swiftSettings: houseRules),
        .executableTarget(
            name: "fuzz-documents", dependencies: ["CFuzzer", .product(name: "BerthOCI", package: "berth")], swiftSettings: houseRules),
    ]
)
