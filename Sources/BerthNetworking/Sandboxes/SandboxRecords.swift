internal import BerthLinux
internal import FoundationEssentials

/// What the sandboxes of this boot have (`sandboxes/<id>.json` in the exec-root). It is not synced: a reboot takes away what it tells of.
struct SandboxRecords: Sendable {
    private struct Record: Codable {
        var version = 1
        var endpoints: [Endpoint]
    }
    /// The largest record that is read.
    private static let maximumByteCount = 4 << 20

    private let path: String

    /// Makes the directory where it is missing.
    init(execRoot: String) throws(NetworkError) {
        path = execRoot + "/sandboxes"
        do throws(Errno) { _ = try Directory.open("/").makeDirectories(try PathBytes(path), permissions: 0o700) } catch {
            throw NetworkError(.storage, "cannot make the directory '\(path)': \(error)")
        }
    }

    /// Writes down what a sandbox has, before it is made.
    func write(_ endpoints: [Endpoint], id: String) throws(NetworkError) {
        do {
            let bytes = Array(try JSONEncoder().encode(Record(endpoints: endpoints)))
            try unsafe Directory.open(path).replaceFile(try PathBytes(id + ".json"), with: bytes.span.bytes, durability: .none)
        } catch { throw NetworkError(.storage, "cannot write down what sandbox \(id.prefix(12)) has: \(error)") }
    }

    /// Forgets a sandbox. Repeating is fine.
    func remove(id: String) throws(NetworkError) {
        do throws(Errno) { try Directory.open(path).removeFile(try PathBytes(id + ".json")) } catch {
            if error != .ENOENT { throw NetworkError(.storage, "cannot forget sandbox \(id.prefix(12)): \(error)") }
        }
    }

    /// The sandboxes of this boot. One whose record cannot be read has no endpoints: what is left of them is removed.
    func all() throws(NetworkError) -> [(id: String, endpoints: [Endpoint])] {
        do throws(Errno) {
            let directory = try Directory.open(path)
            var found: [(id: String, endpoints: [Endpoint])] = []
            for entry in try directory.entries() {
                let name = entry.name.description
                guard name.hasSuffix(".json"), !name.hasPrefix(".") else { continue }
                let bytes = try directory.readFile(entry.name, limit: Self.maximumByteCount)
                let record = try? JSONDecoder().decode(Record.self, from: Data(bytes))  // of no version that we know: nothing is known of it
                found.append((String(name.dropLast(5)), record?.version == 1 ? record?.endpoints ?? [] : []))
            }
            return found
        } catch { throw NetworkError(.storage, "cannot read '\(path)': \(error)") }
    }
}
