public import BerthContent
internal import BerthCredentials
internal import BerthOCI
internal import Synchronization

/// One repository, as somebody sees it: ``Registry/repository(_:credentials:)`` makes it.
///
/// It is a value; where the repository is, and how it is spoken to, is found out when it is first asked, and kept for as long as the value and its copies
/// are there. What the certificate directories hold is read then.
public struct RegistryRepository: Sendable {
    /// The name that users know it by.
    public let name: RepositoryName
    let core: RegistryCore
    let credentials: RegistryCredentials?
    let found = Found()

    /// Conversations that have begun.
    final class Found: Sendable {
        let conversations = Mutex<[Endpoint: Conversation]>([:])
    }

    func conversation(with endpoint: Endpoint) async throws(TransferError) -> Conversation {
        if let known = found.conversations.withLock({ $0[endpoint] }) { return known }
        let new = try await Conversation(core, endpoint)
        found.conversations.withLock { $0[endpoint] = new }
        return new
    }

    /// Asks the mirrors, then the registry, until one gives what is wanted. What the last one says is thrown.
    func reading<Result>(_ body: (Conversation) async throws(TransferError) -> Result) async throws(TransferError) -> Result {
        let endpoints = core.configuration.pullEndpoints(of: name, credentials)
        for endpoint in endpoints.dropLast() {
            do throws(TransferError) { return try await body(try await conversation(with: endpoint)) } catch {
                // What is wrong here, or with what was asked, is so everywhere.
                if [.cancelled, .storage, .noSpace, .busy, .offline, .invalid].contains(error.code) { throw error }
                forget(endpoint)
            }
        }
        // There always is the registry itself.
        let last = endpoints[endpoints.count - 1]
        do throws(TransferError) { return try await body(try await conversation(with: last)) } catch {
            forget(last)
            throw error
        }
    }

    func writing() async throws(TransferError) -> Conversation {
        try await conversation(with: core.configuration.pushEndpoint(of: name, credentials))
    }

    /// Whoever failed is found anew the next time.
    private func forget(_ endpoint: Endpoint) { found.conversations.withLock { $0[endpoint] = nil } }

    func shown(_ reference: ManifestReference) -> String {
        switch reference {
        case .tag(let tag): "\(name):\(tag)"
        case .digest(let digest): "\(name)@\(digest)"
        }
    }
}
