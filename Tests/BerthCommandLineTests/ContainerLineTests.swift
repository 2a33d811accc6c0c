import BerthCommandLine
import Testing

@Suite("A container's line, edited")
struct ContainerLineTests {
    private static let declarations = [
        FlagDeclaration(name: "env", shorthand: "e", kind: .value(kind: "list")),
        FlagDeclaration(name: "label", kind: .value(kind: "list")), FlagDeclaration(name: "memory", kind: .value(kind: "bytes")),
        FlagDeclaration(name: "mount", kind: .value(kind: "mount")), FlagDeclaration(name: "network", kind: .value(kind: "network")),
        FlagDeclaration(name: "privileged", kind: .boolean(negative: nil)),
        FlagDeclaration(name: "publish", shorthand: "p", kind: .value(kind: "list")),
        FlagDeclaration(name: "tmpfs", kind: .value(kind: "list")), FlagDeclaration(name: "ulimit", kind: .value(kind: "ulimit")),
        FlagDeclaration(name: "volume", shorthand: "v", kind: .value(kind: "list")),
    ]
    private let grammar = Grammar(Self.declarations, placement: .beforeWords)

    private func line(_ words: [String], adding more: [String] = []) throws -> ContainerLine {
        var line = ContainerLine(try grammar.read(words))
        for flag in try grammar.read(more).occurrences { line.add(flag, isList: grammar.takesSeveral(flag.name)) }
        return line
    }

    @Test(
        "What can be said once takes the place of what was said; of the rest, what is about the same",
        arguments: [
            (["--memory", "1g", "i"], ["--memory", "2g"], ["--memory=2g"]),
            (["--privileged", "i"], ["--privileged=false"], ["--privileged=false"]),
            (["-e", "A=1", "-e", "B=1", "i"], ["-e", "A=2"], ["--env=B=1", "--env=A=2"]),
            (["-e", "A=1", "i"], ["-e", "AB=2"], ["--env=A=1", "--env=AB=2"]),
            (["-p", "80:80", "i"], ["-p", "8080:80"], ["--publish=80:80", "--publish=8080:80"]),
            (["-p", "80:80", "i"], ["-p", "80:80"], ["--publish=80:80"]),
            (["-v", "/a:/data:ro", "i"], ["--mount", "type=volume,source=v,target=/data"], ["--mount=type=volume,source=v,target=/data"]),
            (["--mount", "type=tmpfs,dst=/t", "i"], ["--tmpfs", "/t:size=1m"], ["--tmpfs=/t:size=1m"]),
            (["-v", "/data", "i"], ["-v", "b:/data"], ["--volume=b:/data"]),
            (["--ulimit", "nofile=1:2", "i"], ["--ulimit", "nofile=3"], ["--ulimit=nofile=3"]),
            (["--network", "a", "i"], ["--network", "name=a,alias=x", "--network", "b"], ["--network=name=a,alias=x", "--network=b"]),
        ])
    func adding(_ former: [String], _ more: [String], _ wanted: [String]) throws {
        let line = try line(former, adding: more)
        #expect(line.flagWords == wanted)
        // What was put together is read as it is.
        #expect(ContainerLine(try grammar.read(line.words)) == line)
    }

    @Test(
        "What is taken back",
        arguments: [
            ("env=A", ["--env=B=1", "--publish=80:80", "--publish=[::1]:81:80/udp", "--volume=v:/data", "--tmpfs=/t"]),
            ("env", ["--publish=80:80", "--publish=[::1]:81:80/udp", "--volume=v:/data", "--tmpfs=/t"]),
            ("--publish=80", ["--env=A=1", "--env=B=1", "--publish=[::1]:81:80/udp", "--volume=v:/data", "--tmpfs=/t"]),
            ("publish=80/udp", ["--env=A=1", "--env=B=1", "--publish=80:80", "--volume=v:/data", "--tmpfs=/t"]),
            ("mount=/data", ["--env=A=1", "--env=B=1", "--publish=80:80", "--publish=[::1]:81:80/udp", "--tmpfs=/t"]),
            ("volume=/t", ["--env=A=1", "--env=B=1", "--publish=80:80", "--publish=[::1]:81:80/udp", "--volume=v:/data"]),
        ])
    func removing(_ text: String, _ left: [String]) throws {
        var line = try line(
            ["-e", "A=1", "-e", "B=1", "-p", "80:80", "-p", "[::1]:81:80/udp", "-v", "v:/data", "--tmpfs", "/t", "i", "cmd"])
        try line.remove(text)
        #expect(line.flagWords == left && line.image == "i" && line.command == ["cmd"])
    }

    @Test("What is not there cannot be taken back; the command can")
    func wrong() throws {
        var line = try line(["-e", "A=1", "i", "cmd"])
        for text in ["env=B", "memory", "nothing=1", "", "=", "mount=/"] {
            #expect(throws: ValueMistake.self) { try line.remove(text) }
        }
        try line.remove("command")
        #expect(line.words == ["--env=A=1", "i"])
    }
}
