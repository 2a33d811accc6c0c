import Berth
import BerthLinux
import BerthNetworking
import Foundation
import Testing

/// Sandboxes that several containers share: they live as long as one of them runs, whatever becomes of who made them, of monitors and of engines.
@Suite(.kernelTier, .serialized, .timeLimit(.minutes(5))) struct SandboxMemberTests {
    private func end(_ pod: MemberScene, _ scene: Scene) async throws {
        try await pod.peer.remove(force: true)
        try await pod.engine.networks.remove("front")
        try await scene.remove(with: pod.engine)
    }

    /// Who stands in others' way in the network `front`, beside the peer, as they are told.
    private func user(_ pod: MemberScene) async throws -> String {
        let network = try pod.engine.networks.find("front")
        let peer = try pod.peer.details().id
        let places = pod.engine.networks.endpoints(of: network.id).filter { $0.sandboxID != peer }.map {
            "name:\"\($0.userName)\" id:\"\($0.userID.prefix(12))\""
        }
        let told = try #require(places.first)
        do { try await pod.engine.networks.remove("front") } catch { return error.description.contains(told) ? told : "\(error)" }
        return "the network was removed"
    }

    private func words(_ container: Berth.Container) throws -> String {
        let details = try container.details()
        return "name:\"\(details.name)\" id:\"\(details.id.prefix(12))\""
    }

    @Test func aSandboxLivesAsLongAsAnybodyIsInIt() async throws {
        let scene = try await Scene()
        let pod = try await MemberScene.make(in: try await scene.open(), port: 18_101)
        let engine = pod.engine
        try await pod.expectToWork("both run")
        #expect(try pod.member.details().configuration.network == .container(pod.owner.id))
        let address = try #require(try pod.owner.details().endpoints.first?.ipv4)
        let monitor = try MemberScene.monitor(of: pod.owner.id, at: scene)
        let network = try engine.networks.find("front").id
        #expect(try await user(pod) == words(pod.owner), "both run")

        for state in [MemberScene.State.stopped, .startedAgain, .killed] {
            try await pod.bring(to: state)
            #expect(try await pod.obstacle() == nil, "\(state)")
            try await pod.expectAnswers("\(state)")
            #expect(try pod.monitors().contains(monitor), "\(state)")
            if state == .startedAgain {
                #expect(try pod.isTogether(pod.owner, pod.member))
                #expect(try pod.owner.details().endpoints.first?.ipv4 == address)
                #expect(try await user(pod) == words(pod.owner), "\(state)")
            } else {
                // As with Docker: what does not run has no address.
                #expect(try pod.owner.details().endpoints.isEmpty, "\(state)")
                #expect(try await user(pod) == words(pod.member), "\(state)")
            }
        }
        // Whoever does not run cannot be joined, but what is in the sandbox can.
        let late = try await engine.containers.create(MemberScene.sleeper(in: pod.owner.id, named: "late"))
        let owner = try pod.owner.details().name
        await #expect {
            try await late.start()
        } throws: {
            ($0 as? ContainerError)?.code == .conflict
                && "\($0)".contains("cannot join network namespace of a non running container: container \(owner) is ")
        }
        let second = try await engine.containers.create(MemberScene.sleeper(in: pod.member.id, named: "second"))
        try await second.start()
        #expect(try pod.isTogether(second, pod.member))
        await #expect { try await second.connect(EndpointConfiguration(network: "front")) } throws: {
            ($0 as? ContainerError)?.code == .invalid
        }

        try await pod.bring(to: .removed)
        #expect(try await pod.obstacle() == nil, "removed")
        try await pod.expectAnswers("removed")
        #expect(try await user(pod) == words(pod.member), "removed")
        // Its name is free, and leads to whoever has it now.
        var named = MemberScene.owner(18_102)
        named.name = "owner"
        let another = try await engine.containers.create(named)
        try await another.start()
        #expect(engine.networks.endpoints(of: network).filter { $0.names.contains("owner") }.map(\.sandboxID) == [another.id])
        try await another.remove(force: true)

        // One that comes when the sandbox's own container is gone has the files that this had.
        let third = try await engine.containers.create(MemberScene.sleeper(in: pod.member.id, named: "third"))
        try await third.start()
        let files = try await third.makeExecution(ExecutionConfiguration(command: ["nslookup", "-type=a", "peer"]))
        _ = try await files.start()
        #expect(try await files.wait() == 0)
        #expect(try await pod.gives(third, "sh", "-c", "test $(hostname) = $(cat /etc/hostname)"))

        for last in [pod.member, third, late] { try await last.remove(force: true) }
        #expect(engine.networks.endpoints(of: network).count == 2)
        try await second.stop(timeoutSeconds: 0)
        try await pod.expectNothingLeft(at: scene)
        try await second.remove(force: true)
        try await end(pod, scene)
    }

    @Test func networksOfASandboxThatIsKeptChangeAtOnce() async throws {
        let scene = try await Scene()
        let pod = try await MemberScene.make(in: try await scene.open(), port: 18_103)
        try await pod.bring(to: .stopped)
        var back = NetworkConfiguration(name: "back")
        back.subnets = [SubnetRequest(subnet: "172.30.78.0/24")]
        _ = try await pod.engine.networks.create(back)
        func interfaces() throws -> Int {
            let process = try #require(try pod.member.details().processID)
            return try run("/usr/bin/nsenter", "-t", "\(process)", "-n", "/bin/busybox", "ip", "-o", "link").split(separator: "\n").count
        }
        #expect(try interfaces() == 2)
        try await pod.owner.connect(EndpointConfiguration(network: "back"))
        #expect(try interfaces() == 3)
        #expect(try await pod.obstacle() == nil)
        let network = try pod.engine.networks.find("back").id
        let address = try #require(pod.engine.networks.endpoints(of: network).first?.ipv4?.address)
        #expect(try await pod.gives(pod.member, "grep", "\(address)", "/etc/hosts"))
        try await pod.owner.disconnect(from: "front")
        try await pod.owner.connect(EndpointConfiguration(network: "front"))
        try await pod.owner.disconnect(from: "back")
        #expect(try interfaces() == 2)
        try await pod.expectToWork("its networks were changed")
        try await pod.owner.start()
        #expect(try pod.isTogether(pod.owner, pod.member))
        try await pod.owner.remove(force: true)
        try await pod.member.remove(force: true)
        try await pod.expectNothingLeft(at: scene)
        try await pod.engine.networks.remove("back")
        try await end(pod, scene)
    }

    /// The monitor that has the sockets dies: with its container, after its container's end, and so does the next.
    @Test func anotherMonitorTakesOverFromOneThatDied() async throws {
        let scene = try await Scene()
        var pod = try await MemberScene.make(in: try await scene.open(), port: 18_104)
        var second = try await pod.engine.containers.create(MemberScene.sleeper(in: pod.owner.id, named: "second"))
        try await second.start()
        try await pod.expectToWork("all run")
        kill(try MemberScene.monitor(of: pod.owner.id, at: scene), SIGKILL)
        #expect(try await pod.owner.wait().reason == "monitor lost")
        try await pod.expectToWork("the monitor has died with its container")
        // What the engine itself holds is not what the next one gets.
        await pod.engine.close()
        let report = HostReport(pod: [pod.peer.id, pod.owner.id, pod.member.id])
        pod = try MemberScene(in: try await scene.open(), port: 18_104, report, ownerIsRemoved: false)
        second = try pod.engine.containers.find(second.id)
        try await pod.expectToWork("another engine has come")

        // Now the first member's has them.
        let keeper = try MemberScene.monitor(of: pod.member.id, at: scene)
        try await pod.owner.start()
        #expect(try pod.isTogether(pod.owner, pod.member))
        try await pod.member.kill()
        #expect(try pod.monitors().contains(keeper))
        try await pod.member.start()
        try await pod.expectToWork("the keeper's container has ended and was started again")
        kill(keeper, SIGKILL)
        try await until("the keeper to be gone") { try !pod.monitors().contains(keeper) }
        try await pod.expectToWork("the monitor has died after its container")

        for container in [pod.owner, second, pod.member] { try await container.remove(force: true) }
        try await pod.expectNothingLeft(at: scene)
        try await end(pod, scene)
    }

    @Test(arguments: MemberScene.State.allCases) func theNextEngineFindsWhoIsInASandbox(_ state: MemberScene.State) async throws {
        let scene = try await Scene()
        let host = try EngineHost(state.rawValue, at: scene, count: 18_105)
        let report = try await host.ready()
        host.kill()
        let pod = try MemberScene(in: try await scene.open(), port: 18_105, report, ownerIsRemoved: state == .removed)
        #expect(try pod.member.details().status == .running)
        try await pod.expectToWork("\(state)")
        try await pod.expectAnswers("\(state)")
        if state != .removed {
            // Everything is possible that was.
            if state != .runs, state != .startedAgain { try await pod.owner.start() }
            #expect(try pod.isTogether(pod.owner, pod.member))
            try await pod.owner.stop(timeoutSeconds: 0)
            #expect(try await pod.obstacle() == nil)
            try await pod.owner.remove()
        }
        try await pod.member.remove(force: true)
        try await pod.expectNothingLeft(at: scene)
        try await end(pod, scene)
    }

    /// While no engine is there, the last one of the sandbox ends, or the monitor dies that has the sockets.
    @Test(arguments: ["last", "keeper"]) func whatEndsWithoutAnEngineIsNoticedByTheNext(_ what: String) async throws {
        let scene = try await Scene()
        let host = try EngineHost("stopped", at: scene, count: 18_106)
        let report = try await host.ready()
        struct Document: Decodable { let id: String }
        let document = try Data(contentsOf: URL(fileURLWithPath: scene.root + "/engine.json"))
        let engineID = try JSONDecoder().decode(Document.self, from: document).id
        let (peer, member) = (try MemberScene.monitor(of: report.pod[0], at: scene), try MemberScene.monitor(of: report.pod[2], at: scene))
        let keeper = try #require(monitors(of: engineID).first { $0 != peer && $0 != member })
        host.kill()
        // A container's monitor that is killed takes its container along, when an engine sees that.
        kill(what == "last" ? member : keeper, SIGKILL)
        try await until("it to be gone") { try !monitors(of: engineID).contains(what == "last" ? member : keeper) }
        let pod = try MemberScene(in: try await scene.open(), port: 18_106, report, ownerIsRemoved: false)
        if what == "last" {
            #expect(try pod.member.details().status == .exited)
        } else {
            try await pod.expectToWork("the keeper has died with the engine")
        }
        try await pod.owner.remove()
        try await pod.member.remove(force: true)
        try await pod.expectNothingLeft(at: scene)
        try await end(pod, scene)
    }
}
