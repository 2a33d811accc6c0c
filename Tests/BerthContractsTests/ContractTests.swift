import BerthContent
import BerthContracts
import BerthLinux
import BerthOCI
import Foundation
import Testing

@Suite("Contracts, and those who keep them")
struct ContractTests {
    @Test("The content store", arguments: ContentContract.all)
    func content(_ promise: Promise<any ContentReading & ContentIngesting>) async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-content-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }  // what is left lies in the temporary directory
        try await promise.check(try ContentStore(directory: path))
    }

    @Test("Who does not keep a promise is told which, and what was seen")
    func violation() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-content-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }  // what is left lies in the temporary directory
        let store = Forthcoming(real: try ContentStore(directory: path))
        var broken: [String] = []
        for promise in ContentContract.all {
            do { try await promise.check(store) } catch let violation as ContractViolation {
                #expect(violation.promise == promise.description && !violation.seen.isEmpty)
                broken.append(violation.promise)
            }
        }
        #expect(broken.first == "there is no blob that was not committed" && broken.count < ContentContract.all.count)
    }
}

/// Has everything that it is asked for.
private struct Forthcoming: ContentReading, ContentIngesting {
    let real: ContentStore
    var leases: Leases { real.leases }
    func makeIngest(for lease: Lease) throws(ContentError) -> Ingest { try real.makeIngest(for: lease) }
    func byteCount(of digest: Digest) throws(ContentError) -> UInt64 { (try? real.byteCount(of: digest)) ?? 0 }
    func open(_ digest: Digest) throws(ContentError) -> OwnedDescriptor {
        if let blob = try? real.open(digest) { return blob }
        do throws(Errno) { return try HostFile.open("/dev/null") } catch { return try real.open(digest) }
    }
}
