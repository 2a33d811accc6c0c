internal import BerthOCI

/// What an archive that is none of images looks like: whoever mistook it is told what to do with it.
struct ArchiveLooks {
    private var rootFolders: Set<Substring> = []
    private var isOfImages = false

    /// What only a root file system has at its top.
    private static let ofRoots: Set<Substring> = [
        "bin", "boot", "dev", "etc", "home", "lib", "opt", "proc", "root", "sbin", "sys", "tmp", "usr", "var",
    ]
    private static let ofImages: Set<Substring> = ["manifest.json", "repositories", "index.json", "oci-layout", "blobs"]

    /// Looks at a member's path.
    ///
    /// - Throws: `invalid` as soon as it is sure that this is no archive of images: what is still to come need not be read.
    mutating func see(_ path: String) throws(ImageError) {
        guard !isOfImages, let first = path.split(separator: "/", maxSplits: 1).first else { return }
        if Self.ofImages.contains(first) { isOfImages = true }
        if Self.ofRoots.contains(first) { rootFolders.insert(first) }
        guard !isOfImages, rootFolders.count >= 3 else { return }
        let names = rootFolders.sorted().map { "'\($0)'" }.joined(separator: ", ")
        throw ImageError(
            .invalid,
            "this is no archive of images: it has \(names) in it, and looks like a root file system. Use import to make an image of it")
    }

    /// What to say of something in which there is not even a first member.
    static func complaint(about source: ObservedSource) -> ImageError {
        guard source.byteCount > 0 else { return ImageError(.invalid, "this is no archive of images: it is empty") }
        let head = source.head
        let text = String(decoding: head.drop { $0 <= 32 }.prefix(64), as: UTF8.self).lowercased()
        let looks: String =
            if head.allSatisfy({ $0 == 0 }) {
                "it is an archive with nothing in it"
            } else if text.hasPrefix("<!doctype html") || text.hasPrefix("<html") {
                "it looks like a web page (HTML): what was to be downloaded may have been refused"
            } else if text.hasPrefix("<") {
                "it looks like XML"
            } else if text.hasPrefix("{") || text.hasPrefix("[") {
                "it looks like JSON: a manifest alone is no image"
            } else if text.hasPrefix("from ") || text.hasPrefix("# syntax=") {
                "it looks like a Dockerfile"
            } else if head.starts(with: [0x7f, 0x45, 0x4c, 0x46]) {
                "it looks like a program"
            } else if head.starts(with: Array("hsqs".utf8)) {
                "it looks like a squashfs file system"
            } else {
                "it is no tar archive, plain or compressed, or its beginning is damaged"
            }
        return ImageError(.invalid, "this is no archive of images: \(looks)")
    }

    /// What to say of an archive in which nothing says what images there are.
    static func complaint(aboutPaths paths: Set<String>) -> ImageError {
        let first = Set(paths.compactMap { $0.split(separator: "/").first })
        let looks: String =
            if first.contains("blobs") {
                "it has blobs, and no index.json that says what they are"
            } else if first.contains("Dockerfile") || first.contains("Containerfile") {
                "it has a Dockerfile in it, and looks like the context of a build"
            } else if first.contains("Chart.yaml") {
                "it looks like a Helm chart"
            } else if first.isDisjoint(with: ofRoots) {
                "it has neither a manifest.json nor an index.json in it"
            } else {
                "it has neither a manifest.json nor an index.json in it, and looks like a root file system. Use import to make an image of it"
            }
        return ImageError(.invalid, "this is no archive of images: \(looks)")
    }
}
