import BerthContent
import BerthContracts
import BerthLinux
import BerthNetworking
import BerthOCI
import Foundation
import Testing

@Suite("Contracts, and those who keep them")
struct ContractTests {
    private static let alone = SandboxRequest(id: "one")
    private static let guest = SandboxRequest(id: "one", peer: SandboxRequest.Peer(id: "two", processID: 7))

    @Test("The drivers none and host", arguments: NetworkDriverContract.all(attaching: alone))
    func lonelyDrivers(_ promise: Promise<any NetworkDriver>) async throws {
        try await promise.check(NoneDriver())
        try await promise.check(HostDriver())
    }

    @Test("The driver container", arguments: NetworkDriverContract.all(attaching: guest))
    func containerDriver(_ promise: Promise<any NetworkDriver>) async throws { try await promise.check(ContainerDriver()) }

    @Test("The content store", arguments: ContentContract.all)
    func content(_ promise: Promise<any ContentReading & ContentIngesting>) async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-content-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }  // what is left lies in the temporary directory
        try await promise.check(try ContentStore(directory: path))
    }

    @Test("Who does not keep a promise is told which, and what was seen")
    func violation() async throws {
        struct Forgetful: NetworkDriver {
            let name = "forgetful"
            let calls = Counter()
            func attach(_ request: SandboxRequest) async throws(NetworkError) -> SandboxAttachment {
                SandboxAttachment(namespace: calls.next() == 1 ? .new : .host)
            }
            func detach(_ sandboxID: String) async throws(NetworkError) {
                if calls.next() > 4 { throw NetworkError(.system, "there is no such sandbox") }
            }
        }
        var broken: [String] = []
        let driver = Forgetful()
        for promise in NetworkDriverContract.all(attaching: Self.alone) {
            do { try await promise.check(driver) } catch let violation as ContractViolation {
                #expect(violation.promise == promise.description && !violation.seen.isEmpty)
                broken.append(violation.promise)
            }
        }
        #expect(
            broken.prefix(2) == [
                "a sandbox is attached and detached, and then attached again",
                "detaching can be repeated, also for what was never attached",
            ])
    }
}

private final class Counter: @unchecked Sendable {
    // Only one task uses it.
    private var value = 0
    func next() -> Int {
        value += 1
        return value
    }
}
