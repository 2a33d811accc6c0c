internal import Berth
internal import BerthAPI
internal import BerthLinux
internal import DockerAPI
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// Images that are copied as they are, between registries, the store, and archives that the client sends and gets.
struct CopyRoutes: Sendable {
    let engine: Engine
    let group: MultiThreadedEventLoopGroup

    var routes: [Route] { [Route(.POST, BerthPath.copy) { try await copy($0) }] }

    private func copy(_ call: Call) async throws {
        guard let from = call.query["from"], let to = call.query["to"] else {
            throw APIFailure.invalid("the parameters 'from' and 'to' must be given: what is copied, and as what")
        }
        var options = CopyOptions(
            platform: try PlatformParameter.parse(call.query["platform"] ?? ""), requiresAll: call.query.bool("all"))
        options.width = engine.registry.configuration.maximumDownloadCount
        if options.platform != nil, options.requiresAll { throw APIFailure.invalid("'platform' and 'all' say two different things") }
        let (source, target) = (CopyPlace(parsing: from), CopyPlace(parsing: to))
        let names = try names(target, call)
        let body = source.isArchive ? try Way() : nil
        let answer = target.isArchive ? try Way() : nil
        let stake = try await engine.images.copy(
            from: try origin(source, body, call), to: try destination(target, answer, call), options, .bound)
        if let answer {
            // All of the body is read before the first byte of the archive is written.
            if let body { try await upload(stake.job, call).feed(body.takeOther()) }
            return try await ArchiveDownload(group: group, job: stake.job, call: call).perform(from: answer.takeOther())
        }
        if let body {
            let result = ArchiveUpload(group: group, job: stake.job, call: call, doing: "Loading") { manifest in
                (try? Reply.json(names(manifest))).map { [.result($0)] } ?? []  // names encode
            }
            return try await result.perform(into: body.takeOther())
        }
        try await call.reply.begin(type: "application/json")
        do {
            let manifest = try await FollowedStake(call: call).follow(stake)
            try await call.reply.write(ProgressMessage.result(try Reply.json(names(manifest))).line)
        } catch {
            if Task.isCancelled { throw error }
            try await call.reply.write(ProgressMessage.failure(APIFailure(error).message).line)
        }
        try await call.reply.end()
    }

    private func upload(_ job: Job<BerthOCI.Descriptor>, _ call: Call) -> ArchiveUpload<BerthOCI.Descriptor> {
        ArchiveUpload(group: group, job: job, call: call, doing: nil) { _ in [] }
    }

    private func origin(_ place: CopyPlace, _ body: Way?, _ call: Call) throws -> CopySource {
        switch place {
        case .registry(let name):
            return try engine.images.source(try ImageReference(parsing: name), credentials: try RegistryRoutes.credentials(call))
        case .store(let name): return .store(name)
        case .layout(let name), .docker(let name):
            guard let body else { preconditionFailure("an archive has a way") }
            return .archive(body.takeReading(), name: name)
        }
    }

    private func destination(_ place: CopyPlace, _ answer: Way?, _ call: Call) throws -> CopyDestination {
        switch place {
        case .registry(let name):
            let credentials = try RegistryRoutes.credentials(call, header: "X-Registry-Auth-To")
            return try engine.images.destination(try ImageReference(parsing: name), credentials: credentials)
        case .store(let name): return .store(try Self.named(name))
        case .layout(let name):
            guard let answer else { preconditionFailure("an archive has a way") }
            return .archive(answer.takeWriting(), .layout(name: name))
        case .docker(let name):
            guard let answer else { preconditionFailure("an archive has a way") }
            return .archive(answer.takeWriting(), .docker(name: try name.map(Self.named)))
        }
    }

    private static func named(_ text: String) throws -> ImageReference {
        let reference = try ImageReference(parsing: text)
        guard reference.digest == nil else {
            throw APIFailure.invalid("cannot copy to '\(text)': it is the bytes that give an image its digest")
        }
        return reference
    }

    /// What the client is told of what came of it.
    private func names(_ place: CopyPlace, _ call: Call) throws -> @Sendable (BerthOCI.Descriptor) -> NameList {
        switch place {
        case .layout, .docker: return { NameList(["\($0.digest)"]) }
        case .registry(let name), .store(let name):
            let reference = try ImageReference(parsing: name)
            return { NameList([reference.familiar, reference.withDigest($0.digest).familiar]) }
        }
    }
}

/// A pipe between a job and the client: one end is the job's, the other becomes a channel.
private final class Way: Sendable {
    private let reading: OpenEnd
    private let writing: OpenEnd

    init() throws {
        let pipe = try BerthLinux.Pipe()
        pipe.extend(to: 1 << 20)
        (reading, writing) = pipe.take { (OpenEnd($0), OpenEnd($1)) }
    }

    func takeReading() -> OwnedDescriptor { reading.take() }
    func takeWriting() -> OwnedDescriptor { writing.take() }
    /// The end that the job does not have.
    func takeOther() -> CInt { (reading.isThere ? reading : writing).take().release() }
}

/// One end, until somebody takes it.
private final class OpenEnd: Sendable {
    private let descriptor: Mutex<OwnedDescriptor?>

    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = Mutex(consume descriptor) }

    var isThere: Bool { descriptor.withLock { $0 != nil } }

    func take() -> OwnedDescriptor {
        guard let taken = descriptor.withLock({ $0.take() }) else { preconditionFailure("each end is taken once") }
        return taken
    }
}
