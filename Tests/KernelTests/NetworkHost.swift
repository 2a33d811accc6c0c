import Berth
import BerthNetworking
import Foundation
import Testing

/// What an engine does with networks in a process of its own, which can be killed: the modes of ``EngineHost`` that begin with `network`.
enum NetworkHost {
    static func run(_ mode: String, _ engine: Engine, count: Int, answer: String) async throws {
        if mode == "network-churn" { return try await churn(engine, count) }
        var report = HostReport()
        if mode == "network-refused" {
            var configuration = Self.configuration("low", in: "front")
            configuration.networking.publishedPorts = ports(at: 80...80)
            let container = try await engine.containers.create(configuration)
            do { try await container.start() } catch { report.refusal = "\(error)" }
        }
        for name in mode == "network" ? ["web", "asker"] : [] {
            var configuration = Self.configuration(name, in: "front")
            if name == "web" { configuration.networking.publishedPorts = ports(at: 8080...8080) }
            let container = try await engine.containers.create(configuration)
            try await container.start()
            report.writers[container.id] = try container.details().processID
        }
        try JSONEncoder().encode(report).write(to: URL(fileURLWithPath: answer), options: .atomic)
        try await Task.sleep(for: .seconds(3600))
    }

    static func configuration(_ name: String, in network: String) -> ContainerConfiguration {
        var configuration = ContainerConfiguration(image: "box")
        (configuration.name, configuration.command, configuration.network) = (name, ["sleep", "100000"], .named(network))
        return configuration
    }

    static func ports(at hostPorts: ClosedRange<UInt16>?) -> [PortRequest] {
        [PortRequest(Port(80, .tcp), hostPorts: hostPorts), PortRequest(Port(80, .udp), hostPorts: hostPorts)]
    }

    /// How many containers stay while their networks come and go.
    static let stayingCount = 10

    /// For ever, until it is killed wherever it is: networks of containers come and go, and containers with published ports.
    private static func churn(_ engine: Engine, _ count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<stayingCount {
                group.addTask {
                    let container = try engine.containers.find("staying\(number)")
                    while true { try await Self.move(container) }
                }
            }
            for number in stayingCount..<count {
                group.addTask {
                    while true {
                        var configuration = Self.configuration("passing\(number)", in: "first")
                        configuration.networking.publishedPorts = Self.ports(at: nil)
                        let container = try await engine.containers.create(configuration)
                        try await container.start()
                        try await Self.move(container)
                        try await container.remove(force: true)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// To a network that leads to everywhere else and has its ports then, and to one that does not; and back.
    private static func move(_ container: Berth.Container) async throws {
        var gateway = EndpointConfiguration(network: "second")
        (gateway.gatewayPriority, gateway.aliases) = (5, ["moved"])
        try await container.connect(gateway)
        try await container.connect(EndpointConfiguration(network: "third"))
        try await container.disconnect(from: "second")
        try await container.disconnect(from: "third")
    }
}
