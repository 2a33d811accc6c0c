internal import AsyncHTTPClient
internal import BerthContent
internal import BerthCredentials
internal import BerthReactor
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL

/// What is asked of a registry.
struct Ask: Sendable {
    var method: HTTPMethod
    /// Below the repository: `manifests/latest`; for the registry itself below `/v2/`. Or a whole URL that the registry has given.
    var target: Target
    var headers: [(String, String)] = []
    /// Made anew for each try.
    var body: (@Sendable () -> HTTPClientRequest.Body)?
    /// What a token must allow.
    var scopes: [Scope]
    /// What fails if this does, for people.
    var what: String
    /// The answers that are no failure.
    var accepted: Set<Int>

    enum Target: Sendable {
        case repository(String)
        case registry(String)
        case url(URLParts)
    }
}

/// Why one try failed, and whether another may help.
struct Refusal: Error {
    let error: TransferError
    let retry: RetryPolicy.Failure?
    init(_ error: TransferError, retry: RetryPolicy.Failure? = nil) { (self.error, self.retry) = (error, retry) }
}

/// Somebody, towards one endpoint: credentials are shown where they belong, and redirects followed without them.
struct Conversation: Sendable {
    let core: RegistryCore
    let endpoint: Endpoint
    /// How it is spoken to.
    let address: RegistryAddress
    let tls: TLSConfiguration?

    /// The most redirects that one request follows.
    static let maximumRedirectCount = 5
    /// The most bytes of a header that is made use of.
    static let maximumHeaderByteCount = 16 << 10

    init(_ core: RegistryCore, _ endpoint: Endpoint) async throws(TransferError) {
        if core.configuration.isOffline {
            throw TransferError(
                .offline, "'\(endpoint.registry)' is not asked: this engine is offline", advice: "see the configuration of its registries")
        }
        let directories = core.configuration.certificateDirectories
        tls = try await core.lane.run { () throws(TransferError) in
            try CertificateDirectory.configuration(for: endpoint, in: directories)
        }
        address = try await core.address(of: endpoint, tls)
        (self.core, self.endpoint) = (core, endpoint)
    }

    /// Asks, again where that may help, until there is an answer that is accepted.
    func answer(to ask: Ask) async throws(TransferError) -> HTTPClientResponse {
        var failedCount = 0
        while true {
            do throws(Refusal) { return try await once(ask) } catch {
                failedCount += 1
                try await pause(after: error, failedCount: failedCount, hasBegun: false)
            }
        }
    }

    /// Waits before the next try, or throws what was wrong with the last one.
    func pause(after refusal: Refusal, failedCount: Int, hasBegun: Bool) async throws(TransferError) {
        guard let failure = refusal.retry,
            let pause = core.configuration.retries.pause(
                after: failure, failedCount: failedCount, hasBegun: hasBegun, random: core.timing.random())
        else { throw refusal.error }
        do { try await core.timing.sleep(pause) } catch { throw .cancelled() }
    }

    /// Asks once. Who one is, is shown if it is known that it is asked for, or when it is.
    func once(_ ask: Ask) async throws(Refusal) -> HTTPClientResponse {
        var url = try url(of: ask.target)
        let origin = try self.url(of: .registry(""))
        var redirectCount = 0
        var hasAnsweredChallenge = false
        var authorization = try await authorization(for: ask.scopes)
        while true {
            var call = Call(method: ask.method, url: url, body: ask.body?())
            for (name, value) in ask.headers { call.headers.replaceOrAdd(name: name, value: value) }
            let isHome = url.isSameOrigin(as: origin)
            if isHome, let authorization { call.headers.replaceOrAdd(name: "Authorization", value: authorization) }
            let response = try await send(call, isHome: isHome)
            let status = Int(response.status.code)
            if ask.accepted.contains(status) { return response }
            if status == 401, isHome, !hasAnsweredChallenge {
                hasAnsweredChallenge = true
                if let next = try await self.authorization(answering: response, for: ask.scopes, instead: authorization) {
                    authorization = next
                    continue
                }
            }
            if [301, 302, 303, 307, 308].contains(status), ask.method == .GET || ask.method == .HEAD {
                redirectCount += 1
                url = try redirect(from: url, response, count: redirectCount, call)
                continue
            }
            // To a question for the head alone, nobody says why not.
            if ask.method == .HEAD, status == 401 || status == 403 {
                call.method = .GET
                let said = try await send(call, isHome: isHome)
                if Int(said.status.code) == status { throw await refusal(ask, call, said, isKnown: authorization != nil) }
            }
            throw await refusal(ask, call, response, isKnown: authorization != nil)
        }
    }

    private func send(_ call: Call, isHome: Bool) async throws(Refusal) -> HTTPClientResponse {
        var settings = isHome ? tls : nil
        if !isHome, call.url.scheme == .https, core.configuration.isInsecure(call.url.host, call.url.port) {
            settings = TLSConfiguration.makeClientConfiguration()
            settings?.certificateVerification = .none
        }
        do throws(TransportFailure) { return try await core.transport.execute(call, settings) } catch {
            throw refusal(error, call)
        }
    }

    func refusal(_ failure: TransportFailure, _ call: Call) -> Refusal {
        if failure.kind == .cancelled { return Refusal(.cancelled()) }
        if failure.kind == .noConnection { core.forgetScheme(of: endpoint) }
        return Refusal(.unreachable(endpoint, failure, request: call.shown), retry: failure.retry)
    }

    /// Where a redirect leads.
    private func redirect(from url: URLParts, _ response: HTTPClientResponse, count: Int, _ call: Call) throws(Refusal) -> URLParts {
        func bad(_ why: String) -> Refusal {
            Refusal(TransferError(.badAnswer, "the registry \(endpoint.registry) redirects \(why)", request: call.shown))
        }
        guard count <= Self.maximumRedirectCount else { throw bad("more than \(Self.maximumRedirectCount) times") }
        guard let location = response.headers.first(name: "Location"), let next = url.resolving(location) else {
            throw bad("to no address")
        }
        guard url.scheme == .http || next.scheme == .https else { throw bad("from https to http, which is not followed: \(next.shown)") }
        return next
    }

    /// What an answer that is not accepted means.
    private func refusal(_ ask: Ask, _ call: Call, _ response: HTTPClientResponse, isKnown: Bool) async -> Refusal {
        let status = Int(response.status.code)
        // A body that is too large, or breaks off, says nothing more than the status does.
        let body = call.method == .HEAD ? nil : try? await response.body.collect(upTo: ErrorDocument.maximumByteCount)
        let answer = ErrorDocument.answer(status: status, body.map { Array($0.readableBytesView) } ?? [])
        let after = RetryPolicy.retryAfter(response.headers.first(name: "Retry-After"), now: core.timing.wall())
        return Refusal(
            .refusal(ask.what, answer, request: call.shown, registry: endpoint.registry, isKnown: isKnown, after: after),
            retry: .status(status, retryAfter: after))
    }

    func url(of target: Ask.Target) throws(Refusal) -> URLParts {
        let text: String
        switch target {
        case .url(let url): return url
        case .registry(let path): text = "\(address)/v2/\(path)"
        case .repository(let path): text = "\(address)/v2/\(endpoint.repositoryPath)/\(path)"
        }
        guard let url = URLParts(parsing: text) else { throw Refusal(.invalidRegistry(endpoint.registry)) }
        return url
    }
}
