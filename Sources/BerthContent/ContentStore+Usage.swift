internal import BerthLinux
public import BerthOCI

/// Content that is on its way into the store.
public struct PartialContent: Hashable, Sendable {
    /// The name of its file below `ingest`.
    public let name: String
    /// How many bytes have come so far.
    public let byteCount: UInt64
}

// How much space the store takes. What comes and goes meanwhile may be in it or not.
extension ContentStore {
    /// How many bytes each blob has.
    ///
    /// - Throws: `storage`.
    public func byteCounts() throws(ContentError) -> [Digest: UInt64] {
        var found: [Digest: UInt64] = [:]
        for digest in try all() {
            do throws(ContentError) { found[digest] = try byteCount(of: digest) } catch {
                guard error.code == .notFound else { throw error }  // gone since it was listed
            }
        }
        return found
    }

    /// What is coming, in the order of the names.
    ///
    /// - Throws: `storage`.
    public func partials() throws(ContentError) -> [PartialContent] {
        var found: [PartialContent] = []
        do throws(Errno) {
            for entry in try ingests.entries() {
                // Not there any more: it has become a blob, or was dropped.
                guard let status = try ingests.statusIfThere(entry.name) else { continue }
                found.append(PartialContent(name: entry.name.description, byteCount: UInt64(max(0, status.byteCount))))
            }
        } catch { throw .storage("cannot list the content that comes", error) }
        return found.sorted { $0.name < $1.name }
    }
}
