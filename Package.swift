// swift-tools-version: 6.2
import PackageDescription

// A target per room. Arrows point only to rooms listed above; Tests/PackageTests asserts it.
// Heavy dependencies stand behind the trait "Engine", on by default: whoever wants one light room
// says `traits: []` and fetches none of them.

let houseRules: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

// The command line and the monitor are linked fully static by our build scripts (start in a millisecond, little memory).
// Only linking differs, and only when the variable is set: the package itself carries no unsafe flags.
let isStatic = Context.environment["BERTH_STATIC"] == "1"
let staticLink: [LinkerSetting] =
    isStatic
    ? [.unsafeFlags(["-static-executable", "-l_FoundationCollections", "-l_FoundationCShims", "-lswiftSynchronization"])] : []
let staticMonitorLink: [LinkerSetting] = isStatic ? [.unsafeFlags(["-static-executable", "-lswiftSynchronization"])] : []

// berthd needs glibc's name services at run time and so carries only Swift's own libraries inside.
let staticDaemonLink: [LinkerSetting] =
    isStatic ? [.unsafeFlags(["-static-stdlib", "-l_FoundationCollections", "-l_FoundationCShims", "-lswiftSynchronization"])] : []

let engineOnly = TargetDependencyCondition.when(traits: ["Engine"])
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto", condition: engineOnly)
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser", condition: engineOnly)
let logging = Target.Dependency.product(name: "Logging", package: "swift-log", condition: engineOnly)
let nioTesting = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio", condition: engineOnly)
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client", condition: engineOnly)
let nioTLS = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl", condition: engineOnly)
let nioTLSEvents = Target.Dependency.product(name: "NIOTLS", package: "swift-nio", condition: engineOnly)
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto", condition: engineOnly)
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio", condition: engineOnly)
let nio: [Target.Dependency] = ["NIOCore", "NIOPosix", "NIOHTTP1"].map { .product(name: $0, package: "swift-nio", condition: engineOnly) }

func room(_ name: String, uses: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: uses, swiftSettings: houseRules)
}
func program(_ name: String, uses: [Target.Dependency], linking: [LinkerSetting] = []) -> Target {
    .executableTarget(name: name, dependencies: uses, swiftSettings: houseRules, linkerSettings: linking)
}
func tests(_ name: String, of: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: of, swiftSettings: houseRules)
}

