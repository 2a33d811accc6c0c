import BerthContent
import Testing

@testable import BerthRegistry

@Suite("A file on the web comes whole, or an error says why not")
struct WebFileTests {
    private let registry = Registry(RegistryConfiguration(), TestClock().timing)

    private func bytes(of file: WebFile) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        try await file.read { bytes += $0 }
        return bytes
    }

    @Test("By its address, also behind redirects, to wherever; what is in an address is shown to nobody else")
    func found() async throws {
        let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let other = try await Peer.start { _ in Reply(200, [:], content) }
        let first = try await Peer.start { request in
            request.path == "/moved" ? Reply(302, ["Location": "next?x=y"]) : Reply(301, ["Location": "http://\(other.authority)/file"])
        }
        let file = try await registry.file(at: "http://me:p%40ss@\(first.authority)/moved?secret=1")
        #expect(file.byteCount == 300_000 && file.address == "http://\(other.authority)/file")
        #expect(try await bytes(of: file) == content)
        #expect(first.requests.map(\.target) == ["/moved?secret=1", "/next?x=y"])
        #expect(first.requests.map { $0.header("Authorization") } == [Conversation.basic("me", "p@ss"), nil])
        #expect(other.requests.map { $0.header("Authorization") } == [nil])
        registry.close()
    }

    @Test("Without a length it ends where it ends")
    func unknownLength() async throws {
        let peer = try await Peer.start { _ in
            Reply(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".utf8))
        }
        let file = try await registry.file(at: "http://\(peer.authority)/")
        #expect(file.byteCount == nil)
        #expect(try await bytes(of: file) == Array("abcde".utf8))
        registry.close()
    }

    @Test("What breaks off is an error, and is not taken for the end")
    func broken() async throws {
        for reply in [
            Reply(200, [:], Array("abcdef".utf8), cutAfter: 3),
            Reply(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n".utf8), .close),
        ] {
            let peer = try await Peer.start { _ in reply }
            let file = try await registry.file(at: "http://\(peer.authority)/x")
            let error = await #expect(throws: TransferError.self) { _ = try await bytes(of: file) }
            #expect(error?.code == .unreachable, "\(String(describing: error))")
        }
        registry.close()
    }

    @Test("Whoever takes it may end it")
    func ended() async throws {
        struct Enough: Error {}
        let peer = try await Peer.start { _ in Reply(200, [:], [UInt8](repeating: 0, count: 10 << 20)) }
        let file = try await registry.file(at: "http://\(peer.authority)/x")
        await #expect(throws: Enough.self) { try await file.read { _ in throw Enough() } }
        registry.close()
    }

    @Test(
        "Answers that are no file",
        arguments: [
            (401, TransferError.Code.unauthorized), (403, .denied), (404, .notFound), (410, .notFound), (418, .refused),
            (429, .tooManyRequests),
            (500, .unavailable), (204, .badAnswer), (206, .badAnswer),
        ])
    func refused(status: Int, code: TransferError.Code) async throws {
        let peer = try await Peer.start { _ in Reply(status) }
        let error = await #expect(throws: TransferError.self) { try await registry.file(at: "http://\(peer.authority)/a?secret") }
        #expect(error?.code == code && error?.description.contains("http://\(peer.authority)/a with status \(status)") == true)
        #expect(error?.description.contains("secret") == false)
        registry.close()
    }

    @Test("Redirects that lead nowhere, and addresses that are none")
    func nowhere() async throws {
        let loop = try await Peer.start { request in Reply(302, ["Location": request.target + "a"]) }
        let endless = await #expect(throws: TransferError.self) { try await registry.file(at: "http://\(loop.authority)/") }
        #expect(endless?.code == .badAnswer && loop.requests.count == Registry.maximumFileRedirectCount + 1)
        for location in [[:], ["Location": "ftp://x/y"]] {
            let peer = try await Peer.start { _ in Reply(302, location) }
            let error = await #expect(throws: TransferError.self) { try await registry.file(at: "http://\(peer.authority)/") }
            #expect(error?.code == .badAnswer)
        }
        for address in ["", "x", "file:///etc/passwd", "http://", "unix:///run/x", "http://a b/"] {
            let error = await #expect(throws: TransferError.self) { try await registry.file(at: address) }
            #expect(error?.code == .invalid)
        }
        var configuration = RegistryConfiguration()
        configuration.isOffline = true
        let offline = await #expect(throws: TransferError.self) { try await Registry(configuration).file(at: "http://\(loop.authority)/") }
        #expect(offline?.code == .offline)
        registry.close()
    }
}
