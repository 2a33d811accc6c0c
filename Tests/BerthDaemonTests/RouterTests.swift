import DockerAPI
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import BerthDaemon

@Suite("Who answers a request")
struct RouterTests {
    private let router = Router([
        Route(.GET, "/images/json") { _ in }, Route(.GET, "/images/{name}/json") { _ in }, Route(.DELETE, "/images/{name}") { _ in },
        Route(.POST, "/containers/{id}/start") { _ in }, Route(.GET, "/info") { _ in },
    ])

    private func subject(_ method: HTTPMethod, _ target: String) throws -> (subject: String, version: String) {
        let reply = Reply(EmbeddedChannel(), server: "s", closes: false)
        let call = try router.call(HTTPRequestHead(version: .http1_1, method: method, uri: target), RequestParts(Mailbox()), reply).1
        return (call.subject, call.version.description)
    }

    @Test("Versions from 1.21 to 1.51 are spoken, and without one the newest")
    func versions() throws {
        #expect(try subject(.GET, "/info").version == "1.51")
        #expect(try subject(.GET, "/v1.21/info").version == "1.21")
        #expect(try subject(.GET, "/v1.51/info?x=1").version == "1.51")
        for target in ["/v1.20/info", "/v1.52/info", "/v2.0/info", "/v0.1/info"] {
            #expect { try subject(.GET, target) } throws: { ($0 as? APIFailure)?.status == .badRequest }
        }
        for target in ["/v1/info", "/vx/info", "/v1.2.3/info", "/v/info", "/v99999.1/info"] {
            #expect { try subject(.GET, target) } throws: { ($0 as? APIFailure)?.status == .notFound }
        }
    }

    @Test("Names of images have slashes, and those that containers have by links; others have not")
    func names() throws {
        #expect(try subject(.GET, "/images/json").subject == "")
        #expect(try subject(.GET, "/images/a/json").subject == "a")
        #expect(try subject(.GET, "/v1.40/images/h:5000/a/b:1/json").subject == "h:5000/a/b:1")
        #expect(try subject(.DELETE, "/images/a%2Fb").subject == "a/b")
        #expect(try subject(.POST, "/containers/abc/start").subject == "abc")
        #expect(try subject(.POST, "/containers/a/b/start").subject == "a/b")
        #expect(throws: APIFailure.self) { try subject(.DELETE, "/networks/a/b") }
    }

    @Test(
        "What nobody answers is not found",
        arguments: [
            "/", "", "/nowhere", "/containers/start", "/containers//start", "/networks/a/b", "/images//json", "info", "/info/",
            "//info",
        ])
    func nobody(target: String) {
        #expect { try subject(.GET, target) } throws: { ($0 as? APIFailure)?.status == .notFound }
        #expect { try subject(.POST, target) } throws: { ($0 as? APIFailure)?.status == .notFound }
    }
}
