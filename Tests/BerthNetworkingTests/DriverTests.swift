import BerthNetworking
import Testing

@Suite("The three drivers, and what is said of networks that are not there")
struct DriverTests {
    private let drivers = NetworkDrivers.standard

    @Test("none gives a namespace of its own, host the host's")
    func namespaces() async throws {
        #expect(drivers.names == ["container", "host", "none"])
        #expect(try await drivers.driver(named: "none").attach(SandboxRequest(id: "a")).namespace == .new)
        #expect(try await drivers.driver(named: "host").attach(SandboxRequest(id: "a")).namespace == .host)
    }

    @Test("container gives its peer's while that runs, and says why not otherwise")
    func peers() async throws {
        let driver = try drivers.driver(named: "container")
        let request = SandboxRequest(id: "a", peer: .init(id: "b", processID: 7))
        #expect(try await driver.attach(request).namespace == .process(7))
        for (request, code) in [
            (SandboxRequest(id: "a"), NetworkError.Code.invalid), (SandboxRequest(id: "a", peer: .init(id: "a", processID: 7)), .invalid),
            (SandboxRequest(id: "a", peer: .init(id: "b", processID: nil)), .conflict),
        ] {
            await #expect { try await driver.attach(request) } throws: { ($0 as? NetworkError)?.code == code }
        }
    }

    @Test(
        "Each keeps the contract: attaching and detaching can be repeated, and what was never attached can be detached",
        arguments: ["none", "host", "container"])
    func contract(name: String) async throws {
        let driver = try drivers.driver(named: name)
        #expect(driver.name == name)
        try await driver.detach("never")
        let request = SandboxRequest(id: "a", peer: .init(id: "b", processID: 1))
        let first = try await driver.attach(request)
        #expect(try await driver.attach(request) == first)
        try await driver.detach("a")
        try await driver.detach("a")
        #expect(try await driver.attach(request) == first)
    }

    @Test("The default network is refused with the two that there are, and mapped to none of them", arguments: ["default", "bridge"])
    func noBridge(name: String) {
        #expect {
            _ = try drivers.driver(named: name)
        } throws: {
            guard let error = $0 as? NetworkError else { return false }
            return error.code == .unsupported && error.description.contains("--network none")
                && error.description.contains("--network host")
        }
    }

    @Test("A network that does not exist is named", arguments: ["", "mine", "None", "HOST", "none "])
    func unknown(name: String) {
        #expect {
            _ = try drivers.driver(named: name)
        } throws: {
            ($0 as? NetworkError)?.code == .notFound && "\($0)".contains("network \(name) not found")
        }
    }

    @Test("Of two drivers with one name the later counts")
    func replaced() async throws {
        struct Other: NetworkDriver {
            let name = "none"
            func attach(_ request: SandboxRequest) async throws(NetworkError) -> SandboxAttachment {
                SandboxAttachment(namespace: .process(1))
            }
            func detach(_ sandboxID: String) async throws(NetworkError) {}
        }
        let drivers = NetworkDrivers([NoneDriver(), Other()])
        #expect(drivers.names == ["none"])
        #expect(try await drivers.driver(named: "none").attach(SandboxRequest(id: "a")).namespace == .process(1))
    }
}
