import BerthAPI
import BerthClient
import Testing

@Suite("Berth's own endpoints are asked, and another daemon is told from ours")
struct OwnEndpointTests {
    private func answer(_ status: String, _ body: String) -> String {
        "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private func daemon(_ answers: [String]) throws -> (ScriptedServer, Daemon) {
        // A refusal ends the connection that it came on.
        let server = ScriptedServer(answers.map { .init(answers: [$0]) })
        return (server, try Daemon(at: server.address, version: "1.41", userAgent: "test"))
    }

    @Test("A document of a version that is known is read, with members that are not")
    func document() throws {
        let (server, daemon) = try daemon([
            answer(
                "200 OK",
                #"{"version":1,"later":true,"document":{"jobs":[{"id":"load-1","kind":"load","title":"x","state":"running","startedAt":5,"more":[]}]}}"#
            )
        ])
        let list = try daemon.document(JobList.self, "GET", BerthPath.jobs)
        #expect(list == JobList([JobItem(id: "load-1", kind: "load", title: "x", state: "running", startedAt: 5)]))
        #expect(server.requests[0].hasPrefix("GET /v1.41/berth/v1/jobs HTTP/1.1\r\n"))
    }

    @Test("A document of a later version is refused, and so is one that is none")
    func later() throws {
        for body in [#"{"version":2,"document":{"jobs":[]}}"#, #"{"document":{"jobs":[]}}"#, "[]", "{}"] {
            let (_, daemon) = try daemon([answer("200 OK", body)])
            #expect { try daemon.document(JobList.self, "GET", BerthPath.jobs) } throws: { ($0 as? ClientError)?.code == .malformed }
        }
    }

    @Test(
        "A daemon that has no such endpoint is called by its name",
        arguments: [
            (#"{"Version":"20.10.24+dfsg1"}"#, "/berth/v1/jobs needs berthd; this daemon is Docker 20.10.24+dfsg1."),
            (
                #"{"Platform":{"Name":"Docker Engine - Community"},"Version":"29.0"}"#,
                "/berth/v1/jobs needs berthd; this daemon is Docker Engine - Community 29.0."
            ),
            (
                #"{"Platform":{"Name":"Berth"},"Version":"0.0.1"}"#,
                "/berth/v1/jobs needs berthd; this daemon is Berth 0.0.1, which does not have it yet."
            ),
        ])
    func another(version: String, reason: String) throws {
        let (_, daemon) = try daemon([answer("404 Not Found", #"{"message":"page not found"}"#), answer("200 OK", version)])
        #expect { try daemon.document(JobList.self, "GET", BerthPath.jobs) } throws: {
            ($0 as? ClientError)?.reason == reason && ($0 as? ClientError)?.status == 404
        }
    }

    @Test("What berthd itself refuses is said in its own words")
    func refusal() throws {
        let (_, daemon) = try daemon([answer("404 Not Found", #"{"message":"no such job"}"#)])
        #expect { try daemon.document(JobList.self, "GET", BerthPath.jobs) } throws: { ($0 as? ClientError)?.reason == "no such job" }
    }
}
