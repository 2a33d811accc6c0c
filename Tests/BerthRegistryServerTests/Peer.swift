import BerthContent
import BerthOCI
import BerthRegistryServer
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Testing

/// A registry's answer.
struct Answer {
    let status: Int
    let headers: HTTPHeaders
    let bytes: [UInt8]
    var text: String { String(decoding: bytes, as: UTF8.self) }
    subscript(name: String) -> String? { headers.first(name: name) }
    /// The specification's code of an error.
    var code: String? {
        struct Failures: Decodable {
            struct Failure: Decodable { var code: String }
            var errors: [Failure]
        }
        return try? JSONDecoder().decode(Failures.self, from: Data(bytes)).errors.first?.code
    }
}

/// A client that knows HTTP and nothing of registries: a connection for each request.
struct Peer: Sendable {
    let port: Int
    var credentials: String?
    var tls: NIOSSLContext?

    @discardableResult
    func send(_ method: HTTPMethod, _ target: String, _ body: [UInt8] = [], headers more: [(String, String)] = []) async throws -> Answer {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: "localhost"))
                    }
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var headers = HTTPHeaders([("Host", "127.0.0.1:\(port)"), ("Connection", "close")] + more)
            if let credentials { headers.add(name: "Authorization", value: credentials) }
            if method != .GET, method != .HEAD, !headers.contains(name: "Content-Length") {
                headers.add(name: "Content-Length", value: String(body.count))
            }
            try await outbound.write(.head(HTTPRequestHead(version: .http1_1, method: method, uri: target, headers: headers)))
            if !body.isEmpty { try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
            try await outbound.write(.end(nil))
            var (head, bytes): (HTTPResponseHead?, [UInt8]) = (nil, [])
            for try await part in inbound {
                switch part {
                case .head(let found): head = found
                case .body(let piece): bytes += piece.readableBytesView
                case .end:
                    let head = try #require(head)
                    return Answer(status: Int(head.status.code), headers: head.headers, bytes: bytes)
                }
            }
            throw Broken()
        }
    }
    struct Broken: Error {}

    /// Sends a request's head and the beginning of its body, and hangs up.
    func sendPart(_ method: HTTPMethod, _ target: String, _ body: [UInt8], of byteCount: Int) async throws {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connect(host: "127.0.0.1", port: port).get()
        let head = "\(method.rawValue) \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: \(byteCount)\r\n\r\n"
        try await channel.writeAndFlush(ByteBuffer(bytes: Array(head.utf8) + body)).get()
        try await channel.close().get()
    }

    // MARK: what clients do all the time

    func push(_ blob: [UInt8], to repository: String) async throws -> Digest {
        let digest = Digest(of: blob)
        let answer = try await send(.POST, "/v2/\(repository)/blobs/uploads/?digest=\(digest)", blob)
        try #require(answer.status == 201, "\(answer.text)")
        return digest
    }

    func beginUpload(to repository: String, _ query: String = "") async throws -> String {
        let answer = try await send(.POST, "/v2/\(repository)/blobs/uploads/\(query)")
        try #require(answer.status == 202, "\(answer.text)")
        return try #require(answer["Location"])
    }

    /// An image of one layer, under a tag.
    @discardableResult
    func pushImage(_ repository: String, _ tag: String, layer: [UInt8] = Array("layer".utf8), more: String = "") async throws -> (
        manifest: Digest, layer: Digest, bytes: [UInt8]
    ) {
        let configuration = try await push(Array("{}".utf8), to: repository)
        let layerDigest = try await push(layer, to: repository)
        let bytes = Self.manifest(configuration: (configuration, 2), layer: (layerDigest, layer.count), more: more)
        let answer = try await put(bytes, repository, tag)
        try #require(answer.status == 201, "\(answer.text)")
        return (Digest(of: bytes), layerDigest, bytes)
    }

    func put(_ manifest: [UInt8], _ repository: String, _ reference: String, type: String = MediaType.manifest.rawValue) async throws
        -> Answer
    {
        try await send(.PUT, "/v2/\(repository)/manifests/\(reference)", manifest, headers: [("Content-Type", type)])
    }

    static func manifest(configuration: (Digest, Int), layer: (Digest, Int), more: String = "") -> [UInt8] {
        Array(
            """
            {"schemaVersion":2,"mediaType":"\(MediaType.manifest)","config":{"mediaType":"\(MediaType.configuration)",\
            "digest":"\(configuration.0)","size":\(configuration.1)},"layers":[{"mediaType":"\(MediaType.layer)",\
            "digest":"\(layer.0)","size":\(layer.1)}]\(more)}
            """.utf8)
    }
}

/// A registry in a directory of its own, for the length of a test.
func withRegistry<Result>(
    _ keeping: RegistryStore.Configuration = .init(), _ serving: RegistryServer.Configuration = .init(),
    _ body: (Peer, RegistryStore) async throws -> Result
) async throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("registry-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let store = try await RegistryStore.open(directory: directory, keeping)
    let registry = try await RegistryServer(store: store, serving).serve()
    let outcome: Swift.Result<Result, any Error>
    do { outcome = .success(try await body(Peer(port: registry.port), store)) } catch { outcome = .failure(error) }
    await registry.close()
    return try outcome.get()
}
