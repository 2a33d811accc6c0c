internal import BerthLinux
internal import BerthNetlink
internal import Synchronization

/// On which interfaces forwarding was switched on for containers since the host was started (`forwarding` in the exec-root, a line each: `eth0 4`).
///
/// The firewall's table says it as well. But who flushes that while no engine is there leaves a host that forwards by what looks like somebody else's will.
final class OpeningRecord: Sendable {
    /// More than any host has interfaces.
    private static let maximumByteCount = 1 << 20

    private let execRoot: String
    private let known: Mutex<Set<ForwardingOpening>>

    /// Reads it, if there is one. What cannot be read in it is nothing.
    init(execRoot: String) throws(NetworkError) {
        self.execRoot = execRoot
        var openings: Set<ForwardingOpening> = []
        do throws(Errno) {
            let bytes = try Directory.open(execRoot).readFile("forwarding", limit: Self.maximumByteCount)
            openings = Set(String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap(Self.opening))
        } catch {
            guard error == .ENOENT else { throw NetworkError(.storage, "cannot read '\(execRoot)/forwarding': \(error)") }
        }
        known = Mutex(openings)
    }

    /// All of them.
    var openings: [ForwardingOpening] { known.withLock { Array($0) } }

    /// Writes down what is about to be switched on. Repeating is fine.
    func add(_ openings: [ForwardingOpening]) throws(NetworkError) { try change { $0.formUnion(openings) } }

    /// Forgets those of a version: somebody else has the host forward everything.
    func removeAll(_ version: IPAddress.Version) throws(NetworkError) {
        try change { $0 = $0.filter { $0.version != version } }
    }

    private func change(_ body: (inout Set<ForwardingOpening>) -> Void) throws(NetworkError) {
        try known.withLock { (known) throws(NetworkError) in
            var changed = known
            body(&changed)
            guard changed != known else { return }
            let text = changed.map { "\($0.interface) \($0.version.rawValue)\n" }.sorted().joined()
            do throws(Errno) {
                try unsafe Directory.open(execRoot).replaceFile(
                    "forwarding", with: Array(text.utf8).span.bytes, durability: .none)
            } catch { throw NetworkError(.storage, "cannot write '\(execRoot)/forwarding': \(error)") }
            known = changed
        }
    }

    private static func opening(_ line: Substring) -> ForwardingOpening? {
        let parts = line.split(separator: " ").map(String.init)
        guard parts.count == 2, let interface = InterfaceName(parts[0]), let number = Int(parts[1]),
            let version = IPAddress.Version(rawValue: number)
        else { return nil }
        return ForwardingOpening(interface, version)
    }
}
