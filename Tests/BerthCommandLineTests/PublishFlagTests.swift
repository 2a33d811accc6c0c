import BerthCommandLine
import DockerAPI
import Testing

private func tcp(_ number: UInt16) -> ContainerPort { ContainerPort(number, .tcp) }
private func place(_ port: String, _ address: String = "") -> PortBinding { PortBinding(hostAddress: address, hostPort: port) }

@Suite("--publish and --expose are read as Docker reads them")
struct PublishFlagTests {
    @Test(
        "Where ports are published",
        arguments: [
            ("80", [tcp(80): [place("")]]), ("80:81", [tcp(81): [place("80")]]), (":81", [tcp(81): [place("")]]),
            ("127.0.0.1:80:81", [tcp(81): [place("80", "127.0.0.1")]]), ("127.0.0.1::81", [tcp(81): [place("", "127.0.0.1")]]),
            ("[::1]:80:81", [tcp(81): [place("80", "::1")]]), ("::1:80:81", [tcp(81): [place("80", "::1")]]),
            ("[2001:DB8::1]::81/udp", [ContainerPort(81, .udp): [place("", "2001:DB8::1")]]),
            ("80:81/", [tcp(81): [place("80")]]), ("80:81/SCTP", [ContainerPort(81, .sctp): [place("80")]]),
            ("080:0081", [tcp(81): [place("80")]]), ("8080-8090:80", [tcp(80): [place("8080-8090")]]),
            ("8080-8081:80-81", [tcp(80): [place("8080")], tcp(81): [place("8081")]]),
            ("80-81", [tcp(80): [place("")], tcp(81): [place("")]]),
            ("5-5:80-80", [tcp(80): [place("5")]]), ("65535:65535", [tcp(65535): [place("65535")]]), ("0:80", [tcp(80): [place("0")]]),
            ("target=80", [tcp(80): [place("")]]),
            ("published=90,target=80,protocol=udp,mode=host", [ContainerPort(80, .udp): [place("90")]]),
            ("target=80-81,published=90-91", [tcp(80): [place("90")], tcp(81): [place("91")]]),
        ] as [(String, PortMap)])
    func published(flag: String, ports: PortMap) throws { #expect(try PublishFlags.bindings([flag]) == ports) }

    @Test("Several of one port are several places, in their order")
    func several() throws {
        #expect(try PublishFlags.bindings(["81:80", "80:80/tcp", "81:80"]) == [tcp(80): [place("81"), place("80"), place("81")]])
        #expect(try PublishFlags.bindings([]) == [:])
        #expect(try PublishFlags.bindings(["1-65535:1-65535"]).count == 65535)
    }

    @Test(
        "What is none, in Docker's words",
        arguments: [
            ("", "no port specified: <empty>"), (":", "no port specified: :<empty>"), ("80:", "no port specified: 80:<empty>"),
            ("80:/udp", "no port specified: 80:/udp<empty>"), ("80/x", "invalid proto: x"), ("80:80/tcp/udp", "invalid proto: tcp/udp"),
            ("x", "invalid containerPort: x"), ("80:x", "invalid containerPort: x"), ("65536", "invalid containerPort: 65536"),
            ("80:-1", "invalid containerPort: -1"), ("81-80", "invalid containerPort: 81-80"), ("1-2-3", "invalid containerPort: 1-2-3"),
            ("80:+80", "invalid containerPort: +80"), ("x:80", "invalid hostPort: x"), ("82-81:80", "invalid hostPort: 82-81"),
            ("99999:80", "invalid hostPort: 99999"),
            ("80-81:80-82", "invalid ranges specified for container and host Ports: 80-82 and 80-81"),
            ("80:80-82", "invalid ranges specified for container and host Ports: 80-82 and 80"),
            ("1.2.3:80:80", "invalid IP address: 1.2.3"), ("host:80:80", "invalid IP address: host"),
            ("[::1:80:80", "invalid IP address [::1: address [::1:: missing ']' in address"),
            ("[::1]x:80:80", "invalid IP address [::1]x: address [::1]x:: missing port in address"),
            ("published=80", "no port specified: 80:/tcp<empty>"),
            ("x=80,foo", "invalid publish opts format (should be name=value but got 'foo')"),
            ("target=80,=1", "invalid publish opts format (should be name=value but got '=1')"),
            ("target=80,protocol=x", "invalid proto: x"),
        ])
    func mistakes(flag: String, words: String) {
        #expect(throws: ValueMistake(words)) { try PublishFlags.bindings(["1:1", flag]) }
    }

    @Test("Exposed ports")
    func exposed() throws {
        #expect(
            try PublishFlags.exposed(["80", "100-102/UDP", "080/tcp"]) == [
                tcp(80), ContainerPort(100, .udp), ContainerPort(101, .udp), ContainerPort(102, .udp),
            ])
        for (flag, words) in [
            ("80:80", "invalid port format for --expose: 80:80"),
            ("x", #"invalid range format for --expose: x, error: strconv.ParseUint: parsing "x": invalid syntax"#),
            ("70000", #"invalid range format for --expose: 70000, error: strconv.ParseUint: parsing "70000": value out of range"#),
            ("/tcp", "invalid range format for --expose: /tcp, error: empty string specified for ports"),
            ("", "invalid range format for --expose: , error: empty string specified for ports"),
            ("90-80", "invalid range format for --expose: 90-80, error: invalid range specified for port: 90-80"),
            ("80/x", "invalid range format for --expose: 80/x, error: invalid proto: x"),
        ] {
            #expect(throws: ValueMistake(words)) { try PublishFlags.exposed([flag]) }
        }
    }

    @Test("A port's name in answers")
    func names() throws {
        #expect(try PublishFlags.portName("80") == "80/tcp")
        #expect(try PublishFlags.portName("53/udp") == "53/udp")
        for text in ["", "x", "70000", "80-81", "/tcp"] { #expect(throws: ValueMistake.self) { try PublishFlags.portName(text) } }
    }

    // What docker 28 prints for the same ports.
    @Test(
        "A container's ports in one line",
        arguments: [
            ([], ""), ([.init(inside: 9988, transport: "tcp")], "9988/tcp"),
            ([.init(inside: 9988, transport: "udp"), .init(inside: 9988, transport: "tcp")], "9988/tcp, 9988/udp"),
            ([.init(address: "4.3.2.1", inside: 9988, outside: 8899, transport: "tcp")], "4.3.2.1:8899->9988/tcp"),
            ([.init(address: "4.3.2.1", inside: 9988, outside: 9988, transport: "tcp")], "4.3.2.1:9988->9988/tcp"),
            ([.init(inside: 9989, transport: "tcp"), .init(inside: 9988, transport: "tcp")], "9988-9989/tcp"),
            (
                [
                    .init(address: "1.2.3.4", inside: 9998, outside: 9998, transport: "tcp"),
                    .init(address: "1.2.3.4", inside: 9999, outside: 9999, transport: "tcp"),
                ], "1.2.3.4:9998-9999->9998-9999/tcp"
            ),
            (
                [
                    .init(address: "1.2.3.4", inside: 9998, outside: 8887, transport: "tcp"),
                    .init(address: "1.2.3.4", inside: 9999, outside: 8888, transport: "tcp"),
                ], "1.2.3.4:8887->9998/tcp, 1.2.3.4:8888->9999/tcp"
            ),
            (
                [
                    .init(address: "0.0.0.0", inside: 80, outside: 8080, transport: "tcp"),
                    .init(address: "::", inside: 80, outside: 8080, transport: "tcp"),
                    .init(address: "::", inside: 90, outside: 90, transport: "tcp"), .init(inside: 53, transport: "udp"),
                ], "53/udp, [::]:90->90/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"
            ),
            (
                [
                    .init(inside: 80, transport: "tcp"), .init(inside: 1024, transport: "tcp"), .init(inside: 80, transport: "udp"),
                    .init(inside: 1024, transport: "udp"), .init(address: "1.1.1.1", inside: 1024, outside: 80, transport: "tcp"),
                    .init(address: "1.1.1.1", inside: 1024, outside: 80, transport: "udp"),
                    .init(address: "1.1.1.1", inside: 1024, outside: 1024, transport: "tcp"),
                    .init(address: "2.1.1.1", inside: 1024, outside: 1024, transport: "tcp"), .init(inside: 5432, transport: "tcp"),
                ],
                "80/tcp, 80/udp, 1024/tcp, 5432/tcp, 1024/udp, 1.1.1.1:1024->1024/tcp, 2.1.1.1:1024->1024/tcp, 1.1.1.1:80->1024/tcp, 1.1.1.1:80->1024/udp"
            ),
        ] as [([PortListing.Entry], String)])
    func listing(ports: [PortListing.Entry], text: String) { #expect(PortListing.text(ports) == text) }
}
