public import BerthContent
public import BerthOCI
internal import FoundationEssentials
internal import NIOHTTP1

// What is said about an image by others, such as signatures (OCI distribution specification, *Listing Referrers*).
extension RegistryRepository {
    /// The manifests that name a manifest as their subject. A registry that does not list them has them under a tag, which is read then.
    ///
    /// - Parameter artifactType: only those of this type.
    /// - Returns: none if there are none, or no such manifest.
    public func referrers(of digest: Digest, artifactType: String? = nil) async throws(TransferError) -> [Descriptor] {
        let conversation = try await conversation(with: core.configuration.pullEndpoint(of: name, credentials))
        let what = "cannot list the referrers of '\(shown(.digest(digest)))'"
        let query = artifactType.map { "?" + PercentText.form([("artifactType", $0)]) } ?? ""
        let ask = Ask(
            method: .GET, target: .repository("referrers/\(digest)\(query)"), headers: [("Accept", MediaType.index.rawValue)],
            scopes: [.repository(conversation.endpoint.repositoryPath, ["pull"])], what: what, accepted: [200])
        var found: [Descriptor] = []
        do throws(TransferError) {
            try await conversation.pages(ask, what, Index.self) { page, _ in
                found += page.manifests
                return page.manifests.count
            }
        } catch {
            guard error.code == .notFound || error.code == .unsupported else { throw error }
            found = try await listedReferrers(of: digest)?.manifests ?? []
        }
        // A registry need not look at the type.
        return artifactType.map { type in found.filter { $0.unknown.fields["artifactType"] == .string(type) } } ?? found
    }

    /// The list under the tag (OCI distribution specification, *Referrers Tag Schema*); `nil` if there is none.
    private func listedReferrers(of digest: Digest) async throws(TransferError) -> Index? {
        let conversation = try await conversation(with: core.configuration.pullEndpoint(of: name, credentials))
        let tag = Self.referrersTag(of: digest)
        do throws(TransferError) {
            let list = try await conversation.manifest(.tag(tag), shown(.tag(tag)))
            if let index = try? JSONDecoder().decode(Index.self, from: Data(list.bytes)) { return index }
            throw TransferError(.badAnswer, "'\(shown(.tag(tag)))' is no list of referrers")
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    static func referrersTag(of digest: Digest) -> String { "\(digest.algorithm.rawValue)-\(digest.hex.prefix(64))" }

    /// Puts a manifest on the list of its subject's referrers, where the registry does not do so by itself. Two clients that do this at the same moment may
    /// lose one of the two (the specification says so).
    func list(_ manifest: FetchedManifest) async throws(TransferError) {
        // What cannot be read has no subject that anybody would find.
        guard let look = try? JSONDecoder().decode(SubjectLook.self, from: Data(manifest.bytes)), let subject = look.subject else { return }
        var index = try await listedReferrers(of: subject.digest) ?? Index(manifests: [])
        guard !index.manifests.contains(where: { $0.digest == manifest.descriptor.digest }) else { return }
        var descriptor = manifest.descriptor
        descriptor.annotations = look.annotations
        if let type = look.artifactType ?? look.config?.mediaType.rawValue { descriptor.unknown.fields["artifactType"] = .string(type) }
        index.manifests.append(descriptor)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(index) else { throw TransferError(.invalid, "the list of referrers cannot be encoded") }
        let bytes = Array(data)
        let list = FetchedManifest(
            descriptor: Descriptor(mediaType: .index, digest: Digest(of: bytes), byteCount: UInt64(bytes.count)), bytes: bytes)
        let tag = Self.referrersTag(of: subject.digest)
        try await writing().put(list, .tag(tag), shown(.tag(tag)))
    }
}

/// What a manifest says about what it is about.
private struct SubjectLook: Decodable {
    let subject: Descriptor?
    let artifactType: String?
    let config: Descriptor?
    let annotations: [String: String]?
}
