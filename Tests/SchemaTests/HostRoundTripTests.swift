import DockerAPI
import Testing

@Suite("What an inspection shows can be asked for again")
struct HostRoundTripTests {
    @Test("A container's settings, as they are shown, are read as the same settings")
    func roundTrip() throws {
        var request = ContainerCreateRequest(config: ContainerConfig())
        (request.config.image, request.config.command, request.config.environment) = ("busybox", ["x"], ["A=<1>"])
        (request.config.labels, request.config.stopSignal, request.config.terminal) = (["a": "b"], "SIGINT", true)
        (request.host.networkMode, request.host.logDriver, request.host.binds) = ("none", "json-file", ["/a:/b"])
        (request.host.memory, request.host.pidsLimit, request.host.restartPolicy) = (
            1 << 30, -1, HostConfig.RestartPolicy(name: "on-failure", maximumRetryCount: 3)
        )
        request.host.oomKillDisabled = false
        request.host.ulimits = [.init(name: "nofile", soft: 1, hard: 2)]
        var writer = JSONWriter()
        writer.verbatim(request.config.json.dropLast())
        writer.verbatim(#""HostConfig":"#.utf8 + request.host.json + Array("}".utf8))
        let again = try ContainerCreateRequest(parsing: writer.bytes)
        #expect(again == request)
    }
}
