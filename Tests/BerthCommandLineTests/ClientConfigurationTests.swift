import BerthClient
import BerthCommandLine
import Testing

@Suite("Docker's config.json, as far as it is about a command line")
struct ClientConfigurationTests {
    private func read(_ text: String) throws -> ClientConfiguration { try ClientConfiguration(parsing: Array(text.utf8)) }

    @Test("Formats, keys and headers; what says nothing, and what says something to others, is none")
    func members() throws {
        let configuration = try read(
            #"""
            {"auths": {"x": {}}, "currentContext": "y", "plugins": {"a": {"b": "c"}}, "psFormat": "{{.ID}}", "imagesFormat": "", "statsFormat": null,
             "detachKeys": "ctrl-x", "HttpHeaders": {"X-Meta": "one", "user-agent": "another"}}
            """#)
        #expect(configuration.format(of: .containers) == "{{.ID}}")
        for list in [ClientConfiguration.List.images, .statistics, .networks, .volumes] { #expect(configuration.format(of: list) == nil) }
        #expect(configuration.detachKeys == "ctrl-x")
        #expect(configuration.headers.map { "\($0.name): \($0.value)" } == ["X-Meta: one"])
        let empty = try read("{}")
        #expect(empty == ClientConfiguration() && empty.headers.isEmpty && empty.detachKeys == nil)
    }

    @Test("Proxies become variables in both spellings, but where one is given; a daemon's own go before the others'")
    func proxies() throws {
        let configuration = try read(
            #"""
            {"proxies": {"default": {"httpProxy": "http://p:1", "noProxy": "a,b", "httpsProxy": ""},
                         "tcp://other:2375": {"allProxy": "socks://q", "ftpProxy": "f"}}}
            """#)
        #expect(
            configuration.environment(["A=b", "no_proxy=mine", "HTTP_PROXY"], for: "unix:///x")
                == ["A=b", "no_proxy=mine", "HTTP_PROXY", "http_proxy=http://p:1", "NO_PROXY=a,b"])
        #expect(
            configuration.environment([], for: "tcp://other:2375")
                == ["ALL_PROXY=socks://q", "all_proxy=socks://q", "FTP_PROXY=f", "ftp_proxy=f"])
        #expect(ClientConfiguration().environment(["A=b"], for: "unix:///x") == ["A=b"])
    }

    @Test("Filters of prunings are added, but those that say the opposite of what is given")
    func filters() throws {
        let configuration = try read(#"{"pruneFilters": ["label!=keep", "label=old", "until=24h", "nothing"]}"#)
        #expect(configuration.pruneFilters([]) == ["label!=keep", "label=old", "until=24h"])
        #expect(configuration.pruneFilters(["label=keep"]) == ["label=keep", "label=old", "until=24h"])
        #expect(configuration.pruneFilters(["label!=old"]) == ["label!=old", "label!=keep", "until=24h"])
    }

    @Test(
        "What is not of its kind is an error that names it",
        arguments: [
            ("", ""), ("[]", "object"), ("{", ""), (#"{"psFormat": 3}"#, "psFormat"), (#"{"detachKeys": {}}"#, "detachKeys"),
            (#"{"HttpHeaders": []}"#, "HttpHeaders"), (#"{"HttpHeaders": {"A": 1}}"#, "HttpHeaders.A"),
            (#"{"HttpHeaders": {"A": "b\r\nX: y"}}"#, "HttpHeaders.A"), (#"{"HttpHeaders": {"": "b"}}"#, "HttpHeaders."),
            (#"{"pruneFilters": "x"}"#, "pruneFilters"), (#"{"pruneFilters": [1]}"#, "pruneFilters"), (#"{"proxies": 1}"#, "proxies"),
            (#"{"proxies": {"default": []}}"#, "proxies.default"), (#"{"proxies": {"default": {"noProxy": 1}}}"#, "noProxy"),
        ])
    func mistakes(text: String, named: String) {
        let error = #expect(throws: ClientError.self) { try read(text) }
        #expect(error?.code == .malformed && error?.description.contains(named) == true, "\(String(describing: error))")
    }
}
