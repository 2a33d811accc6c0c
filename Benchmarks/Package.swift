// swift-tools-version: 6.2
import PackageDescription

// Measures programs from outside, as a user calls them: it depends on nothing, Berth included.
let package = Package(
    name: "berth-benchmarks",
    targets: [
        .executableTarget(
            name: "berth-benchmarks",
            swiftSettings: [
                .swiftLanguageMode(.v6),
                .strictMemorySafety(),
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
            ])
    ]
)
