import Berth
import BerthLinux
import Foundation
import Testing

/// A container in a network, with a published port, and another that serves in its sandbox; a third one in the network has a name to be asked for.
struct MemberScene {
    /// What has become of the container that made the sandbox.
    enum State: String, CaseIterable {
        case runs, stopped, killed, startedAgain, removed
    }

    let engine: Engine
    let port: UInt16
    let peer: Berth.Container
    let owner: Berth.Container
    let member: Berth.Container

    private static func configuration(_ name: String, _ network: NetworkMode, _ command: [String]) -> ContainerConfiguration {
        var configuration = ContainerConfiguration(image: "box")
        (configuration.name, configuration.network, configuration.command) = (name, network, command)
        return configuration
    }

    static func server(in id: String) -> ContainerConfiguration {
        configuration(
            "member", .container(id),
            [
                "sh", "-c",
                "echo it serves > /tmp/page; httpd -p 80 -h /tmp; while :; do nslookup -type=a peer > /tmp/out && echo found || echo lost; sleep 0.02; done",
            ])
    }

    static func sleeper(in id: String, named name: String) -> ContainerConfiguration {
        configuration(name, .container(id), ["sleep", "100000"])
    }

    static func owner(_ port: UInt16) -> ContainerConfiguration {
        var configuration = configuration("owner", .named("front"), ["sleep", "100000"])
        configuration.networking.publishedPorts = [PortRequest(Port(80, .tcp), hostPorts: port...port)]
        return configuration
    }

    static func make(in engine: Engine, port: UInt16) async throws -> MemberScene {
        var network = NetworkConfiguration(name: "front")
        network.subnets = [SubnetRequest(subnet: "172.30.77.0/24")]
        _ = try await engine.networks.create(network)
        let peer = try await engine.containers.create(configuration("peer", .named("front"), ["sleep", "100000"]))
        let owner = try await engine.containers.create(owner(port))
        let member = try await engine.containers.create(server(in: owner.id))
        for container in [peer, owner, member] { try await container.start() }
        return MemberScene(engine: engine, port: port, peer: peer, owner: owner, member: member)
    }

    /// In a process of its own, which can be killed.
    static func host(to state: State, _ engine: Engine, port: UInt16, answer: String) async throws {
        let pod = try await make(in: engine, port: port)
        try await pod.bring(to: state)
        let report = HostReport(pod: [pod.peer.id, pod.owner.id, pod.member.id])
        try JSONEncoder().encode(report).write(to: URL(fileURLWithPath: answer), options: .atomic)
        try await Task.sleep(for: .seconds(3600))
    }

    /// The same, found by another engine.
    init(in engine: Engine, port: UInt16, _ report: HostReport, ownerIsRemoved: Bool) throws {
        (self.engine, self.port) = (engine, port)
        peer = try engine.containers.find(report.pod[0])
        member = try engine.containers.find(report.pod[2])
        owner = ownerIsRemoved ? member : try engine.containers.find(report.pod[1])
    }

    init(engine: Engine, port: UInt16, peer: Berth.Container, owner: Berth.Container, member: Berth.Container) {
        (self.engine, self.port, self.peer, self.owner, self.member) = (engine, port, peer, owner, member)
    }

    func bring(to state: State) async throws {
        switch state {
        case .runs: break
        case .stopped: try await owner.stop(timeoutSeconds: 0)
        case .killed: try await owner.kill()
        case .startedAgain:
            if try owner.details().status == .running { try await owner.kill() }
            try await owner.start()
        case .removed: try await owner.remove(force: true)
        }
    }

    func gives(_ container: Berth.Container, _ command: String...) async throws -> Bool {
        let execution = try await container.makeExecution(ExecutionConfiguration(command: command))
        _ = try await execution.start()
        return try await execution.wait() == 0
    }

    /// Whether it is reached by the kernel, and by what a monitor relays; and whether it finds others by their names. What does not work; `nil`: all does.
    func obstacle() async throws -> String? {
        for host in ["127.0.0.1", "[::1]"] {
            let page = try Self.page("http://\(host):\(port)/page")
            if page != "it serves\n" { return "\(host) gave '\(page)'" }
        }
        return try await gives(member, "nslookup", "-type=a", "peer") ? nil : "no name was found"
    }

    /// What has become of the member's questions for a name, of which it asks one after the other.
    func answers() async throws -> (found: Int, lost: Int) {
        var (found, lost) = (0, 0)
        for try await line in try member.logs() { if line.text == "found" { found += 1 } else { lost += 1 } }
        return (found, lost)
    }

    /// That none of the member's questions was lost, and further ones are answered.
    func expectAnswers(_ when: Comment) async throws {
        let before = try await answers()
        #expect(before.lost == 0, when)
        try await until("further answers") { try await answers().found > before.found + 2 }
        #expect(try await answers().lost == 0, when)
    }

    /// What curl gets; nothing where it gets none.
    private static func page(_ address: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        process.arguments = ["--silent", "--noproxy", "*", "--max-time", "5", address]
        let output = Foundation.Pipe()
        (process.standardOutput, process.standardInput) = (output, FileHandle.nullDevice)
        try process.run()
        defer { process.waitUntilExit() }
        return String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }

    /// - Parameter when: after what. What answers in it may have been started a moment ago.
    func expectToWork(_ when: Comment) async throws {
        let bound = ContinuousClock.now + .seconds(20)
        while let obstacle = try await obstacle() {
            try #require(ContinuousClock.now < bound, "\(when): \(obstacle)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Whether another container's process is in the same namespace.
    func isTogether(_ one: Berth.Container, _ other: Berth.Container) throws -> Bool {
        func namespace(_ container: Berth.Container) throws -> String {
            let process = try #require(try container.details().processID)
            return try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/ns/net")
        }
        return try namespace(one) == namespace(other)
    }

    func monitors() throws -> Set<Int32> { try KernelTests.monitors(of: engine.id) }

    static func monitor(of id: String, at scene: Scene) throws -> Int32 {
        struct Run: Decodable {
            struct Monitor: Decodable { let id: Int32 }
            let monitor: Monitor
        }
        let file = URL(fileURLWithPath: "\(scene.execRoot)/containers/\(id)/run.json")
        return try JSONDecoder().decode(Run.self, from: try Data(contentsOf: file)).monitor.id
    }

    /// That nothing is left of the sandbox, only what the third container has.
    func expectNothingLeft(at scene: Scene) async throws {
        #expect(try FileManager.default.contentsOfDirectory(atPath: scene.execRoot + "/sandboxes") == ["\(peer.id).json"])
        #expect(engine.networks.endpoints(of: try engine.networks.find("front").id).map(\.sandboxID) == [peer.id])
        try await until("the other monitors to have ended") { try monitors().count == 1 }
        try await until("the other interfaces to have gone") {
            let links = try run("/bin/busybox", "ip", "link")
            return links.components(separatedBy: "veth").count == 2
        }
        // The address and the port are free.
        var again = Self.owner(port)
        again.name = "again"
        let container = try await engine.containers.create(again)
        try await container.start()
        try await container.remove(force: true)
    }
}
