import BerthDaemon
import Testing

@Suite("Where a daemon listens")
struct ListenAddressTests {
    @Test(
        "What can be listened on",
        arguments: [
            ("unix:///run/x.sock", .unix("/run/x.sock")), ("unix://", .unix("/default")),
            ("tcp://127.0.0.1:2375", .tcp(host: "127.0.0.1", port: 2375)),
            ("tcp://:0", .tcp(host: "127.0.0.1", port: 0)), ("tcp://[::1]:80", .tcp(host: "::1", port: 80)),
        ] as [(String, ListenAddress)])
    func valid(text: String, address: ListenAddress) throws {
        #expect(try ListenAddress(parsing: text, defaultSocket: "/default") == address)
    }

    @Test(
        "What cannot is told by name",
        arguments: [
            "", "x", "/run/x.sock", "unix://relative", "tcp://", "tcp://host", "tcp://host:", "tcp://host:x", "tcp://host:65536", "fd://",
            "npipe:////./pipe/x",
        ])
    func invalid(text: String) {
        #expect { try ListenAddress(parsing: text, defaultSocket: "/default") } throws: { error in
            (error as? DaemonError)?.code == .invalidAddress && (text.isEmpty || "\(error)".contains(text))
        }
    }

    @Test("An address is written as it is read")
    func description() throws {
        for text in ["unix:///a/b", "tcp://1.2.3.4:5", "tcp://[::1]:6"] {
            #expect(try ListenAddress(parsing: text, defaultSocket: "/").description == text)
        }
    }
}
