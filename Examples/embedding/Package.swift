// swift-tools-version: 6.2
import PackageDescription

// A program of somebody else's: it depends on Berth and on nothing that is installed.
let package = Package(
    name: "embedding",
    dependencies: [.package(name: "berth", path: "../..")],
    targets: [.executableTarget(name: "embedding", dependencies: [.product(name: "Berth", package: "berth")])]
)
