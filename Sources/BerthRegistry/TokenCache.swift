internal import BerthCredentials
internal import Synchronization

/// The tokens that are still good. One that was given to some credentials is never shown for others.
final class TokenCache: Sendable {
    struct Key: Hashable, Sendable {
        let credentials: RegistryCredentials?
        let realm: String
        let service: String
        let scopes: [Scope]
    }
    private struct Entry {
        let token: String
        /// By the clock that only goes forward.
        let expiry: Int64
    }
    private let entries = Mutex<[Key: Entry]>([:])
    /// The most tokens that are kept.
    static let limit = 512

    func token(_ key: Key, now: Int64) -> String? {
        entries.withLock { entries in
            guard let entry = entries[key], entry.expiry > now else { return nil }
            return entry.token
        }
    }

    /// - Parameter lifetime: how long it is good from now on, as its server says. It is not used in the last tenth of that.
    func insert(_ token: String, _ key: Key, now: Int64, lifetimeSeconds: Int64) {
        entries.withLock { entries in
            if entries.count >= Self.limit { entries = entries.filter { $0.value.expiry > now } }
            if entries.count >= Self.limit { entries = [:] }
            entries[key] = Entry(token: token, expiry: now + lifetimeSeconds * 900_000_000)
        }
    }

    func remove(_ key: Key) { entries.withLock { $0[key] = nil } }
}
