public import BerthContent
internal import BerthCredentials
public import BerthOCI
internal import NIOHTTP1

// What is in a repository, and taking it out.
extension RegistryRepository {
    /// The repository's tags, in the registry's order (OCI distribution specification, *Listing Tags*), read page by page from the registry itself.
    ///
    /// - Throws: `notFound` if there is no such repository; `tooLarge` for more than a million.
    public func tags() async throws(TransferError) -> [String] {
        let conversation = try await conversation(with: core.configuration.pullEndpoint(of: name, credentials))
        let what = "cannot list the tags of '\(name)'"
        let ask = Ask(
            method: .GET, target: .repository("tags/list?n=1000"), scopes: [.repository(conversation.endpoint.repositoryPath, ["pull"])],
            what: what, accepted: [200])
        var tags: [String] = []
        try await conversation.pages(ask, what, TagPage.self) { page, _ in
            tags += page.tags ?? []
            return page.tags?.count ?? 0
        }
        return tags
    }

    /// Takes a tag away, or a manifest with all its tags (OCI distribution specification, *Deleting tags*, *Deleting Manifests*). Its blobs stay until the
    /// registry collects them.
    ///
    /// - Throws: `notFound` if there is none; `unsupported` if the registry does not let anybody delete this.
    public func delete(_ reference: ManifestReference) async throws(TransferError) {
        try await delete("manifests/\(reference)", "cannot delete '\(shown(reference))'")
    }

    /// Takes a blob away (OCI distribution specification, *Deleting Blobs*), whatever names it.
    ///
    /// - Throws: as ``delete(_:)``.
    public func deleteBlob(_ digest: Digest) async throws(TransferError) {
        try await delete("blobs/\(digest)", "cannot delete blob \(digest) of '\(name)'")
    }

    private func delete(_ path: String, _ what: String) async throws(TransferError) {
        let conversation = try await writing()
        let ask = Ask(
            method: .DELETE, target: .repository(path), scopes: [.repository(name.path, ["delete"])], what: what, accepted: [200, 202, 204])
        do throws(TransferError) { _ = try await conversation.answer(to: ask) } catch {
            guard error.code == .unsupported else { throw error }
            throw TransferError(
                .unsupported, error.reason,
                advice: "this registry does not let it be deleted: some delete manifests by their digest alone, some nothing",
                request: error.request, answer: error.answer)
        }
    }
}

private struct TagPage: Decodable {
    /// A repository without tags may have `null`.
    let tags: [String]?
}

extension RegistryConfiguration {
    /// Where a repository's registry itself is, for reading.
    func pullEndpoint(of repository: RepositoryName, _ credentials: RegistryCredentials?) -> Endpoint {
        let all = pullEndpoints(of: repository, credentials)
        return all[all.count - 1]
    }
}
