import BerthContent
import BerthLinux
import BerthOCI
import Synchronization
import Testing

@testable import BerthRegistry

@Suite("What is pushed is there, byte for byte, however often it breaks")
struct PushTests {
    private let bytes = SampleRegistry.bytes(700_000)
    private var blob: Descriptor { Descriptor(mediaType: .layer, digest: Digest(of: bytes), byteCount: UInt64(bytes.count)) }
    private let sample = WritableSample()

    private func file() throws -> OwnedDescriptor { try HostFile.inMemory(named: "blob", bytes) }
    private func stored() -> [UInt8]? { sample.state.withLock { $0.sample.blobs["\(blob.digest)"] } }
    private func methods(_ peer: Peer) -> [String] { peer.requests.filter { $0.path != "/v2/" }.map(\.method) }

    @Test func inOnePiece() async throws {
        let peer = try await Peer.start { [sample] in sample.answer($0) }
        let repository = try peer.repository()
        let told = Mutex<[UInt64]>([])
        #expect(try await !repository.contains(blob))
        try await repository.upload(blob, from: file()) { count in told.withLock { $0.append(count) } }
        #expect(stored() == bytes)
        #expect(try await repository.contains(blob))
        #expect(methods(peer) == ["HEAD", "POST", "PUT", "HEAD"])
        #expect(told.withLock { $0 }.last == blob.byteCount)
    }

    @Test func inPieces() async throws {
        sample.state.withLock { $0.leastChunk = 300_000 }
        let peer = try await Peer.start { [sample] in sample.answer($0) }
        let repository = try peer.repository { $0.uploadChunkByteCount = 100_000 }
        try await repository.upload(blob, from: file()) { _ in }
        #expect(stored() == bytes)
        #expect(methods(peer) == ["POST", "PATCH", "PATCH", "PATCH", "PUT"])
        #expect(peer.requests.compactMap { $0.header("Content-Range") } == ["0-299999", "300000-599999", "600000-699999"])
    }

    @Test("What breaks goes on behind what the registry says that it has")
    func resumed() async throws {
        let hasBroken = Atomic<Bool>(false)
        let peer = try await Peer.start { [sample] request in
            guard request.method == "PUT", request.path.contains("uploads"), !hasBroken.exchange(true, ordering: .relaxed) else {
                return sample.answer(request)
            }
            // It has got a part when the connection breaks.
            sample.state.withLock { $0.uploads["u1"] = Array(request.body.prefix(250_000)) }
            return Reply([], .close)
        }
        try await peer.repository().upload(blob, from: file()) { _ in }
        #expect(stored() == bytes)
        #expect(methods(peer) == ["POST", "PUT", "GET", "PATCH", "PUT"])
        #expect(peer.requests.compactMap { $0.header("Content-Range") } == ["250000-699999"])
    }

    @Test("An upload that the registry has forgotten begins anew")
    func forgotten() async throws {
        let hasBroken = Atomic<Bool>(false)
        let peer = try await Peer.start { [sample] request in
            guard request.method == "PUT", !hasBroken.exchange(true, ordering: .relaxed) else { return sample.answer(request) }
            sample.state.withLock { $0.uploads = [:] }
            return Reply(500)
        }
        try await peer.repository().upload(blob, from: file()) { _ in }
        #expect(stored() == bytes)
        #expect(methods(peer) == ["POST", "PUT", "GET", "POST", "PUT"])
    }

