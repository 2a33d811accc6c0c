import DockerAPI
import Testing

@Suite("Pulls and pushes are told as Docker's daemon tells them")
struct TransferStreamTests {
    private func text(_ messages: [ProgressMessage]) -> String { String(decoding: messages.flatMap(\.line), as: UTF8.self) }

    @Test("The lines of a pull, byte for byte")
    func golden() {
        var lines = ProgressLines()
        var part = ProgressLines.Part(id: "0123456789ab", status: "Pulling fs layer")
        var all = text([.status("Pulling from library/nginx", id: "latest")])
        all += text(lines.lines(for: [part], withCounts: true))
        part = ProgressLines.Part(id: "0123456789ab", status: "Downloading", current: 524288, total: 2_097_152)
        all += text(lines.lines(for: [part], withCounts: true))
        part.current = 1_048_576
        // Too soon for more of the same.
        all += text(lines.lines(for: [part], withCounts: false))
        all += text(lines.lines(for: [part], withCounts: true))
        all += text(lines.lines(for: [part], withCounts: true))
        part = ProgressLines.Part(id: "0123456789ab", status: "Pull complete")
        all += text(lines.lines(for: [part], withCounts: false))
        #expect(
            all.split(separator: "\r\n").map(String.init) == [
                #"{"status":"Pulling from library/nginx","id":"latest"}"#,
                #"{"status":"Pulling fs layer","progressDetail":{},"id":"0123456789ab"}"#,
                #"{"status":"Downloading","progressDetail":{"current":524288,"total":2097152},"progress":"[============\u003e                                      ]  524.3kB/2.097MB","id":"0123456789ab"}"#,
                #"{"status":"Downloading","progressDetail":{"current":1048576,"total":2097152},"progress":"[=========================\u003e                         ]  1.049MB/2.097MB","id":"0123456789ab"}"#,
                #"{"status":"Pull complete","progressDetail":{},"id":"0123456789ab"}"#,
            ])
    }

    @Test("Credentials are read as clients send them, in both alphabets, with padding or without; nothing of them is shown")
    func auth() throws {
        var auth = RegistryAuth()
        (auth.user, auth.password, auth.serverAddress) = ("me", "sécret?>~", "127.0.0.1:5000")
        let header = auth.header
        #expect(!header.contains("+") && !header.contains("/"))
        #expect(try RegistryAuth(header: header) == auth)
        var bare = header
        while bare.hasSuffix("=") { bare.removeLast() }
        #expect(try RegistryAuth(header: bare) == auth)
        #expect(try RegistryAuth(header: header.replacing("-", with: "+").replacing("_", with: "/")) == auth)
        #expect(try RegistryAuth(body: Array(#"{"Username":"a","auth":"","email":null}"#.utf8)).user == "a")
        #expect(try RegistryAuth(body: Array(#"{"auth":"bWU6YTpi"}"#.utf8)).password == "a:b")
        #expect(try RegistryAuth(header: "").isEmpty)
        var shown = ""
        dump(auth, to: &shown)
        #expect(!(shown + "\(auth)" + String(reflecting: auth)).contains("cret"))
        for wrong in ["!", "e30=e", "a", "bm90IGpzb24=", "W10=", String(repeating: "A", count: 70_000)] {
            #expect(throws: RequestError.self) { try RegistryAuth(header: wrong) }
        }
    }
}