let rooms: [Target] = [
    // Kernel
    .target(name: "CBerth"),
    room("BerthLinux", uses: ["CBerth"]),
    room("BerthReactor", uses: ["BerthLinux", "CBerth"]),
    room("BerthNetlink", uses: ["BerthReactor", "BerthLinux", "CBerth"]),
    room("BerthLaunch", uses: ["BerthLinux", "CBerth"]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    room("BerthMonitor", uses: ["BerthLaunch", "BerthLinux", "CBerth", "CZlib"]),
    // Storage
    room("BerthOCI"),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
    .systemLibrary(name: "CArchive", providers: [.apt(["libarchive-dev"])]),
    .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    room("BerthTar", uses: ["BerthLinux"]),
    room("BerthArchive", uses: ["BerthTar", "BerthReactor", "BerthLinux", "CZlib", "CISAL", "CZstd", "CArchive"]),
    room("BerthState", uses: ["BerthOCI", "BerthReactor", "BerthLinux"]),
    room("BerthContent", uses: ["BerthState", "BerthOCI", "BerthReactor", "BerthLinux", crypto]),
    room("BerthSnapshots", uses: ["BerthState", "BerthOCI", "BerthReactor", "BerthLinux"]),
    room(
        "BerthLayers",
        uses: ["BerthArchive", "BerthTar", "BerthContent", "BerthSnapshots", "BerthOCI", "BerthReactor", "BerthLinux", crypto]),
    room(
        "BerthImages",
        uses: [
            "BerthLayers", "BerthArchive", "BerthTar", "BerthContent", "BerthSnapshots", "BerthState", "BerthCredentials", "BerthOCI",
            "BerthReactor",
            "BerthLinux",
        ]),
    room("BerthVolumes", uses: ["BerthSnapshots", "BerthState", "BerthOCI", "BerthReactor", "BerthLinux"]),
    room("BerthCredentials", uses: ["BerthLinux"]),
    room(
        "BerthRegistry",
        uses: ["BerthCredentials", "BerthContent", "BerthOCI", "BerthReactor", "BerthLinux", asyncHTTPClient, nioTLS] + nio),
    // Running
    room("BerthRuntime", uses: ["BerthOCI", "BerthLaunch", "BerthReactor", "BerthLinux", "CBerth"]),
    room("BerthNetworking", uses: ["BerthState", "BerthOCI", "BerthNetlink", "BerthReactor", "BerthLinux"]),
    room(
        "BerthContainers",
        uses: [
            "BerthImages", "BerthLayers", "BerthArchive", "BerthContent", "BerthTar", "BerthVolumes", "BerthRuntime", "BerthNetworking",
            "BerthSnapshots", "BerthState", "BerthOCI", "BerthNetlink",
            "BerthLaunch", "BerthReactor", "BerthLinux", "CYaml",
        ]),
    // Engine
    room("BerthLogRelay", uses: ["BerthLaunch", "BerthLinux", nioTLS, nioTLSEvents] + nio),
    room(
        "BerthEngine",
        uses: [
            "BerthContainers", "BerthImages", "BerthRegistry", "BerthCredentials", "BerthArchive", "BerthContent", "BerthLayers",
            "BerthSnapshots", "BerthRuntime", "BerthVolumes",
            "BerthNetworking", "BerthNetlink", "BerthState", "BerthOCI", "BerthReactor", "BerthLinux",
        ]),
    room(
        "Berth",
        uses: [
            "BerthEngine", "BerthContainers", "BerthRegistry", "BerthCredentials", "BerthImages", "BerthLayers", "BerthArchive", "BerthTar",
            "BerthNetworking", "BerthNetlink", "BerthVolumes",
            "BerthRuntime", "BerthSnapshots", "BerthContent", "BerthState", "BerthOCI", "BerthMonitor", "BerthLogRelay", "berth-monitor",
        ]),
    // Edges
    room("DockerAPI", uses: ["BerthOCI"]),
    room("BerthAPI", uses: ["BerthOCI"]),
    room("BerthDaemon", uses: ["DockerAPI", "BerthAPI", "Berth", "BerthLinux", logging, nioWebSocket] + nio),
    .systemLibrary(name: "CCrypt", providers: [.apt(["libcrypt-dev"])]),
    room(
        "BerthRegistryServer",
        uses: [
            "BerthImages", "BerthContent", "BerthState", "BerthOCI", "BerthReactor", "BerthLinux", "CCrypt", crypto, cryptoExtras, logging,
            nioTLS,
        ] + nio),
    room("BerthClient", uses: ["DockerAPI", "BerthAPI", "BerthLinux"]),
    room("BerthCommandLine", uses: ["BerthClient", "DockerAPI", argumentParser]),
    room(
        "BerthContracts",
        uses: ["BerthContent", "BerthSnapshots", "BerthNetworking", "BerthNetlink", "BerthState", "BerthOCI", "BerthReactor", "BerthLinux"]),
]

let programs: [Target] = [
    program(
        "berthd", uses: ["BerthDaemon", "BerthRegistryServer", "Berth", "BerthLinux", logging, argumentParser], linking: staticDaemonLink),
    program(
        "BerthCommand",
        uses: [
            "BerthCommandLine", "BerthClient", "BerthCredentials", "BerthTar", "DockerAPI", "BerthAPI", "BerthOCI", "BerthLinux",
            argumentParser,
        ],
        linking: staticLink),
    program("berth-monitor", uses: ["BerthMonitor"], linking: staticMonitorLink),
]

let testTargets: [Target] = [
    tests("PackageTests", of: []),
    tests("BerthLinuxTests", of: ["BerthLinux"]),
    tests("BerthReactorTests", of: ["BerthReactor", "BerthLinux"]),
    tests("BerthNetlinkTests", of: ["BerthNetlink", "BerthLinux"]),
    tests("BerthLaunchTests", of: ["BerthLaunch", "BerthLinux"]),
    tests("BerthMonitorTests", of: ["BerthMonitor", "BerthLaunch", "BerthLinux"]),
    tests("BerthOCITests", of: ["BerthOCI"]),
    tests("BerthTarTests", of: ["BerthTar", "BerthLinux"]),
    tests("BerthArchiveTests", of: ["BerthArchive", "BerthTar"]),
    tests("BerthStateTests", of: ["BerthState"]),
    tests("BerthContentTests", of: ["BerthContent", "BerthReactor", "BerthOCI", "BerthLinux"]),
    tests(
        "BerthImagesTests",
        of: [
            "BerthImages", "BerthLayers", "BerthArchive", "BerthTar", "BerthContent", "BerthSnapshots", "BerthState", "BerthReactor",
            "BerthOCI", "BerthLinux",
        ]),
    tests(
        "CrashTests",
        of: [
            "Berth", "BerthVolumes", "BerthImages", "BerthLayers", "BerthContent", "BerthSnapshots", "BerthState", "BerthOCI", "BerthLinux",
            "BerthRegistryServer", "BerthMonitor",
        ] + nio),
    tests("BerthVolumesTests", of: ["BerthVolumes", "BerthState", "BerthOCI", "BerthLinux"]),
    tests("BerthCredentialsTests", of: ["BerthCredentials", "BerthLinux"]),
    tests(
        "BerthRegistryTests",
        of: ["BerthRegistry", "BerthCredentials", "BerthContent", "BerthContracts", "BerthOCI", "BerthLinux", crypto, nioTLS] + nio),
    tests("BerthRuntimeTests", of: ["BerthRuntime", "BerthLaunch", "BerthReactor", "BerthOCI", "BerthLinux"]),
    tests("BerthNetworkingTests", of: ["BerthNetworking", "BerthNetlink", "BerthLinux"]),
    tests(
        "BerthContainersTests",
        of: ["BerthContainers", "BerthVolumes", "BerthNetworking", "BerthRuntime", "BerthMonitor", "BerthOCI", "BerthLinux"]),
    tests("DockerAPITests", of: ["DockerAPI", "BerthOCI"]),
    tests("SchemaTests", of: ["DockerAPI", "BerthOCI"]),
    tests(
        "BerthDaemonTests",
        of: ["BerthDaemon", "Berth", "BerthAPI", "BerthOCI", "DockerAPI", logging, nioTesting, nioWebSocket] + nio),
    tests(
        "BerthRegistryServerTests",
        of: [
            "BerthRegistryServer", "BerthRegistry", "BerthImages", "BerthLayers", "BerthSnapshots", "BerthContent", "BerthState",
            "BerthOCI",
            "BerthLinux", crypto, cryptoExtras, nioTLS,
        ]
            + nio),
    tests("BerthClientTests", of: ["BerthClient", "BerthAPI", "BerthLinux"]),
    tests("BerthCommandLineTests", of: ["BerthCommandLine", "BerthClient", "DockerAPI", argumentParser]),
    tests("BerthContractsTests", of: ["BerthContracts", "BerthContent", "BerthOCI", "BerthLinux"]),
    tests(
        "KernelTests",
        of: [
            "Berth", "BerthContainers", "BerthVolumes", "BerthNetworking", "BerthNetlink", "BerthRuntime", "BerthOCI", "BerthLaunch",
            "BerthLinux",
            "BerthReactor", "BerthTar", "BerthArchive", "BerthContent", "BerthSnapshots", "BerthLayers",
            "BerthImages", "BerthState", "BerthContracts",
        ]),
]

let products: [Product] =
    rooms.filter { $0.type == .regular && $0.name != "CBerth" }.map { .library(name: $0.name, targets: [$0.name]) } + [
        .executable(name: "berthd", targets: ["berthd"]),
        .executable(name: "berth", targets: ["BerthCommand"]),
        .executable(name: "berth-monitor", targets: ["berth-monitor"]),
    ]

let package = Package(
    name: "berth",
    products: products,
    traits: [
        .default(enabledTraits: ["Engine"]),
        .trait(name: "Engine", description: "The rooms that need SwiftNIO, swift-crypto, swift-log and ArgumentParser."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-crypto", "4.5.2"..<"5.0.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: rooms + programs + testTargets
)
