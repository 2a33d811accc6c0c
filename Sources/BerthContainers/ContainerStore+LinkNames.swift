internal import BerthNetworking
internal import Synchronization

// Links of the default network give a container a further name: `OWNER/ALIAS`, by whoever is linked to it.
extension ContainerStore {
    /// Those names, by the ids of whom they mean, each list in order.
    func linkNames() -> [String: [String]] {
        var names: [String: [String]] = [:]
        for owner in objects() {
            let (name, links) = owner.state.withLock { ($0.document.name, $0.document.configuration.networking.links) }
            for link in links {
                let (target, alias) = Self.parts(ofLink: link)
                guard let other = try? object(ownName: target) else { continue }  // it is gone
                names[other.id, default: []].append("\(name)/\(alias)")
            }
        }
        return names.mapValues { $0.sorted() }
    }

    /// The container that such a name means; `nil` if it is none. A link that is by another link leads nowhere: names change hands, and two could mean each other.
    func object(linkName text: String) -> ContainerObject? {
        link(named: text).flatMap { try? object(ownName: Self.parts(ofLink: $0.link).target) }  // it may be gone
    }

    /// Takes a link away by its name. A container that runs goes on finding the other by it until it starts anew.
    ///
    /// - Throws: `notFound` if there is no link of that name, `conflict` for what is no name of a link, `storage`.
    public func removeLink(named text: String) async throws(ContainerError) {
        guard text.drop(while: { $0 == "/" }).contains("/") else {
            throw ContainerError(.conflict, "Conflict, cannot remove the default link name of the container")
        }
        guard let (owner, link) = link(named: text) else { throw ContainerError(.notFound, "No such link: \(text)") }
        try await save(owner) { document in document.configuration.networking.links.removeAll { $0 == link } }
    }

    private func link(named text: String) -> (owner: ContainerObject, link: String)? {
        let parts = text.drop { $0 == "/" }.split(separator: "/", maxSplits: 1)
        guard parts.count == 2, let owner = index.withLock({ index in index.names[String(parts[0])].flatMap { index.containers[$0] } }),
            let link = owner.document.configuration.networking.links.first(where: { Self.parts(ofLink: $0).alias == parts[1] })
        else { return nil }
        return (owner, link)
    }

    private static func parts(ofLink text: String) -> (target: String, alias: String) {
        let (target, alias) = EndpointConfiguration.parts(ofLink: text)
        return (String(target), String(alias.drop { $0 == "/" }))
    }
}