    @Test("What the registry has put together wrong is sent anew, once")
    func wrong() async throws {
        let count = Atomic<Int>(0)
        let peer = try await Peer.start { [sample] request in
            guard request.method == "PUT" else { return sample.answer(request) }
            _ = count.wrappingAdd(1, ordering: .relaxed)
            return Reply(400, json: #"{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}"#)
        }
        let repository = try peer.repository()
        let file = Mutex<OwnedDescriptor?>(try file())
        let error = await failure { try await repository.upload(blob, from: file.withLock { $0.take() }!) { _ in } }
        #expect(error?.code == .digestMismatch)
        #expect(count.load(ordering: .relaxed) == 2)
    }

    @Test("A registry that says that it has less than it had is not believed for ever")
    func backwards() async throws {
        let liesLeft = Atomic<Int>(100)
        let peer = try await Peer.start { [sample] request in
            var reply = sample.answer(request)
            if ["PATCH", "GET"].contains(request.method), liesLeft.wrappingSubtract(1, ordering: .relaxed).newValue >= 0 {
                sample.state.withLock { $0.uploads["u1"] = [] }
                reply = Reply(request.method == "GET" ? 204 : 202, ["Location": request.target, "Range": "0-0"])
            }
            return reply
        }
        let repository = try peer.repository { $0.uploadChunkByteCount = 100_000 }
        let file = Mutex<OwnedDescriptor?>(try file())
        let error = await failure { try await repository.upload(blob, from: file.withLock { $0.take() }!) { _ in } }
        #expect(error?.code == .badAnswer)
        #expect(error?.description.contains("says that it has 0 bytes of blob \(blob.digest), and was sent others") == true)
        #expect(methods(peer).filter { $0 == "PATCH" }.count == 5)
    }

    @Test("A registry that says that it has more than it was sent is asked, and sent what it does not have")
    func forwards() async throws {
        let peer = try await Peer.start { [sample] request in
            let reply = sample.answer(request)
            return request.method == "PATCH" ? Reply(202, ["Location": request.target, "Range": "0-699999"]) : reply
        }
        try await peer.repository { $0.uploadChunkByteCount = 300_000 }.upload(blob, from: file()) { _ in }
        #expect(stored() == bytes)
        #expect(methods(peer) == ["POST", "PATCH", "GET", "PATCH", "GET", "PATCH", "PUT"])
    }

    @Test func mount() async throws {
        sample.state.withLock { $0.mountable["\(blob.digest)"] = bytes }
        let peer = try await Peer.start { [sample] in sample.answer($0) }
        let repository = try peer.repository()
        let other = RepositoryName(of: try ImageReference(parsing: "\(peer.authority)/other/base"))
        #expect(try await repository.mount(blob, from: other))
        #expect(stored() == bytes)
        #expect(peer.requests.last?.query == "mount=sha256%3A\(blob.digest.hex)&from=other%2Fbase")
        let unknown = Descriptor(mediaType: .layer, digest: Digest(of: [1]), byteCount: 1)
        #expect(try await !repository.mount(unknown, from: other))
        // The upload that it has begun instead is ended.
        #expect(peer.requests.last?.method == "DELETE")
        #expect(sample.state.withLock { $0.uploads.isEmpty })
        let elsewhere = RepositoryName(of: try ImageReference(parsing: "elsewhere.test/base"))
        let before = peer.requests.count
        #expect(try await !repository.mount(blob, from: elsewhere))
        #expect(peer.requests.count == before)
    }

    @Test func anotherSize() async throws {
        let peer = try await Peer.start { [sample] in sample.answer($0) }
        let repository = try peer.repository()
        let wrong = Descriptor(mediaType: .layer, digest: blob.digest, byteCount: 5)
        let file = Mutex<OwnedDescriptor?>(try file())
        #expect(await failure { try await repository.upload(wrong, from: file.withLock { $0.take() }!) { _ in } }?.code == .sizeMismatch)
        #expect(peer.requests.isEmpty)
    }

    @Test func manifests() async throws {
        let peer = try await Peer.start { [sample] in sample.answer($0) }
        let repository = try peer.repository()
        let text = Array(#"{ "schemaVersion":2, "config":{},"layers":[] }"#.utf8)
        let manifest = FetchedManifest(
            descriptor: Descriptor(mediaType: .manifest, digest: Digest(of: text), byteCount: UInt64(text.count)), bytes: text)
        try await repository.put(manifest, tags: ["a", "b"])
        #expect(try await repository.manifest(.tag("b")) == manifest)
        try await repository.put(manifest, tags: [])
        #expect(peer.requests.last?.path.hasSuffix("/manifests/\(manifest.descriptor.digest)") == true)
        try await repository.delete(.tag("a"))
        #expect(await failure { try await repository.delete(.tag("a")) }?.code == .notFound)
    }

    @Test("A registry that takes a manifest as another is told of; one that names it by another algorithm is not")
    func takenAsAnother() async throws {
        let text = Array(#"{"schemaVersion":2,"config":{},"layers":[]}"#.utf8)
        let manifest = FetchedManifest(
            descriptor: Descriptor(mediaType: .manifest, digest: Digest(of: text), byteCount: UInt64(text.count)), bytes: text)
        for (said, isWrong) in [(Digest(of: [7]), true), (Digest(of: text), false), (Digest(of: text, .sha512), false)] {
            let peer = try await Peer.start { request in
                request.method == "PUT" ? Reply(201, ["Docker-Content-Digest": "\(said)"]) : Reply(200)
            }
            let repository = try peer.repository()
            let error = await failure { try await repository.put(manifest, tags: ["a"]) }
            #expect(error?.code == (isWrong ? .digestMismatch : nil))
            #expect(!isWrong || error?.description.contains("took it as \(said)") == true)
            #expect(methods(peer) == ["PUT"])
        }
    }

    @Test func deletionThatIsNotOffered() async throws {
        let peer = try await Peer.start { request in
            request.path == "/v2/" ? Reply(200) : Reply(405, json: #"{"errors":[{"code":"UNSUPPORTED"}]}"#)
        }
        let repository = try peer.repository()
        let error = await failure { try await repository.delete(.tag("a")) }
        #expect(error?.code == .unsupported)
        #expect(error?.advice?.contains("by their digest") == true)
    }

    @Test("A manifest with a subject is found by it, also where the registry does not list it")
    func referrers() async throws {
        sample.state.withLock { $0.listsReferrers = false }
        let peer = try await Peer.start { [sample] in sample.answer($0) }
        let repository = try peer.repository()
        let subject = Digest(of: [42])
        #expect(try await repository.referrers(of: subject) == [])
        for type in ["application/a", "application/b"] {
            let text = Array(
                #"{"schemaVersion":2,"mediaType":"\#(MediaType.manifest)","artifactType":"\#(type)","config":{"mediaType":"application/x","digest":"\#(subject)","size":1},"layers":[],"subject":{"mediaType":"application/x","digest":"\#(subject)","size":1},"annotations":{"k":"v"}}"#
                    .utf8)
            let manifest = FetchedManifest(
                descriptor: Descriptor(mediaType: .manifest, digest: Digest(of: text), byteCount: UInt64(text.count)), bytes: text)
            for _ in 0..<2 { try await repository.put(manifest, tags: ["sig"]) }
        }
        let all = try await repository.referrers(of: subject)
        #expect(all.map { $0.unknown.fields["artifactType"] } == [.string("application/a"), .string("application/b")])
        #expect(all.first?.annotations == ["k": "v"])
        #expect(try await repository.referrers(of: subject, artifactType: "application/b").count == 1)
    }
}
