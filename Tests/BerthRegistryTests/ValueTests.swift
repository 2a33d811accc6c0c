import BerthContent
import BerthOCI
import Testing

@testable import BerthRegistry

@Suite("What is read from headers, addresses and settings")
struct ValueTests {
    @Test func challenges() {
        let one = Challenge.parse([
            #"Bearer realm="https://a.test/token",service="b, c=\"d\"",scope="repository:x:pull,push", Basic realm=here"#
        ])
        #expect(one.map(\.scheme) == ["bearer", "basic"])
        #expect(one[0].parameters == ["realm": "https://a.test/token", "service": #"b, c="d""#, "scope": "repository:x:pull,push"])
        #expect(one[1].parameters == ["realm": "here"])
        #expect(Challenge.parse(["Basic", "Bearer realm=\"first\", realm=\"second\""]).last?.parameters == ["realm": "first"])
        for text in ["", ",,", "=", "Bearer realm=\"open", String(repeating: "a", count: Challenge.maximumByteCount + 1)] {
            #expect(Challenge.parse([text]).allSatisfy { $0.parameters.isEmpty })
        }
    }

    @Test func retries() {
        var policy = RetryPolicy()
        policy.longestPause = .seconds(1)
        func pauses(_ failure: RetryPolicy.Failure, _ random: Double, hasBegun: Bool = false) -> [Duration?] {
            (1...5).map { policy.pause(after: failure, failedCount: $0, hasBegun: hasBegun, random: random) }
        }
        #expect(pauses(.interrupted, 0.5) == [.milliseconds(125), .milliseconds(250), .milliseconds(500), .milliseconds(500), nil])
        #expect(pauses(.interrupted, 0) == [.zero, .zero, .zero, .zero, nil])
        #expect(pauses(.noConnection, 0) == [.zero, nil, nil, nil, nil])
        #expect(pauses(.noConnection, 0, hasBegun: true) == [.zero, .zero, .zero, .zero, nil])
        for status in [400, 401, 403, 404, 416, 501] { #expect(pauses(.status(status, retryAfter: nil), 0)[0] == nil) }
        #expect(pauses(.status(429, retryAfter: .seconds(9)), 0)[0] == .seconds(9))
        #expect(pauses(.status(429, retryAfter: .seconds(121)), 0)[0] == nil)
        #expect(RetryPolicy.retryAfter("12", now: 0) == .seconds(12))
        #expect(RetryPolicy.retryAfter("-1", now: 0) == nil)
        #expect(RetryPolicy.retryAfter("soon", now: 0) == nil)
        #expect(RetryPolicy.retryAfter("Sun, 06 Nov 1994 08:49:37 GMT", now: 784_111_770) == .seconds(7))
        #expect(RetryPolicy.retryAfter("Sun, 06 Nov 1994 08:49:37 GMT", now: 784_111_780) == .zero)
        #expect(HTTPDate.seconds("Thu, 29 Feb 2024 00:00:00 GMT") == 1_709_164_800)
    }

    @Test func addresses() {
        #expect(RegistryAddress(parsing: "https://mirror.test/hub/")?.description == "https://mirror.test/hub")
        #expect(RegistryAddress(parsing: "http://[::1]:5000")?.authority == "[::1]:5000")
        for text in [
            "mirror.test", "ftp://a", "https://", "https://u:p@a.test", "https://a.test?x", "https://a b", "https://a.test:0",
            "https://[x]",
        ] {
            #expect(RegistryAddress(parsing: text) == nil, "\(text)")
        }
        let base = URLParts(parsing: "https://a.test:5000/v2/x/uploads/1?s=1")!
        for (reference, expected) in [
            ("/v2/y", "https://a.test:5000/v2/y"), ("2?t=2", "https://a.test:5000/v2/x/uploads/2?t=2"),
            ("?u=3", "https://a.test:5000/v2/x/uploads/1?u=3"),
            ("//b.test/z", "https://b.test/z"), ("http://c.test", "http://c.test"),
        ] { #expect(base.resolving(reference)?.text == expected) }
        #expect(base.resolving("file:///etc/passwd") == nil)
        let long = String(repeating: "a", count: URLParts.maximumByteCount - base.origin.utf8.count - 1)
        #expect(base.resolving("/\(long)")?.path == "/\(long)")
        #expect(base.resolving("/\(long)a") == nil)
        #expect(base.resolving("/a\r\nb") == nil)
        #expect(URLParts(parsing: "https://a.test/x")!.isSameOrigin(as: URLParts(parsing: "https://A.test:443/y")!))
        for other in ["http://a.test/x", "https://a.test:444/x", "https://b.test/x"] {
            #expect(!URLParts(parsing: "https://a.test/x")!.isSameOrigin(as: URLParts(parsing: other)!))
        }
        #expect(URLParts(parsing: "https://u:secret@a.test/x?secret=1")?.shown == "https://a.test/x")
    }

    @Test func insecure() {
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = ["a.test:5000", "b.test", "10.0.0.0/8", "fd00::/8"]
        for (host, port) in [
            ("a.test", 5000), ("b.test", 1), ("B.test", nil), ("10.1.2.3", nil), ("fd00::1", nil), ("127.9.9.9", nil), ("::1", nil),
            ("localhost", 5),
        ]
            as [(String, UInt16?)]
        {
            #expect(configuration.isInsecure(host, port), "\(host)")
        }
        for (host, port) in [
            ("a.test", 5001), ("a.test", nil), ("11.0.0.1", nil), ("c.test", nil), ("localhost.test", nil), ("128.0.0.1", nil),
        ] as [(String, UInt16?)] {
            #expect(!configuration.isInsecure(host, port), "\(host)")
        }
    }

    @Test func hub() throws {
        let endpoint = RegistryConfiguration().pullEndpoints(of: RepositoryName(of: try ImageReference(parsing: "nginx")), nil)
        #expect(endpoint.map(\.host) == ["registry-1.docker.io"])
        #expect(endpoint[0].repositoryPath == "library/nginx" && endpoint[0].scheme == .https && endpoint[0].registry == "docker.io")
    }

    @Test func proxies() {
        let settings = ProxySettings(environment: [
            "HTTPS_PROXY": "http://p:1", "http_proxy": "q:2", "NO_PROXY": "a.test, .b.test,10.0.0.0/8,c.test:81,192.0.2.1",
        ])
        #expect(settings.proxy(to: .https, host: "x.test", port: 443) == "http://p:1")
        #expect(settings.proxy(to: .http, host: "x.test", port: 80) == "q:2")
        for host in ["a.test", "sub.a.test", "sub.b.test", "10.2.3.4", "192.0.2.1", "localhost", "127.0.0.1"] {
            #expect(settings.proxy(to: .https, host: host, port: 443) == nil, "\(host)")
        }
        for host in ["b.test", "xa.test", "c.test", "11.0.0.1"] {
            #expect(settings.proxy(to: .https, host: host, port: 443) != nil, "\(host)")
        }
        #expect(settings.proxy(to: .https, host: "c.test", port: 81) == nil)
        // An empty variable says nothing, whichever way it is written.
        #expect(ProxySettings(environment: ["HTTP_PROXY": "", "http_proxy": "q:2"]).http == "q:2")
        #expect(ProxySettings(environment: ["HTTP_PROXY": "p:1", "http_proxy": "q:2"]).http == "p:1")
        #expect(ProxySettings(environment: ["NO_PROXY": "*", "HTTPS_PROXY": "http://p:1"]).proxy(to: .https, host: "x", port: 1) == nil)
    }

    @Test(
        "What is reached without a proxy",
        arguments: [
            ("*.b.test", "x.b.test", 443, true), ("*.b.test", "b.test", 443, false), (".b.test", "x.b.test", 443, true),
            ("B.Test", "b.test", 443, true), ("b.test", "x.y.b.test", 443, true), ("b.test", "b.test.evil", 443, false),
            ("b.test:443", "x.b.test", 443, true), ("b.test:443", "b.test", 444, false), (".b.test:443", "x.b.test", 444, false),
            ("192.0.2.1:443", "192.0.2.1", 443, true), ("192.0.2.1:443", "192.0.2.1", 444, false),
            ("192.0.2.1", "192.0.2.10", 443, false), ("2001:db8::1", "2001:DB8:0::1", 443, true),
            ("2001:db8::1", "2001:db8::2", 443, false),
            ("[2001:db8::1]:443", "2001:db8::1", 443, true), ("[2001:db8::1]:443", "2001:db8::1", 444, false),
            ("10.0.0.0/8", "10.255.0.1", 443, true), ("10.0.0.0/9", "10.128.0.1", 443, false), ("0.0.0.0/0", "192.0.2.1", 443, true),
            ("0.0.0.0/0", "2001:db8::1", 443, false), ("2001:db8::/32", "2001:db8:1::1", 443, true),
            ("2001:db8::/32", "2001:db9::1", 443, false), ("10.0.0.0/8", "::ffff:10.0.0.1", 443, true),
            ("10.0.0.0/8", "10.test", 443, false),
            ("10.0.0.0/33", "10.0.0.1", 443, false), ("10.0.0.0/-1", "10.0.0.1", 443, false), ("10.0.0.0/x", "10.0.0.1", 443, false),
            ("10.0.0.0/8/8", "10.0.0.1", 443, false), ("*", "b.test", 443, true), ("test", "b.test", 443, true),
            ("", "b.test", 443, false), ("none.test", "localhost", 443, true), ("none.test", "127.9.9.9", 443, true),
            ("none.test", "::1", 443, true), ("none.test", "::ffff:127.0.0.1", 443, true), ("none.test", "localhost.test", 443, false),
        ] as [(String, String, UInt16, Bool)])
    func withoutProxy(exception: String, host: String, port: UInt16, isDirect: Bool) {
        var settings = ProxySettings()
        (settings.https, settings.exceptions) = ("http://p.test:1", [exception])
        #expect((settings.proxy(to: .https, host: host, port: port) == nil) == isDirect)
    }

    @Test func ranges() {
        #expect(ContentRange(parsing: "bytes 5-9/10") == ContentRange(parsing: "bytes 5-9/10"))
        #expect(ContentRange(parsing: "bytes 5-9/*")?.total == nil)
        for text in [
            "", "bytes", "bytes 9-5/10", "bytes 1-2-3/10", "bytes 1-2/10/10", "bytes */10", "bytes 5-9", "bytes -5/10", "items 1-2/3",
            "bytes 5-9/x",
        ] {
            #expect(ContentRange(parsing: text) == nil, "\(text)")
        }
        #expect(UploadProgress.offset(range: "0-9") == 10)
        #expect(UploadProgress.offset(range: "bytes=0-9") == 10)
        #expect(UploadProgress.offset(range: "0-0") == 0)
        for text in ["", "1-9", "0-", "0-5-9", "x", "0-18446744073709551615"] { #expect(UploadProgress.offset(range: text) == nil) }
    }

    @Test func links() {
        #expect(LinkHeader.next([#"</a?n=1>; rel="next""#]) == "/a?n=1")
        #expect(LinkHeader.next([#"</p>; rel="prev", </n>; rel=next"#]) == "/n")
        for text in ["", "</a>", "/a; rel=next", "<a; rel=next"] { #expect(LinkHeader.next([text]) == nil) }
    }

    @Test func scopes() {
        let scopes = Scope.union(
            [.repository("b", ["pull"]), .repository("a", ["push", "pull"])], [Scope(parsing: "repository:b:push")].compactMap(\.self))
        #expect(scopes.map(\.description) == ["repository:a:pull,push", "repository:b:pull,push"])
        #expect(Scope(parsing: "repository:host:5000/x:pull")?.resource == "repository:host:5000/x")
        #expect(Scope(parsing: "nothing") == nil)
    }

    @Test("Words of a registry are shortened, and cannot steer a terminal")
    func words() {
        let answer = TransferError.Answer(status: 400, message: "\u{1b}[2J" + String(repeating: "x", count: 600))
        #expect(answer.message == " [2J" + String(repeating: "x", count: 508))
    }
}
