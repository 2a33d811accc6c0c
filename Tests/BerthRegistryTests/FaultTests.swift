import BerthContent
import BerthOCI
import Synchronization
import Testing

@testable import BerthRegistry

@Suite("Whatever a registry does, what comes is right, or an error says what was wrong")
struct FaultTests {
    private static let manifest = #"{"schemaVersion":2,"config":{},"layers":[]}"#

    /// A registry that does something else for some time.
    private func peer(_ other: @escaping @Sendable (SeenRequest, Int) -> Reply?) async throws -> Peer {
        var sample = SampleRegistry()
        _ = sample.addManifest(Self.manifest, tag: "v1")
        let count = Atomic<Int>(0)
        return try await Peer.start { [sample] request in
            if request.path == "/v2/" { return Reply(200) }
            return other(request, count.wrappingAdd(1, ordering: .relaxed).newValue) ?? sample.answer(request)
        }
    }

    private func error(of reply: Reply) async throws -> TransferError? {
        let peer = try await peer { _, _ in reply }
        let repository = try peer.repository()
        return await failure { _ = try await repository.manifest(.tag("v1")) }
    }

    @Test(arguments: [500, 502, 503, 504, 429, 408])
    func passes(status: Int) async throws {
        let clock = TestClock()
        let peer = try await peer { _, number in number < 4 ? Reply(status) : nil }
        _ = try await peer.repository(clock: clock).manifest(.tag("v1"))
        #expect(clock.pauses == [.milliseconds(125), .milliseconds(250), .milliseconds(500)])
    }

