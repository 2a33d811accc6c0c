/// What one of our own endpoints answers: a document, with the version of its format.
///
/// A format may get members without a new version, so nobody minds what he does not know. What is older than a reader is read by it; what is newer than
/// it is refused, as with the documents that an engine keeps.
public struct Versioned<Document: Codable & Sendable>: Codable, Sendable {
    /// The version of the document's format.
    public var version: Int
    /// What is said.
    public var document: Document

    /// A document of the version that is written now.
    public init(_ document: Document) where Document: VersionedDocument { (version, self.document) = (Document.currentVersion, document) }
}

/// What can be the whole of an answer.
public protocol VersionedDocument: Codable, Sendable {
    /// The version that is written, and the newest that is read.
    static var currentVersion: Int { get }
}

/// Where our own endpoints are. They stand beside Docker's Engine API, and carry a version of their own: no version of that API stands before them.
public enum BerthPath {
    /// What all of them begin with.
    public static let prefix = "/berth/v1"
    /// `GET`: the jobs (``JobList``).
    public static let jobs = prefix + "/jobs"
    /// `GET`: a job as it goes on, a line for each state (``JobReport``); the last one is how it ended.
    public static func job(_ id: String) -> String { "\(jobs)/\(id)" }
    /// `POST`: a job is to end (``JobReport``). One that has ended stays as it is.
    public static func cancellation(of id: String) -> String { "\(jobs)/\(id)/cancel" }
    /// `POST`: an image is pulled, as `POST /images/create` does it, by a job that goes on alone (``JobReport``).
    public static let pull = prefix + "/pull"
    /// `POST`: an image is copied, as it is, `from` one place `to` another (``CopyPlace``): of an index all of it, unless a `platform` is named; with `all`, less is an error. A
    /// stream, then the names that it has there (``NameList``); or the archive that it is copied to.
    public static let copy = prefix + "/copy"
    /// `GET`: the manifest of an image's `name` as its registry has it (``ManifestDocument``). `DELETE`: it goes from there (``NameList``).
    public static let manifest = prefix + "/manifest"
    /// `GET`: the tags of the repository of a `name`, in its registry (``NameList``).
    public static let tags = prefix + "/tags"
    /// `GET`: the repositories of a `registry` (``NameList``).
    public static let repositories = prefix + "/repositories"
    /// `GET`: what takes space beside what Docker counts (``UsageAccount``).
    public static let usage = prefix + "/usage"
    /// `POST`: a check of the store, which the parameter `repair` lets change something; lines of progress, then a ``CheckReport``.
    public static let check = prefix + "/check"
    /// `GET`: every way into every container from outside (``ExposureList``).
    public static let exposure = prefix + "/exposure"
    /// `GET`: what other people's firewalls make of containers' packets, and what the engine does about it (``FirewallReport``). `POST`: it is to be otherwise,
    /// as `mode` (`explain`, `cooperate`) and `protection` (`owned`, `watched`) say; the same answer.
    public static let firewall = prefix + "/firewall"

    /// `POST`: a container becomes otherwise than it was made (``EditReport``). The body is what of a request to make one is to be otherwise; what it does not name
    /// stays as it is. `dry-run` changes nothing.
    public static func edit(_ container: String) -> String { "\(prefix)/containers/\(container)/edit" }

    /// What is asked of an image, or done with it.
    public enum ImageVerb: String, Sendable, CaseIterable {
        /// `GET`: its layers (``ImageLayerList``).
        case layers
        /// `GET`, with the other image as `with`: in what they differ (``ImageDifferences``, then pages of ``ImageDifferencePage``).
        case diff
        /// `POST`: an image of fewer layers is made (``ImageMade``). `from` is the lowest of those that become one, `t` the name.
        case squash
        /// `POST`: an image on another base is made (``ImageMade``). `from` is the old base, `onto` the new one, `t` the name.
        case rebase
    }

    /// The path of an image, whose name is in it as `name` says: escaped, or as a pattern.
    public static func image(_ name: String, _ verb: ImageVerb) -> String { "\(prefix)/images/\(name)/\(verb.rawValue)" }
}
