@testable import BerthImages
import BerthOCI
import Testing

@Suite("What a committed image says is what Docker's says")
struct CommittedExecutionTests {
    private func container() -> ImageConfiguration.Execution {
        var execution = ImageConfiguration.Execution()
        (execution.command, execution.entrypoint, execution.environment) = (["old"], ["entry"], ["A=1", "B=2"])
        (execution.labels, execution.exposedPorts, execution.volumes) = (["l": "1"], ["80/tcp"], ["/v"])
        (execution.user, execution.workingDirectory, execution.stopSignal) = ("u", "/w", "SIGINT")
        var check = ImageConfiguration.Healthcheck(test: ["CMD", "true"])
        (check.interval, check.retries) = (5, 3)
        execution.healthcheck = check
        return execution
    }

    private func committed(_ changes: [String], _ said: ImageConfiguration.Execution? = nil) throws -> ImageConfiguration.Execution {
        try ImageChanges.apply(changes: changes, to: said, over: container())
    }

    @Test("Without changes, what the container does")
    func unchanged() throws { #expect(try committed([]) == container()) }

    @Test("An entry point takes the command with it, unless a command was given before")
    func entrypoint() throws {
        let alone = try committed([#"ENTRYPOINT ["new"]"#])
        #expect(alone.entrypoint == ["new"] && (alone.command ?? []).isEmpty)
        for changes in [[#"CMD ["c"]"#, #"ENTRYPOINT ["new"]"#], [#"ENTRYPOINT ["new"]"#, #"CMD ["c"]"#]] {
            let both = try committed(changes)
            #expect(both.entrypoint == ["new"] && both.command == ["c"])
        }
        #expect(try committed([#"CMD ["c"]"#]).entrypoint == ["entry"])
    }

    @Test("A request's own configuration is filled up with the container's")
    func said() throws {
        var said = ImageConfiguration.Execution()
        (said.environment, said.labels, said.exposedPorts, said.volumes) = (["B=3"], ["l": "2"], ["81/tcp"], ["/x"])
        said.healthcheck = ImageConfiguration.Healthcheck(test: ["NONE"])
        let image = try committed(["ENV C=4"], said)
        #expect(image.environment == ["B=3", "C=4", "A=1"])
        #expect(image.labels == ["l": "2"] && image.exposedPorts == ["81/tcp", "80/tcp"] && image.volumes == ["/x", "/v"])
        #expect(image.user == "u" && image.workingDirectory == "/w" && image.stopSignal == "SIGINT")
        #expect(image.entrypoint == ["entry"] && image.command == ["old"])
        #expect(image.healthcheck?.test == ["NONE"] && image.healthcheck?.interval == 5 && image.healthcheck?.retries == 3)
    }

    @Test(
        "Instructions that are no changes",
        arguments: ["FROM x", "RUN true", "COPY a b", "ADD a b", "ARG x", "SHELL [\"sh\"]", "MAINTAINER x"])
    func refused(_ line: String) {
        #expect { try committed([line]) } throws: { "\($0)".contains("is not a valid change command") }
    }
}
