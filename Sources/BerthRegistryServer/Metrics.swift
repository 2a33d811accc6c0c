internal import NIOHTTP1
internal import Synchronization

/// What a server counts, as Prometheus reads it (text format 0.0.4). No name of a repository is in it.
final class Metrics: Sendable {
    private struct Key: Hashable {
        let method: String
        let route: String
        let status: Int
    }
    private struct Counts {
        var requests: [Key: UInt64] = [:]
        var received: UInt64 = 0
        var sent: UInt64 = 0
    }
    private let counts = Mutex(Counts())

    func count(_ method: HTTPMethod, _ route: String, _ status: Int) {
        // Any client can make up methods.
        let known: [HTTPMethod] = [.GET, .HEAD, .PUT, .POST, .PATCH, .DELETE]
        let key = Key(method: known.contains(method) ? method.rawValue : "other", route: route, status: status)
        counts.withLock { $0.requests[key, default: 0] += 1 }
    }
    func received(_ byteCount: Int) { counts.withLock { $0.received += UInt64(byteCount) } }
    func sent(_ byteCount: Int) { counts.withLock { $0.sent += UInt64(byteCount) } }

    func text(of store: RegistryStore?) -> String {
        let counts = counts.withLock { $0 }
        var text = Self.heading("berth_registry_requests_total", "counter", "Requests that were answered.")
        for (key, count) in counts.requests.sorted(by: {
            ($0.key.route, $0.key.method, $0.key.status) < ($1.key.route, $1.key.method, $1.key.status)
        }) {
            text += "berth_registry_requests_total{method=\"\(key.method)\",route=\"\(key.route)\",status=\"\(key.status)\"} \(count)\n"
        }
        func add(_ name: String, _ type: String, _ help: String, _ value: some BinaryInteger) {
            text += Self.heading("berth_registry_\(name)", type, help) + "berth_registry_\(name) \(value)\n"
        }
        add("received_bytes_total", "counter", "Bytes of blobs that were pushed.", counts.received)
        add("sent_bytes_total", "counter", "Bytes of blobs that were pulled.", counts.sent)
        guard let store else { return text }
        let (repositories, uploads, usage) = store.state.withLock { ($0.repositories.count, $0.uploads.count, $0.usage) }
        add("repositories", "gauge", "Repositories.", repositories)
        add("blobs", "gauge", "Blobs and manifests, each once.", usage.blobCount)
        add("stored_bytes", "gauge", "Bytes of blobs and manifests, each once.", usage.byteCount)
        add("uploads", "gauge", "Uploads in progress.", uploads)
        add("upload_bytes", "gauge", "Bytes of uploads in progress.", usage.uploadByteCount)
        return text
    }

    private static func heading(_ name: String, _ type: String, _ help: String) -> String {
        "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }
}
