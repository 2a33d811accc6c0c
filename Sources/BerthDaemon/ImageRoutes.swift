internal import Berth
internal import BerthLinux
internal import DockerAPI
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Images: made, listed, looked at, named and removed.
struct ImageRoutes: Sendable {
    let engine: Engine
    let group: MultiThreadedEventLoopGroup

    var routes: [Route] {
        [
            Route(.GET, "/images/json") { try await list($0) },
            Route(.POST, "/images/create") { try await create($0) },
            Route(.POST, "/images/prune") { try await prune($0) },
            // Nothing is built here, and so nothing is kept of builds: whoever clears up everything goes on.
            Route(.POST, "/build/prune") { try await $0.reply.json(Array(#"{"CachesDeleted":null,"SpaceReclaimed":0}"#.utf8)) },
            Route(.GET, "/images/{name}/json") { try await inspect($0) },
            Route(.GET, "/images/{name}/history") { try await history($0) },
            Route(.POST, "/images/{name}/tag") { try await tag($0) },
            Route(.DELETE, "/images/{name}") { try await remove($0) },
        ]
    }

    private func list(_ call: Call) async throws {
        // `digests` is shown anyway.
        var filters = try Filters.parse(call.query["filters"] ?? "")
        // What clients before 1.41 say.
        if let old = call.query["filter"] { filters["reference", default: []].append(old) }
        var query = ImageQuery(includesAll: call.query.bool("all"))
        query.until = try filters.takeUntil()
        query.filters = filters
        let found = try engine.images.list(query)
        let shared = call.query.bool("shared-size") ? engine.images.sharedByteCounts() : [:]
        let manifests = try await manifests(of: found, call, since: APIVersion(1, 47))
        try await call.reply.json(
            found.map { image in
                var summary = ImageSummary(image, sharedByteCount: shared[image.id], for: call.version)
                summary.manifests = manifests?[image.id] ?? nil
                return summary
            })
    }

    /// The manifests of images, if they are asked for; older versions of the API do not know the question.
    private func manifests(
        of images: [ImageRecord], _ call: Call, since version: APIVersion
    ) async throws -> [BerthOCI.Digest: [ImageManifestSummary]]? {
        guard call.version >= version, call.query.bool("manifests") else { return nil }
        return try await engine.images.manifests(of: images).mapValues { manifests in
            manifests.map { ImageManifestSummary($0) { engine.uses(ofImage: $0).map(\.containerID) } }
        }
    }

    private func inspect(_ call: Call) async throws {
        if call.version >= APIVersion(1, 48), call.query.bool("manifests"), call.query["platform"] != nil {
            throw APIFailure.invalid("conflicting options: manifests and platform options cannot both be set")
        }
        let found = try find(call)
        var image = ImageInspect(found, snapshotter: engine.snapshotterName)
        image.manifests = try await manifests(of: [found], call, since: APIVersion(1, 48))?[found.id]
        try await call.reply.json(image.json(for: call.version))
    }

    private func history(_ call: Call) async throws {
        try await call.reply.json(try engine.images.history(of: find(call)).map { ImageHistoryItem($0) })
    }

    /// The image that a request is about: for the platform that it names, if it names one.
    private func find(_ call: Call) throws -> ImageRecord {
        try engine.images.find(call.subject, platform: try PlatformParameter.parse(call.query["platform"] ?? ""))
    }

    private func tag(_ call: Call) async throws {
        guard let repository = call.query["repo"] else { throw APIFailure.invalid("the parameter 'repo' is missing: the name to give") }
        try await engine.images.tag(call.subject, as: try Self.reference(repository, call.query["tag"]))
        try await call.reply.empty(.created)
    }

    private func remove(_ call: Call) async throws {
        // `noprune` keeps parents without names; images have none here.
        let force = call.query.bool("force")
        let platforms = try call.query.all("platforms").compactMap(PlatformParameter.parse)
        var done: [ImageRemoval] = []
        if platforms.isEmpty { done = try await engine.removeImage(call.subject, force: force) }
        for platform in platforms { done += try await engine.removeImage(call.subject, platform: platform, force: force) }
        try await call.reply.json(done.map { ImageDeleteItem($0) })
    }

    private func prune(_ call: Call) async throws {
        let query = try ImagePruning(filters: try Filters.parse(call.query["filters"] ?? ""))
        try await call.reply.json(ImagePruneReport(try await engine.pruneImages(query)))
    }

    static func reference(_ repository: String, _ tag: String?) throws -> ImageReference {
        try ImageReference(parsing: tag.map { $0.contains(":") ? "\(repository)@\($0)" : "\(repository):\($0)" } ?? repository)
    }

    private func create(_ call: Call) async throws {
        if let image = call.query["fromImage"] { return try await RegistryRoutes(engine: engine).pull(image, call) }
        guard let source = call.query["fromSrc"] else {
            throw APIFailure.invalid("one of the parameters fromSrc and fromImage must be given")
        }
        let platform = try call.query["platform"].map { text throws(APIFailure) in
            guard let platform = Platform(parsing: text) else { throw .invalid("\"\(text)\" is an invalid platform") }
            return platform
        }
        let reference = try call.query["repo"].map { try Self.reference($0, call.query["tag"]) }
        let changes = call.query.all("changes")
        var message = call.query["message"]
        // As Docker takes it, an address without a scheme is a web server's.
        let file = source == "-" ? nil : try await engine.registry.file(at: source.contains("://") ? source : "http://\(source)")
        if let file, message?.isEmpty ?? true { message = "Imported from \(file.address)" }
        let byteCount = file == nil ? call.contentLength : file?.byteCount
        let pipe = try BerthLinux.Pipe()
        pipe.extend(to: 1 << 20)
        let (job, writing) = try pipe.take { reading, writing throws(ImageError) in
            // The import has one end from now on, and the upload the other.
            let job = try engine.images.importRootFileSystem(
                from: reading, byteCount: byteCount, as: reference, changes: changes, message: message, platform: platform ?? .host)
            return (job, writing.release())
        }
        var upload = ArchiveUpload(group: group, job: job, call: call, doing: "Importing") { [.status($0.id.description)] }
        if let file {
            upload.pieces = { take in try await file.read { try await take(ByteBuffer(bytes: $0)) } }
            try await call.reply.begin(type: "application/json")
            try await call.reply.write(ProgressMessage.status("Downloading from \(file.address)").line)
        }
        try await upload.perform(into: writing)
    }
}