    @Test func stays() async throws {
        let peer = try await peer { _, _ in Reply(500, json: #"{"errors":[{"code":"UNKNOWN","message":"the disk is full"}]}"#) }
        let repository = try peer.repository()
        let error = await failure { _ = try await repository.manifest(.tag("v1")) }
        #expect(error?.code == .unavailable)
        #expect(
            error?.description
                == "unknown: the disk is full: cannot read the manifest of '\(peer.authority)/team/app:v1' (GET http://\(peer.authority)/v2/team/app/manifests/v1: status 500); try again later"
        )
        #expect(peer.requests.filter { $0.path != "/v2/" }.count == 5)
    }

    @Test func retryAfter() async throws {
        let clock = TestClock()
        let peer = try await peer { _, number in number < 2 ? Reply(429, ["Retry-After": "7"]) : nil }
        _ = try await peer.repository(clock: clock).manifest(.tag("v1"))
        #expect(clock.pauses == [.milliseconds(7125)])
        let error = try await error(of: Reply(429, ["Retry-After": "3600"]))
        #expect(error?.code == .tooManyRequests)
        #expect(error?.advice?.contains("3600 seconds") == true)
    }

    @Test func notThere() async throws {
        let peer = try await peer { _, _ in nil }
        let repository = try peer.repository()
        let error = await failure { _ = try await repository.manifest(.tag("v2")) }
        #expect(error?.code == .notFound)
        #expect(error?.answer?.code == "MANIFEST_UNKNOWN")
        #expect(peer.requests.filter { $0.path != "/v2/" }.count == 1)
    }

    @Test func nobodyThere() async throws {
        let gone = try await Peer.start { _ in Reply(200) }
        try await gone.stop()
        var configuration = RegistryConfiguration()
        configuration.connectTimeout = .seconds(5)
        let repository = Registry(configuration, TestClock().timing).repository(
            RepositoryName(of: try ImageReference(parsing: "\(gone.authority)/a")))
        let error = await failure { _ = try await repository.manifest(.tag("x")) }
        #expect(error?.code == .unreachable)
        #expect(error?.description.contains("Connection refused") == true)
    }

    @Test func manifestsThatAreNone() async throws {
        let manifest = MediaType.manifest.rawValue
        #expect(try await error(of: Reply(200, [:], Array("{".utf8)))?.code == .badAnswer)
        #expect(
            try await error(of: Reply(200, ["Content-Type": manifest], Array(#"{"layers":[],"manifests":[]}"#.utf8)))?.code == .badAnswer)
        #expect(try await error(of: Reply(200, ["Content-Type": manifest], Array(#"{"manifests":[]}"#.utf8)))?.code == .badAnswer)
        #expect(try await error(of: Reply(200, ["Content-Type": "application/x"], Array(#"{"layers":[]}"#.utf8)))?.code == .unsupported)
        #expect(try await error(of: Reply(200, ["Docker-Content-Digest": "sha256:1"], Array(Self.manifest.utf8)))?.code == .badAnswer)
        let wrong = Reply(200, ["Docker-Content-Digest": "\(Digest(of: [1]))"], Array(Self.manifest.utf8))
        #expect(try await error(of: wrong)?.code == .digestMismatch)
        let schema1 = [
            Reply(200, ["Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws"], Array("{}".utf8)),
            Reply(200, [:], Array(#"{"schemaVersion":1,"fsLayers":[]}"#.utf8)),
        ]
        for reply in schema1 {
            let error = try await error(of: reply)
            #expect(error?.code == .unsupported)
            #expect(error?.description.contains("schema 1") == true)
        }
    }

    @Test func endlessManifest() async throws {
        let error = try await error(of: Reply(200, [:], [UInt8](repeating: 32, count: TransferLimits.manifestByteCount + 1)))
        #expect(error?.code == .tooLarge)
        #expect(error?.description.contains("\(TransferLimits.manifestByteCount) bytes") == true)
    }

    @Test("A manifest that was asked for by its digest is that one, whatever the registry says")
    func anotherManifest() async throws {
        let bytes = Array(Self.manifest.utf8)
        let peer = try await peer { _, _ in Reply(200, ["Docker-Content-Digest": "\(Digest(of: [7]))"], bytes) }
        let repository = try peer.repository()
        #expect(await failure { _ = try await repository.manifest(.digest(Digest(of: [7]))) }?.code == .digestMismatch)
        #expect(await failure { _ = try await repository.manifest(.digest(Digest(of: [8]))) }?.code == .digestMismatch)
    }

    @Test(
        "A registry may name a manifest by another algorithm than it was asked for, but not another manifest", arguments: ["GET", "HEAD"])
    func anotherAlgorithm(method: String) async throws {
        let bytes = Array(Self.manifest.utf8)
        func found(_ reference: ManifestReference, said: Digest) async throws -> Descriptor {
            let headers = ["Content-Type": MediaType.manifest.rawValue, "Docker-Content-Digest": "\(said)"]
            let peer = try await peer { request, _ in Reply(200, headers, bytes, withoutBody: request.method == "HEAD") }
            defer { withExtendedLifetime(peer) {} }
            let repository = try peer.repository()
            return method == "HEAD" ? try await repository.descriptor(of: reference) : try await repository.manifest(reference).descriptor
        }
        let (short, long) = (Digest(of: bytes), Digest(of: bytes, .sha512))
        for (asked, said) in [(short, long), (long, short), (long, long)] {
            #expect(try await found(.digest(asked), said: said).digest == asked)
        }
        #expect(try await found(.tag("v1"), said: long).digest == long)
        let error = await failure { _ = try await found(.digest(short), said: Digest(of: [7])) }
        #expect(error?.code == .digestMismatch)
        #expect(error?.description.contains("the digest \(short) was asked for, and the registry") == true)
    }

    @Test("A tag that is moved between two questions gives one or the other, each whole")
    func moved() async throws {
        let second = Self.manifest + " "
        let peer = try await peer { _, number in
            let bytes = Array((number == 1 ? Self.manifest : second).utf8)
            return Reply(200, ["Content-Type": MediaType.manifest.rawValue, "Docker-Content-Digest": "\(Digest(of: bytes))"], bytes)
        }
        let repository = try peer.repository()
        for text in [Self.manifest, second] {
            let found = try await repository.manifest(.tag("v1"))
            #expect(found.bytes == Array(text.utf8) && found.descriptor.digest == Digest(of: found.bytes))
        }
    }

    @Test("A size that is not so is told, and no byte too many is taken", arguments: [-1, 1, 100_000])
    func sizes(difference: Int) async throws {
        let bytes = SampleRegistry.bytes(200_000)
        let blob = Descriptor(mediaType: .layer, digest: Digest(of: bytes), byteCount: UInt64(bytes.count - difference))
        let endless = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n\(String(bytes.count, radix: 16))\r\n"
        for reply in [Reply(200, [:], bytes), Reply(Array(endless.utf8) + bytes + Array("\r\n0\r\n\r\n".utf8))] {
            let peer = try await peer { _, _ in reply }
            let (repository, taken) = (try peer.repository(), Taken())
            let error = await failure { try await repository.fetch(blob, from: 0, into: taken.sink) }
            #expect(error?.code == .sizeMismatch || (difference < 0 && error?.code == .unreachable))
            #expect(taken.bytes.count <= Int(blob.byteCount))
        }
    }

    @Test("What ends before the length that it was said to have goes on behind it")
    func shortened() async throws {
        var sample = SampleRegistry()
        let bytes = SampleRegistry.bytes(50_000)
        let blob = sample.add(bytes)
        let peer = try await peer { [sample] request, number in
            number == 1 ? Reply(200, [:], bytes, cutAfter: 20_000) : sample.answer(request)
        }
        let taken = Taken()
        try await peer.repository().fetch(blob, from: 0, into: taken.sink)
        #expect(taken.bytes == bytes)
    }

    @Test func anotherRange() async throws {
        let bytes = SampleRegistry.bytes(1000)
        let blob = Descriptor(mediaType: .layer, digest: Digest(of: bytes), byteCount: 1000)
        for (range, code) in [("bytes 0-999/1000", TransferError.Code.badAnswer), ("x", .badAnswer), ("bytes 500-999/2000", .sizeMismatch)]
        {
            let peer = try await peer { _, _ in Reply(206, ["Content-Range": range], Array(bytes[500...])) }
            let repository = try peer.repository()
            #expect(
                await failure { try await repository.fetch(blob, from: 500) { (_) throws(TransferError) in } }?.code == code, "\(range)")
        }
    }

    @Test("Of several ranges at once, one that is another than was asked for is not taken", arguments: [(1, 0), (0, 1), (1, 1)])
    func anotherRange(first: Int, last: Int) async throws {
        var sample = SampleRegistry()
        let bytes = SampleRegistry.bytes(100_000)
        let blob = sample.add(bytes)
        let peer = try await Peer.start { [sample] request in
            if request.path == "/v2/" { return Reply(200) }
            guard let range = request.header("Range"), !range.hasSuffix("-") else { return sample.answer(request) }
            return Reply(206, ["Content-Range": "bytes \(first)-\(bytes.count - 1 + last)/\(bytes.count)"], Array(bytes[1...] + [0]))
        }
        let taken = Taken()
        try await peer.repository { $0.parallelRangesAboveByteCount = 1 }.fetch(blob, from: 0, into: taken.sink)
        #expect(taken.bytes == bytes)
        #expect(peer.requests.filter { $0.path.contains("/blobs/") }.count == 2)
    }

    @Test("Who sends nothing more is given up, and asked again")
    func slow() async throws {
        var sample = SampleRegistry()
        let bytes = SampleRegistry.bytes(50_000)
        let blob = sample.add(bytes)
        let peer = try await peer { [sample] request, number in
            guard number == 1 else { return sample.answer(request) }
            var reply = Reply(200, [:], bytes)
            reply.bytes.removeLast(10_000)
            return reply
        }
        let taken = Taken()
        try await peer.repository { $0.idleTimeout = .seconds(2) }.fetch(blob, from: 0, into: taken.sink)
        #expect(taken.bytes == bytes)
    }

    @Test("Who never answers is given up, on a connection that was used before and on a new one", arguments: [Reply.Ending.keep, .close])
    func silent(_ ending: Reply.Ending) async throws {
        let peer = try await Peer.start { request in
            guard request.path == "/v2/" else { return Reply([]) }
            var reply = Reply(200)
            reply.ending = ending
            return reply
        }
        let repository = try peer.repository {
            $0.retries.maximumTryCount = 2
            $0.idleTimeout = .seconds(2)
        }
        #expect(await failure { _ = try await repository.manifest(.tag("v1")) }?.code == .timedOut)
        #expect(peer.requests.filter { $0.path != "/v2/" }.count == 2)
    }

    @Test func circles() async throws {
        let peer = try await peer { _, _ in Reply(302, ["Location": "/v2/team/app/manifests/v1"]) }
        let repository = try peer.repository()
        let error = await failure { _ = try await repository.manifest(.tag("v1")) }
        #expect(error?.code == .badAnswer)
        #expect(peer.requests.filter { $0.path != "/v2/" }.count == Conversation.maximumRedirectCount + 1)
    }

    @Test("What the taker throws ends it at once")
    func taker() async throws {
        var sample = SampleRegistry()
        let blob = sample.add(SampleRegistry.bytes(100_000))
        let peer = try await peer { [sample] request, _ in sample.answer(request) }
        let repository = try peer.repository()
        let error = await failure {
            try await repository.fetch(blob, from: 0) { (_) throws(TransferError) in throw TransferError(.noSpace, "full") }
        }
        #expect(error?.code == .noSpace)
        #expect(peer.requests.filter { $0.path != "/v2/" }.count == 1)
    }

    @Test func cancelled() async throws {
        let peer = try await Peer.start { request in request.path == "/v2/" ? Reply(200) : Reply([]) }
        let repository = try peer.repository { $0.idleTimeout = .seconds(60) }
        let task = Task { await failure { _ = try await repository.manifest(.tag("v1")) } }
        while peer.requests.count < 2 { await Task.yield() }
        task.cancel()
        #expect(await task.value?.code == .cancelled)
    }
}
