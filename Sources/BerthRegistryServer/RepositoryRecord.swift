internal import BerthOCI

/// What is kept of a manifest of a repository.
struct ManifestRecord: Hashable, Sendable, Codable {
    var digest: Digest
    /// As it was pushed: the bytes need not say it.
    var mediaType: MediaType
    var byteCount: UInt64
    /// What it is attached to.
    var subject: Digest?
    /// The blobs and the manifests that its bytes name. They can be nothing else as long as its digest is this: kept here so that collection reads no bytes.
    var blobs: [Digest]
    var manifests: [Digest]
}

/// What is kept of a repository (`repositories/<sha256 of its name>.json`): all that it shows, and nothing else shows.
struct RepositoryRecord: Hashable, Sendable {
    let name: String
    private(set) var tags: [String: Digest] = [:]
    private(set) var manifests: [Digest: ManifestRecord] = [:]
    /// With their sizes.
    private(set) var blobs: [Digest: UInt64] = [:]

    init(name: String) { self.name = name }

    /// Whether nothing is in it: then there is no such repository.
    var isEmpty: Bool { tags.isEmpty && manifests.isEmpty && blobs.isEmpty }

    /// How many bytes it shows. What another repository has as well counts in both.
    var byteCount: UInt64 {
        blobs.values.reduce(0, +) + manifests.values.reduce(0) { blobs[$1.digest] == nil ? $0 + $1.byteCount : $0 }
    }

    /// Everything of it that lies in the content store.
    var contents: Set<Digest> { Set(blobs.keys).union(manifests.keys) }

    func byteCount(of digest: Digest) -> UInt64? { blobs[digest] ?? manifests[digest]?.byteCount }

    mutating func add(blob: Digest, byteCount: UInt64) { blobs[blob] = byteCount }
    mutating func remove(blob: Digest) { blobs[blob] = nil }

    mutating func add(_ manifest: ManifestRecord, tags names: [String]) {
        manifests[manifest.digest] = manifest
        for name in names { tags[name] = manifest.digest }
    }
    mutating func remove(tag: String) { tags[tag] = nil }

    /// Removes a manifest with its tags.
    mutating func remove(manifest digest: Digest) {
        manifests[digest] = nil
        tags = tags.filter { $0.value != digest }
    }

    /// What is attached to a manifest, whether that is there or not, in the order of the digests.
    func referrers(of subject: Digest) -> [ManifestRecord] {
        manifests.values.filter { $0.subject == subject }.sorted { $0.digest.description < $1.digest.description }
    }

    /// What nobody needs: blobs that no manifest names, and, if asked for, manifests that are not reached from a tag. What is attached to a manifest
    /// that stays, stays.
    func garbage(untagged: Bool, isHeld: (Digest) -> Bool) -> (manifests: Set<Digest>, blobs: Set<Digest>) {
        var kept: Set<Digest> = []
        var next = untagged ? Array(Set(tags.values)) + manifests.keys.filter(isHeld) : Array(manifests.keys)
        let attached = Dictionary(grouping: manifests.values.filter { $0.subject != nil }) { $0.subject }
        while let digest = next.popLast() {
            guard let manifest = manifests[digest], kept.insert(digest).inserted else { continue }
            next += manifest.manifests + (attached[digest] ?? []).map(\.digest)
        }
        let named = Set(kept.flatMap { manifests[$0]?.blobs ?? [] })
        return (Set(manifests.keys).subtracting(kept), Set(blobs.keys.filter { !named.contains($0) && !isHeld($0) }))
    }

    mutating func remove(_ garbage: (manifests: Set<Digest>, blobs: Set<Digest>)) {
        for digest in garbage.manifests { remove(manifest: digest) }
        for digest in garbage.blobs { blobs[digest] = nil }
    }
}

extension RepositoryRecord: Codable {
    private enum CodingKeys: String, CodingKey { case name, tags, manifests, blobs }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        tags = try container.decode([String: Digest].self, forKey: .tags)
        for manifest in try container.decode([ManifestRecord].self, forKey: .manifests) { manifests[manifest.digest] = manifest }
        for (text, byteCount) in try container.decode([String: UInt64].self, forKey: .blobs) {
            do { blobs[try Digest(parsing: text)] = byteCount } catch {
                throw DecodingError.dataCorruptedError(forKey: .blobs, in: container, debugDescription: "\(error)")
            }
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(tags, forKey: .tags)
        try container.encode(manifests.values.sorted { $0.digest.description < $1.digest.description }, forKey: .manifests)
        try container.encode(Dictionary(uniqueKeysWithValues: blobs.map { ($0.description, $1) }), forKey: .blobs)
    }
}
