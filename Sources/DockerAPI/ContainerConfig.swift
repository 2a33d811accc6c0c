/// What runs in a container, as requests to make one and answers about one have it (`ContainerConfig`).
public struct ContainerConfig: Sendable, Hashable {
    /// The name in its UTS namespace.
    public var hostname = ""
    /// The NIS domain there.
    public var domainName = ""
    /// `user`, `user:group`, by name or number.
    public var user = ""
    /// Whether the maker attaches standard input.
    public var attachesStandardInput = false
    /// Whether the maker attaches standard output.
    public var attachesStandardOutput = false
    /// Whether the maker attaches standard error.
    public var attachesStandardError = false
    /// The ports at which it can be spoken to.
    public var exposedPorts: Set<ContainerPort> = []
    /// Whether it has a terminal.
    public var terminal = false
    /// Whether standard input is open.
    public var openStandardInput = false
    /// Whether standard input ends with its first client.
    public var standardInputOnce = false
    /// `NAME=value`.
    public var environment: [String]?
    /// The command, or the entry point's arguments.
    public var command: [String]?
    /// The image, as the maker named it.
    public var image = ""
    /// Places of volumes without a name.
    public var volumes: Set<String> = []
    /// The directory in which it starts.
    public var workingDirectory = ""
    /// What stands before the command.
    public var entrypoint: [String]?
    /// The hardware address in its first network, as clients before 1.44 say it; empty is any.
    public var macAddress = ""
    /// Names and values.
    public var labels: [String: String] = [:]
    /// How it is checked; `nil` is as the image says.
    public var healthcheck: HealthConfig?
    /// What a stop sends.
    public var stopSignal: String?
    /// How long a stop waits, in seconds.
    public var stopTimeoutSeconds: Int64?

    /// Nothing said.
    public init() {}

    /// Takes what it knows from a request.
    public init(reading fields: inout RequestFields) throws(RequestError) {
        hostname = try fields.string("Hostname")
        domainName = try fields.string("Domainname")
        user = try fields.string("User")
        attachesStandardInput = try fields.bool("AttachStdin")
        attachesStandardOutput = try fields.bool("AttachStdout")
        attachesStandardError = try fields.bool("AttachStderr")
        exposedPorts = try fields.portSet("ExposedPorts")
        terminal = try fields.bool("Tty")
        openStandardInput = try fields.bool("OpenStdin")
        standardInputOnce = try fields.bool("StdinOnce")
        environment = try fields.strings("Env")
        command = try fields.commandWords("Cmd")
        image = try fields.string("Image")
        volumes = Set(try fields.fieldsMap("Volumes").keys)
        workingDirectory = try fields.string("WorkingDir")
        entrypoint = try fields.commandWords("Entrypoint")
        macAddress = try fields.string("MacAddress")
        labels = try fields.stringMap("Labels")
        if fields.has("Healthcheck") {
            var check = try fields.fields("Healthcheck")
            healthcheck = try HealthConfig(reading: &check)
        }
        stopSignal = try fields.optionalString("StopSignal")
        stopTimeoutSeconds = try fields.optionalInteger("StopTimeout")
        // Only said of images, never done by a container.
        _ = fields.value("OnBuild")
        _ = fields.value("Shell")
    }
}

extension ContainerConfig: JSONWritable {
    /// Writes it as an inspection shows it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Hostname", hostname)
            writer.member("Domainname", domainName)
            writer.member("User", user)
            writer.member("AttachStdin", attachesStandardInput)
            writer.member("AttachStdout", attachesStandardOutput)
            writer.member("AttachStderr", attachesStandardError)
            if !exposedPorts.isEmpty { writer.member("ExposedPorts", set: exposedPorts.map(\.description)) }
            writer.member("Tty", terminal)
            writer.member("OpenStdin", openStandardInput)
            writer.member("StdinOnce", standardInputOnce)
            writer.member("Env", environment)
            writer.member("Cmd", command)
            if let healthcheck { writer.member("Healthcheck", healthcheck) }
            writer.member("Image", image)
            writer.member("Volumes", set: volumes.isEmpty ? nil : volumes.sorted())
            writer.member("WorkingDir", workingDirectory)
            writer.member("Entrypoint", entrypoint)
            if !macAddress.isEmpty { writer.member("MacAddress", macAddress) }
            writer.nullMember("OnBuild")
            writer.member("Labels", labels)
            if let stopSignal { writer.member("StopSignal", stopSignal) }
            if let stopTimeoutSeconds { writer.member("StopTimeout", stopTimeoutSeconds) }
        }
    }
}
