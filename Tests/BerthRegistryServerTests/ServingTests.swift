import BerthContent
import BerthOCI
import BerthRegistryServer
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Testing

@Suite("How a registry is served")
struct ServingTests {
    // Of localhost, for these tests alone.
    private static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBmjCCAUGgAwIBAgIUXQRoNwKsz0xZCWV/8ncG+yRSl3swCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNjE4NDMyNloYDzIxMjYxMTAy
        MTg0MzI2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAAQmvuiuEnN5QgCPzURwDYJIggt2jdpE4KgKOoGcuWXJrY/QqqVpOBhw
        SB70fbFRVgBi8bwzM1fxgV62K50BJ3aQo28wbTAdBgNVHQ4EFgQUtz9CRDFubdrW
        /GXfxny5Mk+3b4UwHwYDVR0jBBgwFoAUtz9CRDFubdrW/GXfxny5Mk+3b4UwDwYD
        VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
        zj0EAwIDRwAwRAIgauAFZXRieQzbDezc2X/xFTZSPYe1jIAN9NTwMedd8vsCIFAj
        utj3Dtw0sQhtog1S1oN8Gexf5uQQXHcw9j5cNYZn
        -----END CERTIFICATE-----
        """
    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAQ7CzQ0NMMQzJgCH
        gLSoyAF+36lSpNxAOdD3fb7zYJ6hRANCAAQmvuiuEnN5QgCPzURwDYJIggt2jdpE
        4KgKOoGcuWXJrY/QqqVpOBhwSB70fbFRVgBi8bwzM1fxgV62K50BJ3aQ
        -----END PRIVATE KEY-----
        """

    @Test("By TLS, a blob of more pieces than one comes whole")
    func tls() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("registry-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let files = (directory.appendingPathComponent("c.pem").path, directory.appendingPathComponent("k.pem").path)
        try Data(Self.certificate.utf8).write(to: URL(fileURLWithPath: files.0))
        try Data(Self.key.utf8).write(to: URL(fileURLWithPath: files.1))
        let certificate = RegistryCertificate(chainPath: files.0, keyPath: files.1)
        try await withRegistry(.init(), .init(tls: certificate)) { peer, _ async throws in
            var trust = TLSConfiguration.makeClientConfiguration()
            trust.trustRoots = .certificates([try NIOSSLCertificate(bytes: Array(Self.certificate.utf8), format: .pem)])
            let peer = Peer(port: peer.port, tls: try NIOSSLContext(configuration: trust))
            let bytes = (0..<(3 << 20) + 17).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            let digest = try await peer.push(bytes, to: "a")
            #expect(try await peer.send(.GET, "/v2/a/blobs/\(digest)").bytes == bytes)
            let part = try await peer.send(.GET, "/v2/a/blobs/\(digest)", headers: [("Range", "bytes=600000-2000000")])
            #expect(part.bytes == Array(bytes[600000...2000000]))
        }
        for wrong in [
            RegistryCertificate(chainPath: "/nonexistent", keyPath: files.1), RegistryCertificate(chainPath: files.0, keyPath: files.0),
        ] {
            await #expect {
                try await withRegistry(.init(), .init(tls: wrong)) { _, _ in }
            } throws: { ($0 as? RegistryServerError)?.code == .invalid }
        }
    }

    @Test("It says where it is, and what it cannot listen on; closed, nobody is there; closing again does nothing")
    func address() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("registry-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let server = RegistryServer(store: try await RegistryStore.open(directory: directory))
        let registry = try await server.serve()
        #expect(registry.address == "127.0.0.1:\(registry.port)" && registry.url == "http://127.0.0.1:\(registry.port)")
        await #expect { _ = try await server.serve(port: registry.port) } throws: { ($0 as? RegistryServerError)?.code == .inUse }
        await #expect { _ = try await server.serve(host: "256.0.0.1") } throws: { ($0 as? RegistryServerError)?.code == .invalid }
        await registry.close()
        await registry.close()
        await #expect(throws: (any Error).self) { try await Peer(port: registry.port).send(.GET, "/v2/") }
    }

    @Test("Closing waits for what was asked, and not for those who ask nothing")
    func closing() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("registry-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let registry = try await RegistryServer(store: try await RegistryStore.open(directory: directory)).serve()
        let idle = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connect(host: "127.0.0.1", port: registry.port)
            .get()
        try await Peer(port: registry.port).send(.GET, "/v2/")
        await registry.close()
        try await idle.closeFuture.get()
    }

    @Test("A connection on which nothing comes is closed, also in the middle of a request")
    func silence() async throws {
        try await withRegistry(.init(), .init(patience: .milliseconds(50))) { peer, _ async throws in
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connect(
                host: "127.0.0.1", port: peer.port
            ).get()
            // On a machine that is busy it is closed by then.
            try? await channel.writeAndFlush(ByteBuffer(string: "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nContent-Length: 5\r\n")).get()
            try await channel.closeFuture.get()
        }
    }

    @Test("Several requests on one connection; a client that waits to be told goes on is told (RFC 9110, section 10.1.1)")
    func connections() async throws {
        try await withRegistry { peer, _ async throws in
            let digest = Digest(of: [1, 2, 3])
            let text =
                "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
                + "POST /v2/a/blobs/uploads/?digest=\(digest) HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connect(
                host: "127.0.0.1", port: peer.port
            ) { channel in
                channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel) }
            }
            let heard = try await channel.executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(string: text))
                var (heard, isSent) = ("", false)
                for try await bytes in inbound {
                    heard += String(buffer: bytes)
                    if heard.contains("100 Continue\r\n\r\n"), !isSent {
                        isSent = true
                        try await outbound.write(ByteBuffer(bytes: [1, 2, 3] as [UInt8]))
                    }
                }
                return heard
            }
            let statuses = heard.components(separatedBy: "HTTP/1.1 ").dropFirst().map { $0.prefix(3) }
            #expect(statuses == ["200", "100", "201"])
        }
    }

    @Test("Metrics say how much, and no names; without being asked for there are none")
    func metrics() async throws {
        try await withRegistry(.init(), .init(hasMetrics: true)) { peer, _ async throws in
            _ = try await peer.pushImage("secret/name", "t", layer: [1, 2, 3])
            let text = try await peer.send(.GET, "/metrics").text
            #expect(text.contains("berth_registry_requests_total{method=\"PUT\",route=\"manifest\",status=\"201\"} 1\n"))
            #expect(text.contains("berth_registry_received_bytes_total 5\n") && text.contains("berth_registry_blobs 3\n"))
            #expect(text.contains("# TYPE berth_registry_repositories gauge\nberth_registry_repositories 1\n"))
            #expect(!text.contains("secret"))
        }
    }
}
