internal import Berth
internal import BerthAPI
internal import DockerAPI
internal import NIOHTTP1

/// Images that come from registries and go to them.
struct RegistryRoutes: Sendable {
    let engine: Engine

    var routes: [Route] {
        [
            Route(.POST, "/images/{name}/push") { try await push($0) },
            Route(.POST, BerthPath.pull) { try await pullAlone($0) },
        ]
    }

    // MARK: Pulling

    /// `POST /images/create?fromImage=`: before the first byte of the answer, the registry has said what the name names.
    func pull(_ image: String, _ call: Call) async throws {
        let (reference, platform, credentials) = try request(image, call)
        let first: (name: ImageReference, stake: JobStake<FetchedImage>)
        var others: [ImageReference] = []
        // A name alone is all of its tags; clients say which one is meant.
        let isAll = call.query["tag"] == nil && reference.digest == nil && !Self.hasTag(image)
        do throws(TransferError) {
            if isAll {
                let repository = engine.registry.repository(RepositoryName(of: reference), credentials: credentials)
                others = try await repository.tags().compactMap { try? ImageReference(parsing: "\(reference.familiarName):\($0)") }
                guard !others.isEmpty else { throw TransferError(.notFound, "'\(reference.familiarName)' has no tags") }
            }
            let name = isAll ? others.removeFirst() : reference
            first = (name, try await engine.images.pull(name, platform: platform, credentials: credentials, .bound))
        } catch { throw Self.failure(error, of: reference) }
        try await call.reply.begin(type: "application/json")
        try await finishing(call) {
            var areNew = [try await tell(first.stake, first.name, call)]
            for name in others {
                areNew.append(
                    try await tell(try await engine.images.pull(name, platform: platform, credentials: credentials, .bound), name, call))
            }
            let words = areNew.contains(true) ? "Downloaded newer image for" : "Image is up to date for"
            let one = first.name.digest.map { first.name.withDigest($0) } ?? first.name
            try await call.reply.write(
                ProgressMessage.status("Status: \(words) \(isAll ? reference.familiarName : one.familiar)").line)
        }
    }

    /// Follows one pull to its end.
    ///
    /// - Returns: whether it has brought anything new.
    private func tell(_ stake: JobStake<FetchedImage>, _ name: ImageReference, _ call: Call) async throws -> Bool {
        let asked = name.digest?.description ?? name.tag ?? ""
        try await call.reply.write(ProgressMessage.status("Pulling from \(RepositoryName(of: name).path)", id: asked).line)
        let fetched = try await FollowedStake(call: call).follow(stake)
        try await call.reply.write(ProgressMessage.status("Digest: \(fetched.digest)").line)
        return fetched.isNew
    }

    private func pullAlone(_ call: Call) async throws {
        guard let image = call.query["fromImage"] else { throw APIFailure.invalid("the parameter 'fromImage' is missing: what to pull") }
        let (reference, platform, credentials) = try request(image, call)
        do throws(TransferError) {
            let stake = try await engine.images.pull(reference, platform: platform, credentials: credentials, .detached)
            guard let job = engine.jobs.find(stake.job.id) else { throw TransferError(.cancelled, "the pull has ended already") }
            let item = JobItem(job.summary)
            try await Self.document(JobReport(item), call)
        } catch { throw Self.failure(error, of: reference) }
    }

    private static func document(_ report: JobReport, _ call: Call) async throws(TransferError) {
        do { try await call.reply.document(report) } catch { throw TransferError(.cancelled, "the client has gone: \(error)") }
    }

    private func request(_ image: String, _ call: Call) throws -> (ImageReference, Platform?, RegistryCredentials?) {
        let reference = try ImageRoutes.reference(image, call.query["tag"])
        let platform = try call.query["platform"].map { text throws(APIFailure) in
            guard let platform = Platform(parsing: text) else { throw .invalid("\"\(text)\" is an invalid platform") }
            return platform
        }
        return (reference, platform, try Self.credentials(call))
    }

    /// A registry does not tell who may not see a repository from one that is not there: Docker's clients know the words.
    private static func failure(_ error: TransferError, of reference: ImageReference) -> any Error {
        switch error.code {
        case .denied, .unauthorized:
            APIFailure.notFound(
                "pull access denied for \(reference.familiarName), repository does not exist or may require 'docker login': \(error)")
        case .notFound: APIFailure.notFound("\(error)")
        default: error
        }
    }

    /// What goes wrong once the answer has begun is a line of it.
    private func finishing(_ call: Call, _ body: () async throws -> Void) async throws {
        do { try await body() } catch {
            if Task.isCancelled { throw error }
            try await call.reply.write(ProgressMessage.failure(APIFailure(error).message).line)
        }
        try await call.reply.end()
    }

    // MARK: Pushing

    private func push(_ call: Call) async throws {
        let credentials = try Self.credentials(call)
        let reference = try ImageRoutes.reference(call.subject, call.query["tag"])
        let platform = try PlatformParameter.parse(call.query["platform"] ?? "")
        let repository = RepositoryName(of: reference)
        // Without a tag, it is all of them.
        let isOne = call.query["tag"] != nil || Self.hasTag(call.subject)
        try await call.reply.begin(type: "application/json")
        try await call.reply.write(
            ProgressMessage.status("The push refers to repository [\(reference.registry)/\(reference.repository)]").line)
        try await finishing(call) {
            let names = isOne ? [reference] : engine.images.names(in: repository)
            guard !engine.images.names(in: repository).isEmpty, !names.isEmpty else {
                throw ImageError(.notFound, "An image does not exist locally with the tag: \(reference.familiarName)")
            }
            for name in names {
                let stake = try engine.images.push(name, platform: platform, credentials: credentials, .bound)
                try await tell(try await FollowedStake(call: call).follow(stake), call)
            }
        }
    }

    private func tell(_ pushed: PushedImage, _ call: Call) async throws {
        let (tag, manifest) = (pushed.name.tag ?? "", pushed.manifest)
        if let index = pushed.insteadOf {
            let note = PushedInsteadOfIndex(index: index, manifest: manifest)
            try await call.reply.write(ProgressMessage.result(note.json).line)
        }
        try await call.reply.write(
            ProgressMessage.status("\(tag): digest: \(manifest.digest) size: \(manifest.byteCount)").line)
        let result = PushResult(tag: tag, digest: manifest.digest, byteCount: manifest.byteCount)
        try await call.reply.write(ProgressMessage.result(result.json).line)
    }

    /// Whether a name says a tag itself: a colon before the last slash belongs to a port.
    private static func hasTag(_ text: String) -> Bool { text[(text.lastIndex(of: "/") ?? text.startIndex)...].contains(":") }

    /// Who the client is towards the registry. Nothing of it is in any answer.
    static func credentials(_ call: Call, header: String = "X-Registry-Auth") throws -> RegistryCredentials? {
        RegistryCredentials(try RegistryAuth(header: call.head.headers.first(name: header) ?? ""))
    }
}

extension RegistryCredentials {
    /// What a request shows; `nil` for nobody.
    init?(_ auth: RegistryAuth) {
        if !auth.registryToken.isEmpty {
            self.init(.registryToken(auth.registryToken))
        } else if !auth.identityToken.isEmpty {
            self.init(.identityToken(user: auth.user, token: auth.identityToken))
        } else if !auth.user.isEmpty || !auth.password.isEmpty {
            self.init(.password(user: auth.user, password: auth.password))
        } else {
            return nil
        }
    }
}
