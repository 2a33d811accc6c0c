/// Where an image is copied from or to (``BerthPath/copy``): what `from` and `to` say.
public enum CopyPlace: Hashable, Sendable {
    /// A registry, which the name leads to: `docker://NAME`, or the name alone.
    case registry(String)
    /// The engine's own store: `berth:NAME`, of what is there also an id.
    case store(String)
    /// An OCI layout in a tar: `oci-archive:`, or `oci-archive:NAME`. It is the request's body, or the answer's.
    case layout(name: String?)
    /// An archive as Docker makes it: `docker-archive:`, or `docker-archive:NAME`. It is the request's body, or the answer's.
    case docker(name: String?)

    /// A place of these words.
    public init(parsing text: String) {
        func rest(behind prefix: String) -> String? { text.hasPrefix(prefix) ? String(text.dropFirst(prefix.utf8.count)) : nil }
        func name(_ text: String) -> String? { text.isEmpty ? nil : text }
        if let rest = rest(behind: "docker://") {
            self = .registry(rest)
        } else if let rest = rest(behind: "berth:") {
            self = .store(rest)
        } else if let rest = rest(behind: "oci-archive:") {
            self = .layout(name: name(rest))
        } else if let rest = rest(behind: "docker-archive:") {
            self = .docker(name: name(rest))
        } else {
            self = .registry(text)
        }
    }

    /// The words. A registry's are the name alone, as every berthd reads it.
    public var text: String {
        switch self {
        case .registry(let name): name
        case .store(let name): "berth:\(name)"
        case .layout(let name): "oci-archive:\(name ?? "")"
        case .docker(let name): "docker-archive:\(name ?? "")"
        }
    }

    /// Whether it is bytes that go with the request or the answer.
    public var isArchive: Bool {
        switch self {
        case .registry, .store: false
        case .layout, .docker: true
        }
    }
}
